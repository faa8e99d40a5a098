"""The frame that every figure of this room shares."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps

import numpy as np
from matplotlib.axes import Axes

from nmc import style
from nmc.data.provenance import stamp


def framed(*, width: float = 7.0, height: float = 4.0) -> Callable:
    """Draw in the book's style, on new axes where none are given, and say where the data are from.

    The decorated function takes `ax`, and always gets one.

    Parameters
    ----------
    width, height : float
        Size of a new figure, in inches.
    """

    def frame(draw: Callable[..., Axes]) -> Callable[..., Axes]:
        signature = inspect.signature(draw)

        @wraps(draw)
        def drawn(*args, **options) -> Axes:
            given = signature.bind(*args, **options)
            with style.context():
                ax = style.new_axes(given.arguments.get("ax"), width=width, height=height)
                given.arguments["ax"] = ax
                drawn_on = draw(*given.args, **given.kwargs)
                stamp(ax)
            return drawn_on

        return drawn

    return frame


def draw_column(ax: Axes, x: float, values: np.ndarray, *, colour: str, size: float) -> np.ndarray:
    """Draw values as a column of dots with a bar at their median; return the dots' places on x.

    The dots are spread by their rank in the table along a fixed pattern, so that a figure holds
    no random numbers.
    """
    places = x + 0.36 * (2 * ((np.arange(len(values)) * 0.618) % 1) - 1)
    ax.plot(places, values, "o", ms=size, alpha=0.55, mew=0, color=colour)
    ax.hlines(np.median(values), x - 0.4, x + 0.4, color=style.INK, linewidth=1.8)
    return places


def short_number(value: float) -> str:
    """Return a number as a figure has room for it: ``12,651``, ``3.3 million``, ``350 million``."""
    if value < 1e6:
        return f"{value:,.0f}"
    return f"{value / 1e6:,.1f}".removesuffix(".0") + " million"
