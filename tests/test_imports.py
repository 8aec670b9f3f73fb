"""What importing the program needs and does: declared packages, and nothing that a user's own program would notice."""

from __future__ import annotations

import ast
import graphlib
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


def floors() -> dict[str, int]:
    """The floor of each room, as the table of `docs/architecture.md` says."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d) [^|]+\| ([^|]+) \|$", page, flags=re.MULTILINE)
    return {room: int(floor) for floor, rooms in rows for room in re.findall(r"`(\w+)`", rooms)}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def own_imports() -> dict[str, set[tuple[str, bool]]]:
    """For each module of `agri_clip`, which other it imports, and whether it does so when it is imported itself."""
    paths = {name_of(path): path for path in MODULES if path.is_relative_to(ROOT / "agri_clip")}
    found: dict[str, set[tuple[str, bool]]] = {}
    for name, path in paths.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        later = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
            for inner in ast.walk(node)
        }
        found[name] = {
            (module if module in paths else node.module, id(node) not in later)
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] in OWN
            for module in (f"{node.module}.{alias.name}" for alias in node.names)
        }
    return found


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_no_module_imports_from_a_floor_above() -> None:
    floor, rooms = floors(), {room(name) for name in own_imports()} - {""}
    assert rooms == set(floor), "the table of floors in docs/architecture.md lacks a room, or names one too many"
    up = [
        f"{name} -> {other}"
        for name, others in own_imports().items()
        for other, _ in others
        if room(name) and other.startswith("agri_clip.") and floor[room(other)] > floor[room(name)]
    ]
    assert up == []


def test_the_parts_of_the_pipeline_know_nothing_of_each_other() -> None:
    apart = {"photos", "regions", "encoders", "prompts"}
    pairs = {(room(name), room(other)) for name, others in own_imports().items() for other, _ in others}
    assert {(a, b) for a, b in pairs if a != b and a in apart and b in apart} == {("regions", "photos")}


def test_no_module_imports_in_a_circle() -> None:
    first = {name: {other for other, at_once in others if at_once} - {name} for name, others in own_imports().items()}
    assert sum(map(len, first.values())) > 300
    graphlib.TopologicalSorter(first).prepare()


def test_only_faces_import_the_training_and_only_when_it_is_asked_for() -> None:
    training = [
        (name, at_once)
        for name, others in own_imports().items()
        for other, at_once in others
        if other.partition(".")[0] == "fine_tune"
    ]
    assert training
    assert {room(name) for name, _ in training} <= {"cli", "ui"}
    assert not any(at_once for _, at_once in training)


def test_few_modules_lie_loose() -> None:
    loose = [path.stem for path in (ROOT / "agri_clip").glob("*.py")]
    assert sorted(loose) == ["__init__", "detections", "detector", "errors", "settings"]


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
    assert {"agri_clip.tracking.video", "agri_clip.ui.page"} < set(ours)
    others = sorted({name for path in paths for name in imported(path)})
    arguments = [sys.executable, "-c", QUIET, " ".join(others), " ".join(ours)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip().splitlines()[-1] == "[]"
