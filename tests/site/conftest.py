"""A headless browser on the built site, without any network."""

from __future__ import annotations

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tools.bookbuild.render import find_browser

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
ROOT = Path(__file__).resolve().parents[2]


def site_folder(config) -> Path:
    return Path(config.getoption("--site")).resolve()


def pages_of(config) -> list[Path]:
    """Every page a reader may open; redirect stubs and the search page are no pages."""
    site = site_folder(config)
    found = [*sorted((site / "book").rglob("*.html")), *sorted((site / "explorer").glob("*.html"))]
    return [*found, site / "404.html", site / "genindex.html"]


def pytest_generate_tests(metafunc):
    if "page_path" in metafunc.fixturenames:
        pages = pages_of(metafunc.config)
        names = [page.relative_to(site_folder(metafunc.config)).as_posix() for page in pages]
        metafunc.parametrize("page_path", pages, ids=names)


@pytest.fixture(scope="session")
def site(pytestconfig) -> Path:
    return site_folder(pytestconfig)


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import sync_playwright

    found = find_browser()
    assert found, "no Chromium or Chrome on this machine: install what .ci/apt.txt lists"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def served(site) -> str:
    """The site's address on a server of this machine: a search reads pages, which files refuse."""
    handler = partial(QuietHandler, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    """A file server that says nothing."""

    def log_message(self, *args) -> None:
        pass


class Visit:
    """One open page, and what went wrong while it was open."""

    def __init__(self, browser, address: str, width: int, scheme: str, height: int = 900) -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            offline=address.startswith("file:"),
        )
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.asked: set[str] = set()
        self.page.on("console", lambda said: said.type == "error" and self.errors.append(said.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._watch)
        self.page.goto(address, wait_until="load")

    def _watch(self, request) -> None:
        self.asked.add(request.url)
        if not request.url.startswith(("file:", "data:", "blob:", "http://127.0.0.1:")):
            self.errors.append(f"asks the network for {request.url}")

    def close(self) -> None:
        self.context.close()


@pytest.fixture
def visit(browser):
    """Return a function that opens a page; all are closed at the end."""
    opened = []

    def open_page(
        place: Path | str, width: int = 1280, scheme: str = "light", height: int = 900
    ) -> Visit:
        address = place.as_uri() if isinstance(place, Path) else place
        opened.append(Visit(browser, address, width, scheme, height))
        return opened[-1]

    yield open_page
    for one in opened:
        one.close()
