"""Runs to look at on a static page: a menu of runs, the soma's trace, the tree in colours.

Like `nmc.viewer3d` it is one piece of HTML that needs no network and no library, and a still
picture where scripts do not run.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd

from nmc import names, style
from nmc.cells.morphology import section_points
from nmc.cells.package import Package
from nmc.cells.plots_voltage import LOWEST_MV, SPAN_MV, draw_voltages, voltage_colours
from nmc.cells.protocols import as_package
from nmc.cells.runs import Frames, make_frames, nearest_recorded
from nmc.viewer3d import MAX_BYTES, View3D, page_part

#: Frames of a run at most; a longer run has longer frames.
_MAX_FRAMES = 1500
_MAX_POINTS = 6000


class RunsView(View3D):
    """Runs of one cell, with a menu, a time slider and a play button."""

    def __repr__(self) -> str:
        return f"<RunsView, {len(self.html):,} characters of HTML>"


def view_runs(
    runs: Mapping[str, pd.DataFrame], model: str | names.Model | Path | Package
) -> RunsView:
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
    script = files("nmc.cells").joinpath("view_runs.js").read_text("utf-8")
    return page_part(
        data, picture, alt, note, script, kind="runs", prefix="nmc-runs-", start="startRuns"
    )
