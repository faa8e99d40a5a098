"""Damaged files by the thousand: every reader returns a sound connectome or one clear error."""

import os
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from connectome_files import write_file
from mutations import assert_survives, mutations
from nmc.connectome import hdf5
from nmc.connectome.build import from_edges, from_graphml, from_parquet
from nmc.connectome.export import to_graphml, to_parquet, to_sonata
from nmc.errors import NMCError
from test_own import own


def weighted(seed=1):
    connectome = own(seed=seed)
    return connectome.with_weights(np.arange(1, connectome.n_connections + 1))


def sound(connectome):
    graph, n = connectome.adjacency, connectome.n_neurons
    assert graph.shape == (n, n) == (len(connectome.neurons),) * 2
    assert graph.dtype == bool and graph.has_canonical_format and not graph.diagonal().any()
    assert connectome.neurons["mtype"].notna().all()
    assert np.isin(connectome.groups, range(len(connectome.mtypes))).all()
    places = connectome.neurons[["x_um", "y_um", "z_um"]].to_numpy()
    assert not np.isinf(places).any()
    if connectome.weights is not None:
        assert connectome.weights.shape == graph.indices.shape
        assert np.isfinite(connectome.weights).all() and connectome.weights.all()


def test_graphml(memory_path, n_mutations):
    graphs = own(seed=1), weighted(seed=2)
    good = [to_graphml(g, memory_path / "g").read_bytes()[:3000] for g in graphs]
    whole = [(memory_path / "g").read_bytes()]
    counts = assert_survives(
        from_graphml, sound, good + 4 * whole, n_mutations, memory_path / "c.graphml"
    )
    assert min(counts.values()) > n_mutations / 50


@pytest.mark.parametrize("damaged", ["edges", "neurons"])
def test_csv(memory_path, n_mutations, damaged):
    connectome = own()
    pre, post = connectome.adjacency.nonzero()
    pd.DataFrame({"pre": pre, "post": post}).to_csv(memory_path / "edges.csv", index=False)
    connectome.neurons.to_csv(memory_path / "neurons.csv", index=False)
    paths = {name: memory_path / f"{name}.csv" for name in ("edges", "neurons")}
    good = [paths[damaged].read_bytes()]
    counts = assert_survives(
        lambda _: from_edges(*paths.values()), sound, good, n_mutations, paths[damaged]
    )
    assert min(counts.values()) > n_mutations / 50


def read_one(read, params):
    """Return how reading went: 0 read, 1 refused, 3 the reader's own fault."""
    try:
        meta, arrays = read(params, lambda _: None)
        assert meta is not None and all(v.dtype != object for v in arrays.values())
        if read is hdf5.read:
            n_neurons = arrays["mtypes"].size
            indptr, indices = arrays["indptr"], arrays["indices"]
            assert indptr.size == n_neurons + 1 and indptr[-1] == indices.size
            assert (np.diff(indptr) >= 0).all() and np.isfinite(arrays["positions"]).all()
            assert not indices.size or 0 <= indices.min() <= indices.max() < n_neurons
            rows = np.repeat(np.arange(n_neurons), np.diff(indptr))
            assert (np.diff(rows * n_neurons + indices) > 0).all()  # in order, each once
        return 0
    except NMCError as error:
        return 3 if "inside this package" in str(error) or len(str(error)) < 10 else 1
    except BaseException:
        return 3


def in_forks(read, params, path, samples, n):
    """Read damaged files in other processes, as `nmc.child` does, but forked and many in each.

    Returns how many were read, refused, and ended their process (which the runner makes an error).
    """
    counts = {"read": 0, "refused": 0, "ended": 0}
    damaged, first = list(mutations(samples, n, seed=1)), 0
    while first < n:
        batch = damaged[first : first + 500]
        answers, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            for data in batch:
                path.write_bytes(data)
                signal.setitimer(signal.ITIMER_PROF, 2.0)
                signal.alarm(60)
                os.write(writing, bytes([read_one(read, params)]))
            os._exit(0)
        os.close(writing)
        with os.fdopen(answers, "rb") as told:
            found = told.read()
        _, how = os.waitpid(pid, 0)
        counts["read"] += found.count(0)
        counts["refused"] += found.count(1)
        at = found.find(3) if 3 in found else len(found)
        blame = f"mutation {first + at}: {batch[min(at, len(batch) - 1)][:200]!r}"
        assert 3 not in found, f"the reader's own fault: {blame}"
        if len(found) < len(batch):
            code = -os.waitstatus_to_exitcode(how)
            assert code > 0 and code not in (signal.SIGPROF, signal.SIGALRM), f"{code}: {blame}"
            counts["ended"] += 1
        first += min(len(found) + 1, len(batch))
    assert sum(counts.values()) == n
    return counts


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
@pytest.mark.parametrize(
    "how", [{}, {"chunks": (2, 3), "compression": "gzip"}], ids=["raw", "gzip"]
)
def test_hdf5(memory_path, n_mutations, how):
    path = memory_path / "c.h5"
    write_file(path, {"L1_DAC": 3, "L23_PC": 5}, **how)
    good = [path.read_bytes()]
    counts = in_forks(hdf5.read, {"path": str(path)}, path, good, n_mutations // 2)
    assert counts["read"] > 10 and counts["refused"] > n_mutations / 50


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
@pytest.mark.parametrize("file", ["circuit_config.json", "nodes.h5", "edges.h5"])
def test_sonata(memory_path, n_mutations, file):
    pytest.importorskip("libsonata")
    config = to_sonata(weighted(), memory_path / "s")
    path = config.parent / file
    params = {"path": str(config), "population": None}
    counts = in_forks(hdf5.read_sonata, params, path, [path.read_bytes()], n_mutations // 3)
    assert counts["read"] > 5 and counts["refused"] > n_mutations / 200


@pytest.mark.parametrize("damaged", ["neurons", "connections"])
def test_parquet(memory_path, n_mutations, damaged):
    folder = to_parquet(weighted(), memory_path / "p")
    path = Path(folder) / f"{damaged}.parquet"
    counts = assert_survives(
        lambda _: from_parquet(folder), sound, [path.read_bytes()], n_mutations // 2, path
    )
    assert min(counts.values()) > 0
