"""The 3-D view as a page: what it holds, what it refuses, and how a browser takes it."""

import base64
import json
import re

import numpy as np
import pytest
from nmc.errors import FigureError
from nmc.viewer3d import MAX_BYTES, view_3d

from tools.bookbuild.render import find_browser


def data_of(view):
    return json.loads(re.search(r'application/json">(.*?)</script>', view.html, re.S)[1])


def unpack(text, dtype):
    return np.frombuffer(base64.b64decode(text), dtype)


def test_points_come_back_to_a_part_in_65536():
    xyz = np.random.default_rng(1).uniform(-300, 900, (500, 3))
    data = data_of(view_3d(xyz, ["a", "b"] * 250))
    packed = unpack(data["xyz"], "<u2").reshape(-1, 3) / 65535 * data["span"] + xyz.min(axis=0)
    assert np.abs(packed - xyz).max() <= np.ptp(xyz, axis=0).max() / 65535
    assert data["labels"] == ["a", "b"] and unpack(data["group"], "u1").tolist() == [0, 1] * 250


def test_lines_points_and_connections():
    segments = np.zeros((3, 2, 3)) + np.arange(3)[:, None, None]
    segments[:, 1, 1] += 5
    view = view_3d([[0, 0, 0]], ["soma"], lines=segments, line_groups=["axon"] * 3,
                   widths=[1, 2, 3.14159])  # fmt: skip
    data = data_of(view)
    assert (data["n_points"], data["n_segments"]) == (1, 3)
    assert data["width"] == [1.0, 2.0, 3.14] and data["labels"] == ["soma", "axon"]
    linked = data_of(view_3d(np.eye(3), "abc", connections=([0, 1, 1, 2], [2, 0])))
    assert unpack(linked["indptr"], "<u4").tolist() == [0, 1, 1, 2]
    assert unpack(linked["indices"], "<u2").tolist() == [2, 0]


def test_text_cannot_leave_its_place():
    evil = "</script><script>alert(1)</script>"
    view = view_3d(np.eye(3), [evil, "b", "c"], alt='"><b>')
    assert evil not in view.html and data_of(view)["labels"][0] == evil
    assert "&quot;&gt;&lt;b&gt;" in view.html


def test_nothing_is_loaded_from_elsewhere():
    text = view_3d(np.eye(3), "abc").html
    assert not re.search(r"https?://|//cdn|import\(|fetch\(", text)


@pytest.mark.parametrize(
    ("xyz", "groups", "message"),
    [
        (np.eye(3), "ab", "3 points have 2 groups"),
        (np.empty((0, 3)), "", "at least one point"),
        ([[0, np.nan, 0]], "a", "finite"),
    ],
)
def test_what_cannot_be_shown(xyz, groups, message):
    with pytest.raises(FigureError, match=message):
        view_3d(xyz, list(groups))


def test_a_view_too_large_for_a_page_is_refused():
    n = MAX_BYTES // 8
    with pytest.raises(FigureError, match="show fewer"):
        view_3d([], [], lines=np.random.default_rng(0).random((n, 2, 3)), line_groups=["a"] * n)


@pytest.mark.slow
def test_in_a_browser(tmp_path):
    chromium = find_browser()
    playwright = pytest.importorskip("playwright.sync_api")
    if chromium is None:
        pytest.skip("no chromium")
    rng = np.random.default_rng(2)
    xyz = np.concatenate([[[0, 0, 0]], rng.uniform(-50, 50, (40, 3))])
    indptr = [0, 3, *[3] * 40]
    view = view_3d(xyz, ["a", *["b"] * 40], connections=(indptr, [1, 2, 3]))
    page_file = view.save(tmp_path / "view.html")
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page, errors = browser.new_page(viewport={"width": 500, "height": 700}), []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(page_file.as_uri())
        first = page.locator("canvas").screenshot()
        page.locator("canvas").focus()
        page.keyboard.press("ArrowLeft")
        page.wait_for_timeout(200)
        assert page.locator("canvas").screenshot() != first
        page.locator("input[type=checkbox]").nth(1).click()  # only the one point is left
        page.get_by_role("button").click()
        box = page.locator("canvas").bounding_box()
        spread = np.ptp(xyz, axis=0)
        assert spread.all() and box["width"] <= 500
        assert errors == []
        browser.close()
