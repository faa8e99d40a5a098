"""The frame of figures: axes in the book's style, and a line that says where the data are from."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from nmc import style
from nmc.data.provenance import stamp

_Given = ParamSpec("_Given")
_Drawn = TypeVar("_Drawn")
_AX = "ax : matplotlib Axes, optional\n    Where to draw; a new figure unless given."
_SECTION = re.compile(r"\n\n(?:Returns|Raises|Notes|Examples)\n---")


def figure(draw: Callable[_Given, _Drawn]) -> Callable[_Given, _Drawn]:
    """Draw in the book's style, and note below the axes or figure where the data came from."""

    @wraps(draw)
    def drawn(*args: _Given.args, **options: _Given.kwargs) -> _Drawn:
        with style.context():
            drawn_on = draw(*args, **options)
            stamp(drawn_on)
        return drawn_on

    return drawn


def framed(
    *, width: float = 7.0, height: float | Callable[[Any], float] = 3.4
) -> Callable[[Callable[_Given, _Drawn]], Callable[_Given, _Drawn]]:
    """Draw a `figure`, on new axes where none are given.

    The decorated function always gets `ax`; `width` and `height` (inches; or a function of what is
    drawn) are a new figure's.
    """

    def frame(draw: Callable[_Given, _Drawn]) -> Callable[_Given, _Drawn]:
        signature = inspect.signature(draw)

        @figure
        @wraps(draw)
        def drawn(*args: _Given.args, **options: _Given.kwargs) -> _Drawn:
            given = signature.bind(*args, **options)
            high = height(given.args[0]) if callable(height) else height
            ax = style.new_axes(given.arguments.get("ax"), width=width, height=high)
            given.arguments["ax"] = ax
            return draw(*given.args, **given.kwargs)

        drawn.__doc__ = _complete(inspect.getdoc(draw) or "")
        return drawn

    return frame


def _complete(doc: str) -> str:
    """Add to a docstring what all figures have in common."""
    found = _SECTION.search(doc)
    at = found.start() if found else len(doc)
    head, tail = doc[:at], doc[at:]
    if "\nax : " not in doc:
        head += "\n" if "\nParameters\n---" in head else "\n\nParameters\n----------\n"
        head += _AX
    if "\nReturns\n---" not in doc:
        head += "\n\nReturns\n-------\nmatplotlib Axes"
    return head + tail
