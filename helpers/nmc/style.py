"""One look for every figure: colours a colour-blind reader can tell apart, and a data note.

Plot functions open `context` while they draw; nothing is set globally.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import seaborn as sns
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nmc import names

# Okabe & Ito (2008), ordered so that neighbours differ in lightness too.
BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE, YELLOW, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#F0E442", "#5F6368",
)  # fmt: skip
INK = "#22262B"

EXCITATORY, INHIBITORY = VERMILION, BLUE
OBSERVED, NULL = VERMILION, GREY
LAYER_COLOURS = dict(zip(names.LAYERS, (PURPLE, ORANGE, GREEN, VERMILION, BLUE), strict=True))
_CYCLE = (BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE, GREY)
#: For one-sided quantities; dark means more, and it prints well in grey.
SEQUENTIAL = "cividis_r"
#: For quantities with a middle.
DIVERGING = "RdBu_r"

NOTE_GID = "nmc-data-note"

_RC: Any = {
    "figure.dpi": 110,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "figure.constrained_layout.use": True,
    "image.cmap": SEQUENTIAL,
    "axes.prop_cycle": cycler(color=_CYCLE),
}


def layer_colours(labels: Iterable) -> dict[str, str]:
    """Colour of each layer: the usual ones, or the cycle's for layers of another name."""
    found = dict.fromkeys(str(label) for label in labels)
    own = [label for label in found if label not in LAYER_COLOURS]
    return LAYER_COLOURS | {label: _CYCLE[i % len(_CYCLE)] for i, label in enumerate(own)}


@contextmanager
def context() -> Iterator[None]:
    """Draw in the book's style inside a ``with`` block; leaves no trace outside it."""
    with sns.axes_style("ticks"), mpl.rc_context(_RC):
        yield
        interactive = mpl.is_interactive()
    # The first figure loads a notebook's backend, which turns interactive mode on; were that
    # undone with the style, no later figure would be shown.
    mpl.interactive(interactive)


def new_axes(ax: Axes | None = None, *, width: float = 7.0, height: float = 4.0) -> Axes:
    """Return `ax`, or new axes in the book's style; 7 inches fill the page's text column."""
    if ax is not None:
        return ax
    with context():
        return plt.subplots(figsize=(width, height))[1]


def add_note(where: Axes | Figure, text: str) -> None:
    """Write where the data came from below a figure, once; an empty text writes nothing."""
    fig = where if isinstance(where, Figure) else where.figure
    for old in [t for t in fig.texts if t.get_gid() == NOTE_GID]:
        old.remove()
    if not text:
        return
    fig.text(
        0.995, -0.01, text, ha="right", va="top", fontsize=8, color=GREY, gid=NOTE_GID
    )  # below the axes: the tight box of a saved figure includes it
