"""Whole-cell recordings for the eye: the tree in colours, runs on a static page, a live panel.

`view_runs` is one piece of HTML that needs no network and no library, like `nmc.viewer3d`, with a
still picture where scripts do not run.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap, Normalize, to_hex
from matplotlib.figure import Figure

from nmc import style
from nmc.cells.morphology import section_points
from nmc.cells.package import AnyModel, Package, as_package
from nmc.cells.protocols import STEP_MS, STEP_START_MS, simulate_step
from nmc.cells.stimulation import simulate_bombardment
from nmc.cells.stimuli import Step
from nmc.data import provenance
from nmc.errors import FormatError, NMCError, ProtocolError, optional
from nmc.numbers import as_count
from nmc.viewer3d import View3D, pack, page_part

#: The soma first, then dendrites: what a picture of the tree shows.
_DRAWN = ("soma", "dend", "apic")
#: Voltages that colours stand for: from −90 mV, 120 mV further.
LOWEST_MV, SPAN_MV = -90.0, 120.0
#: Frames of a run at most; a longer run has longer frames.
_MAX_FRAMES = 1500
_MAX_POINTS = 6000


def record_sections(model: AnyModel, n_sections: int = 80) -> dict[str, str]:
    """Name recordings all over a cell, for the ``record`` of any ``simulate_*`` call.

    Parameters
    ----------
    model
        As for `nmc.simulate_step`.
    n_sections : int
        At most how many sections, spread evenly over the dendrites.

    Returns
    -------
    dict of str to str
        Section → its middle's voltage, e.g. ``{"dend[3]": "dend[3](0.5).v"}``.
    """
    most = as_count(n_sections, where="n_sections", error=ProtocolError)
    sections = [s for s in section_points(as_package(model)) if s != "soma[0]"]
    kept = np.linspace(0, len(sections) - 1, min(most, len(sections))).round().astype(int)
    chosen = [sections[i] for i in np.unique(kept)] if sections else []
    return {section: f"{section}(0.5).v" for section in ["soma[0]", *chosen]}


def make_frames(trace: pd.DataFrame, frame_ms: float = 2.0) -> pd.DataFrame:
    """Cut a run of `record_sections` into frames, rows of each section's highest voltage."""
    sections = [c for c in trace.columns if c.partition("[")[0] in _DRAWN and c[-1] == "]"]
    if not sections:
        raise FormatError(
            "The trace holds no recorded sections; run it with record=nmc.record_sections(model)."
        )
    t = trace["t_ms"].to_numpy()
    starts = np.arange(0, len(t), max(1, round(frame_ms / (t[1] - t[0]))))
    values = np.maximum.reduceat(trace[sections].to_numpy(), starts, axis=0)
    return pd.DataFrame(values, pd.Index(t[starts], name="t_ms"), sections)


def nearest_recorded(points: dict[str, np.ndarray], recorded: list[str]) -> np.ndarray:
    """For each drawn section the place in `recorded` whose middle is nearest, shape (n,)."""
    middles = {name: xyz[len(xyz) // 2] for name, xyz in points.items()}
    known = np.array([middles[name] for name in recorded])
    own = {name: k for k, name in enumerate(recorded)}
    nearest = {n: int(np.linalg.norm(known - xyz, axis=1).argmin()) for n, xyz in middles.items()}
    return np.array(list((nearest | own).values()))


def voltage_colours() -> list[str]:
    """Colours from the lowest to the highest voltage: dark at rest, bright at a spike's peak."""
    return [to_hex(c) for c in colormaps["plasma"](np.linspace(0.0, 0.85, 64))]


def draw_voltages(ax: Axes, trace: pd.DataFrame, package: Package, at_ms: float) -> None:
    """Draw a cell's dendrites in the colours of their voltages at one time of a run."""
    frames, points = make_frames(trace, 1.0), section_points(package)
    frame = frames.iloc[max(0, frames.index.searchsorted(at_ms, "right") - 1)]
    colours = ScalarMappable(
        Normalize(LOWEST_MV, LOWEST_MV + SPAN_MV), ListedColormap(voltage_colours())
    )
    rgba = colours.to_rgba(frame.to_numpy()[nearest_recorded(points, list(frames))])
    lines = [xyz[:, :2] for name, xyz in points.items() if name != "soma[0]"]
    ax.add_collection(LineCollection(lines, colors=rgba[1:], linewidths=1.2))
    ax.fill(*points["soma[0]"][:, :2].T, color=rgba[0], zorder=3)
    ax.autoscale_view()
    ax.set_aspect("equal", adjustable="datalim")
    ax.set_axis_off()
    ax.set_title(f"{frame.name:.0f} ms", fontsize=10, fontweight="normal")
    ax.figure.colorbar(colours, ax=ax, label="mV", shrink=0.7)


def plot_currentscape(trace: pd.DataFrame, channels: Iterable[str]) -> Figure:
    """Draw which channel carries what share of the current, over time.

    The *currentscape* (Alonso and Marder 2019, eLife 8:e42722), drawn by the library of that
    name: the voltage, all outward and all inward current, and each channel's share of both.

    Parameters
    ----------
    trace : pandas.DataFrame
        A run recorded with ``record=nmc.record_channels(model)``; ``window_ms`` chooses its time.
    channels : iterable of str
        Columns of currents, mA/cm², such as the keys of that ``record``.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    MissingLibraryError
        currentscape, of the extra ``analysis``, is not installed.
    FormatError
        The trace has no such column.
    """
    channels = list(channels)
    if missing := [name for name in channels if name not in trace]:
        raise FormatError(
            f"The trace has no column {missing[0]!r}; run it with record=nmc.record_channels(…)."
        )
    with optional("currentscape is not installed", "'nmc[analysis]'"):
        from currentscape.currentscape import plot_currentscape as draw
    t, v = trace["t_ms"].to_numpy(), trace["v_mV"].to_numpy()
    config = {
        "current": {"names": channels, "units": "[mA/cm²]"},
        "show": {"xlabels": True, "xticklabels": True},
        "voltage": {"ylim": [v.min() - 5, v.max() + 5], "ticks": [-80, -40, 0]},
        "colormap": {"name": "tab20", "n_colors": 20},
        "legend": {"textsize": 7, "bgcolor": "#262626"},
        "adjust": {"left": 0.14, "right": 0.82, "top": 0.97, "bottom": 0.1},
        "figsize": (7, 6), "textsize": 9, "title": None,
    }  # fmt: skip
    with plt.rc_context({"figure.constrained_layout.use": False}):  # the library lays it out
        figure = draw(v, trace[channels].to_numpy().T, config, time=t)
    provenance.stamp(figure)
    return figure


def run_picture(trace: pd.DataFrame, package: Package, at_ms: float | None = None) -> bytes:
    """A PNG of a run: the tree at one time, by default the soma's highest, and the soma's trace."""
    if at_ms is None:
        at_ms = trace.loc[trace["v_mV"].idxmax(), "t_ms"]
    with style.context():
        figure = Figure(figsize=(7, 3.4), dpi=100, layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[1, 1.6])
        draw_voltages(left, trace, package, at_ms)
        provenance.stamp(left)
        right.plot(trace["t_ms"], trace["v_mV"], lw=0.7, color=style.BLUE)
        right.axvline(at_ms, color=style.VERMILION, lw=1)
        right.set(xlabel="time (ms)", ylabel="soma (mV)", title=trace.attrs.get("model", ""))
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
    return buffer.getvalue()


def view_runs(runs: Mapping[str, pd.DataFrame], model: AnyModel) -> View3D:
    """Show finished runs of a cell: choose one, and move through its time.

    Parameters
    ----------
    runs : mapping of str to pandas.DataFrame
        What the menu calls a run → its trace, recorded with ``record=nmc.record_sections(model)``.
    model
        The cell that ran, as for `nmc.simulate_step`; sections that were not recorded take the
        colour of the nearest one that was.

    Returns
    -------
    nmc.viewer3d.View3D
        With a menu, a time slider and a play button.

    Raises
    ------
    FormatError
        A run holds no recorded sections.
    ValueError
        No runs, or more than fit on a page: record fewer sections or fewer runs.
    """
    if not runs:
        raise ValueError("There is no run to show.")
    package = as_package(model)
    points = section_points(package)
    recorded = {label: _run(label, trace, points) for label, trace in runs.items()}
    outline = points.pop("soma[0]")
    data = {
        "lines": _polylines(points),
        "soma": _polylines({"soma[0]": outline}),
        "low": LOWEST_MV,
        "span": SPAN_MV,
        "colours": voltage_colours(),
        "runs": list(recorded.values()),
    }
    first = next(iter(runs))
    alt = (
        f"The soma's voltage of {package.name} over time in the run '{first}', and its dendrites "
        "coloured by voltage."
    )
    picture = base64.b64encode(run_picture(runs[first], package)).decode("ascii")
    script = files("nmc.cells").joinpath("runs.js").read_text("utf-8")
    return View3D(page_part(data, picture, alt, script, kind="runs", start="startRuns",
                              fewer="runs, or record fewer sections"))  # fmt: skip


def _polylines(points: dict[str, np.ndarray]) -> list[list[float]]:
    """Lines for the script, x and y in turn, thinned out; a canvas counts downwards."""
    every = max(1, int(np.ceil(sum(map(len, points.values())) / _MAX_POINTS)))
    kept = [xyz[np.unique(np.r_[: len(xyz) : every, len(xyz) - 1])] for xyz in points.values()]
    return [(xyz[:, :2] * [1, -1]).round(1).ravel().tolist() for xyz in kept]


def _run(label: str, trace: pd.DataFrame, points: dict[str, np.ndarray]) -> dict:
    """One run for the script: voltages as bytes, the soma's trace as two bytes a sample."""
    length = trace["t_ms"].iloc[-1] - trace["t_ms"].iloc[0]
    frames = make_frames(trace, max(0.5, np.ceil(2 * length / _MAX_FRAMES) / 2))
    each, soma = _extremes(np.clip(trace["v_mV"].to_numpy(), -150, 100))
    levels = np.clip((frames.to_numpy() - LOWEST_MV) / SPAN_MV, 0, 1) * 255
    return {
        "label": label,
        "frame_ms": float(frames.index[1] - frames.index[0]),
        "n": len(frames),
        "wide": len(frames.columns),
        "levels": pack(levels.round(), np.uint8),
        "place": nearest_recorded(points, list(frames)).tolist(),
        "soma": pack((soma * 100).round(), np.int16),
        "soma_ms": each * float(trace["t_ms"].iloc[1] - trace["t_ms"].iloc[0]),
        "stimulus": [trace.attrs[k] for k in ("stim_start_ms", "stim_end_ms") if k in trace.attrs],
        "spikes": int(trace.attrs.get("spike_count", 0)),
    }


def _extremes(values: np.ndarray, most: int = 6000) -> tuple[float, np.ndarray]:
    """Thin a trace out: how many samples a kept value stands for, and the extremes in order."""
    each = int(np.ceil(2 * len(values) / most))
    if each < 3:
        return 1.0, values
    bins = values[: len(values) // each * each].reshape(-1, each)
    low, high = bins.min(axis=1), bins.max(axis=1)
    rising = bins.argmin(axis=1) < bins.argmax(axis=1)
    pairs = np.column_stack([np.where(rising, low, high), np.where(rising, high, low)])
    return each / 2, pairs.ravel()


#: Rate at which the packages' interface lets a presynaptic m-type fire.
DEFAULT_RATE_Hz = 10.0


def control_panel(model: AnyModel, *, duration_ms: float = 3000.0):
    """Build the control panel of a model: what its package's own interface offers.

    Choose a step current, switch presynaptic m-types on and set their rates, press *Run*; the
    panel shows the soma's voltage, and the dendrites coloured by theirs at the time of the
    slider.  A step alone runs in the converged mode; synapses need the package's fixed step.

    Parameters
    ----------
    model
        As for `nmc.simulate_step`.
    duration_ms : float
        How long synaptic input lasts at first; a step alone always takes its 3000 ms.

    Returns
    -------
    ipywidgets.VBox
        ``step`` (a menu), ``switches`` and ``rates`` (m-type → widget), ``duration``, ``run``
        (the button), ``time`` (the slider), ``picture`` and ``status``; ``trace`` is the last
        run's table, None before.

    Raises
    ------
    PackageError
        The package cannot be read.
    """
    import ipywidgets as widgets
    import traitlets

    package = as_package(model)

    class Panel(widgets.VBox):
        """Controls to the left, the picture to the right."""

        trace = traitlets.Instance(pd.DataFrame, allow_none=True)

    steps = {f"step {i}: {a:.3g} nA": i for i, a in enumerate(package.steps_nA, 1)}
    panel: Any = Panel()
    panel.step = widgets.Dropdown(options={"no step": 0, **steps}, value=1, description="current")
    panel.duration = widgets.BoundedFloatText(
        duration_ms, min=10, max=30_000, step=100, description="time (ms)"
    )
    panel.switches, panel.rates, rows = {}, {}, []
    for mtype, count in package.synapses["pre_mtype"].value_counts().sort_index().items():
        panel.switches[mtype] = widgets.Checkbox(
            False, description=f"{mtype} ({count} synapses)", indent=False
        )
        panel.rates[mtype] = widgets.BoundedFloatText(
            DEFAULT_RATE_Hz, min=0, max=1000, layout={"width": "5em"}
        )
        row = [panel.switches[mtype], panel.rates[mtype], widgets.Label("Hz")]
        rows.append(widgets.HBox(row))
    panel.run = widgets.Button(description="Run", button_style="primary", icon="play")
    panel.status, panel.picture = widgets.HTML(), widgets.Image(format="png")
    panel.time = widgets.FloatSlider(min=0, max=1, description="ms", disabled=True,
                                     continuous_update=False, layout={"width": "100%"})  # fmt: skip
    inputs = widgets.VBox(rows, layout={"max_height": "260px", "overflow": "auto"})
    heading = widgets.Label("presynaptic m-types")
    left = widgets.VBox([panel.step, heading, inputs, panel.duration, panel.run])
    right = widgets.VBox([panel.picture, panel.time])
    panel.children = [widgets.HBox([left, right]), panel.status]

    def run(_=None) -> None:
        panel.run.disabled = True
        panel.status.value = f"{html.escape(package.name)} runs …"
        try:
            panel.trace = _simulate(package, panel)
        except NMCError as error:
            panel.status.value = f"<b>{html.escape(str(error))}</b>"
        finally:
            panel.run.disabled = False

    def show(_=None) -> None:
        trace = panel.trace
        panel.status.value = html.escape(
            f"{trace.attrs['integration']}; spikes: {trace.attrs['spike_count']}"
        )
        panel.time.max, panel.time.disabled = float(trace["t_ms"].iloc[-1]), False
        panel.time.value = float(trace.loc[trace["v_mV"].idxmax(), "t_ms"])
        draw()

    def draw(_=None) -> None:
        panel.picture.value = run_picture(panel.trace, package, panel.time.value)

    panel.run.on_click(run)
    panel.observe(show, "trace")
    panel.time.observe(draw, "value")
    return panel


def _simulate(package: Package, panel) -> pd.DataFrame:
    """Run what the panel's controls say."""
    record = record_sections(package)
    rates = {m: panel.rates[m].value for m, box in panel.switches.items() if box.value}
    step, length = panel.step.value, panel.duration.value
    if not rates and step:
        return simulate_step(package, step, mode="converged", record=record, progress=False)
    stimuli = []
    if step:  # as in the interface, a step brings its holding current
        amplitude = package.step_nA(step)
        stimuli = [Step(STEP_START_MS, STEP_MS, amplitude), Step(0.0, length, package.hold_nA)]
    return simulate_bombardment(
        package, rates, duration_ms=length, record=record, stimuli=stimuli,
        progress=False,
    )  # fmt: skip
