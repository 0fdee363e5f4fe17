"""Replaying cases: turns, answers to tool calls, targets."""
