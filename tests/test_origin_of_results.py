"""Every result says whether it is invented, and no verdict compares the real with the invented."""

from __future__ import annotations

from dataclasses import replace

import nmc
import pandas as pd
import pytest
from nmc import scoreboard
from nmc.circuit.pairs import SHEET, PairedRecording
from nmc.data import sources
from nmc.published import INVENTED, MIXED, verdict

SMALL = "L1_HAC_cNAC187_1"


def _plan():
    connectome = nmc.default_connectome()
    neurons = nmc.choose_neurons(connectome, {"L1_HAC": 2}, rng=0)
    return nmc.plan_circuit(connectome, neurons, background_cells=2, missing="skip")


CALLS = {
    "simulate_step": lambda: nmc.simulate_step(SMALL, 1, mode="converged"),
    "simulate_steps": lambda: list(nmc.simulate_steps([SMALL], 1).values()),
    "simulate_currents": lambda: nmc.simulate_currents(SMALL, nmc.Step(5, 5, 0.1), tstop_ms=20),
    "simulate_rest": lambda: nmc.simulate_rest(SMALL, mode="converged"),
    "simulate_fi": lambda: nmc.simulate_fi(SMALL, [0.05]),
    "simulate_iv": lambda: nmc.simulate_iv(SMALL, [-0.02, 0.02]),
    "simulate_threshold": lambda: nmc.simulate_threshold(SMALL, mode="converged"),
    "simulate_chirp": lambda: nmc.simulate_chirp(SMALL, duration_ms=500.0),
    "simulate_bap": lambda: nmc.simulate_bap(SMALL, amplitude_nA=1.0, n_places=2),
    "simulate_epsp": lambda: nmc.simulate_epsp(SMALL, "dend[0]"),
    "simulate_bombardment": lambda: nmc.simulate_bombardment(SMALL, duration_ms=20),
    "simulate_pair": lambda: nmc.simulate_pair(_sender(), SMALL, 1, cells=1),
    "simulate_circuit": lambda: nmc.simulate_circuit(_plan(), tstop_ms=5),
    "simulate_point_circuit": lambda: nmc.simulate_point_circuit(_plan(), tstop_ms=5),
    "simulate_neuroml": lambda: nmc.simulate_neuroml(SMALL, tstop_ms=20),
}


def _sender() -> str:
    return nmc.load_package(SMALL).synapses["pre_mtype"].iloc[0]


def test_every_call_is_here():
    simulations = {name for name in nmc._PUBLIC if name.startswith("simulate_")}
    # The releases of a synapse given by its numbers belong to no model.
    assert set(CALLS) == simulations - {"simulate_release"}


@pytest.mark.neuron
@pytest.mark.parametrize("name", CALLS)
def test_a_result_says_whether_it_is_invented(name):
    result = CALLS[name]()
    for one in result if isinstance(result, list | tuple) else [result]:
        assert one.attrs["invented"] is True and "sample" in one.attrs["origin"], name


# -- verdicts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "agrees, invented, said",
    [
        (True, (False, False), "agrees"),
        (False, (False, False), "differs"),
        (True, (True, True), INVENTED),
        (False, (True,), INVENTED),
        (True, (True, False), MIXED),
        (False, (False, True), MIXED),
    ],
)
def test_a_verdict_needs_two_real_sides(agrees, invented, said):
    assert verdict(agrees, *invented) == said


def _sheets(load, invented: bool):
    table = load()
    table.attrs["invented"] = invented
    return table


def _sizes(model: bool, sheets: bool, patch) -> pd.DataFrame:
    package = replace(nmc.load_package(SMALL), invented=model)
    patch.setattr("nmc.cells.morphometrics.as_package", lambda _: package)
    return nmc.compare_morphometrics([SMALL], _sheets(nmc.load_models, sheets))


def _pair(model: bool, sheets: bool, patch) -> pd.DataFrame:
    table = _sheets(nmc.load_pathways, sheets)
    patch.setattr("nmc.circuit.pairs.load_pathways", lambda: table)
    cells = pd.DataFrame(dict.fromkeys(SHEET, [1.0, 2.0] * 3))
    row = table.dropna().iloc[0]
    post = next(name for name in nmc.model_names() if nmc.parse_model(name).mtype == row["post"])
    pair = PairedRecording(row["pre"], post, cells, cells, cells.index, {}, {"invented": model})
    return pair.compare()


def _rest(model: bool, sheets: bool, patch) -> pd.DataFrame:
    table = _sheets(nmc.load_models, sheets)
    patch.setattr(scoreboard, "load_models", lambda **_: table)
    rows = table.loc[:3, ["model", *scoreboard.TOLERANCES]]
    return scoreboard.judge(rows.assign(invented=model))


def _claim(model: bool, sheets: bool, patch) -> pd.DataFrame:
    return nmc.compare({"circuit/mtypes": 55}, of=_sheets(nmc.load_mtypes, sheets))


#: What gives verdicts, by the names of the calls that rest on it.
JUDGED = {
    "compare_morphometrics": _sizes, "PairedRecording.compare": _pair, "scoreboard.judge": _rest,
    "compare": _claim,
}  # fmt: skip
#: What puts two things side by side, and judges nothing.
BESIDE = {
    "compare_conductances", "compare_densities", "compare_kinetics", "compare_spikes",
    "compare_synapses",
}  # fmt: skip


def test_every_comparison_is_here():
    public = {name for name in nmc._PUBLIC if name.startswith("compare")}
    # The classes of checks count what `check_numbers` lets through; see tests/test_check_numbers.
    assert public == {name for name in JUDGED if name in public} | BESIDE | {"compare_classes"}


@pytest.mark.parametrize("name", JUDGED)
@pytest.mark.parametrize("model", [False, True], ids=["real model", "invented model"])
@pytest.mark.parametrize("sheets", [False, True], ids=["real sheets", "invented sheets"])
def test_no_comparison_judges_the_real_by_the_invented(name, model, sheets, monkeypatch):
    said = set(JUDGED[name](model, sheets, monkeypatch)["verdict"]) - {""}
    if name == "compare":  # the other side is the literature
        model = sheets
    if model == sheets:
        assert said <= ({INVENTED} if model else {"agrees", "differs", "not in the file"}) and said
    else:
        assert said == {MIXED}


def test_a_real_package_beside_an_invented_sheet(monkeypatch):
    if not sources.folder_of("MEArec"):
        pytest.skip("MEArec is not installed (pip install nmc[extracts])")
    monkeypatch.setenv("NMC_SOURCE", "extracts,sample")
    monkeypatch.setenv("NMC_ACCEPT_TERMS", "1")
    sheets = nmc.load_models(step_currents=False)
    assert sheets.attrs == {"origin": "sample", "invented": True}
    table = nmc.compare_morphometrics(["L5_TTPC1_cADpyr232_1", SMALL], sheets)
    said = table["verdict"].groupby("model").unique().map(list).to_dict()
    assert said == {"L5_TTPC1_cADpyr232_1": [MIXED], SMALL: [INVENTED]}
