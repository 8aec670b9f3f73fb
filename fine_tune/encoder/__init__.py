"""Trains `builtin`: an image tower that starts from weights of photos, and a text tower that learns its words."""
