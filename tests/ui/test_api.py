"""The page's endpoints, called as docs/api.md shows."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import cv2
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from agri_clip.ui.samples import sample_photos
from tests.ui.conftest import Served

pytestmark = pytest.mark.xdist_group("page")

DOCS = Path(__file__).parents[2] / "docs" / "api.md"


@pytest.fixture(scope="module")
def client(served: Served) -> Client:
    return Client(served.address, verbose=False)


def test_the_examples_of_the_docs_run(served: Served, tmp_path, monkeypatch, capsys):
    one_photo, season = re.findall(r"```python\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    sample = sample_photos()[2]
    (tmp_path / "trap.jpg").write_bytes(sample.read_bytes())
    with zipfile.ZipFile(tmp_path / "season.zip", "w") as archive:
        archive.write(sample, f"week 1/{sample.name}")
        archive.writestr("week 1/T9_2026-05-04.jpg", b"no photo")
    cv2.imwrite(str(tmp_path / "insect.jpg"), cv2.imread(str(sample))[100:164, 100:164])
    monkeypatch.chdir(tmp_path)

    names: dict = {}
    exec(one_photo.replace("http://127.0.0.1:7860", served.address), names)
    assert [label["name"] for label in names["result"]["labels"]] == ["a whitefly", "a small black fly"]
    assert "a whitefly" in capsys.readouterr().out
    assert cv2.imread(names["picture"]).shape[1] == cv2.imread(str(sample)).shape[1]
    assert names["result"]["photos"][0]["name"] == "trap.jpg"

    exec(season, names)
    done = names["state"]
    assert (done["state"], done["photos"]) == ("done", 2)
    assert {(row["trap"], row["day"], row["label"]) for row in done["counts"]} >= {("T1", "2026-05-04", "a whitefly")}
    assert [failure["photo"] for failure in done["failures"]] == ["week 1/T9_2026-05-04.jpg"]
    assert {row["label"] for row in names["answer"]["counts"]} == {"a fungus gnat"}
    assert {region["label"] for region in names["answer"]["regions"]} == {"a fungus gnat"}
    similarity = [region["similarity"] for region in names["alike"]]
    assert 0 < len(similarity) <= 20
    assert similarity == sorted(similarity, reverse=True)
    stranger = Client(served.address, verbose=False)
    assert done["archive"] not in [entry["archive"] for entry in stranger.predict(api_name="/archives")]
    with pytest.raises(AppError, match="nothing to ask"):
        stranger.predict(done["archive"], ["an aphid"], None, None, None, None, api_name="/ask")


def test_the_docs_name_every_endpoint_and_parameter(client: Client):
    text = DOCS.read_text("utf-8")
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert endpoints
    for name, about in endpoints.items():
        assert f"`{name}`" in text, name
        for parameter in about["parameters"]:
            assert f"`{parameter['parameter_name']}`" in text, (name, parameter["parameter_name"])


def test_a_wrong_photo_is_a_sentence(client: Client, tmp_path):
    path = tmp_path / "page.jpg"
    path.write_text("<html>")
    with pytest.raises(AppError, match=r"page\.jpg"):
        client.predict(
            photo=handle_file(path),
            prompts=["an aphid"],
            negatives=None,
            ready=None,
            threshold=None,
            mm_per_pixel=None,
            api_name="/detect",
        )


def test_phrasings_are_compared(client: Client, tmp_path):
    crop = tmp_path / "crop.png"
    cv2.imwrite(str(crop), cv2.imread(str(sample_photos()[0]))[100:164, 100:164])
    ranked = client.predict(
        picture=handle_file(crop), phrasings=["a beetle", "bare yellow card"], api_name="/compare_phrasings"
    )
    assert sorted(entry["phrasing"] for entry in ranked) == ["a beetle", "bare yellow card"]
    assert ranked[0]["cosine"] >= ranked[1]["cosine"]
    assert sum(entry["share"] for entry in ranked) == pytest.approx(1)
    with pytest.raises(AppError, match="phrasings: must be a list"):
        client.predict(picture=handle_file(crop), phrasings="a beetle", api_name="/compare_phrasings")
