"""The packages' graphical interface, live in a notebook: steps, inputs, soma and tree."""

from __future__ import annotations

import html

import pandas as pd

from nmc.cells.package import AnyModel, Package, as_package
from nmc.cells.protocols import STEP_MS, STEP_START_MS, simulate_step
from nmc.cells.runs import record_sections, run_picture
from nmc.cells.stimulation import simulate_bombardment
from nmc.cells.stimuli import Step
from nmc.errors import NMCError

#: Rate at which the packages' interface lets a presynaptic m-type fire.
DEFAULT_RATE_Hz = 10.0


def control_panel(
    model: AnyModel, *, duration_ms: float = 3000.0, n_sections: int = 80, seed: int = 1
):
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
    n_sections : int
        At most how many sections to record for the coloured tree.
    seed : int
        Seed of the presynaptic trains.

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
    panel = Panel()
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
        panel.time.max, panel.time.disabled = float(trace["t_ms"].iloc[-1]), False
        panel.time.value = float(trace.loc[trace["v_mV"].idxmax(), "t_ms"])
        draw()

    def draw(_=None) -> None:
        panel.picture.value = run_picture(panel.trace, package, panel.time.value)

    panel.run.on_click(run)
    panel.observe(show, "trace")
    panel.time.observe(draw, "value")
    return panel


def _simulate(package: Package, panel, n_sections: int, seed: int) -> pd.DataFrame:
    """Run what the panel's controls say."""
    record = record_sections(package, n_sections)
    rates = {m: panel.rates[m].value for m, box in panel.switches.items() if box.value}
    step, length = panel.step.value, panel.duration.value
    if not rates and step:
        return simulate_step(package, step, mode="converged", record=record, progress=False)
    stimuli = []
    if step:  # as in the interface, a step brings its holding current
        amplitude = package.step_nA(step)
        stimuli = [Step(STEP_START_MS, STEP_MS, amplitude), Step(0.0, length, package.hold_nA)]
    return simulate_bombardment(
        package, rates, duration_ms=length, seed=seed, record=record, stimuli=stimuli,
        progress=False,
    )  # fmt: skip
