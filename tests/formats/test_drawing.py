"""The annotated picture: colours, counts, and an insect that stays in sight."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageColor

from agri_clip.detections import Detections, PhotoRecord
from agri_clip.errors import DataError
from agri_clip.photos.photo import Photo
from agri_clip.report import drawing, fonts
from agri_clip.report.drawing import write_picture

YELLOW = (240, 220, 40)


def card(width: int, height: int) -> np.ndarray:
    return np.full((height, width, 3), YELLOW, np.uint8)


def found(boxes: list[list[float]], labels: tuple[str, ...] = ("moth",), pick: list[int] | None = None) -> Detections:
    n = len(boxes)
    ones = {name: np.ones(n) for name in ("scores", "insect", "objectness", "margin", "length_px", "length_mm")}
    return Detections(
        photos=(PhotoRecord("a.jpg", 1000, 800),),
        label_names=labels,
        photo_index=np.zeros(n),
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        label_index=np.array(pick or [0] * n),
        status=np.zeros(n),
        outlines=(None,) * n,
        **ones,
    )


def shows(picture: np.ndarray, colour: str) -> bool:
    return bool((picture == ImageColor.getrgb(colour)).all(axis=2).any())


def test_the_photo_is_not_changed_and_keeps_its_place() -> None:
    pixels = card(1000, 800)
    picture = drawing.draw(pixels, found([[100, 100, 140, 130]]))
    assert (pixels == YELLOW).all()
    assert picture.shape[1:] == (1000, 3)
    assert picture.shape[0] > 800
    assert (picture[700:800] == YELLOW).all()


def test_each_label_has_its_colour_around_the_insect_not_on_it() -> None:
    picture = drawing.draw(card(1000, 800), found([[100, 100, 140, 130], [300, 300, 360, 350]], ("a", "b"), [0, 1]))
    assert (picture[101:129, 101:139] == YELLOW).all()
    assert shows(picture[90:140, 90:150], drawing.PALETTE[0])
    assert shows(picture[290:360, 290:370], drawing.PALETTE[1])
    assert not shows(picture[290:360, 290:370], drawing.PALETTE[0])


def test_colours_do_not_depend_on_what_else_was_found() -> None:
    labels = ("a", "b", "c")
    both = drawing.draw(card(400, 400), found([[50, 50, 90, 90], [200, 200, 240, 240]], labels, [0, 2]))
    alone = drawing.draw(card(400, 400), found([[200, 200, 240, 240]], labels, [2]))
    assert (both[180:250, 180:250] == alone[180:250, 180:250]).all()


def test_text_stands_on_no_other_insect() -> None:
    # A box in the middle of eight others: every place for its text is taken.
    boxes = [[x, y, x + 60.0, y + 60.0] for x in (300, 370, 440) for y in (300, 370, 440)]
    picture = drawing.draw(card(1000, 800), found(boxes))
    for x1, y1, x2, y2 in np.array(boxes, int):
        assert (picture[y1 + 1 : y2 - 1, x1 + 1 : x2 - 1] == YELLOW).all()


def test_a_full_trap_has_no_text_on_it_and_all_insects_in_sight() -> None:
    boxes = [[40.0 * x + 5, 40.0 * y + 5, 40.0 * x + 20, 40.0 * y + 20] for x in range(25) for y in range(20)]
    picture = drawing.draw(card(1000, 800), found(boxes))
    crowded = drawing.draw(card(1000, 800), found(boxes), max_texts=500)
    assert (picture[:800] == YELLOW).all(axis=2).mean() > 0.75 > (crowded[:800] == YELLOW).all(axis=2).mean()
    for x1, y1, x2, y2 in np.array(boxes, int):
        assert (picture[y1 + 1 : y2 - 1, x1 + 1 : x2 - 1] == YELLOW).all()


def test_the_legend_counts_and_grows_with_the_labels() -> None:
    few = drawing.draw(card(400, 300), found([], ("a", "b")))
    many = drawing.draw(card(400, 300), found([], tuple(f"insect number {i}" for i in range(20))))
    assert many.shape[0] > few.shape[0] > 300
    one = drawing.draw(card(400, 300), found([[10, 10, 20, 20]]))
    two = drawing.draw(card(400, 300), found([[10, 10, 20, 20], [40, 40, 50, 50]]))
    assert (one[300:] != two[300:]).any()


@pytest.mark.parametrize("size", [(1, 1), (30, 20), (6000, 500)])
@pytest.mark.parametrize(
    "name", ["moth", "a name that is far too long for a picture as narrow as this " * 3, "粉虱", " "]
)
def test_any_photo_size_and_name_can_be_drawn(size: tuple[int, int], name: str) -> None:
    picture = drawing.draw(card(*size), found([[0, 0, 1, 1], [-5, -5, 9000, 9000]], (name, "b"), [0, 1]))
    assert picture.shape[1] == size[0]
    assert picture.dtype == np.uint8


def test_a_name_that_no_font_has_is_a_number_not_empty_boxes() -> None:
    unknown = "\U0001f98b\u1b05"  # a butterfly sign and a Balinese letter
    assert not fonts.can_draw("\uffff")
    plain = drawing.draw(card(400, 300), found([[10, 10, 20, 20]], ("label 1",)))
    shown = drawing.draw(card(400, 300), found([[10, 10, 20, 20]], ("\uffff",)))
    assert (plain == shown).all()
    for character in unknown:
        if not fonts.can_draw(character):
            assert (drawing.draw(card(400, 300), found([[10, 10, 20, 20]], (character,))) == plain).all()


def test_latin_greek_and_cyrillic_need_no_font_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_font_folders", list)
    for function in (fonts._font_files, fonts._font_of, fonts._glyph, fonts._load):
        function.cache_clear()
    try:
        assert fonts.can_draw("mosca blanca ñ é ü ł – Weiße Fliege, белокрылка, αλευρώδης")
        assert not fonts.can_draw("粉虱")
        assert (
            drawing.draw(card(300, 200), found([], ("粉虱",))) == drawing.draw(card(300, 200), found([], ("label 1",)))
        ).all()
    finally:
        for function in (fonts._font_files, fonts._font_of, fonts._glyph, fonts._load):
            function.cache_clear()


def test_outlines_are_drawn_where_there_are_some() -> None:
    triangle = np.array([[100, 100], [200, 100], [100, 200]], np.float32)
    one = replace(found([[100, 100, 200, 200]]), outlines=(triangle,))
    picture = drawing.draw(card(1000, 800), one, shape="outline")
    assert (picture[198:203, 198:203] == YELLOW).all()
    assert shows(picture[140:160, 140:160], drawing.PALETTE[0])


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".JPEG"])
def test_pictures_are_saved_and_say_what_made_them(tmp_path: Path, suffix: str) -> None:
    photo = Photo(card(200, 100), "a.jpg")
    result = replace(found([[10, 10, 20, 20]]), provenance={"encoder": "builtin"})
    write_picture(photo, result, tmp_path / f"p{suffix}")
    with Image.open(tmp_path / f"p{suffix}") as opened:
        assert "encoder builtin" in str(opened.info["comment"])
        assert opened.width == 200
        difference = np.abs(np.asarray(opened.convert("RGB"))[60:95].astype(int) - YELLOW)
    assert difference.max() <= (0 if suffix == ".png" else 6)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(("name", "message"), [("p.gif", "as .jpg or .png"), ("p", "without a suffix")])
def test_other_kinds_of_file_are_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        drawing.save(card(10, 10), tmp_path / name)


def test_a_picture_too_long_for_jpeg_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="use PNG"):
        drawing.save(np.zeros((1, 65501, 3), np.uint8), tmp_path / "p.jpg")


def test_several_photos_at_once_are_refused(result: Detections) -> None:
    with pytest.raises(ValueError, match="these are of 4"):
        drawing.draw(card(10, 10), result)
