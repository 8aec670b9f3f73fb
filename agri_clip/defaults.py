"""The models that are used where none is named; both ship inside the package. docs/benchmark.md has their figures."""

from __future__ import annotations

from typing import Final

PROPOSER: Final = "insect-yolo"
ENCODER: Final = "builtin"
