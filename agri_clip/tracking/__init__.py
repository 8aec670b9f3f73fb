"""Insects followed through films and series of photos."""
