"""The archive of a season: photos, regions and their vectors, kept so that a new pest is a question to a table.

One folder (or object-store address) of LanceDB tables. `agri_clip.batch.run` fills it; nothing here opens a photo.
"""

from __future__ import annotations

from agri_clip.archive.season import Season
from agri_clip.archive.store import Archive

__all__ = ["Archive", "Season"]
