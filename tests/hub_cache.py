"""Lays a model folder into the Hugging Face cache, so that tests need no network to have fetched it."""

from __future__ import annotations

import shutil
from hashlib import sha256
from pathlib import Path


def put_in_cache(cache: Path, name: str, folder: Path, revision: str = "main", *, leave_out: str = "") -> Path:
    """Lay a folder into the cache as the hub's own client does: blobs by their hash, and links to them."""
    place = cache / f"models--{name.replace('/', '--')}"
    commit = sha256(revision.encode()).hexdigest()[:40]
    snapshot = place / "snapshots" / commit
    for directory in (place / "blobs", snapshot, (place / "refs" / revision).parent):
        directory.mkdir(parents=True, exist_ok=True)
    (place / "refs" / revision).write_text(commit)
    for file in folder.iterdir():
        if file.name != leave_out:
            blob = place / "blobs" / sha256(file.read_bytes()).hexdigest()
            shutil.copy(file, blob)
            (snapshot / file.name).symlink_to(blob)
    return snapshot
