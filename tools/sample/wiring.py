"""Synthetic microcircuits: neurons in a column and the connections between them.

Cells stand in a hexagonal column of the published densities and layer thicknesses, so that a
small sample is a thin core through the microcircuit, not a thinned one.  Connections follow
`rule`: distance, pathway strength, cells that give or take more than others, groups of cells
(think of a shared morphology) that prefer each other, and answered connections.  So there is
something to find beyond distance, and it is known how much was put in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from nmc import names
from scipy import sparse

from tools.sample import facts, rule

_ROWS = 256  # rows of a block drawn at a time; part of the recipe, since draws follow it

_SIGMA_OUT, _SIGMA_IN, _SIGMA_GROUP = 0.45, 0.40, 0.60
_MAX_P = 0.9


@dataclass(frozen=True)
class Instance:
    """One synthetic microcircuit.

    Attributes
    ----------
    neurons : DataFrame
        One row a neuron, by m-type in alphabetical order: ``mtype``, ``layer6`` (L1 … L6 with
        L2 and L3 apart), ``x_um, y_um, z_um``, ``outgoing`` and ``incoming`` (the cell's own
        factors, mean 1) and ``group`` (index of its morphology group within the m-type).
    adjacency : csr_array of bool, (N, N)
        Rows presynaptic, columns postsynaptic; no self-connections.
    seed : tuple of int
        What every random number of the instance comes from.
    """

    neurons: pd.DataFrame
    adjacency: sparse.csr_array
    seed: tuple[int, ...]

    def ranges(self) -> dict[str, slice]:
        """Rows of each m-type."""
        return mtype_ranges(self.neurons)


def mtype_ranges(neurons: pd.DataFrame) -> dict[str, slice]:
    """Rows of each m-type in a table of neurons that is sorted by m-type."""
    codes = pd.Categorical(neurons["mtype"], categories=names.MTYPES).codes
    edges = np.searchsorted(codes, np.arange(len(names.MTYPES) + 1))
    return {m: slice(int(edges[k]), int(edges[k + 1])) for k, m in enumerate(names.MTYPES)}


def make_neurons(counts: dict[str, int], *, rng: np.random.Generator, centre_um=(0.0, 0.0),
                 stretch: float = 1.0) -> pd.DataFrame:  # fmt: skip
    """Place cells in a hexagonal column.

    Parameters
    ----------
    counts : dict
        Neurons of each m-type.
    rng : numpy.random.Generator
        Source of randomness.
    centre_um : pair of float
        x and z of the column's axis.
    stretch : float
        Factor on every layer's thickness.
    """
    n = sum(counts.values())
    mtypes = np.repeat(list(counts), list(counts.values()))
    layers = np.concatenate([_sublayers(m, k) for m, k in counts.items()])
    borders = facts.borders_um(stretch)
    low, high = (np.array([borders[k][end] for k in layers]) for end in (0, 1))
    x, z = facts.in_hexagon(n, facts.footprint_mm2(n), rng)
    return pd.DataFrame({
        "mtype": pd.Categorical(mtypes, categories=names.MTYPES),
        "layer6": layers,
        "x_um": x + centre_um[0],
        "y_um": low + (high - low) * rng.random(n),
        "z_um": z + centre_um[1],
        "outgoing": _around_one(_SIGMA_OUT, n, rng),
        "incoming": _around_one(_SIGMA_IN, n, rng),
        "group": np.concatenate([rng.integers(n_groups(k), size=k) for k in counts.values()]),
    })  # fmt: skip


def n_groups(n_cells: int) -> int:
    """Morphology groups in an m-type of ``n_cells``."""
    return int(np.clip(n_cells // 12, 2, 16))


def _sublayers(mtype: str, count: int) -> np.ndarray:
    layer = names.layer_of(mtype)
    if layer != "L23":
        return np.repeat(layer, count)
    weights = [facts.DENSITY_PER_MM3[k] * facts.THICKNESS_UM[k] for k in ("L2", "L3")]
    return np.repeat(["L2", "L3"], facts.share(count, np.array(weights)))


def _around_one(sigma: float, size, rng: np.random.Generator) -> np.ndarray:
    return np.exp(rng.normal(-(sigma**2) / 2, sigma, size))


def make_instance(
    neurons: pd.DataFrame, seed: tuple[int, ...], *, pathways: pd.DataFrame | None = None
) -> Instance:
    """Wire a column of cells by the rule.

    Each pathway draws from a generator of its own, keyed by ``seed`` and the two m-types.
    31,346 neurons take about a third of a gigabyte.

    Parameters
    ----------
    neurons : DataFrame
        From `make_neurons`.
    seed : tuple of int
        Key of every draw.
    pathways : DataFrame, optional
        Another table like `rule.pathways`, with any of its rows and other strengths.
    """
    table = rule.pathways() if pathways is None else pathways
    n = len(neurons)
    cells = _Cells.of(neurons)
    pre, post = zip(*_draw_connections(cells, seed, table), strict=True)
    pre, post = np.concatenate(pre), np.concatenate(post)
    data = np.ones(len(pre), dtype=bool)
    adjacency = sparse.csr_array((data, (pre, post)), shape=(n, n))
    adjacency.sort_indices()
    return Instance(neurons, adjacency, tuple(seed))


def make_control(instance: Instance, seed: tuple[int, ...]) -> Instance:
    """Rewire an instance by distance alone, every pathway keeping its number of connections.

    The counterpart of the portal's controls, where connections follow the overlap of average
    arbours: same cells, same places, no groups, no preferred cells, no answered connections.
    """
    cells, ranges = _Cells.of(instance.neurons), instance.ranges()
    ends = []
    for row in rule.pathways().itertuples():
        a, b = ranges[row.pre], ranges[row.post]
        if count := instance.adjacency[a, b].nnz:
            rng = _generator(seed, row.pre, row.post)
            ends.append(_place(cells, a, b, row, count, rng))
    pre, post = _joined(ends)
    shape = instance.adjacency.shape
    adjacency = sparse.csr_array((np.ones(len(pre), dtype=bool), (pre, post)), shape=shape)
    adjacency.sort_indices()
    return Instance(instance.neurons, adjacency, tuple(seed))


def _place(cells: _Cells, a: slice, b: slice, row, count: int, rng):
    """Choose ``count`` pairs, the likelier ones more often, none twice.

    Every pair waits an exponential time with its probability as the rate; the first ones are
    taken (Efraimidis and Spirakis 2006, Inform. Process. Lett. 97:181-185).
    """
    wait = np.empty((a.stop - a.start, b.stop - b.start), np.float32)
    for start in range(a.start, a.stop, _ROWS):
        chunk = slice(start, min(start + _ROWS, a.stop))
        rate = _smooth(cells, chunk, b, row) + np.float32(1e-30)
        draw = rng.standard_exponential(rate.shape, dtype=np.float32)
        wait[start - a.start : chunk.stop - a.start] = draw / rate
    if a == b:
        np.fill_diagonal(wait, np.inf)
    last = np.partition(wait, count - 1, axis=None)[count - 1]
    i, j = (ends[:count] for ends in np.nonzero(wait <= last))
    return (i + a.start).astype(np.int32), (j + b.start).astype(np.int32)


@dataclass(frozen=True)
class _Cells:
    """The columns that drawing needs, in single precision."""

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    outgoing: np.ndarray
    incoming: np.ndarray
    group: np.ndarray
    ranges: dict[str, slice]

    @classmethod
    def of(cls, neurons: pd.DataFrame) -> _Cells:
        columns = ("x_um", "y_um", "z_um", "outgoing", "incoming")
        arrays = [neurons[c].to_numpy(np.float32) for c in columns]
        return cls(*arrays, neurons["group"].to_numpy(), mtype_ranges(neurons))


def _generator(seed: tuple[int, ...], pre: str, post: str) -> np.random.Generator:
    return np.random.default_rng([*seed, names.MTYPES.index(pre), names.MTYPES.index(post)])


def _draw_connections(
    cells: _Cells, seed, table: pd.DataFrame
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    rows = {(r.pre, r.post): r for r in table.itertuples()}
    for k, a in enumerate(names.MTYPES):
        for b in names.MTYPES[k:]:
            there, back = rows.get((a, b)), rows.get((b, a))
            if there is None and back is None:
                continue
            yield from _draw_pair(cells, a, b, there, back, _generator(seed, a, b))


def _draw_pair(cells: _Cells, a: str, b: str, there, back, rng):
    """Draw the connections of two m-types in both directions together.

    An existing connection raises the chance of its answer by the rule's factor, a missing one
    lowers it so that the pathway's own probability stays as it was.
    """
    ra, rb = cells.ranges[a], cells.ranges[b]
    group_there = _affinity(cells, ra, rb, rng)
    group_back = group_there.T if a == b else _affinity(cells, rb, ra, rng).T
    found = {True: [], False: []}
    for start in range(ra.start, ra.stop, _ROWS):
        chunk = slice(start, min(start + _ROWS, ra.stop))
        shape = (chunk.stop - chunk.start, rb.stop - rb.start)
        p_there = _probability(cells, chunk, rb, there, group_there, shape)
        p_back = _probability(cells, chunk, rb, back, group_back, shape, reverse=True)
        hit = rng.random(shape, dtype=np.float32) < p_there
        if there is not None and back is not None:
            factor = np.float32(there.reciprocity)
            raised = np.minimum(factor * p_back, _MAX_P)
            lowered = np.maximum(p_back - p_there * raised, 0) / (1 - p_there)
            p_back = np.where(hit, raised, lowered)
        answer = rng.random(shape, dtype=np.float32) < p_back
        if a == b:  # one half of the square holds both directions
            upper = np.arange(chunk.start, chunk.stop)[:, None] < np.arange(rb.start, rb.stop)
            hit, answer = hit & upper, answer & upper
        for forward, mask in ((True, hit), (False, answer)):
            i, j = np.nonzero(mask)
            i, j = (i + chunk.start).astype(np.int32), (j + rb.start).astype(np.int32)
            found[forward].append((i, j) if forward else (j, i))
    if a == b:
        found[True] += found.pop(False)
    for forward, pairs in found.items():
        row = there if forward else back
        if row is not None:
            yield _joined(pairs) if sum(len(p[0]) for p in pairs) else _nearest(cells, row)


def _joined(pairs) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([p[0] for p in pairs]), np.concatenate([p[1] for p in pairs])


def _nearest(cells: _Cells, row) -> tuple[np.ndarray, np.ndarray]:
    """The likeliest pair of a pathway that drew nothing: each of the 1,932 has a connection."""
    a, b = cells.ranges[row.pre], cells.ranges[row.post]
    p = _smooth(cells, a, b, row)
    if a == b:
        np.fill_diagonal(p, -1)
    i, j = np.unravel_index(np.argmax(p), p.shape)
    return np.array([i + a.start], np.int32), np.array([j + b.start], np.int32)


def _affinity(cells: _Cells, pre: slice, post: slice, rng) -> np.ndarray:
    sizes = [n_groups(s.stop - s.start) for s in (pre, post)]
    return _around_one(_SIGMA_GROUP, sizes, rng).astype(np.float32)


def _smooth(cells: _Cells, first: slice, second: slice, row, reverse: bool = False) -> np.ndarray:
    """Probability from distance and direction alone; ``reverse``: from second to first."""
    dx = cells.x[first, None] - cells.x[second]
    dy = cells.y[first, None] - cells.y[second]
    dz = cells.z[first, None] - cells.z[second]
    vertical = np.abs(dy) - np.float32(row.gap_um)
    lateral2 = dx * dx + dz * dz
    p = np.exp(np.sqrt(lateral2 + vertical * vertical) * np.float32(-1 / row.length_um))
    p *= np.float32(row.peak)
    if row.lean:
        down = dy / np.sqrt(lateral2 + dy * dy + np.float32(1))
        p *= 1 + np.float32(-row.lean if reverse else row.lean) * down
    return p


def _probability(cells: _Cells, first: slice, second: slice, row, affinity, shape,
                 reverse: bool = False) -> np.ndarray:  # fmt: skip
    if row is None:
        return np.zeros(shape, np.float32)
    p = _smooth(cells, first, second, row, reverse)
    mine, theirs = ("incoming", "outgoing") if reverse else ("outgoing", "incoming")
    p *= getattr(cells, mine)[first, None]
    p *= getattr(cells, theirs)[second]
    p *= affinity[cells.group[first]][:, cells.group[second]]
    return np.minimum(p, _MAX_P, out=p)
