"""What is this? The name of one insect, at the level that is sure."""
