"""The page, served once for all tests, and visitors in a real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest

from agri_clip.ui.options import PageOptions
from agri_clip.ui.uploads import Limits

#: Names under which systems know Chromium, besides the one that Playwright fetches.
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
#: Milliseconds that a step of a visit may take on a slow machine with other work.
PATIENCE = 240_000


@dataclass
class Served:
    """The page that the tests visit."""

    address: str
    photos: Path
    archives: Path
    answers: Path


@dataclass
class Visitor:
    """A visitor's browser tab, and what went wrong or elsewhere in it."""

    page: Any
    elsewhere: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def show(self, name: str) -> None:
        """Keep a picture of the whole page, where somebody asked for pictures (docs/page.md)."""
        if folder := os.environ.get("SCREENSHOTS"):
            self.page.wait_for_timeout(700)
            path = Path(folder) / f"page-{name}.jpg"
            self.page.screenshot(path=path, full_page=True, type="jpeg", quality=80)

    def open_tab(self, name: str) -> None:
        """Press a tab, by its name in the program."""
        self.page.click(f"button[role=tab][data-tab-id={name}]")

    def tabs(self) -> list[str]:
        """Names of all tabs."""
        tabs = self.page.locator("button[role=tab]").all()
        return list(dict.fromkeys(tab.get_attribute("data-tab-id") for tab in tabs))


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    from agri_clip.ui.launch import serve
    from agri_clip.ui.samples import sample_photos

    root = tmp_path_factory.mktemp("served")
    photos = root / "farm"
    photos.mkdir()
    for path in sample_photos()[:2]:
        shutil.copy(path, photos / path.name)
    options = PageOptions(
        folders=(photos,),
        archives=root / "archives",
        answers=root / "answers",
        limits=Limits(file_megabytes=20, megapixels=50, zip_members=50, zip_megabytes=200),
    )
    blocks, address = serve(options, wait=False)
    yield Served(address, photos, root / "archives", root / "answers")
    blocks.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    with sync_api.sync_playwright() as play:
        own = Path(play.chromium.executable_path)
        if found is None and not own.exists():
            pytest.skip("no browser: install Chromium, or run `.venv/bin/playwright install chromium`")
        started = play.chromium.launch(executable_path=found or str(own), args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def visit(served: Served, browser: Any) -> Iterator[Callable[..., Visitor]]:
    """Opens the page as a new visitor; options are those of a browser context."""
    contexts = []

    def come(**options: Any) -> Visitor:
        context = browser.new_context(**({"locale": "en-GB", "viewport": {"width": 1280, "height": 1000}} | options))
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        visitor = Visitor(context.new_page())
        home = urlparse(served.address).netloc

        def note(request: Any) -> None:
            target = urlparse(request.url)
            if target.scheme not in ("data", "blob") and target.netloc != home:
                visitor.elsewhere.append(request.url)

        visitor.page.on("request", note)
        visitor.page.on("pageerror", lambda error: visitor.errors.append(str(error)))
        visitor.page.goto(served.address)
        visitor.page.wait_for_selector("#find-start")
        return visitor

    yield come
    for context in contexts:
        context.close()
