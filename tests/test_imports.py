"""What importing the program needs and does: declared packages, and nothing that a user's own program would notice."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MODULES = sorted(path for folder in ("agri_clip", "fine_tune") for path in (ROOT / folder).rglob("*.py"))
OWN = {"agri_clip", "fine_tune", "benchmarks", "tests"}


def imported(path: Path) -> set[str]:
    """Modules of other projects that a module names, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name for name in names if name.partition(".")[0] not in {*sys.stdlib_module_names, *OWN}}


def distribution(requirement: str) -> str:
    """The bare name of a requirement, as package indexes compare names."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement, maxsplit=1)[0]).lower()


def test_every_package_that_is_imported_is_declared() -> None:
    declared = {distribution(each) for each in PROJECT["dependencies"]}
    declared |= {distribution(each) for extra in PROJECT["optional-dependencies"].values() for each in extra}
    owners = packages_distributions()
    needed = {name.partition(".")[0] for path in MODULES for name in imported(path)}
    assert len(needed) > 20
    missing = {n for n in needed if n in owners and not {distribution(owner) for owner in owners[n]} & declared}
    assert missing == set()


QUIET = """
import contextlib, importlib, logging, os, signal, sys, threading, warnings
others, ours = (names.split() for names in sys.argv[1:])
for name in others:  # what these do is not the program's doing
    with contextlib.suppress(ImportError):  # needs an extra
        importlib.import_module(name)
import cv2, numpy, torch
def look():
    return {
        "warning filters": list(warnings.filters), "environment": dict(os.environ), "threads": threading.active_count(),
        "log level of OpenCV": cv2.utils.logging.getLogLevel(), "log handlers": logging.getLogger().handlers[:],
        "errors of numpy": numpy.geterr(), "SIGTERM": signal.getsignal(signal.SIGTERM),
        "threads of torch": torch.get_num_threads(),
    }
before = look()
for name in ours:
    importlib.import_module(name)
after = look()
print([name for name in before if before[name] != after[name]])
"""


def test_importing_changes_nothing_for_the_program_that_imports() -> None:
    paths = [path for path in MODULES if path.is_relative_to(ROOT / "agri_clip") and path.name != "__main__.py"]
    ours = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths]
    ours = [name for name in ours if "engines.ray_" not in name]  # needs an extra
    assert {"agri_clip.video", "agri_clip.ui.page"} < set(ours)
    others = sorted({name for path in paths for name in imported(path)})
    arguments = [sys.executable, "-c", QUIET, " ".join(others), " ".join(ours)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip().splitlines()[-1] == "[]"
