"""Damaged files by the thousand: every reader returns a sound connectome or one clear error."""

import os
import signal
import time
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


def sound(connectome):
    graph, n = connectome.adjacency, connectome.n_neurons
    assert graph.shape == (n, n) == (len(connectome.neurons),) * 2
    assert graph.dtype == bool and graph.has_canonical_format and not graph.diagonal().any()
    assert connectome.neurons["mtype"].notna().all()
    assert np.isin(connectome.groups, range(len(connectome.mtypes))).all()
    places = connectome.neurons[["x_um", "y_um", "z_um"]].to_numpy()
    assert not np.isinf(places).any()


def test_graphml(memory_path, n_mutations):
    good = [to_graphml(own(seed=s), memory_path / "g").read_bytes()[:3000] for s in (1, 2)]
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
        lambda _: from_edges(*paths.values()), sound, good, n_mutations // 2, paths[damaged]
    )
    assert min(counts.values()) > n_mutations / 50


def in_forks(read, params, path, samples, n):
    """Read each damaged file in a process of its own, as `nmc.child` does, but started by a fork.

    Returns how many were read, refused, and ended their process (which the runner makes an error).
    """
    counts = {"read": 0, "refused": 0, "ended": 0}
    for i, data in enumerate(mutations(samples, n, seed=1)):
        path.write_bytes(data)
        start = time.monotonic()
        pid = os.fork()
        if pid == 0:
            status = 3
            try:
                signal.setitimer(signal.ITIMER_PROF, 2.0)
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
                status = 0
            except NMCError as error:
                inside = "inside this package" in str(error) or len(str(error)) < 10
                status = 3 if inside else 1
            finally:
                os._exit(status)
        _, how = os.waitpid(pid, 0)
        told = f"mutation {i}: {data[:200]!r}"
        assert not (os.WIFSIGNALED(how) and os.WTERMSIG(how) == signal.SIGPROF), f"slow: {told}"
        assert time.monotonic() - start < 60, told
        code = os.waitstatus_to_exitcode(how)
        assert code in (0, 1) or code < 0, f"{code}: {told}"
        counts["read" if code == 0 else "refused" if code == 1 else "ended"] += 1
    return counts


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
@pytest.mark.parametrize(
    "how", [{}, {"chunks": (2, 3), "compression": "gzip"}], ids=["raw", "gzip"]
)
def test_hdf5(memory_path, n_mutations, how):
    path = memory_path / "c.h5"
    write_file(path, {"L1_DAC": 3, "L23_PC": 5}, **how)
    good = [path.read_bytes()]
    counts = in_forks(hdf5.read, {"path": str(path)}, path, good, n_mutations // 4)
    assert counts["read"] > 10 and counts["refused"] > n_mutations / 50


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
@pytest.mark.parametrize("file", ["circuit_config.json", "nodes.h5", "edges.h5"])
def test_sonata(memory_path, n_mutations, file):
    pytest.importorskip("libsonata")
    config = to_sonata(own(), memory_path / "s")
    path = config.parent / file
    params = {"path": str(config), "population": None}
    counts = in_forks(hdf5.read_sonata, params, path, [path.read_bytes()], n_mutations // 10)
    assert counts["read"] > 5 and counts["refused"] > n_mutations / 200


def test_parquet(memory_path, n_mutations):
    folder = to_parquet(own(), memory_path / "p")
    path = Path(folder) / "neurons.parquet"
    counts = assert_survives(
        lambda _: from_parquet(folder), sound, [path.read_bytes()], n_mutations // 10, path
    )
    assert min(counts.values()) > 0
