"""One look for every figure: colours a colour-blind reader can tell apart, and a data note.

Plot functions open `context` while they draw; nothing is set globally.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import (
    AutoLocator,
    LogFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    ScalarFormatter,
)

from nmc import names

# Okabe & Ito (2008); figures take them in the order of the style sheet.
BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE, YELLOW, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#F0E442", "#5F6368",
)  # fmt: skip
INK = "#22262B"

EXCITATORY, INHIBITORY = VERMILION, BLUE
OBSERVED, NULL = VERMILION, GREY
LAYER_COLOURS = dict(zip(names.LAYERS, (PURPLE, ORANGE, GREEN, VERMILION, BLUE), strict=True))
#: For one-sided quantities: pale to navy, so that little is never loud; no value at all is white.
SEQUENTIAL = ListedColormap(mpl.colormaps["Blues"](np.linspace(0.15, 1, 256)), "pale to navy")
#: For quantities with a middle.
DIVERGING = "RdBu_r"

NOTE_GID = "nmc-data-note"
#: The least size of letters: on a phone a figure is drawn at three quarters of its width.
SMALL = 10

#: The style sheet, and its settings.
SHEET = Path(__file__).with_name("nmc.mplstyle")
LOOK = mpl.rc_params_from_file(SHEET, use_default_template=False)
_CYCLE = LOOK["axes.prop_cycle"].by_key()["color"]


def layer_colours(labels: Iterable) -> dict[str, str]:
    """Colour of each layer: the usual ones, or the cycle's for layers of another name."""
    found = dict.fromkeys(str(label) for label in labels)
    own = [label for label in found if label not in LAYER_COLOURS]
    return LAYER_COLOURS | {label: _CYCLE[i % len(_CYCLE)] for i, label in enumerate(own)}


@contextmanager
def context() -> Iterator[None]:
    """Draw in the book's style inside a ``with`` block; leaves no trace outside it."""
    with sns.axes_style("ticks"), mpl.rc_context(LOOK):
        yield
        interactive = mpl.is_interactive()
    # The first figure loads a notebook's backend, which turns interactive mode on; were that
    # undone with the style, no later figure would be shown.
    mpl.interactive(interactive)


def new_axes(ax: Axes | None = None, *, width: float = 7.0, height: float = 3.4) -> Axes:
    """Return `ax`, or new axes in the book's style; 7 inches fill the page's text column."""
    if ax is not None:
        return ax
    with context():
        return plt.subplots(figsize=(width, height))[1]


def finish(where: Axes | np.ndarray | Figure, text: str) -> None:
    """End a figure: a note on its data below, once, unless empty; plain numbers on the axes."""
    fig = where if isinstance(where, Figure) else np.asarray(where, object).flat[0].figure
    for ax in fig.axes:
        for k, axis in enumerate((ax.xaxis, ax.yaxis)):
            form = axis.get_major_formatter()
            if type(form) is ScalarFormatter and np.abs(axis.get_view_interval()).max() >= 1000:
                axis.set_major_formatter(lambda value, _: plain(value))
            if axis.get_scale() == "log" and isinstance(form, LogFormatter):
                _plain_log(axis)
            elif isinstance(axis.get_major_locator(), AutoLocator) and _all_whole(ax, k):
                axis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))
    for old in [t for t in fig.texts if t.get_gid() == NOTE_GID]:
        old.remove()
    if not text:
        return
    text = textwrap.fill(text, int(13 * fig.bbox.width / fig.dpi))  # no wider than the figure
    # Below the axes: the tight box of a saved figure includes it.
    fig.text(0.995, -0.01, text, ha="right", va="top", fontsize=9, color=GREY, gid=NOTE_GID)


def plain(value: float, digits: int = 6) -> str:
    """Return a number without powers of ten: ``0.00008``, ``−0.5``, ``262,000``."""
    return f"{Decimal(f'{value:.{digits}g}'):,f}".replace("-", "−")


def _all_whole(ax: Axes, k: int) -> bool:
    """Whether lines and bars stand at whole numbers only, along x (0) or y (1)."""
    lines = [line for line in ax.lines if line.get_transform().contains_branch(ax.transData)]
    found = [np.asarray(line.get_xydata(), float)[:, k] for line in lines]
    bars = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    found += [np.ravel([(bar.get_width(), bar.get_height())[k] for bar in bars])]
    values = np.concatenate(found)
    values = values[np.isfinite(values)]
    return bool(len(values)) and bool((values == np.round(values)).all())


def _plain_log(axis: Axis) -> None:
    """Write the numbers of a logarithmic axis out, as many as there is room for."""
    low, high = sorted(axis.get_view_interval())
    steps = LogLocator(subs=(1, 2, 5) if high / low < 200 else (1,))
    few = sum(low <= value <= high for value in steps.tick_values(low, high)) < 2
    axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]) if few else steps)
    axis.set_major_formatter(lambda value, _: plain(value))
    axis.set_minor_formatter(NullFormatter())
