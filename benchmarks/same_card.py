"""Measures how well insects are told from those that an earlier photo of the same card showed already.

python benchmarks/same_card.py                      # rendered cards
python benchmarks/same_card.py --photos DIR         # real ones too: DIR holds train.json, val.json (COCO) and images/

Boxes are the true ones, each moved by some 5 % of its size, and one of ten missing in each photo by chance; with
`--found` they are those that the embedded models find and count.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from agri_clip.counts.same_card import CardView, new_regions, view_card
from agri_clip.detector import Detector
from agri_clip.photos.photo import Photo
from benchmarks.labelled import LabelledSet, real_set
from fine_tune.synthetic.scenes import BRANDS, CARDS
from fine_tune.synthetic.visits import photograph_again, render_visits

#: Share of boxes that a detector misses, and by how much of its size a box is off.
MISSED, MOVED = 0.1, 0.05
BEFORE = {"house fly": 3, "fungus gnat": 14, "aphid": 8, "parasitoid wasp": 5, "whitefly": 22}
ADDED = 15
#: Neighbours in the data set of real traps that show one side of one card (the tag was turned, or the camera).
SAME_CARD = {("IMG_0196.jpg", "IMG_0197.jpg"), ("IMG_0382.jpg", "IMG_0383.jpg")}


@dataclass(frozen=True)
class Seen:
    """One photo: what is known of the card, and which insect each box is."""

    view: CardView
    insect: np.ndarray


@dataclass
class Tally:
    """Pairs of photos, and what was said of them and their insects."""

    name: str
    pairs: int = 0
    same_card: int = 0
    old: int = 0
    old_called_new: int = 0
    new: int = 0
    new_called_old: int = 0

    def add(self, previous: Seen, current: Seen) -> None:
        """Compare two photos; insects of one number are the same."""
        comparison = new_regions(previous.view, current.view)
        old = np.isin(current.insect, previous.insect)
        self.pairs += 1
        self.same_card += comparison.same_card
        self.old += int(old.sum())
        self.old_called_new += int((old & comparison.new).sum())
        self.new += int((~old).sum())
        self.new_called_old += int((~old & ~comparison.new).sum())


def look(rng: np.random.Generator, pixels: np.ndarray, boxes: np.ndarray, first_number: int = 0) -> Seen:
    """A photo whose insects are numbered, through the eyes of a detector that misses some."""
    height, width = pixels.shape[:2]
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    seen = ((centre > 0) & (centre < (width, height))).all(axis=1) & (rng.random(len(boxes)) >= MISSED)
    sizes = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    moved = boxes + rng.normal(0, MOVED, boxes.shape) * sizes
    numbers = first_number + np.arange(len(boxes))
    return Seen(view_card(Photo(pixels, "photo"), moved[seen]), numbers[seen])


def rendered(cards: int, density: float) -> list[Tally]:
    """Rendered cards of every colour: the same with more insects, and another of the same make."""
    tallies = [Tally(f"rendered, {name}, density {density:g}") for name in ("same card", "another of its make")]
    before = {group: round(number * density) for group, number in BEFORE.items()}
    for i in range(cards):
        rng = np.random.default_rng([7, i])
        make = {
            "kind": CARDS[i % len(CARDS)],
            "grid_mm": float(rng.choice([0, 20, 25])),
            "brand": str(rng.choice(BRANDS)),
        }
        first, second = render_visits(np.random.SeedSequence([8, i]), before, round(ADDED * density), **make)
        other, _ = render_visits(np.random.SeedSequence([9, i]), before, 0, **make)
        earlier = look(rng, first.pixels, np.asarray(first.boxes, np.float64))
        tallies[0].add(earlier, look(rng, *photograph_again(rng, second.pixels, second.boxes)))
        tallies[1].add(earlier, look(rng, *photograph_again(rng, other.pixels, other.boxes), first_number=10_000))
    return tallies


def real(sets: list[LabelledSet]) -> list[Tally]:
    """Real cards: photographed again by computation, two that really were, and others of the same make."""
    again, really, other = (
        Tally(f"real, {name}") for name in ("photographed again by computation", "photographed again", "another card")
    )
    for part in sets:
        before: tuple[str, Seen] | None = None
        for name, photo, boxes in labelled_photos(part):
            rng = np.random.default_rng(len(boxes))
            seen = look(rng, photo.pixels, boxes)
            again.add(seen, look(rng, *photograph_again(rng, photo.pixels, boxes)))
            if before is not None:
                tally = really if (before[0], name) in SAME_CARD else other
                # Which label is which is not known between two real photos: all count as new.
                tally.add(before[1], Seen(seen.view, seen.insect + 10_000))
            before = name, seen
    return [again, really, other]


def found_again(part: LabelledSet) -> dict[str, int]:
    """Real cards with the regions that the embedded models count, photographed again with nothing added."""
    detector = Detector()
    sums = {"photos": 0, "counted before": 0, "counted again": 0, "called new": 0}
    for name, photo, boxes in labelled_photos(part):
        rng = np.random.default_rng(len(boxes))
        views = []
        for each in (photo, Photo(photograph_again(rng, photo.pixels, boxes)[0], name)):
            found = detector(each, "an insect").found
            views.append(view_card(each, found.boxes))
        sums["photos"] += 1
        sums["counted before"] += len(views[0].boxes)
        sums["counted again"] += len(views[1].boxes)
        sums["called new"] += int(new_regions(*views).new.sum())
    return sums


def labelled_photos(part: LabelledSet) -> Iterator[tuple[str, Photo, np.ndarray]]:
    """Name, photo and boxes of each labelled photo."""
    for i, photo in enumerate(part):
        mine = (part.truth.photo_index == i) & ~part.truth.crowd
        yield Path(part.truth.file_names[i]).name, photo, part.truth.boxes[mine].astype(np.float64)


def main(
    cards: Annotated[int, typer.Option(min=0, help="Rendered cards.")] = 40,
    photos: Annotated[Path | None, typer.Option(help="Folder of real labelled traps.")] = None,
    most: Annotated[int | None, typer.Option(min=1, help="Take no more photos of each file than this.")] = None,
    found: Annotated[int, typer.Option(min=0, help="Real photos on which the embedded models are run.")] = 0,
    json_out: Annotated[Path | None, typer.Option("--json", help="File for all figures.")] = None,
) -> None:
    """Print a line of a Markdown table for each kind of pair."""
    tallies = [*rendered(cards, 1), *rendered(cards // 4, 6)]
    if photos is not None:
        tallies += real([real_set(photos / f"{name}.json", photos / "images", most) for name in ("train", "val")])
    print("| pairs | number | taken for the same card | old insects called new | new insects called old |")
    print("|---|---|---|---|---|")
    for t in tallies:
        old, new = f"{t.old_called_new} of {t.old}", f"{t.new_called_old} of {t.new}"
        print(f"| {t.name} | {t.pairs} | {t.same_card} | {old} | {new} |")
    sums = found_again(real_set(photos / "val.json", photos / "images", found)) if photos and found else {}
    for name, number in sums.items():
        print(f"{name}: {number}")
    if json_out is not None:
        json_out.write_text(json.dumps({"pairs": [vars(t) for t in tallies], "found": sums}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    typer.run(main)
