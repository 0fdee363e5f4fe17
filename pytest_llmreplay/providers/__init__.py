"""The ways to a model, with pressure and recordings in front."""
