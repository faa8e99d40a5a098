"""The microcircuit in one picture: somata, one neuron's branches, and its connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from nmc import names, style
from nmc.cells.morphology import load_morphology
from nmc.data.provenance import stamp

if TYPE_CHECKING:
    from nmc.cells.package import Package
    from nmc.connectome.graph import Connectome

_NIGHT, _LIGHT = "#0d2231", "#f4f7f9"
#: Lighter kin of the layers' colours, for the dark ground.
_LAYERS = dict(
    zip(names.LAYERS, ("#d7a4c5", "#f0b83d", "#3ccf9f", "#ff8a4c", "#5aaee8"), strict=True)
)
_INPUT, _OUTPUT = "#7cc6ff", "#ffd166"
_ARC_POINTS, _BEND = 24, 0.3


@style.context()
def plot_portrait(connectome: Connectome, package: Package, ax: Axes | None = None) -> Axes:
    """Draw a microcircuit on its side, the pia at the right, with one neuron and its partners.

    Parameters
    ----------
    connectome : Connectome
        Whose somata and connections are drawn.
    package : Package
        Model whose branches are drawn, at the best connected neuron of its m-type (or of all
        neurons where the connectome has none of that type).
    ax : matplotlib Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib Axes
        Height in the column to the right, the horizontal x upwards, both in µm.
    """
    ax = style.new_axes(ax, width=12, height=4.6)
    ax.figure.set_facecolor(_NIGHT)
    ax.set_facecolor(_NIGHT)
    neurons = connectome.neurons
    where = neurons[["y_um", "x_um"]].to_numpy()
    chosen = _best_connected(connectome, package.mtype)
    colours = neurons["layer"].astype(str).map(_LAYERS)
    ax.scatter(*where.T, s=6, c=colours, alpha=0.55, linewidths=0)
    arcs = {_INPUT: connectome.adjacency[:, [chosen]].nonzero()[0],
            _OUTPUT: connectome.adjacency[[chosen], :].nonzero()[1]}  # fmt: skip
    for (colour, partners), bend in zip(arcs.items(), (_BEND, -_BEND), strict=True):
        lines = [_arc(where[chosen], where[partner], bend) for partner in partners]
        ax.add_collection(LineCollection(lines, colors=colour, linewidths=0.6, alpha=0.45))
        ax.scatter(*where[partners].T, s=11, c=colour, linewidths=0, zorder=3)
    branches = _draw_branches(ax, package, where[chosen])
    for layer, some in neurons.groupby("layer", observed=True):
        ax.annotate(
            str(layer), (some["y_um"].mean(), 1.0), xycoords=("data", "axes fraction"),
            color=_LAYERS[str(layer)], fontsize=13, fontweight="bold", ha="center", va="bottom",
        )  # fmt: skip
    _frame(ax, where, branches)
    ax.set_aspect("equal")
    ax.set_axis_off()
    stamp(ax)
    for text in ax.figure.texts:
        text.set_color(_LIGHT)
    return ax


def _best_connected(connectome: Connectome, mtype: str) -> int:
    """Return the row of the neuron with most connections, of the m-type where there is one."""
    adjacency = connectome.adjacency
    degree = np.asarray(adjacency.sum(axis=0)).ravel() + np.asarray(adjacency.sum(axis=1)).ravel()
    of_type = (connectome.neurons["mtype"].astype(str) == mtype).to_numpy()
    return int(np.argmax(np.where(of_type, degree, -1) if of_type.any() else degree))


def _arc(start: np.ndarray, end: np.ndarray, bend: float) -> np.ndarray:
    """Return a bent line between two points, bent the more the farther they lie apart."""
    t = np.linspace(0, 1, _ARC_POINTS)[:, None]
    across = np.array([start[1] - end[1], end[0] - start[0]])
    middle = (start + end) / 2 + bend * across
    return (1 - t) ** 2 * start + 2 * t * (1 - t) * middle + t**2 * end


def _frame(ax: Axes, somata: np.ndarray, branches: np.ndarray) -> None:
    """Show all somata and, along the column, all branches."""
    along = np.concatenate([somata[:, 0], branches[:, 0]])
    half = max(0.17 * np.ptp(along), 0.55 * np.ptp(somata[:, 1]))
    ax.set_xlim(along.min() - 30, along.max() + 30)
    ax.set_ylim(somata[:, 1].mean() - half, somata[:, 1].mean() + half)


def _draw_branches(ax: Axes, package: Package, soma: np.ndarray) -> np.ndarray:
    """Draw the model's branches at the soma's place and return their points."""
    points = load_morphology(package)
    for neurite, width, alpha in (("axon", 0.5, 0.55), ("basal dendrite", 1.1, 1),
                                  ("apical dendrite", 1.1, 1)):  # fmt: skip
        here = points[points["neurite"] == neurite]
        lines = [
            branch[["y_um", "x_um"]].to_numpy() + soma
            for _, branch in here.groupby("section", sort=False)
        ]
        ax.add_collection(
            LineCollection(lines, colors=_LIGHT, linewidths=width, alpha=alpha, zorder=4)
        )
    ax.scatter(*soma, s=90, c=_LIGHT, zorder=5, linewidths=0)
    return points[["y_um", "x_um"]].to_numpy() + soma
