"""The tree of a cell coloured by its voltage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from nmc import names, style
from nmc.cells.morphology import section_points
from nmc.cells.package import Package
from nmc.cells.runs import Frames, make_frames, nearest_recorded

#: Voltages that colours stand for: from −90 mV, 120 mV further.
LOWEST_MV, SPAN_MV = -90.0, 120.0
_STEPS = 64


def voltage_colours() -> list[str]:
    """Colours from the lowest to the highest voltage: dark at rest, bright at a spike's peak."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(c) for c in colormaps["plasma"](np.linspace(0.0, 0.85, _STEPS))]


def plot_voltages(
    trace: pd.DataFrame,
    model: str | names.Model | Path | Package,
    *,
    at_ms: float,
    ax: Axes | None = None,
) -> Axes:
    """Draw a cell's dendrites in the colours of their voltages at one time of a run.

    Parameters
    ----------
    trace : pandas.DataFrame
        A run recorded with ``record=nmc.record_sections(model)``.
    model : str, Model, pathlib.Path or Package
        The cell that ran.
    at_ms : float
        When; the highest voltage within a millisecond from then on.
    ax : matplotlib Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib Axes
        With a colour bar.

    Raises
    ------
    FormatError
        The trace holds no recorded sections.
    """
    from nmc.cells.protocols import as_package
    from nmc.data import provenance

    frames = make_frames(trace, 1.0)
    frame = int(np.clip(np.searchsorted(frames.t_ms, at_ms, "right") - 1, 0, len(frames.t_ms) - 1))
    ax = style.new_axes(ax, width=4.5, height=4.5)
    draw_voltages(ax, as_package(model), frames, frame)
    provenance.stamp(ax)
    return ax


def draw_voltages(ax: Axes, package: Package, frames: Frames, frame: int) -> None:
    """Draw one frame into an Axes, with a colour bar."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.collections import LineCollection
    from matplotlib.colors import ListedColormap, Normalize

    points = section_points(package)
    values = frames.v_mV[frame, nearest_recorded(points, frames.sections)]
    scale = ScalarMappable(
        Normalize(LOWEST_MV, LOWEST_MV + SPAN_MV), ListedColormap(voltage_colours())
    )
    colours = scale.to_rgba(values)
    lines = [xyz[:, :2] for name, xyz in points.items() if name != "soma[0]"]
    ax.add_collection(LineCollection(lines, colors=colours[1:], linewidths=1.2))
    ax.fill(*points["soma[0]"][:, :2].T, color=colours[0], zorder=3)
    ax.autoscale_view()
    ax.set_aspect("equal", adjustable="datalim")
    ax.set_axis_off()
    ax.set_title(f"{frames.t_ms[frame]:.0f} ms", fontsize=10, fontweight="normal")
    ax.figure.colorbar(scale, ax=ax, label="mV", shrink=0.7)
