"""Randomisation kernels: what they keep, and that they mix uniformly."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nmc.connectome.arrays import graph_of
from nmc.connectome.kernels.pairs import curveball, gnm
from small_graphs import from_edges, random_graph


def check(indptr, indices, n):
    """Rows ascending, each target once, never the neuron itself."""
    assert indptr.size == n + 1 and indptr[0] == 0 and indptr[-1] == indices.size
    for i in range(n):
        row = indices[indptr[i] : indptr[i + 1]]
        assert (np.diff(row) > 0).all() and i not in row
        assert ((row >= 0) & (row < n)).all()


@settings(deadline=None, max_examples=30)
@given(n=st.integers(0, 30), share=st.floats(0, 1), seed=st.integers(0, 9))
def test_gnm_has_exactly_m_connections(n, share, seed):
    m = int(share * n * (n - 1))
    indptr, indices = gnm(n, m, np.random.default_rng(seed))
    assert indices.size == m
    check(indptr, indices, n)


def test_gnm_is_uniform():
    # 3 neurons, 2 of 6 connections: 15 graphs, each as often.
    rng = np.random.default_rng(1)
    drawn = [gnm(3, 2, rng) for _ in range(6000)]
    seen = Counter((tuple(p), tuple(x)) for p, x in drawn)
    assert len(seen) == 15
    chi2 = sum((c - 400) ** 2 / 400 for c in seen.values())
    assert chi2 < 36.1  # 0.999 quantile, 14 degrees of freedom


def test_gnm_refuses_too_many():
    with pytest.raises(ValueError, match="6 ordered pairs"):
        gnm(3, 7, np.random.default_rng(0))


@settings(deadline=None, max_examples=30)
@given(n=st.integers(2, 30), p=st.floats(0, 1), seed=st.integers(0, 99))
def test_every_degree_is_kept(n, p, seed):
    indptr, indices = graph_of(random_graph(n, p, seed))
    before = indices.copy()
    new_indptr, new_indices = curveball(indptr, indices, 100, seed)
    check(new_indptr, new_indices, n)
    assert np.array_equal(new_indptr, indptr)
    assert np.array_equal(np.bincount(new_indices, minlength=n), np.bincount(indices, minlength=n))
    assert np.array_equal(indices, before)


def test_graphs_with_the_same_degrees_come_equally_often():
    # Out-degrees 1, 1, 1, 1 and in-degrees 1, 1, 1, 1: the nine derangements of four.
    indptr, indices = graph_of(from_edges(4, [(0, 1), (1, 0), (2, 3), (3, 2)]))
    seen = Counter(tuple(curveball(indptr, indices, 60, seed)[1]) for seed in range(1800))
    assert len(seen) == 9
    chi2 = sum((c - 200) ** 2 / 200 for c in seen.values())
    assert chi2 < 26.1  # 0.999 quantile, 8 degrees of freedom


def test_threads_change_nothing(monkeypatch):
    indptr, indices = graph_of(random_graph(80, 0.1, 2))
    serial = curveball(indptr, indices, 5, 7)[1]
    monkeypatch.setattr("nmc.connectome.kernels.pairs.WORTH_THREADS", 0)
    assert np.array_equal(curveball(indptr, indices, 5, 7)[1], serial)


def test_the_seed_decides():
    indptr, indices = graph_of(random_graph(80, 0.1, 2))
    one, two, other = (curveball(indptr, indices, 5, seed)[1] for seed in (7, 7, 8))
    assert np.array_equal(one, two) and not np.array_equal(one, other)
