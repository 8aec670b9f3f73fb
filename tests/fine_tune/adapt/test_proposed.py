"""Calibrating on labelled photos: by what a proposer finds there, with the very scores that `detect` gives."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_vectors import COLOURS, ColourEncoder, write_folders

from agri_clip.detections import FOUND
from agri_clip.detector import Detector
from agri_clip.encoders.adapted import load_adapted
from agri_clip.errors import DataError
from agri_clip.photos.photo import Photo, read_photo
from agri_clip.prompts import PromptSet
from agri_clip.regions import Regions
from agri_clip.scoring.score import THRESHOLD
from fine_tune.adapt.adapting import adapt
from fine_tune.adapt.calibrating import calibrate_encoder
from fine_tune.adapt.samples import LabelledCrops, read_samples

PHOTOS, LABELS = 4, ("red thing", "blue thing")
#: Sides in pixels: of insects, of insects that the proposer does not see, and of what it takes for insects.
INSECT, UNSEEN, DECOY = 24, 34, 16
#: Label, side and corner of what each photo shows.
SHOWN = tuple(
    (kind, side, 6 + 48 * (place % 4), 10 + 55 * (place // 4))
    for place, (kind, side) in enumerate([(0, INSECT)] * 3 + [(1, INSECT)] * 2 + [(1, UNSEEN)] + [(0, DECOY)] * 2)
)


class KnowingProposer:
    """Boxes round insects and decoys, sure of the insects and unsure of the decoys; blind for the third blue one."""

    name, version = "knowing", "0"

    def propose(self, photo: Photo) -> Regions:  # noqa: ARG002 - proposers are called alike
        boxes = [[x, y, x + side, y + side] for _, side, x, y in SHOWN if side != UNSEEN]
        sure = [0.9 if side == INSECT else 0.3 for _, side, _, _ in SHOWN if side != UNSEEN]
        return Regions(np.array(boxes, np.float32), np.array(sure, np.float32))


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four photos on patterned ground, each with three insects of either colour and two decoys."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    document: dict[str, list[dict[str, object]]] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": i, "name": label} for i, label in enumerate(LABELS)],
    }
    for number in range(PHOTOS):
        ground = cv2.resize(rng.uniform(0, 255, (15, 25)), (200, 120), interpolation=cv2.INTER_NEAREST)
        pixels = np.repeat(ground[..., None], 3, axis=2)
        for kind, side, x, y in SHOWN:
            colour = np.array(COLOURS[("red", "blue")[kind]]) + rng.normal(0, 12, 3)
            pixels[y : y + side, x : x + side] = np.clip(colour, 0, 255)
            if side != DECOY:
                box = {"image_id": number, "category_id": kind, "bbox": [x, y, side, side], "iscrowd": 0}
                document["annotations"].append({"id": len(document["annotations"]), **box})
        cv2.imwrite(str(folder / f"{number}.png"), pixels[..., ::-1].astype(np.uint8))
        document["images"].append({"id": number, "file_name": f"{number}.png", "width": 200, "height": 120})
    (folder / "labels.json").write_text(json.dumps(document))
    return folder / "labels.json"


@pytest.fixture(scope="module")
def samples(coco: Path) -> LabelledCrops:
    return read_samples(coco)


def counted(encoder_folder: Path, coco: Path) -> tuple[int, int]:
    """Insects and decoys that `detect` counts in all photos with a calibrated encoder."""
    detector = Detector(KnowingProposer(), load_adapted(str(encoder_folder), ColourEncoder()))
    sides = []
    for number in range(PHOTOS):
        found = detector(read_photo(coco.parent / f"{number}.png"), PromptSet.of(*LABELS))
        boxes = found.boxes[found.status == FOUND]
        sides += (boxes[:, 2] - boxes[:, 0]).tolist()
    return sides.count(INSECT), sides.count(DECOY)


def test_what_else_is_found_counts_as_wrong_only_where_all_is_labelled(
    samples: LabelledCrops, coco: Path, tmp_path: Path
) -> None:
    for all_labelled in (False, True):
        out = tmp_path / str(all_labelled)
        fitted = calibrate_encoder(
            samples, ColourEncoder(), out, proposer=KnowingProposer(), all_labelled=all_labelled
        ).calibration
        assert fitted.fitted_on["crops"] == 20 + 8 * all_labelled
        assert (fitted.fitted_on["photos"], fitted.fitted_on["proposer"], fitted.fitted_on["missed"]) == (
            4,
            "knowing",
            4,
        )
    assert counted(tmp_path / "False", coco) == (20, 8)
    # By their crops alone decoys are red insects; the proposer's doubt tells them apart. One mistake is within noise.
    insects, decoys = counted(tmp_path / "True", coco)
    assert insects == 20
    assert decoys <= 1


def test_thresholds_lie_on_the_scores_that_detect_gives(samples: LabelledCrops, coco: Path, tmp_path: Path) -> None:
    fitted = calibrate_encoder(samples, ColourEncoder(), tmp_path, proposer=KnowingProposer(), all_labelled=True)
    detector = Detector(KnowingProposer(), load_adapted(str(tmp_path), ColourEncoder()))
    scores = np.concatenate(
        [
            found.scores[found.label_index == 0]
            for found in (detector(coco.parent / f"{number}.png", PromptSet.of(*LABELS)) for number in range(PHOTOS))
        ]
    )
    ranked = np.sort(scores)[::-1]
    # Twelve red insects, then eight decoys, of which one is within noise: half way between this and the next.
    assert fitted.calibration.thresholds["red thing"] == pytest.approx((ranked[12] + ranked[13]) / 2, abs=1e-6)


def test_what_the_proposer_missed_is_said(samples: LabelledCrops, tmp_path: Path) -> None:
    result = calibrate_encoder(samples, ColourEncoder(), tmp_path, proposer=KnowingProposer())
    assert result.notes[0] == "knowing found 20 of 24 insects in 4 photos"
    assert "add --all-labelled if all insects of these labels have a box" in result.notes[1]


def test_photos_in_which_nothing_was_labelled_show_what_is_wrong(coco: Path, tmp_path: Path) -> None:
    document = json.loads(coco.read_text())
    document["annotations"] = [row for row in document["annotations"] if row["image_id"] != 3]
    document["images"].append({"id": 9, "file_name": "gone.png", "width": 200, "height": 120})
    (tmp_path / "labels.json").write_text(json.dumps(document))
    samples = read_samples(tmp_path / "labels.json", coco.parent)
    assert [path.name for path in samples.bare] == ["3.png", "gone.png"]
    some, every = (
        calibrate_encoder(samples, ColourEncoder(), tmp_path, proposer=KnowingProposer(), all_labelled=all_labelled)
        for all_labelled in (False, True)
    )
    assert some.calibration.fitted_on["crops"] == 15
    # All seven regions of the fourth photo, too.
    assert every.calibration.fitted_on["crops"] == 15 + 6 + 7
    assert "gone.png" in every.notes[1]


def test_boxes_of_a_contradicted_label_are_left_out(samples: LabelledCrops, tmp_path: Path) -> None:
    crops, labels = list(samples.crops), list(samples.labels)
    # The first insect of the second photo becomes that of the first, with another label.
    crops[6], labels[6] = crops[0], LABELS[1]
    spoilt = LabelledCrops(
        tuple(crops), tuple(labels), samples.photos, samples.names, samples.source, (), samples.places
    )
    result = calibrate_encoder(spoilt, ColourEncoder(), tmp_path, proposer=KnowingProposer(), all_labelled=True)
    assert "two labels, both left out" in result.notes[0]
    assert result.calibration.fitted_on["crops"] == 18 + 8


def test_crops_of_the_head_count_by_what_was_said_while_they_were_held_out(
    samples: LabelledCrops, tmp_path: Path
) -> None:
    from safetensors.numpy import load, save

    names = {"red thing": "snark", "blue thing": "boojum"}
    farm = LabelledCrops(
        samples.crops,
        tuple(names[label] for label in samples.labels),
        samples.names,
        samples.names,
        samples.source,
        (),
        samples.places,
    )
    right = []
    for lie in (False, True):
        out = tmp_path / str(lie)
        assert adapt(farm, ColourEncoder(), out).climbed.head is not None
        file = out / "held_out.safetensors"
        if lie:
            file.write_bytes(save({"shift": np.ascontiguousarray(-load(file.read_bytes())["shift"])}))
        encoder = load_adapted(str(out), ColourEncoder())
        after = calibrate_encoder(farm, encoder, out, proposer=KnowingProposer()).after
        right.append(np.nansum(after.right * after.crops))
    assert right[0] == 20
    assert right[1] < 10


def test_crops_that_are_all_insects_are_no_reason_to_lower_a_threshold(tmp_path: Path) -> None:
    red = read_samples(write_folders(tmp_path / "crops", {"red thing": "red", "blue thing": "blue"}, 6))
    low = calibrate_encoder(red, ColourEncoder(), tmp_path / "out")
    assert set(low.calibration.thresholds.values()) == {THRESHOLD}
    assert "add 5 crops labelled 'not an insect'" in low.notes[0]
    assert "precision" not in low.notes[0]
    asked = calibrate_encoder(red, ColourEncoder(), tmp_path / "out", precision=0.9)
    assert "the precision holds among insects of these labels only" in asked.notes[0]
    write_folders(tmp_path / "crops", {"background": "yellow"}, 6, seed=1)
    assert calibrate_encoder(read_samples(tmp_path / "crops"), ColourEncoder(), tmp_path / "out").notes == ()


def test_objectness_of_answers_takes_part(samples: LabelledCrops, tmp_path: Path) -> None:
    red = np.flatnonzero([label == "red thing" for label in samples.labels])
    twelve = samples[red]
    labels = ("red thing",) * 6 + ("not an insect",) * 6
    for objectness, apart in (((0.9,) * 6 + (0.2,) * 6, True), ((), False), ((0.9,) * 3 + (np.nan,) * 9, False)):
        said = LabelledCrops(twelve.crops, labels, twelve.names, twelve.names, objectness=objectness)
        result = calibrate_encoder(said, ColourEncoder(), tmp_path)
        # At the threshold of best F1 all twelve look alike, unless the proposer saw a difference.
        assert (result.after.right[result.after.crops > 0].tolist() in ([0.0, 1.0], [1.0, 0.0])) == apart


def test_crops_without_photos_cannot_be_all_labelled(tmp_path: Path) -> None:
    crops = read_samples(write_folders(tmp_path / "crops", {"red thing": "red", "blue thing": "blue"}, 6))
    with pytest.raises(DataError, match="crops without their photos; leave out --all-labelled"):
        calibrate_encoder(crops, ColourEncoder(), tmp_path / "out", all_labelled=True)
