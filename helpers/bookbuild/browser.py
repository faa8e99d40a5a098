"""The browser that prints the book and walks its pages."""

from __future__ import annotations

import shutil

#: Debian's name, Ubuntu's, Google's on Linux and on macOS.
_NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)


def find_browser() -> str | None:
    """Return the path of a Chromium or Chrome on this machine; None without one."""
    return next(filter(None, map(shutil.which, _NAMES)), None)
