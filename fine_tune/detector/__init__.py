"""Trains `insect-yolo`, the embedded class-agnostic detector."""
