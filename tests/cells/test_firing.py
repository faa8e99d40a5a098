"""Firing as features: what a table says, and how far types separate where the answer is known."""

from __future__ import annotations

import sys

import nmc
import numpy as np
import pandas as pd
import pytest
from nmc.cells.firing import COLUMNS, _interval
from nmc.errors import FormatError, MissingLibraryError, ProtocolError, SimulationError

from .conftest import SMALL


def rows_of(models, steps=(1, 2)) -> pd.DataFrame:
    """Rows whose features say where they belong: 100 × model + 10 × step, and their place."""
    return pd.DataFrame([
        {"model": model, "step": step,
         **{name: 100 * i + 10 * step + k for k, name in enumerate(COLUMNS)}}
        for i, model in enumerate(models) for step in steps
    ])  # fmt: skip


def test_each_number_stands_under_its_feature_and_step():
    models = ["L5_MC_bAC217_1", "L23_PC_cADpyr229_1"]
    table = nmc.compute_firing(rows_of(models).sample(frac=1, random_state=1))
    assert set(table.index) == set(models)
    assert table.filter(like="@").shape == (2, 2 * len(COLUMNS))
    for k, name in enumerate(COLUMNS):
        for i, model in enumerate(models):
            assert table.loc[model, [f"{name}@1", f"{name}@2"]].tolist() == [
                100 * i + 10 + k, 100 * i + 20 + k,
            ]  # fmt: skip
    assert table["invented"].eq(False).all() and "recorded" in table.attrs["origin"]


def test_a_name_says_the_petilla_class_by_definition():
    models = ["L5_MC_bAC217_1", "L4_ChC_dNAC222_3", "L6_MC_cIR216_1", "L5_TTPC1_cADpyr232_2"]
    table = nmc.compute_firing(rows_of([*models, "my_cell"]))
    told = table.loc[models, ["layer", "etype", "onset", "steady_state", "emodel"]]
    assert told.to_numpy().tolist() == [
        ["L5", "bAC", "burst", "accommodating", "bAC217"],
        ["L4", "dNAC", "delayed", "non-accommodating", "dNAC222"],
        ["L6", "cIR", "continuous", "irregular", "cIR216"],
        ["L5", "cADpyr", "continuous", "adapting", "cADpyr232"],
    ]
    assert table.loc["my_cell", ["mtype", "etype", "onset"]].tolist() == ["", "", ""]


def test_rows_that_are_no_table_of_steps_are_refused():
    rows = rows_of([SMALL])
    with pytest.raises(FormatError, match="isi_cv"):
        nmc.compute_firing(rows.drop(columns="isi_cv"))
    with pytest.raises(FormatError, match=f"{SMALL} has two rows"):
        nmc.compute_firing(pd.concat([rows, rows]))
    with pytest.raises(SimulationError, match=f"{SMALL}, step 1: out of time"):
        nmc.compute_firing(rows.assign(error=["out of time", None]))


@pytest.mark.neuron
def test_measured_features_are_those_of_the_traces():
    table = nmc.measure_firing([SMALL], steps=[2], progress=False)
    truth = nmc.compute_features(nmc.simulate_step(SMALL, 2, mode="converged"))
    for name in COLUMNS:
        assert table.loc[SMALL, f"{name}@2"] == pytest.approx(truth[name], nan_ok=True)
    assert table.loc[SMALL, "invented"] and table.attrs["invented"]


def cells(types, groups, **features) -> pd.DataFrame:
    table = pd.DataFrame({"etype": types, "metype": groups})
    return table.assign(**features).rename(index="cell{}".format)


def test_types_that_lie_apart_are_told_apart_and_by_the_feature_that_does_it():
    rng = np.random.default_rng(0)
    kind = np.repeat([0, 1, 2], 20)
    table = cells(
        np.array(["a", "b", "c"])[kind], np.arange(60) // 2,
        **{"apart@1": kind + rng.uniform(-0.2, 0.2, 60), "noise@1": rng.normal(size=60)},
    )  # fmt: skip
    table.loc["cell3", "noise@1"] = np.nan  # a train of one spike has no intervals
    found = nmc.separate_types(table)
    assert (found["true"] == found["predicted"]).all() and found["testable"].all()
    assert found.index.equals(table.index)
    told = found.attrs
    assert told["accuracy"] == told["low"] == told["high"] == 1.0
    assert told["chance"] == pytest.approx(1 / 3)
    # With the feature of a cell drawn at random, a third is right by luck: two thirds are lost.
    assert told["importance"]["apart"] == pytest.approx(2 / 3, abs=0.1)
    assert told["importance"]["noise"] == pytest.approx(0.0, abs=0.05)
    assert table.groupby("metype").size().eq(2).all()
    assert found.groupby(table["metype"])["fold"].nunique().eq(1).all()


def test_shuffled_labels_give_chance():
    rng = np.random.default_rng(1)
    table = cells(rng.permutation(["a", "b"] * 150), np.arange(300), **{
        f"x@{step}": rng.normal(size=300) for step in (1, 2)
    })  # fmt: skip
    told = nmc.separate_types(table).attrs
    assert told["accuracy"] == pytest.approx(0.5, abs=4 * np.sqrt(0.25 / 300))
    assert told["low"] < 0.5 < told["high"] and told["chance"] == 0.5


def test_memory_of_siblings_is_no_knowledge_of_the_type():
    """A feature that marks the group and says nothing of the type, which is drawn a group."""
    rng = np.random.default_rng(2)
    group = np.repeat(np.arange(40), 5)
    types = np.repeat(rng.permutation(["a", "b"] * 20), 5)
    table = cells(types, group, **{"mark@1": 10.0 * rng.permutation(40)[group]})
    assert nmc.separate_types(table.rename_axis("model"), hold_out="model").attrs["accuracy"] > 0.98
    honest = nmc.separate_types(table).attrs
    assert honest["low"] < 0.5 < honest["high"]


def test_a_type_that_nothing_is_left_of_is_not_counted():
    table = cells(list("aaaabbbbcc"), [1, 1, 2, 2, 3, 3, 4, 4, 5, 5], **{"x@1": range(10)})
    found = nmc.separate_types(table, folds=None)
    assert found.loc[~found["testable"], "true"].unique().tolist() == ["c"]
    counted = found[found["testable"]]
    assert len(counted) == 8 and found["fold"].nunique() == 5
    assert found.attrs["accuracy"] == (counted["true"] == counted["predicted"]).mean()


def test_other_cells_are_named_after_all_that_is_known():
    table = cells(list("aabb"), [1, 2, 3, 4], **{"x@1": [0.0, 1.0, 10.0, 11.0]})
    new = cells(list("abb"), [5, 6, 7], **{"x@1": [0.5, 10.5, 0.4]})
    found = nmc.separate_types(table, test=new)
    assert found["predicted"].tolist() == ["a", "b", "a"]
    assert found.attrs["accuracy"] == pytest.approx(2 / 3)


def test_the_predictions_are_those_of_scikit_learn():
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.neighbors import KNeighborsClassifier

    rng = np.random.default_rng(3)
    kind = rng.permutation([0, 1, 2] * 20)
    table = cells(kind, rng.integers(0, 25, 60), **{"x@1": kind + rng.normal(size=60)})
    near = KNeighborsClassifier(3)
    found = nmc.separate_types(table, classifier=near, seed=4)
    truth = cross_val_predict(
        near, table[["x@1"]].to_numpy(), kind, groups=table["metype"],
        cv=StratifiedGroupKFold(5, shuffle=True, random_state=4),
    )  # fmt: skip
    assert found["predicted"].tolist() == truth.tolist()


def test_the_interval_draws_whole_groups():
    rng = np.random.default_rng(5)
    # Two groups of ten, one all right and one all wrong: only 0, a half and 1 can be drawn.
    assert _interval(np.repeat([True, False], 10), np.repeat([0, 1], 10), rng) == (0.0, 1.0)
    alone = _interval(np.repeat([True, False], 200), np.arange(400), rng)
    assert alone == pytest.approx((0.451, 0.549), abs=0.01)  # 1.96 × √(0.25 / 400)


def test_what_cannot_be_asked_is_one_clear_sentence(monkeypatch):
    table = cells(list("aabb"), [1, 2, 3, 4], **{"x@1": range(4)})
    with pytest.raises(FormatError, match="no column emodel"):
        nmc.separate_types(table, hold_out="emodel")
    with pytest.raises(FormatError, match="etype has one"):
        nmc.separate_types(table[:2])
    with pytest.raises(ProtocolError, match="metype has 4 values"):
        nmc.separate_types(table)
    monkeypatch.setitem(sys.modules, "sklearn.base", None)
    with pytest.raises(MissingLibraryError, match=r"pip install 'nmc\[analysis\]'"):
        nmc.separate_types(table)
