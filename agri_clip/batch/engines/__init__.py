"""Engines of a batch: who reads, proposes and encodes. The batch keeps what must be decided in one place.

`stages.py` says what is done with a photo, the same for all; `local.py` does it in threads of this program,
`ray_engine.py` in the processes of a Ray runtime, here or on many machines. Ray is imported only where it is asked for.
"""

from __future__ import annotations

from agri_clip.batch.engines.local import LocalEngine
from agri_clip.batch.engines.stages import Engine, Stop, Task, Work

__all__ = ["Engine", "LocalEngine", "Stop", "Task", "Work"]
