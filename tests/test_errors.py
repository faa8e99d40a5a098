"""What a wrong name, or a wrong kind of thing, is answered: one sentence with the way out."""

from __future__ import annotations

import inspect
import math
import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import nmc
import numpy as np
import pandas as pd
import pytest
from nmc.cells.package import AnyModel
from nmc.errors import FigureError, MissingFileError, NMCError, UnknownNameError, explained


@pytest.mark.parametrize(
    ("given", "known", "hint"),
    [
        ("layer 23", ["layer 2", "layer 4"], "Did you mean 'layer 2'?"),
        (
            "l5_ttpc1",
            ["L5_MC", "L5_TTPC1_cADpyr232_1"],
            "Did you mean 'L5_TTPC1_cADpyr232_1'?",
        ),
        ("fast", ["published", "converged"], "Choose one of 'published', 'converged'."),
        ("zzz", [f"name{i}" for i in range(50)], "There is no thing 'zzz'."),
        ("", ["one", "two"], "Choose one of 'one', 'two'."),
        (None, ["a", "b"], "Choose one of 'a', 'b'."),
        ("./missing", ["a", "b"], "There is no thing './missing', nor does that path exist."),
        ("~/missing.zip", ["a"], "nor does that path exist."),
        ("/", ["a", "b"], "There is no thing '/': this is a path, not a name."),
    ],
)
def test_a_wrong_name_is_told_the_way_out(given, known, hint):
    assert str(UnknownNameError.of("thing", given, known)).endswith(hint)


M = "L5_TTPC1_cADpyr232_1"
#: Takes minutes, or deletes what is kept.
LONG = (
    "check_connectome_claims", "check_factsheets", "check_numbers", "compare_classes",
    "clear_results", "run_command",
)  # fmt: skip
CALLS = {
    name: inspect.signature(getattr(nmc, name)).parameters
    for name in nmc.__all__
    if inspect.isfunction(getattr(nmc, name)) and name not in LONG
}
#: What is nothing that a call can work with, or that it can by chance.
GIVEN = {
    "none": None, "three": 3, "minus": -1, "nan": math.nan, "text": "x", "list": [],
    "frame": pd.DataFrame(), "table": pd.DataFrame({"a": [1]}), "object": object(),
}  # fmt: skip
#: Where a number or a text may be a setting with which NEURON, or many processes, run.
RUNS = (
    "simulate_", "sweep", "measure_firing", "fit_point_neuron", "compute_attenuation", "load_cell",
    "compute_channel_kinetics", "compute_ensemble", "load_models",
    "locate_segments", "record_segments", "scale_channels",
)  # fmt: skip


@pytest.fixture(scope="module")
def fitting(tmp_path_factory):
    """Return what fits a parameter, by its name or annotation."""
    graph = np.random.default_rng(0).random((12, 12)) < 0.3
    places = np.random.default_rng(1).random((12, 3)) * 100
    folder = tmp_path_factory.mktemp("calls")
    by_name = {
        "connectome": nmc.make_connectome(graph, list("aaabbbcccddd"), places),
        "package": nmc.load_package(M), "models": [M], "rng": 1, "dimension": 2, "trials": 3,
        "times_ms": [0.0, 50.0, 100.0], "amplitudes": [1, 0.8, 0.6], "U": 0.5, "D_ms": 100.0,
        "F_ms": 100.0, "pre_mtype": "L5_TTPC1", "post_mtype": "L5_TTPC1", "factors": {"Ih": 0.5},
        "section": "dend[3]", "kind": "erdos_renyi", "adjacency": graph, "delay_ms": 10.0,
        "duration_ms": 100.0, "stimuli": nmc.Step(5, 5, 0.1), "calcium_mM": 2.0,
    }  # fmt: skip

    def find(parameter):
        wanted = str(parameter.annotation)
        if parameter.name in by_name:
            return by_name[parameter.name]
        if "AnyModel" in wanted:
            return M
        return GIVEN["table"] if "DataFrame" in wanted else folder if "Path" in wanted else "b"

    return find


@pytest.mark.parametrize("name", CALLS)
def test_whatever_a_call_is_given_the_answer_is_a_result_or_one_sentence(
    name, fitting, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for number, one in enumerate(CALLS[name].values()):
        given = ("frame",) if number and name.startswith(RUNS) else GIVEN
        if (
            one.name in ("ax", "progress", "cluster", "parallel", "trust")
            or one.kind is one.VAR_KEYWORD
        ):
            continue
        for value in (GIVEN[kind] for kind in given):
            args, options = [], {}
            for other in CALLS[name].values():
                what = value if other is one else fitting(other)
                if other.kind is other.VAR_POSITIONAL:
                    args.append(what)
                elif other.kind is not other.VAR_KEYWORD and (
                    other is one or other.default is other.empty
                ):
                    options[other.name] = what
            try:
                getattr(nmc, name)(*args, **options)
            except NMCError as error:
                assert 15 < len(str(error)) < 1000
                lines = str(error).count("\n")
                assert not lines or isinstance(error, MissingFileError)  # the addresses tried
            plt.close("all")


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: nmc.scale_synapses("x", 2), "scale_synapses: synapses takes DataFrame, not str."),
        (
            lambda: nmc.compute_channel_kinetics(M, channels=3),
            "compute_channel_kinetics: channels takes Iterable or None, not int.",
        ),
        (
            lambda: nmc.plot_currentscape(None, ["a"]),
            "plot_currentscape: trace takes DataFrame, not NoneType.",
        ),
        (
            lambda: nmc.compute_totals(pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})),
            "compute_totals: mtypes has no 'mtype'.",
        ),
        (
            lambda: nmc.plot_distance({"all": None}),
            "plot_distance: profiles holds NoneType where DataFrame belongs.",
        ),
        (
            lambda: nmc.plot_distance({"all": pd.DataFrame({"a": [1]})}),
            "plot_distance: profiles has no 'pairs'.",
        ),
        (lambda: nmc.plot_adjacencies({}), "plot_adjacencies: connectomes holds nothing."),
        (
            lambda: nmc.plan_circuit("mc2"), "plan_circuit: connectome takes Connectome, not str."
        ),
        (
            lambda: nmc.plot_fi({}),
            "There is no curve to draw: give nmc.simulate_fi's table of one model.",
        ),
        (
            lambda: nmc.simulate_step(M, amplitude_nA="much"),
            "amplitude_nA: 'much' is text; give a number.",
        ),
    ],
)  # fmt: skip
def test_the_sentence_names_what_is_wrong_and_what_fits(call, told):
    with pytest.raises(NMCError) as found:
        call()
    assert str(found.value) == told


def test_public_calls_can_be_sent_to_other_processes():
    for name in CALLS:
        assert pickle.loads(pickle.dumps(getattr(nmc, name))) is getattr(nmc, name)


def test_no_model_is_no_figure():
    for models, columns in (([], 4), (["L5_TTPC1_cADpyr232_1"], 0)):
        with pytest.raises(FigureError, match="one"):
            nmc.plot_morphologies(models, columns=columns)


def test_a_call_does_not_blame_what_it_takes():
    """A fault inside is no matter of the argument: an alias, or the second of two kinds, fits."""

    @explained
    def draw(thing: AnyModel | Iterable[int], number: float = 1, of: Any = None):
        raise TypeError("inside")

    for given in (Path("a/model"), [1, 2], (Path(), np.float32(1)), (Path(), 2, "a text")):
        with pytest.raises(TypeError, match="^inside$"):
            draw(*given) if isinstance(given, tuple) else draw(given)
    with pytest.raises(TypeError, match="missing 1 required"):
        draw()


@pytest.mark.parametrize("cause", [MemoryError(), PermissionError(13, "denied"), ImportError("x")])
def test_a_fault_of_the_machine_is_not_laid_on_an_argument(cause):
    @explained
    def read(numbers: list):
        raise cause

    with pytest.raises(type(cause)):
        read((1, 2))


def test_every_public_name_is_listed_once():
    assert callable(nmc.load_layers)  # a name that is used stands in the package from then on
    assert len(dir(nmc)) == len(set(dir(nmc))) and set(nmc.__all__) < set(dir(nmc))
