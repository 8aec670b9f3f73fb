"""What this machine has for running models: memory, cores and a GPU. Told without importing torch."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

#: Files with the memory limit of a container in bytes: cgroup version 2, then 1. Without a limit they hold "max" or a
#: number beyond any machine's memory.
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")

#: Seconds that the driver's tool has to answer.
_TIMEOUT = 10


@dataclass(frozen=True)
class Machine:
    """Memory, cores and GPU of a machine.

    Attributes
    ----------
    memory_gb : float or None
        Main memory that this program may use; None where the system does not say.
    cores : int
    gpu : str or None
        Name of the GPU that torch can use; None without one.
    gpu_memory_gb : float or None
        Its own memory; that of the machine where the two share it; None where it is not known.
    """

    memory_gb: float | None
    cores: int
    gpu: str | None = None
    gpu_memory_gb: float | None = None

    def __str__(self) -> str:
        memory = "memory not known" if self.memory_gb is None else f"{self.memory_gb:.0f} GB of memory"
        cores = f"{self.cores} core{'s' * (self.cores != 1)}"
        if self.gpu is None:
            return f"{memory}, {cores}, no GPU that torch can use"
        size = "" if self.gpu_memory_gb is None else f" with {self.gpu_memory_gb:.0f} GB"
        return f"{memory}, {cores}, GPU {self.gpu}{size}"


def look_at_machine() -> Machine:
    """Look at this machine. Nothing is measured; a question that the system does not answer is None."""
    memory = _memory_gb()
    gpu, gpu_memory = _nvidia() or _apple(memory) or (None, None)
    return Machine(memory, _cores(), gpu, gpu_memory)


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows
        return os.cpu_count() or 1


def _memory_gb() -> float | None:
    """Main memory in GB (10**9 bytes), or the limit of the container where that is lower."""
    known = [value for value in (_physical_memory(), *map(_limit, _LIMITS)) if value]
    return min(known) / 1e9 if known else None


def _physical_memory() -> int | None:
    if sys.platform == "win32":
        return _windows_memory()
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _windows_memory() -> int | None:
    import ctypes

    kilobytes = ctypes.c_ulonglong()
    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined, unused-ignore]
    return kilobytes.value * 1024 if kernel.GetPhysicallyInstalledSystemMemory(ctypes.byref(kilobytes)) else None


def _limit(file: str) -> int | None:
    try:
        text = Path(file).read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _nvidia() -> tuple[str, float | None] | None:
    """The first NVIDIA GPU, where torch was built to use one and it is not hidden."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1") or not _torch_has("cuda"):
        return None
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    query = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=_TIMEOUT, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    first = next(iter(answer.splitlines()), "")
    name, _, mebibytes = first.rpartition(",")
    if not name:
        return None
    return name.strip(), float(mebibytes) * 2**20 / 1e9 if mebibytes.strip().isdigit() else None


def _apple(memory_gb: float | None) -> tuple[str, float | None] | None:
    """The GPU of an Apple chip, which shares the machine's memory."""
    return ("of the Apple chip", memory_gb) if (sys.platform, platform.machine()) == ("darwin", "arm64") else None


def _torch_has(kind: str) -> bool:
    """Whether torch was built for a kind of GPU, as its version file says; the file is read, torch is not imported."""
    found = find_spec("torch")
    file = Path(found.origin).parent / "version.py" if found is not None and found.origin else None
    if file is None or not file.is_file():
        return True  # not known: the driver decides
    lines = [
        line for line in file.read_text(encoding="utf-8").splitlines() if line.startswith((f"{kind}:", f"{kind} "))
    ]
    return not lines or not lines[0].endswith("None")
