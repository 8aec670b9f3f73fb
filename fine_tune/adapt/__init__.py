"""Adapting to a field: from words to examples, and never worse than words. Labelled crops in, an encoder folder out."""
