"""The control panel: a live widget, and its static version in a browser."""

from __future__ import annotations

import json
import re

import nmc
import numpy as np
import pytest
from nmc.cells.runs import _extremes, make_frames, nearest_recorded, record_sections, view_runs
from nmc.errors import FormatError
from nmc.viewer3d import MAX_BYTES

from tools.bookbuild.render import find_browser

from .conftest import SMALL

pytestmark = pytest.mark.neuron


@pytest.fixture(scope="module")
def runs(small):
    """Return a step and an input, the whole tree recorded."""
    record = record_sections(small)
    return {
        "step 1": nmc.simulate_step(small, 1, mode="converged", record=record),
        "input": nmc.simulate_bombardment(small, 20.0, duration_ms=60.0, record=record),
    }


def data_of(view) -> dict:
    return json.loads(re.search(r'application/json">(.*?)</script>', view.html, re.S)[1])


def test_recordings_are_spread_over_the_tree(small):
    few = record_sections(small, 5)
    assert len(few) == 6 and few["soma[0]"] == "soma[0](0.5).v"
    everything = record_sections(small, 10_000)
    assert set(few) < set(everything)
    assert all(re.fullmatch(r"(soma|dend|apic)\[\d+\]", name) for name in everything)


def test_no_spike_falls_between_two_frames(runs):
    trace = runs["step 1"]
    frames = make_frames(trace, 2.0)
    assert len(frames) == 1501 and list(frames) == list(trace.columns[3:])
    assert frames["soma[0]"].max() == trace["soma[0]"].max() > 0
    assert np.allclose(np.diff(frames.index), 2.0)
    with pytest.raises(FormatError, match="record_sections"):
        make_frames(trace[["t_ms", "v_mV"]])


def test_a_section_that_was_not_recorded_borrows_from_the_nearest():
    points = {"soma[0]": np.zeros((1, 3)), "dend[0]": np.full((3, 3), 10.0),
              "dend[1]": np.full((3, 3), 90.0), "dend[2]": np.full((3, 3), 100.0)}  # fmt: skip
    assert nearest_recorded(points, ["soma[0]", "dend[2]"]).tolist() == [0, 0, 1, 1]


def test_a_thinned_trace_keeps_its_peaks():
    values = np.sin(np.arange(40_000) / 7.0)
    values[12_345] = 5
    each, kept = _extremes(values)
    assert len(kept) <= 6000 and kept.max() == 5 and kept.min() == values.min()
    assert each * len(kept) == pytest.approx(len(values), rel=1e-3)


def test_the_static_panel_holds_every_run_and_loads_nothing(runs, small):
    view = view_runs(runs, small)
    data = data_of(view)
    assert [run["label"] for run in data["runs"]] == ["step 1", "input"]
    assert data["runs"][0]["spikes"] == runs["step 1"].attrs["spike_count"]
    assert data["runs"][0]["stimulus"] == [700, 2700] and data["runs"][1]["stimulus"] == []
    assert len(view.html) < MAX_BYTES and not re.search(r"https?://|import\(|fetch\(", view.html)
    assert re.search(r'<img alt="[^"]{20,}"[^>]+src="data:image/png', view.html)
    evil = view_runs({"</script><script>alert(1)</script>": runs["input"]}, small)
    assert "</script><script>alert" not in evil.html
    with pytest.raises(ValueError, match="no run"):
        view_runs({}, small)


def test_the_panel_runs_steps_and_inputs(small):
    pytest.importorskip("ipywidgets")
    panel = nmc.control_panel(small, duration_ms=60)
    assert panel.trace is None and list(panel.step.options) == [
        "no step", *(f"step {i}: {a:.3g} nA" for i, a in enumerate(small.steps_nA, 1))
    ]  # fmt: skip
    assert set(panel.switches) == set(small.synapses["pre_mtype"])
    panel.run.click()
    step = panel.trace
    shown = bytes(panel.picture.value)
    assert step.attrs["spike_count"] > 0 and "variable step" in panel.status.value
    assert shown.startswith(b"\x89PNG")
    panel.time.value = 10.0  # the tree at another time is another picture
    later = bytes(panel.picture.value)
    assert later != shown
    mtype = next(iter(panel.switches))
    panel.step.value, panel.switches[mtype].value, panel.rates[mtype].value = 0, True, 50.0
    panel.run.click()
    assert panel.trace.attrs["protocol"] == "bombardment" and panel.trace["t_ms"].iloc[-1] == 60
    assert panel.trace.attrs["synapses"] == (small.synapses["pre_mtype"] == mtype).sum()
    assert bytes(panel.picture.value) not in (shown, later) and not panel.run.disabled


def test_a_step_and_an_input_act_together(small):
    """As in the interface: both at once; without a rate only the step is left."""
    pytest.importorskip("ipywidgets")
    quiet, driven = (
        nmc.simulate_bombardment(small, {}, duration_ms=30.0, v_init_mV=-70, stimuli=stimuli)
        for stimuli in ([], [nmc.Step(5.0, 20.0, 0.2)])
    )
    assert quiet.attrs["synapses"] == driven.attrs["synapses"] == 0
    at_20 = [trace.loc[trace["t_ms"] == 20.0, "v_mV"].item() for trace in (quiet, driven)]
    assert at_20[1] > at_20[0] + 2


def test_an_error_is_shown_in_the_panel(small, monkeypatch):
    pytest.importorskip("ipywidgets")
    from nmc.cells import runs as room
    from nmc.errors import SimulationError

    def fail(*args, **settings):
        raise SimulationError(f"{SMALL}: <broken>")

    panel = nmc.control_panel(small)
    monkeypatch.setattr(room, "simulate_step", fail)
    panel.run.click()
    assert "&lt;broken&gt;" in panel.status.value and not panel.run.disabled
    assert panel.trace is None


def test_the_panel_in_a_kernel_of_its_own(tmp_path):
    """Executed as a notebook is: shown, clicked, and its trace changed."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    jupyter_client = pytest.importorskip("jupyter_client")
    pytest.importorskip("ipywidgets")
    code = [
        f"import nmc\npanel = nmc.control_panel('{SMALL}', duration_ms=40)\npanel",
        "panel.run.click()\nfirst = panel.trace\nfirst.attrs['spike_count'] > 0",
        "panel.step.value = 0\npanel.run.click()\nlen(panel.trace) < len(first)",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in code])
    by_file = jupyter_client.AsyncKernelManager(transport="ipc", ip=str(tmp_path / "kernel"))
    nbclient.NotebookClient(book, timeout=300, km=by_file).execute()
    outputs = [[o for o in cell["outputs"] if "data" in o] for cell in book["cells"]]
    assert "application/vnd.jupyter.widget-view+json" in outputs[0][0]["data"]
    assert [o[-1]["data"]["text/plain"] for o in outputs[1:]] == ["True", "True"]


@pytest.mark.slow
def test_the_static_panel_in_a_browser(runs, small, tmp_path):
    chromium = find_browser()
    playwright = pytest.importorskip("playwright.sync_api")
    if chromium is None:
        pytest.skip("no chromium")
    page_file = view_runs(runs, small).save(tmp_path / "runs.html")
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page, errors = browser.new_page(viewport={"width": 700, "height": 600}), []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(page_file.as_uri())
        tree, soma = page.locator("canvas").nth(0), page.locator("canvas").nth(1)
        before = tree.screenshot(), soma.screenshot()
        page.get_by_role("slider", name="Time").focus()
        page.keyboard.press("Home")  # the slider by keyboard: the very start
        page.wait_for_timeout(200)
        assert page.get_by_text("0 ms, soma").is_visible()
        assert tree.screenshot() != before[0]
        page.get_by_role("combobox", name="Run").select_option(label="input")
        page.wait_for_timeout(200)
        assert soma.screenshot() != before[1]
        page.get_by_role("button", name="Play").click()
        slider = page.get_by_role("slider", name="Time")
        time = slider.input_value()
        page.wait_for_timeout(400)
        assert slider.input_value() != time
        page.get_by_role("button", name="Pause").click()
        page.set_viewport_size({"width": 340, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 340
        assert errors == []
        still = browser.new_context(java_script_enabled=False).new_page()
        still.goto(page_file.as_uri())
        assert still.locator("img").is_visible() and still.locator("canvas").count() == 0
        browser.close()
