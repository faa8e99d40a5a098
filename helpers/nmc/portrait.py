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
    import pandas as pd

    from nmc.cells.package import Package
    from nmc.connectome.graph import Connectome

_NIGHT, _LIGHT = "#0d2231", "#f4f7f9"
#: Lighter kin of the layers' colours, for the dark ground.
_LAYERS = dict(
    zip(names.LAYERS, ("#d7a4c5", "#f0b83d", "#3ccf9f", "#ff8a4c", "#5aaee8"), strict=True)
)
#: Of hues that no layer has.
_INPUT, _OUTPUT = "#b39bff", "#d4ff5c"
_ARC_POINTS, _BEND = 24, 0.42
#: Of the distance to the viewer this much is shown upwards, so that a deep column has a side.
_OBLIQUE = 0.8
_SIZE = (12.0, 4.2)


@style.context()
def plot_portrait(connectome: Connectome, package: Package) -> Axes:
    """Draw a microcircuit on its side, the pia at the right, with one neuron and its partners.

    Parameters
    ----------
    connectome : Connectome
        Whose somata and connections are drawn.
    package : Package
        Model whose branches are drawn, at the best connected neuron of its m-type (or of all
        neurons where the connectome has none of that type).

    Returns
    -------
    matplotlib Axes
        Height in the column to the right; upwards the horizontal x and 0.8 of z; all in µm.
        What is nearer is larger and brighter.
    """
    ax = style.new_axes(width=_SIZE[0], height=_SIZE[1])
    ax.figure.set_layout_engine("none")  # type: ignore[union-attr]
    ax.set_position((0, 0, 1, 1))
    ax.figure.set_facecolor(_NIGHT)
    neurons = connectome.neurons
    where = _project(neurons)
    chosen = _best_connected(connectome, package.mtype)
    near = neurons["z_um"].rank(pct=True).to_numpy()
    colours = neurons["layer"].astype(str).map(_LAYERS)
    x, y = where.T
    ax.scatter(x, y, 3 + 9 * near, colours, alpha=0.25 + 0.5 * near, linewidths=0)
    arcs = {_INPUT: connectome.adjacency[:, [chosen]].nonzero()[0],
            _OUTPUT: connectome.adjacency[[chosen], :].nonzero()[1]}  # fmt: skip
    for (colour, partners), bend in zip(arcs.items(), (_BEND, -_BEND), strict=True):
        lines = [_arc(where[chosen], where[partner], bend) for partner in partners]
        ax.add_collection(LineCollection(lines, colors=colour, linewidths=0.8, alpha=0.5))
        ax.scatter(x[partners], y[partners], 16, colour, linewidths=0, zorder=3)
    branches = _draw_branches(ax, package, where[chosen])
    for layer, some in neurons.groupby("layer", observed=True):
        ax.annotate(
            str(layer), (some["y_um"].mean(), 0.97), xycoords=("data", "axes fraction"),
            color=_LAYERS[str(layer)], fontsize=21, fontweight="bold", ha="center", va="top",
        )  # fmt: skip
    along = np.concatenate([where[:, 0], branches[:, 0]])
    low, high = along.min() - 20, along.max() + 20
    half = (high - low) * _SIZE[1] / _SIZE[0] / 2
    ax.set(xlim=(low, high), ylim=where[:, 1].mean() + np.array([-half, half]), aspect="equal")
    ax.set_axis_off()
    stamp(ax)
    for text in ax.figure.texts:
        text.set(color=_LIGHT, fontsize=15, y=0.02, va="bottom")
    return ax


def _project(places: pd.DataFrame) -> np.ndarray:
    """Return what is seen from the side, (N, 2): along the column, and across it."""
    across = places["x_um"] + _OBLIQUE * places["z_um"]
    return np.column_stack([places["y_um"], across])


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


def _draw_branches(ax: Axes, package: Package, soma: np.ndarray) -> np.ndarray:
    """Draw the model's branches at the soma's place and return their points."""
    points = load_morphology(package)
    for neurite, width, alpha in (("axon", 0.6, 0.55), ("basal dendrite", 1.5, 1),
                                  ("apical dendrite", 1.5, 1)):  # fmt: skip
        here = points[points["neurite"] == neurite]
        lines = [_project(one) + soma for _, one in here.groupby("section", sort=False)]
        ax.add_collection(
            LineCollection(lines, colors=_LIGHT, linewidths=width, alpha=alpha, zorder=4)
        )
    ax.scatter(soma[0], soma[1], 110, _LIGHT, zorder=5, linewidths=0)
    return _project(points) + soma
