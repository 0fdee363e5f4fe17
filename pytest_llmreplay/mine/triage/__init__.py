"""Triage: which intents fail, what goes with it, and what of it is worth promoting."""
