"""Labelling: many photos at once give what each gives by itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from agri_clip import PromptSet
from agri_clip.archive.season import Maker
from agri_clip.detections import Detections, PhotoRecord
from agri_clip.encoders import get_encoder
from agri_clip.regions.base import Regions
from agri_clip.regions.merging import Metric, largest_overlaps
from agri_clip.scoring.labeller import Labeller
from agri_clip.settings import Settings

SCALES = (0.05, None, 0.02, None, None)


def make_photo(rng: np.random.Generator, count: int, near: np.ndarray) -> tuple[Regions, np.ndarray]:
    """Regions that often overlap, and vectors near some of `near`."""
    corners = rng.uniform(0, 400, (count, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(10, 120, (count, 2))], axis=1).astype(np.float32)
    vectors = near[rng.integers(len(near), size=count)] + rng.normal(0, 0.04, (count, near.shape[1]))
    outlines = tuple(box[[0, 1, 2, 1, 2, 3]].reshape(3, 2) if i % 3 else None for i, box in enumerate(boxes))
    regions = Regions(boxes, rng.uniform(0, 1, count), outlines)
    return regions, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("sentences", [("an insect",), ("a whitefly", "a moth", "a ladybird", "a green thing")])
@pytest.mark.parametrize("seed", range(3))
def test_photos_together_give_what_each_gives_alone(seed: int, sentences: tuple[str, ...], relative: bool) -> None:
    rng = np.random.default_rng(seed)
    encoder = get_encoder("builtin")
    labeller = Labeller(encoder, Maker("insect-yolo", "1"), Settings(relative_length=relative))
    prompts = PromptSet.of(*sentences)
    near = encoder.encode_texts([*sentences, "a speck of dirt"])
    records = [PhotoRecord(f"p{i}", 500, 500, mm_per_pixel=scale) for i, scale in enumerate(SCALES)]
    parts = [make_photo(rng, count, near) for count in (40, 25, 1, 0, 33)]
    alone = Detections.concat(
        [labeller.label(record, *part, prompts) for record, part in zip(records, parts, strict=True)]
    )
    regions = Regions.concat([part[0] for part in parts])
    counts = [len(part[0]) for part in parts]
    crowded: dict[Metric, np.ndarray] = {
        "iou": np.concatenate([largest_overlaps(part.boxes, "iou") > 0.4 for part, _ in parts]),
        "ios": np.concatenate([largest_overlaps(part.boxes, "ios") > 0.5 for part, _ in parts]),
    }
    assert 0 < crowded["iou"].sum() < crowded["ios"].sum() < len(regions)
    for known in (None, crowded):
        together, kept = labeller.label_photos(
            records, counts, regions, np.concatenate([part[1] for part in parts]), prompts, crowded=known
        )
        pd.testing.assert_frame_equal(together.to_pandas(), alone.to_pandas())
        np.testing.assert_array_equal(regions.boxes[kept], together.boxes)
        assert [o is None for o in together.outlines] == [o is None for o in alone.outlines]


def test_clutter_is_looked_at_only_where_it_is_known_what_is_usual() -> None:
    encoder, prompts = get_encoder("builtin"), PromptSet.of("an insect")
    corners = np.stack([np.arange(60) * 100.0, np.zeros(60)], axis=1)
    vectors = np.repeat(encoder.encode_texts(["an insect"]), 60, axis=0)
    regions = Regions(np.concatenate([corners, corners + 40], axis=1), np.where(np.arange(60) == 0, 0.4, 0.05))
    record, alone = PhotoRecord("dirty", 6100, 100), np.arange(1)
    for name, changes in (("insect-yolo", True), ("insect-yolo+contrast", True), ("contrast", False)):
        labeller = Labeller(encoder, Maker(name, "1"), Settings())
        (clean,) = labeller.label(record, regions[alone], vectors[alone], prompts).insect
        dirty = labeller.label(record, regions, vectors, prompts).insect.max()
        assert (dirty < clean) == changes
        assert (dirty == clean) != changes


def test_largest_overlaps_leave_the_box_itself_out() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 5], [50, 50, 60, 60], [0, 0, 10, 10]])
    np.testing.assert_allclose(largest_overlaps(boxes), [1, 0.5, 0, 1])
    np.testing.assert_allclose(largest_overlaps(boxes, "ios"), [1, 1, 0, 1])
    assert len(largest_overlaps(np.zeros((0, 4)))) == 0


def test_a_service_that_runs_for_weeks_remembers_only_so_many_prompt_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agri_clip.scoring.labeller.MOST_SETS", 3)
    labeller = Labeller(get_encoder("builtin"), Maker("insect-yolo", "1"), Settings())
    for number in range(8):
        prompts = PromptSet.of(f"a moth with {number} spots")
        labeller.nothing([PhotoRecord("p", 10, 10)], prompts)
        labeller.embed(prompts)
    assert len(labeller._embedded) <= 3
    assert len(labeller._provenance) <= 3
