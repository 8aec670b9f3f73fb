"""Photos: read from files of all kinds, with what they say of place and time."""
