"""Whole-cell recordings for the eye: what to record, the tree in colours, runs on a static page.

`view_runs` is one piece of HTML that needs no network and no library, like `nmc.viewer3d`, with a
still picture where scripts do not run.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nmc import style
from nmc.cells.morphology import section_points
from nmc.cells.package import AnyModel, Package, as_package
from nmc.errors import FormatError
from nmc.viewer3d import MAX_BYTES, View3D, page_part

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: The soma first, then dendrites: what a picture of the tree shows.
_DRAWN = ("soma", "dend", "apic")


def record_sections(model: AnyModel, n_sections: int = 80) -> dict[str, str]:
    """Name recordings all over a cell, for the ``record`` of any ``simulate_*`` call.

    Parameters
    ----------
    model : str, Model, pathlib.Path or Package
        As for `nmc.simulate_step`.
    n_sections : int
        At most how many sections, spread evenly over the dendrites.

    Returns
    -------
    dict of str to str
        Section → its middle's voltage, e.g. ``{"dend[3]": "dend[3](0.5).v"}``.

    Raises
    ------
    PackageError
        The package or its morphology cannot be read.
    """
    sections = [s for s in section_points(as_package(model)) if s != "soma[0]"]
    kept = np.linspace(0, len(sections) - 1, min(n_sections, len(sections))).round().astype(int)
    chosen = [sections[i] for i in np.unique(kept)] if sections else []
    return {section: f"{section}(0.5).v" for section in ["soma[0]", *chosen]}


@dataclass(frozen=True, eq=False)
class Frames:
    """Voltages of recorded sections at regular times.

    Attributes
    ----------
    t_ms : (F,) array
        Start of each frame.
    sections : tuple of str
        Recorded sections, S of them.
    v_mV : (F, S) array
        The highest voltage within each frame, so that no spike falls between two frames.
    """

    t_ms: np.ndarray
    sections: tuple[str, ...]
    v_mV: np.ndarray


def make_frames(trace: pd.DataFrame, frame_ms: float = 2.0) -> Frames:
    """Cut a run with recordings of `record_sections` into frames.

    Parameters
    ----------
    trace : pandas.DataFrame
        From a ``simulate_*`` call, sampled regularly.
    frame_ms : float
        Length of a frame.

    Raises
    ------
    FormatError
        The trace holds no recorded sections.
    """
    sections = tuple(c for c in trace.columns if c.partition("[")[0] in _DRAWN and c[-1] == "]")
    if not sections:
        raise FormatError(
            "The trace holds no recorded sections; run it with record=nmc.record_sections(model)."
        )
    t = trace["t_ms"].to_numpy()
    each = max(1, round(frame_ms / (t[1] - t[0])))
    starts = np.arange(0, len(t), each)
    values = np.maximum.reduceat(trace[list(sections)].to_numpy(), starts, axis=0)
    return Frames(t[starts], sections, values)


def nearest_recorded(points: dict[str, np.ndarray], recorded: tuple[str, ...]) -> np.ndarray:
    """For each drawn section the place in `recorded` whose middle is nearest, shape (n,)."""
    middles = {name: xyz[len(xyz) // 2] for name, xyz in points.items()}
    known = np.array([middles[name] for name in recorded])
    own = {name: k for k, name in enumerate(recorded)}
    return np.array(
        [
            own.get(name, int(np.argmin(np.linalg.norm(known - middle, axis=1))))
            for name, middle in middles.items()
        ]
    )


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
    model: AnyModel,
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


#: Frames of a run at most; a longer run has longer frames.
_MAX_FRAMES = 1500
_MAX_POINTS = 6000


class RunsView(View3D):
    """Runs of one cell, with a menu, a time slider and a play button."""

    def __repr__(self) -> str:
        return f"<RunsView, {len(self.html):,} characters of HTML>"


def view_runs(runs: Mapping[str, pd.DataFrame], model: AnyModel) -> RunsView:
    """Show finished runs of a cell: choose one, and move through its time.

    Parameters
    ----------
    runs : mapping of str to pandas.DataFrame
        What the menu calls a run → its trace, recorded with ``record=nmc.record_sections(model)``.
    model : str, Model, pathlib.Path or Package
        The cell that ran; sections that were not recorded take the colour of the nearest one
        that was.

    Returns
    -------
    RunsView

    Raises
    ------
    FormatError
        A run holds no recorded sections.
    ValueError
        No runs, or more than fit on a page: record fewer sections or fewer runs.
    """
    from nmc.data.provenance import note

    if not runs:
        raise ValueError("There is no run to show.")
    package = as_package(model)
    points = section_points(package)
    outline = points.pop("soma[0]")
    films = {label: _frames(trace) for label, trace in runs.items()}
    data = {
        "lines": _lines(points),
        "soma": [_flat(outline)[:, :2].round(1).ravel().tolist()],
        "low": LOWEST_MV,
        "span": SPAN_MV,
        "colours": voltage_colours(),
        "runs": [_run(label, films[label], runs[label], points) for label in runs],
    }
    first = next(iter(runs))
    alt = (
        f"The soma's voltage of {package.name} over time in the run '{first}', and its dendrites "
        "coloured by voltage."
    )
    text = _page_part(data, _picture(package, runs[first], films[first]), alt, note())
    if len(text) > MAX_BYTES:
        raise ValueError(
            f"The view takes {len(text) / 1e6:.1f} MB, more than {MAX_BYTES / 1e6:.0f}; show fewer "
            "runs, or record fewer sections."
        )
    return RunsView(text)


def _frames(trace: pd.DataFrame) -> Frames:
    length = trace["t_ms"].iloc[-1] - trace["t_ms"].iloc[0]
    return make_frames(trace, max(0.5, np.ceil(2 * length / _MAX_FRAMES) / 2))


def _flat(xyz: np.ndarray) -> np.ndarray:
    return xyz * [1, -1, 1]  # a canvas counts downwards


def _lines(points: dict[str, np.ndarray]) -> list[list[float]]:
    every = max(1, int(np.ceil(sum(map(len, points.values())) / _MAX_POINTS)))
    kept = [
        _flat(xyz)[np.unique(np.r_[np.arange(0, len(xyz), every), len(xyz) - 1]), :2]
        for xyz in points.values()
    ]
    return [xy.round(1).ravel().tolist() for xy in kept]


def _run(label: str, frames: Frames, trace: pd.DataFrame, points: dict[str, np.ndarray]) -> dict:
    """One run for the script: voltages as bytes, the soma's trace as two bytes a sample."""
    with_soma = {"soma[0]": np.zeros((1, 3)), **points}
    each, soma = _extremes(np.clip(trace["v_mV"].to_numpy(), -150, 100))
    levels = np.clip((frames.v_mV - LOWEST_MV) / SPAN_MV, 0, 1) * 255
    return {
        "label": label,
        "frame_ms": float(frames.t_ms[1] - frames.t_ms[0]),
        "n": len(frames.t_ms),
        "wide": len(frames.sections),
        "levels": _pack(levels.round(), np.uint8),
        "place": nearest_recorded(with_soma, frames.sections).tolist(),
        "soma": _pack((soma * 100).round(), np.int16),
        "soma_ms": each * float(trace["t_ms"].iloc[1] - trace["t_ms"].iloc[0]),
        "stimulus": [trace.attrs[k] for k in ("stim_start_ms", "stim_end_ms") if k in trace.attrs],
        "spikes": int(trace.attrs.get("spike_count", 0)),
    }


def _extremes(values: np.ndarray, most: int = 6000) -> tuple[float, np.ndarray]:
    """Thin a trace out, the lowest and highest value of each stretch kept, in their order.

    Returns how many samples one kept value stands for, and the values.
    """
    each = int(np.ceil(2 * len(values) / most))
    if each < 3:
        return 1.0, values
    bins = values[: len(values) // each * each].reshape(-1, each)
    low, high = bins.min(axis=1), bins.max(axis=1)
    rising = bins.argmin(axis=1) < bins.argmax(axis=1)
    pairs = np.column_stack([np.where(rising, low, high), np.where(rising, high, low)])
    return each / 2, pairs.ravel()


def _pack(values: np.ndarray, dtype) -> str:
    little = np.ascontiguousarray(values, np.dtype(dtype).newbyteorder("<"))
    return base64.b64encode(little.tobytes()).decode("ascii")


def _picture(package: Package, trace: pd.DataFrame, frames: Frames) -> str:
    """The first run as a PNG, in base64: the trace, and the tree when the soma is highest."""
    from matplotlib.figure import Figure

    with style.context():
        figure = Figure(figsize=(7, 3.4), dpi=100, layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[1, 1.6])
        frame = int(frames.v_mV[:, 0].argmax())
        draw_voltages(left, package, frames, frame)
        right.plot(trace["t_ms"], trace["v_mV"], lw=0.7, color=style.BLUE)
        right.axvline(frames.t_ms[frame], color=style.VERMILION, lw=1)
        right.set(xlabel="time (ms)", ylabel="soma (mV)")
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _page_part(data: dict, picture: str, alt: str, note: str) -> str:
    script = files("nmc.cells").joinpath("runs.js").read_text("utf-8")
    return page_part(
        data, picture, alt, note, script, kind="runs", prefix="nmc-runs-", start="startRuns"
    )
