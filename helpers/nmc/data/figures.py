"""The frame of figures: axes in the book's style, and a line that says where the data are from."""

from __future__ import annotations

import builtins
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from functools import reduce, wraps
from typing import Any, ParamSpec, TypeVar

import pandas as pd

from nmc import style
from nmc.data.provenance import stamp
from nmc.errors import FigureError

_Given = ParamSpec("_Given")
_Drawn = TypeVar("_Drawn")
_AX = "ax : matplotlib Axes, optional\n    Where to draw; a new figure unless given."
_SECTION = re.compile(r"\n\n(?:Returns|Raises|Notes|Examples)\n---")


def figure(draw: Callable[_Given, _Drawn]) -> Callable[_Given, _Drawn]:
    """Draw in the book's style, and note below the axes or figure where the data came from."""

    @wraps(draw)
    def drawn(*args: _Given.args, **options: _Given.kwargs) -> _Drawn:
        try:
            with style.context():
                drawn_on = draw(*args, **options)
                stamp(drawn_on)
        except (TypeError, AttributeError, KeyError) as error:
            if why := _misfit(draw, args, options, error):
                raise FigureError(f"{draw.__name__}: {why}.") from error
            raise
        return drawn_on

    return drawn


def _misfit(draw: Callable, args: tuple, options: Mapping, error: Exception) -> str:
    """Say what is wrong with what was to be drawn: of another kind, or without a column."""
    first = next(iter(inspect.signature(draw).parameters.values()))
    given = args[0] if args else options.get(first.name)
    wanted = re.sub(r"\[.*\]", "", str(first.annotation))
    scope = vars(builtins) | inspect.unwrap(draw).__globals__
    kinds = []
    for name in wanted.split(" | "):
        head, *rest = name.split(".")
        kinds.append(reduce(lambda of, part: getattr(of, part, None), rest, scope.get(head)))
    text = isinstance(given, str) and str not in kinds and Iterable in kinds  # its letters fit none
    if None not in kinds and (text or not isinstance(given, tuple(kinds))):
        return f"{first.name} is {wanted}, not {type(given).__name__}"
    column = error.args[0] if isinstance(error, KeyError) else None
    if column is None or not isinstance(given, pd.DataFrame) or column in list(given):
        return ""
    return f"{first.name} has no {column!r}"


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
    if "\nax : " not in doc:
        found = _SECTION.search(doc)
        at = found.start() if found else len(doc)
        before = "\n" if "\nParameters\n---" in doc[:at] else "\n\nParameters\n----------\n"
        doc = doc[:at] + before + _AX + doc[at:]
    if "\nReturns\n---" not in doc:
        found = _SECTION.search(doc)
        at = found.start() if found else len(doc)
        doc = f"{doc[:at]}\n\nReturns\n-------\nmatplotlib Axes{doc[at:]}"
    return doc
