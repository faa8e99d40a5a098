"""Synthetic microcircuits: neurons in a column and the connections between them.

Cells stand in a hexagonal column of the published size and layer thicknesses, an eighth as many
as in the portal's, and each connection is the likelier (`column.DENSER`).  Connections follow
`column`: distance, pathway strength, cells that give or take more than others, groups of cells
(think of a shared morphology) that prefer each other, and reciprocal connections.  So there is
something to find beyond distance, and it is known how much was put in.
"""

from collections.abc import Iterable, Iterator
from itertools import combinations_with_replacement
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pandas as pd
from nmc import names
from scipy import sparse

from tools.sample import column

_ROWS = 256  # rows of a block drawn at a time; part of the recipe, since draws follow it

_SIGMA_OUT, _SIGMA_IN, _SIGMA_GROUP = 0.45, 0.40, 0.60
_MAX_P = 0.9

#: Pre- and postsynaptic ends of connections.
Ends = tuple[np.ndarray, np.ndarray]


class Instance(NamedTuple):
    """One synthetic microcircuit, made from the key `seed`; presynaptic along rows.

    `neurons` has by m-type ``layer6`` (L2 and L3 apart), ``x_um, y_um, z_um``, ``outgoing`` and
    ``incoming`` (the cell's own factors, mean 1) and ``group`` (of its m-type's morphologies).
    """

    neurons: pd.DataFrame
    adjacency: sparse.csr_array
    seed: tuple[int, ...]


def mtype_ranges(neurons: pd.DataFrame) -> dict[str, slice]:
    """Rows of each m-type in a table of neurons that is sorted by m-type."""
    codes = pd.Categorical(neurons["mtype"], categories=names.MTYPES).codes
    edges = np.searchsorted(codes, np.arange(len(names.MTYPES) + 1))
    return {m: slice(int(edges[k]), int(edges[k + 1])) for k, m in enumerate(names.MTYPES)}


def make_neurons(counts: dict[str, int], *, rng: np.random.Generator, centre_um=(0.0, 0.0),
                 stretch: float = 1.0) -> pd.DataFrame:  # fmt: skip
    """Place so many cells of each m-type in a hexagonal column."""
    n = sum(counts.values())
    mtypes = np.repeat(list(counts), list(counts.values()))
    layers = np.concatenate([_sublayers(m, k) for m, k in counts.items()])
    borders = column.borders_um(stretch)
    low, high = (np.array([borders[k][end] for k in layers]) for end in (0, 1))
    x, z = column.in_hexagon(n, column.footprint_mm2(), rng)
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
    weights = [column.DENSITY_PER_MM3[k] * column.THICKNESS_UM[k] for k in ("L2", "L3")]
    return np.repeat(["L2", "L3"], column.share(count, np.array(weights)))


def _around_one(sigma: float, size, rng: np.random.Generator) -> np.ndarray:
    return np.exp(rng.normal(-(sigma**2) / 2, sigma, size))


def make_instance(
    neurons: pd.DataFrame, seed: tuple[int, ...], *, pathways: pd.DataFrame | None = None
) -> Instance:
    """Wire cells by the rule, or by a table like `column.pathways`, each pathway by itself."""
    table = column.pathways() if pathways is None else pathways
    return _connect(neurons, _draw_connections(_single(neurons), seed, table), seed)


def _connect(neurons: pd.DataFrame, ends: Iterable[Ends], seed: tuple[int, ...]) -> Instance:
    pre, post = _joined(ends)
    data, n = np.ones(len(pre), dtype=bool), len(neurons)
    adjacency = sparse.csr_array((data, (pre, post)), shape=(n, n))
    adjacency.sort_indices()
    return Instance(neurons, adjacency, tuple(seed))


def make_control(instance: Instance, seed: tuple[int, ...]) -> Instance:
    """Rewire an instance by distance alone, every pathway keeping its number of connections.

    The counterpart of the portal's controls: no groups, no preferred cells, no extra reciprocal.
    """
    cells, ends = _single(instance.neurons), []
    for row in column.pathways().itertuples():
        a, b = cells.ranges[row.pre], cells.ranges[row.post]
        if count := instance.adjacency[a, b].nnz:
            ends.append(_place(cells, a, b, row, count, _generator(seed, row.pre, row.post)))
    return _connect(instance.neurons, ends, seed)


def _place(cells, a: slice, b: slice, row, count: int, rng) -> Ends:
    """Choose ``count`` pairs, the likelier ones more often, none twice.

    The first of exponential times (Efraimidis and Spirakis 2006, Inform. Process. Lett. 97:181).
    """
    wait = np.empty((a.stop - a.start, b.stop - b.start), np.float32)
    for chunk in _chunks(a):
        rate = _smooth(cells, chunk, b, row) + np.float32(1e-30)
        draw = rng.standard_exponential(rate.shape, dtype=np.float32)
        wait[chunk.start - a.start : chunk.stop - a.start] = draw / rate
    if a == b:
        np.fill_diagonal(wait, np.inf)
    last = np.partition(wait, count - 1, axis=None)[count - 1]
    i, j = (ends[:count] for ends in np.nonzero(wait <= last))
    return _pairs(i, j, a, b)


def _chunks(rows: slice) -> Iterator[slice]:
    for start in range(rows.start, rows.stop, _ROWS):
        yield slice(start, min(start + _ROWS, rows.stop))


def _pairs(i: np.ndarray, j: np.ndarray, a: slice, b: slice) -> Ends:
    return (i + a.start).astype(np.int32), (j + b.start).astype(np.int32)


def _single(neurons: pd.DataFrame) -> SimpleNamespace:
    """The columns that drawing needs, in single precision, and the rows of each m-type."""
    columns = neurons[["x_um", "y_um", "z_um", "outgoing", "incoming"]].astype(np.float32)
    arrays = {name.removesuffix("_um"): values.to_numpy() for name, values in columns.items()}
    group, ranges = neurons["group"].to_numpy(), mtype_ranges(neurons)
    return SimpleNamespace(**arrays, group=group, ranges=ranges)


def _generator(seed: tuple[int, ...], pre: str, post: str) -> np.random.Generator:
    return np.random.default_rng([*seed, names.MTYPES.index(pre), names.MTYPES.index(post)])


def _draw_connections(cells, seed, table: pd.DataFrame) -> Iterator[Ends]:
    rows = {(r.pre, r.post): r for r in table.itertuples()}
    for a, b in combinations_with_replacement(names.MTYPES, 2):
        there, back = rows.get((a, b)), rows.get((b, a))
        if there is not None or back is not None:
            yield from _draw_pair(cells, a, b, there, back, _generator(seed, a, b))


def _draw_pair(cells, a: str, b: str, there, back, rng) -> Iterator[Ends]:
    """Draw the connections of two m-types in both directions together.

    An existing connection raises the chance of its answer by the rule's factor, a missing one
    lowers it so that the pathway's own probability stays as it was.
    """
    ra, rb = cells.ranges[a], cells.ranges[b]
    group_there = _affinity(cells, ra, rb, rng)
    group_back = group_there.T if a == b else _affinity(cells, rb, ra, rng).T
    found: dict[bool, list[Ends]] = {True: [], False: []}
    for chunk in _chunks(ra):
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
        found[True].append(_pairs(*np.nonzero(hit), chunk, rb))
        found[False].append(_pairs(*np.nonzero(answer), chunk, rb)[::-1])
    if a == b:
        found[True] += found.pop(False)
    for forward, pairs in found.items():
        row = there if forward else back
        if row is not None:
            yield _joined(pairs) if sum(len(p[0]) for p in pairs) else _nearest(cells, row)


def _joined(pairs: Iterable[Ends]) -> Ends:
    pre, post = zip(*pairs, strict=True)
    return np.concatenate(pre), np.concatenate(post)


def _nearest(cells, row) -> Ends:
    """The likeliest pair of a pathway that drew nothing: each of the 1,932 has a connection."""
    a, b = cells.ranges[row.pre], cells.ranges[row.post]
    p = _smooth(cells, a, b, row)
    if a == b:
        np.fill_diagonal(p, -1)
    i, j = np.unravel_index([np.argmax(p)], p.shape)
    return _pairs(i, j, a, b)


def _affinity(cells, pre: slice, post: slice, rng) -> np.ndarray:
    sizes = [n_groups(s.stop - s.start) for s in (pre, post)]
    return _around_one(_SIGMA_GROUP, sizes, rng).astype(np.float32)


def _smooth(cells, first: slice, second: slice, row, reverse: bool = False) -> np.ndarray:
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


def _probability(cells, first: slice, second: slice, row, affinity, shape,
                 reverse: bool = False) -> np.ndarray:  # fmt: skip
    if row is None:
        return np.zeros(shape, np.float32)
    p = _smooth(cells, first, second, row, reverse)
    mine, theirs = ("incoming", "outgoing") if reverse else ("outgoing", "incoming")
    p *= getattr(cells, mine)[first, None]
    p *= getattr(cells, theirs)[second]
    p *= affinity[cells.group[first]][:, cells.group[second]]
    return np.minimum(p, _MAX_P, out=p)


# Synapses, and partners outside --------------------------------------------------------------

# Connections from outside the column, as a share of those inside, for a cell on the axis and
# for one at the rim.
_OUTSIDE_AXIS, _OUTSIDE_RIM = 0.2, 0.6


class PopulationCounts(NamedTuple):
    """The four population datasets, and the synapse numbers behind the sheets.

    `columns` holds connections and synapses of each neuron, partners outside included; `contacts`
    those of each connection; `outside`, (55, 55, 2), afferents from outside by m-types.
    """

    columns: dict[str, np.ndarray]
    contacts: np.ndarray
    outside: np.ndarray


def count(instance: Instance) -> PopulationCounts:
    """Draw the contacts of every connection and the partners outside the column."""
    adjacency = instance.adjacency.tocoo()
    rng = np.random.default_rng([*instance.seed, column.CONTACTS_STREAM])
    code = pd.Categorical(instance.neurons["mtype"], categories=names.MTYPES).codes.astype(int)
    types, n = len(names.MTYPES), len(code)
    pair = code[adjacency.row] * types + code[adjacency.col]
    mean = np.ones((types, types))
    for key, value in column.mean_contacts().items():
        mean[tuple(map(names.MTYPES.index, key.split(":")))] = value
    draw = rng.normal(mean.ravel()[pair], column.SPREAD * mean.ravel()[pair])
    contacts = np.clip(np.rint(draw), 1, 255).astype(np.uint8)
    rim = _outside_share(instance.neurons)[:, None]
    pairs = np.bincount(pair, minlength=types**2).reshape(types, types)
    sizes = np.bincount(code, minlength=types)
    aff = rng.poisson((pairs / sizes[None, :]).T[code] * rim)
    eff = rng.poisson((pairs / sizes[:, None])[code] * rim)
    aff_syn = _synapses(aff, mean.T[code], rng)
    eff_syn = _synapses(eff, mean[code], rng)
    outside = np.zeros((types, types, 2), int)
    for k in range(types):
        mine = code == k
        outside[:, k, 0], outside[:, k, 1] = aff[mine].sum(0), aff_syn[mine].sum(0)

    def total(ends: np.ndarray, outer: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
        return np.bincount(ends, weights, minlength=n).astype(int) + outer.sum(1)

    columns = {
        "nCellAff": total(adjacency.col, aff, None),
        "nCellEff": total(adjacency.row, eff, None),
        "nSynAff": total(adjacency.col, aff_syn, contacts),
        "nSynEff": total(adjacency.row, eff_syn, contacts),
    }
    return PopulationCounts(columns, contacts, outside)


def _outside_share(neurons: pd.DataFrame) -> np.ndarray:
    x, z = (neurons[c] - neurons[c].mean() for c in ("x_um", "z_um"))
    radius = np.hypot(x, z)
    return (_OUTSIDE_AXIS + (_OUTSIDE_RIM - _OUTSIDE_AXIS) * radius / radius.max()).to_numpy()


def _synapses(connections: np.ndarray, mean: np.ndarray, rng) -> np.ndarray:
    """Synapses of so many connections, each with the pathway's mean and spread; one at least."""
    draw = rng.normal(connections * mean, np.sqrt(connections) * column.SPREAD * mean)
    return np.maximum(np.rint(draw).astype(int), connections)
