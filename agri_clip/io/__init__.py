"""Files: written whole or not at all. Used by every part that writes."""
