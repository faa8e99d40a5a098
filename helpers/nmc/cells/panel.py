"""The packages' graphical interface, live in a notebook: steps, inputs, soma and tree."""

from __future__ import annotations

import html
import io
from pathlib import Path

import pandas as pd

from nmc import names, style
from nmc.cells.package import Package, as_package
from nmc.cells.protocols import STEP_MS, STEP_START_MS, simulate_step
from nmc.cells.runs import draw_voltages, make_frames, record_sections
from nmc.cells.stimulation import simulate_bombardment
from nmc.cells.stimuli import Step
from nmc.errors import NMCError

#: Rate at which the packages' interface lets a presynaptic m-type fire.
DEFAULT_RATE_Hz = 10.0
_NO_STEP = "no step"


def control_panel(
    model: str | names.Model | Path | Package,
    *,
    duration_ms: float = 3000.0,
    n_sections: int = 80,
    seed: int = 1,
):
    """Build the control panel of a model: what its package's own interface offers.

    Choose a step current, switch presynaptic m-types on and set their rates, press *Run*; the
    panel shows the soma's voltage, and the dendrites coloured by theirs at the time of the
    slider.  A step alone runs in the converged mode; synapses need the package's fixed step.

    Parameters
    ----------
    model : str, Model, pathlib.Path or Package
        As for `nmc.simulate_step`.
    duration_ms : float
        How long synaptic input lasts at first; a step alone always takes its 3000 ms.
    n_sections : int
        At most how many sections to record for the coloured tree.
    seed : int
        Seed of the presynaptic trains.

    Returns
    -------
    ipywidgets.VBox
        ``step`` (a menu), ``switches`` and ``rates`` (m-type → widget), ``duration``, ``run``
        (the button), ``time`` (the slider) and ``status``; ``trace`` is the last run's table,
        None before.

    Raises
    ------
    PackageError
        The package cannot be read.
    """
    import ipywidgets as widgets
    import traitlets

    package = as_package(model)

    class Panel(widgets.VBox):
        """Controls to the left, pictures to the right."""

        trace = traitlets.Instance(pd.DataFrame, allow_none=True)

    steps = {f"step {i}: {a:.3g} nA": i for i, a in enumerate(package.steps_nA, 1)}
    panel = Panel()
    panel.step = widgets.Dropdown(options={_NO_STEP: 0, **steps}, value=1, description="current")
    panel.duration = widgets.BoundedFloatText(
        duration_ms, min=10, max=30_000, step=100, description="time (ms)"
    )
    panel.switches, panel.rates = {}, {}
    for mtype, count in package.synapses["pre_mtype"].value_counts().sort_index().items():
        panel.switches[mtype] = widgets.Checkbox(
            False, description=f"{mtype} ({count} synapses)", indent=False
        )
        panel.rates[mtype] = widgets.BoundedFloatText(
            DEFAULT_RATE_Hz, min=0, max=1000, layout={"width": "5em"}
        )
    panel.run = widgets.Button(description="Run", button_style="primary", icon="play")
    panel.status = widgets.HTML()
    panel.time = widgets.FloatSlider(min=0, max=1, description="ms", disabled=True,
                                     continuous_update=False, layout={"width": "100%"})  # fmt: skip
    pictures = [widgets.Image(format="png"), widgets.Image(format="png")]
    rows = [
        widgets.HBox([panel.switches[m], panel.rates[m], widgets.Label("Hz")])
        for m in panel.switches
    ]
    inputs = widgets.VBox(rows, layout={"max_height": "260px", "overflow": "auto"})
    left = widgets.VBox(
        [panel.step, widgets.Label("presynaptic m-types"), inputs, panel.duration, panel.run]
    )
    right = widgets.VBox([pictures[0], panel.time, pictures[1]])
    panel.children = [widgets.HBox([left, right]), panel.status]

    def run(_=None) -> None:
        panel.run.disabled = True
        panel.status.value = f"{html.escape(package.name)} runs …"
        try:
            panel.trace = _simulate(package, panel, n_sections, seed)
        except NMCError as error:
            panel.status.value = f"<b>{html.escape(str(error))}</b>"
        finally:
            panel.run.disabled = False

    def show(_=None) -> None:
        trace = panel.trace
        panel.status.value = html.escape(
            f"{trace.attrs['integration']}; spikes: {trace.attrs['spike_count']}"
        )
        pictures[0].value = _trace_picture(trace)
        panel.time.max = float(trace["t_ms"].iloc[-1])
        panel.time.disabled = False
        highest = float(trace.loc[trace["v_mV"].idxmax(), "t_ms"])
        moved = panel.time.value != highest
        panel.time.value = highest
        if not moved:
            show_tree()

    def show_tree(_=None) -> None:
        pictures[1].value = _tree_picture(package, panel.trace, panel.time.value)

    panel.run.on_click(run)
    panel.observe(show, "trace")
    panel.time.observe(show_tree, "value")
    return panel


def _simulate(package: Package, panel, n_sections: int, seed: int) -> pd.DataFrame:
    """Run what the panel's controls say."""
    record = record_sections(package, n_sections)
    rates = {m: panel.rates[m].value for m, box in panel.switches.items() if box.value}
    step = panel.step.value
    if not rates and step:
        return simulate_step(package, step, mode="converged", record=record, progress=False)
    length = panel.duration.value
    stimuli = []
    if step:  # as in the interface, a step brings its holding current
        stimuli = [
            Step(STEP_START_MS, STEP_MS, package.step_nA(step)),
            Step(0.0, length, package.hold_nA),
        ]
    return simulate_bombardment(
        package,
        rates,
        duration_ms=length,
        seed=seed,
        record=record,
        stimuli=stimuli,
        progress=False,
    )


def _png(figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _trace_picture(trace: pd.DataFrame) -> bytes:
    from matplotlib.figure import Figure

    from nmc.data import provenance

    with style.context():
        figure = Figure(figsize=(6.5, 2.6), dpi=90, layout="constrained")
        ax = figure.subplots()
        ax.plot(trace["t_ms"], trace["v_mV"], lw=0.8, color=style.BLUE)
        ax.set(xlabel="time (ms)", ylabel="soma (mV)", title=trace.attrs["model"])
        figure.text(0.99, 0.01, provenance.note(), ha="right", fontsize=7, color=style.GREY)
        return _png(figure)


def _tree_picture(package: Package, trace: pd.DataFrame, at_ms: float) -> bytes:
    from matplotlib.figure import Figure

    with style.context():
        figure = Figure(figsize=(6.5, 3.4), dpi=90, layout="constrained")
        frames = make_frames(trace, 1.0)
        frame = min(int(at_ms / (frames.t_ms[1] - frames.t_ms[0])), len(frames.t_ms) - 1)
        draw_voltages(figure.subplots(), package, frames, frame)
        return _png(figure)
