"""The composition root: from options to adapters to the engine, and the engine's face to pytest and xdist."""
