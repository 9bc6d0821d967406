"""Measuring: the ladder of engines, what comparing them shows, and how they are timed."""
