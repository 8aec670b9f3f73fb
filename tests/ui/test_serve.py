"""How the page is served: who may come in, under which address, and how long what visitors send stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import gradio as gr
import httpx
import pytest

from agri_clip.errors import AgriClipError
from agri_clip.ui.launch import serve
from agri_clip.ui.options import PageOptions, allowed_folders, parse_accounts
from agri_clip.ui.samples import sample_photos
from agri_clip.ui.sessions import Session

pytestmark = pytest.mark.xdist_group("page")

LIGHT = {"proposer": "contrast"}


def test_who_has_no_account_does_not_get_in():
    blocks, address = serve(PageOptions(**LIGHT), accounts=[("anna", "secret")], root_path="/traps", wait=False)
    try:
        assert httpx.get(f"{address}config").status_code == 401
        assert httpx.post(f"{address}login", data={"username": "anna", "password": "wrong"}).status_code == 400
        with httpx.Client() as visitor:
            visitor.post(f"{address}login", data={"username": "anna", "password": "secret"})
            config = visitor.get(f"{address}config")
            assert config.status_code == 200
            assert config.json()["root"].endswith("/traps")
            assert config.json().get("is_share") in (False, None)
    finally:
        blocks.close()


def test_what_visitors_send_is_removed_after_a_while():
    blocks, address = serve(PageOptions(**LIGHT, keep_minutes=0.05), wait=False)
    kept = Path(os.environ["GRADIO_TEMP_DIR"])
    try:
        with sample_photos()[0].open("rb") as photo:
            sent = httpx.post(f"{address}gradio_api/upload", files={"files": ("trap.jpg", photo)})
        assert kept in Path(sent.json()[0]).parents
        deadline = time.monotonic() + 120
        while left := list(kept.rglob("*.jpg")):
            assert time.monotonic() < deadline, left
            time.sleep(1)
    finally:
        blocks.close()


def test_what_visitors_have_here_goes_when_the_page_is_closed():
    blocks, address = serve(PageOptions(**LIGHT), wait=False)
    work = Path(os.environ["GRADIO_TEMP_DIR"]).parent
    with sample_photos()[0].open("rb") as photo:
        httpx.post(f"{address}gradio_api/upload", files={"files": ("trap.jpg", photo)})
    visit = Session.open(work / "visits")
    assert list(work.rglob("*.jpg"))
    assert Path(os.environ["GRADIO_TEMP_DIR"]) not in visit.folder.parents  # what Gradio serves to whoever knows a path
    blocks.close()
    assert not work.exists()


def test_a_page_that_is_told_to_end_leaves_nothing_behind(tmp_path):
    code = (
        "import os, signal, threading, time\n"
        "from agri_clip.ui.launch import _remove_at_the_end\n"
        "from pathlib import Path\n"
        f"work = Path({str(tmp_path / 'work')!r}); work.mkdir(); (work / 'trap.jpg').write_bytes(b'x')\n"
        "_remove_at_the_end(work)\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
        "time.sleep(60)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False, timeout=300)
    assert ended.returncode == 128 + signal.SIGTERM
    assert not (tmp_path / "work").exists()


def test_whoever_starts_the_page_is_told_where_it_is(monkeypatch, capsys):
    monkeypatch.setattr(gr.Blocks, "block_thread", lambda _: None)  # as if Ctrl-C came at once
    blocks, address = serve(PageOptions(**LIGHT))
    blocks.close()
    assert address in capsys.readouterr().out


def test_a_visit_goes_with_all_its_files():
    session = Session.open()
    session.file("a.csv").parent.mkdir()
    session.file("a.csv").write_text("x")
    assert session.folder.stat().st_mode & 0o077 == 0  # for no other user of the machine
    session.close()
    assert not session.folder.exists()


def test_accounts_are_written_as_name_and_password():
    assert parse_accounts(["anna:se:cret"]) == [("anna", "se:cret")]
    assert parse_accounts([]) is None
    for wrong in ("anna", "anna:", ":secret"):
        with pytest.raises(AgriClipError, match="name:password"):
            parse_accounts([wrong])


def test_only_folders_of_the_operator_are_offered(tmp_path):
    (tmp_path / "farm" / "2026").mkdir(parents=True)
    (tmp_path / "farm" / ".hidden").mkdir()
    (tmp_path / "secret").mkdir()
    (tmp_path / "farm" / "way out").symlink_to(tmp_path / "secret")
    options = PageOptions(folders=(tmp_path / "farm",))
    assert list(allowed_folders(options)) == ["farm", "farm/2026"]
    with pytest.raises(AgriClipError, match="is no folder"):
        PageOptions(folders=(tmp_path / "missing",))
