"""An invented season with pictures of rendered traps, to look at its report.

`PYTHONPATH=. python tests/formats/sample_season.py OUT` writes `report.html` and, with a hundred traps, `large.html`.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from agri_clip.detections import PhotoRecord
from agri_clip.report.page import write_html_report
from agri_clip.report.sheets import Example
from fine_tune.synthetic.photos import render_trap

ACTION = {"whitefly": 20, "thrips": 10, "fungus gnat": 30}
PROVENANCE = {
    "program": "agri_clip 0.1.0",
    "proposer": "insect-yolo 1",
    "encoder": "builtin",
    "prompts": "greenhouse",
    "prompts_hash": "5f0c2a",
    "thresholds": {"whitefly": 0.31, "thrips": 0.36, "fungus gnat": 0.31, "leafminer fly": 0.4, "aphid": 0.3},
    "precision": None,
    "card_size_mm": (100, 250),
}


def counts_of(
    traps: Sequence[str | None], weeks: int, labels: Sequence[str], seed: int = 0, missing: float = 0.06
) -> pd.DataFrame:
    """Weekly counts that rise and fall; some weeks are missing, and the last label is never found."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for trap in traps:
        height, peak = rng.gamma(1.5, 1, len(labels)), rng.uniform(0.3, 1.2, len(labels)) * weeks
        for week in range(weeks):
            if rng.random() < missing:
                continue
            day = date(2026, 5, 4) + timedelta(weeks=week, days=int(rng.integers(0, 2)))
            for i, label in enumerate(labels):
                mean = 14 * height[i] * np.exp(-(((week - peak[i]) / (weeks / 4)) ** 2))
                count = 0 if i == len(labels) - 1 else int(rng.poisson(mean))
                spread = 1 + 1.3 * np.sqrt(count)
                rows.append(
                    {
                        "trap": trap,
                        "day": day,
                        "label": label,
                        "count": count,
                        "photos": 1,
                        "threshold": 0.3,
                        "action_threshold": ACTION.get(label),
                        "source": "own experience" if label in ACTION else None,
                        "count_low": max(0, round(count - spread)),
                        "count_high": round(count + spread),
                    }
                )
    return pd.DataFrame(rows)


def photos_of(counts: pd.DataFrame, bad: int = 3) -> list[PhotoRecord]:
    """The photos that the counts could be from, with places in three rows of a field, and some that failed."""
    traps = list(dict.fromkeys(counts["trap"]))
    photos = []
    for trap, day in dict.fromkeys(zip(counts["trap"], counts["day"], strict=True)):
        at = traps.index(trap)
        gps = (48.2 + 0.0004 * (at % 3), 16.3 + 0.0006 * (at // 3)) if at else None
        notes = ("stopped at 300 boxes",) if (at + day.day) % 11 == 0 else ()
        taken = datetime.combine(day, time(8, 30))
        photos.append(PhotoRecord(f"{trap}_{day}.jpg", 1600, 1200, taken, trap, gps=gps, notes=notes))
    reasons = ("is empty (0 bytes)", "is cut off: 40 % of the picture is missing", "is no photo but a web page")
    return photos + [PhotoRecord(f"IMG_{2000 + i}.jpg", reason=reasons[i % 3]) for i in range(bad)]


def rendered_examples(traps: Sequence[str], seed: int = 0) -> dict[str, list[Example]]:
    """Insects cut from rendered traps, under their true names, with invented scores."""
    rng = np.random.default_rng(seed)
    examples: dict[str, list[Example]] = {}
    for trap in traps:
        photo = render_trap(rng)
        for box, group in zip(photo.boxes, photo.groups, strict=True):
            middle, half = (box[:2] + box[2:]) / 2, max(24.0, 0.7 * float((box[2:] - box[:2]).max()))
            cut = Image.fromarray(photo.pixels).crop(tuple(np.r_[middle - half, middle + half].astype(int).tolist()))
            file = io.BytesIO()
            cut.resize((112, 112)).save(file, "JPEG", quality=80)
            taken = datetime(2026, 6, int(rng.integers(1, 28)), 8, 30)
            score = round(float(rng.uniform(0.31, 0.99)), 2)
            examples.setdefault(group, []).append(
                Example(file.getvalue(), score, trap, taken, f"{trap}_{taken:%F}.jpg")
            )
    return examples


def main(out: Path) -> None:
    """Write both reports."""
    labels = ["whitefly", "thrips", "fungus gnat", "leafminer fly", "aphid"]
    traps = ["T1", "T2", "T3", "T7", "T10", "House 2 / north"]
    counts = counts_of(traps, 10, labels)
    found = {label: items for label, items in rendered_examples(traps[:3]).items() if label in labels[:-1]}
    write_html_report(out / "report.html", counts, photos_of(counts), found, PROVENANCE, title="Greenhouse 2026")
    many = [f"L{i}" for i in range(1, 101)]
    pests = [*labels[:-1], "moth", "psyllid", "leafhopper", "aphid"]
    large = counts_of(many, 30, pests, seed=1)
    write_html_report(out / "large.html", large, photos_of(large, 40), {}, PROVENANCE, title="Region 2026")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
