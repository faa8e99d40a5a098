"""Ensembles: one row an instance, resumed where it stopped, the same on Dask."""

import shutil
from dataclasses import replace

import networkx as nx
import nmc
import numpy as np
import pandas as pd
import pytest
from connectome_files import write_file
from nmc.connectome import ensembles, read
from nmc.connectome.export import to_networkx
from nmc.connectome.read import load_connectome
from nmc.errors import ArgumentError, MissingFileError, PartsError, UnknownNameError


@pytest.fixture
def files(tmp_path):
    paths = []
    for seed in (11, 12, 13):
        path = tmp_path / f"made{seed}.h5"
        write_file(path, seed=seed)
        paths.append(path)
    return paths


def test_rows_are_what_networkx_says(files):
    table = ensembles.compute_ensemble(files, parallel=False)
    assert table.index.tolist() == [str(f) for f in files]
    for path in files:
        graph = to_networkx(load_connectome(path))
        row = table.loc[str(path)]
        assert row["n_connections"] == graph.number_of_edges()
        assert row["reciprocity"] == pytest.approx(nx.overall_reciprocity(graph))
        assert row["clustering_directed"] == pytest.approx(
            np.mean(list(nx.clustering(graph).values()))
        )
        assert row["triad_030T"] == nx.triadic_census(graph)["030T"]


def test_a_second_run_computes_nothing(files, monkeypatch):
    first = ensembles.compute_ensemble(files, ["size", "triads"], parallel=False)
    monkeypatch.setattr(ensembles, "load_connectome", None)  # would fail if it were called
    again = ensembles.compute_ensemble(files, ["size", "triads"], parallel=False)
    pd.testing.assert_frame_equal(first, again)


def test_a_stopped_run_goes_on(files, monkeypatch):
    seen = []

    def stop_at_the_second(connectome):
        seen.append(connectome.name)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return {"tried": 1}

    monkeypatch.setitem(ensembles.MEASURES, "tried", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        ensembles.compute_ensemble(files, ["tried"], parallel=False)
    table = ensembles.compute_ensemble(files, ["tried"], parallel=False)
    assert table["tried"].tolist() == [1, 1, 1]
    assert seen == ["made11", "made12", "made12", "made13"]


def test_spread(files):
    table = ensembles.compute_ensemble(files, ["size"], parallel=False)
    spread = ensembles.compute_spread(table)
    assert spread.loc["file", ("n_connections", "mean")] == table["n_connections"].mean()
    assert spread.loc["file", ("n_connections", "std")] == pytest.approx(
        np.std(table["n_connections"], ddof=1)
    )
    assert spread.loc["file", ("n_neurons", "count")] == 3
    part = ensembles.compute_spread(table[["kind", "n_connections"]])  # some columns do
    assert part.equals(spread[["n_connections"]])
    with pytest.raises(ArgumentError, match="ensemble has no 'group'"):
        nmc.compute_spread(table[["kind", "n_connections"]], by="group")


def test_groups_follow_the_keys():
    kinds = [ensembles._kind_of(key) for key in read._all_keys("individual")]
    assert len(kinds) == 35 and {k["group"] for k in kinds} == {f"P14-{i}" for i in range(13, 18)}
    assert len(read._all_keys("average")) == 7 and len(read._all_keys("control")) == 35
    assert ensembles._kind_of("connectome/control/mc2/4") == {
        "kind": "control",
        "group": "control mc2",
    }


def test_unknown_measure_and_nothing_to_measure(files):
    with pytest.raises(UnknownNameError, match="Did you mean 'triads'"):
        ensembles.compute_ensemble(files, ["triad"])
    with pytest.raises(MissingFileError, match="no whole connectome"):
        ensembles.compute_ensemble([])


@pytest.mark.slow
def test_dask_gives_the_same_table(files):
    pytest.importorskip("dask")
    one = ensembles.compute_ensemble(files, ["size", "reciprocity"], parallel=True, progress=False)
    shutil.rmtree(ensembles.cache_folder() / "ensembles")
    other = ensembles.compute_ensemble(files, ["size", "reciprocity"], parallel=False)
    pd.testing.assert_frame_equal(one, other)


def test_a_process_that_reads_another_file_or_runs_other_code_is_refused(files):
    run = ensembles._start(files[0])
    ensembles._measure(files[0], ("size",), run)
    assert dict(run.read_part("size")[0]["numbers"])["n_neurons"] == 29
    with pytest.raises(PartsError, match="made12.h5: .* another file"):
        ensembles._measure(files[1], ("size",), run)
    other = replace(run, made_from=run.made_from | {"code": "0" * 64})
    with pytest.raises(PartsError, match="another code"):
        ensembles._measure(files[0], ("size",), other)


def test_a_row_that_a_worker_did_not_write_is_named(files, monkeypatch, tmp_path):
    monkeypatch.setenv("NMC_CACHE", str(tmp_path))  # where no row is kept yet
    monkeypatch.setattr(ensembles, "_in_turn", lambda jobs, progress: ensembles._measure(*jobs[0]))
    with pytest.raises(PartsError, match="Part modularity .* is missing"):
        ensembles.compute_ensemble(files, ["modularity"], parallel=False)


def test_a_damaged_row_is_measured_again(files):
    first = ensembles.compute_ensemble(files, ["size"], parallel=False)
    ensembles._start(files[1]).path("size").write_bytes(b"PK\x03\x04 cut short")
    pd.testing.assert_frame_equal(
        ensembles.compute_ensemble(files, ["size"], parallel=False), first
    )
