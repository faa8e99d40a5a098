"""Addresses that do not answer are named, each with its reason; the others are not."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tools.bookbuild import BookError
from tools.bookbuild.execute import execute_stale
from tools.bookbuild.project import Project
from tools.bookbuild.render import call_jupyter_book


class Door(BaseHTTPRequestHandler):
    """Answers at one address only."""

    def do_GET(self):
        self.send_response(200 if self.path == "/here" else 404)
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *args):
        pass


@pytest.fixture
def address():
    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def check(toy, text: str) -> None:
    toy.write("_toc.yml", "format: jb-book\nroot: book/index\n")
    toy.write("book/index.md", f"# Toy\n\n{text}\n")
    project = Project(toy.root)
    store, pages = execute_stale(project, "sample")
    call_jupyter_book(project, pages, store, "sample", "linkcheck")


@pytest.mark.slow
def test_a_dead_address_is_named_with_its_reason(toy, address):
    with pytest.raises(BookError) as caught:
        check(toy, f"[a]({address}/here) [b]({address}/gone) [c](http://no.invalid/)")
    named = {
        line.split("broken link: ")[1]
        for line in str(caught.value).splitlines()
        if "broken link: " in line
    }
    gone, unknown = sorted(named)
    assert gone.startswith(f"{address}/gone (404") and unknown.startswith("http://no.invalid/ (")
    assert "resolve" in unknown and f"{address}/here" not in str(caught.value)


@pytest.mark.slow
def test_when_all_answer_nothing_is_said(toy, address):
    check(toy, f"[a]({address}/here)")
