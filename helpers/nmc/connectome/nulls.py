"""Null models: random connectomes that keep one thing of a real one and nothing else.

Each takes a `Connectome` and a random generator, or the seed of one, and returns a `Connectome`
of the same neurons.  What each keeps, exactly:

======================  =======================================================================
null                    keeps
======================  =======================================================================
erdos_renyi             the number of connections
degree_preserving       every neuron's number of inputs and of outputs
reciprocity_preserving  every neuron's number of one-way inputs and outputs, and of reciprocal
                        partners
distance_dependent      the number of connections in each bin of soma distance
pathway_preserving      the number of connections of each pathway (pre m-type → post m-type)
general_biological      the number of connections in each bin of distance of each pathway
======================  =======================================================================

The portal's own controls keep still more: their connectivity follows the overlap of average
morphologies (``load_connectome("connectome/control/mc0/0")``).  Each raises `ConnectomeError` for
a neuron that connects to itself, or has no position where distance counts, for `bin_um` not above
0, and for an `rng` that is neither a generator nor a seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
from scipy import sparse

from nmc.connectome.arrays import (
    check_choice,
    chosen_neurons,
    generator,
    given_count,
    given_width,
    graph_of,
    group_codes,
    memory_for,
    must_hold,
    tasks,
)
from nmc.connectome.degrees import compute_degrees
from nmc.connectome.distance import count_bins, count_pairs, in_groups
from nmc.connectome.graph import Connectome
from nmc.connectome.kernels.pairs import (
    curveball,
    draw_classes,
    enough_rounds,
    gnm,
    swap_pairs,
)
from nmc.connectome.kernels.partners import mark_reciprocal
from nmc.errors import ConnectomeError

#: Width of a distance bin, µm.  75 is what a public reimplementation of the controls of
#: Reimann et al. (2017), Front. Comput. Neurosci. 11:48, uses.
BIN_UM = 75.0
#: Null models, from the one that keeps least, and what they keep in words.
TITLES: dict[str, str] = {
    "erdos_renyi": "Erdős–Rényi",
    "pathway_preserving": "pathways kept",
    "distance_dependent": "distance kept",
    "general_biological": "pathways and distance kept",
    "degree_preserving": "degrees kept",
    "reciprocity_preserving": "degrees and reciprocal pairs kept",
}


def make_erdos_renyi(connectome: Connectome, *, rng: np.random.Generator | int) -> Connectome:
    """Return a graph drawn uniformly among those with as many neurons and connections.

    The directed G(n, m) of Erdős and Rényi (1959), without self-connections.
    """
    indptr, indices = graph_of(connectome)
    with memory_for("a random graph"):
        indptr, indices = gnm(indptr.size - 1, indices.size, generator(rng))
    return _same_neurons(connectome, indptr, indices, "erdos_renyi")


def make_degree_preserving(
    connectome: Connectome, *, rng: np.random.Generator | int, rounds: int | None = None
) -> Connectome:
    """Return a graph in which every neuron keeps its number of inputs and of outputs.

    Parameters
    ----------
    rounds : int, optional
        Rounds of curveball trades; in each every neuron trades its targets with one other.
        Default: 20, and in a graph of fewer than 500 neurons as many as make 10,000 trades.

    Notes
    -----
    Curveball trades (Strona et al. 2014, Nat. Commun. 5:4114; for directed graphs without
    self-connections: Carstens et al. 2018, MethodsX 5:773) alone do not reach every such graph:
    where only the reversal of a directed three-cycle leads on they stay.  So three-cycles are
    turned round, too, and the two together converge to the uniform distribution over all graphs
    with these degrees (Rao et al. 1996, Sankhya A 58:225).  How fast is known from trials only:
    `compute_mixing` shows it.  In a large graph a round tries 1,000 possible three-cycles: what
    depends on the reversal of many single ones mixes slowly there.
    """
    indptr, indices = graph_of(connectome)
    n, seed = indptr.size - 1, int(generator(rng).integers(2**31))
    rounds = enough_rounds(n) if rounds is None else given_count(rounds, where="rounds")
    inputs = np.bincount(indices, minlength=n)
    with memory_for("a random graph"):
        indptr, indices = curveball(indptr, indices, rounds, seed)
    must_hold("inputs of a random graph", (np.bincount(indices, minlength=n), inputs))
    return _same_neurons(connectome, indptr, indices, "degree_preserving")


def make_reciprocity_preserving(
    connectome: Connectome, *, rng: np.random.Generator | int, rounds: int = 10
) -> Connectome:
    """Return a graph in which every neuron keeps its one-way inputs and outputs and its partners.

    Parameters
    ----------
    rounds : int
        So many exchanges are tried for each connection, and at least 10,000 a round.

    Notes
    -----
    Exchanges of two connections, one-way or reciprocal both, and reversals of one-way
    three-cycles: the single-edge and double-edge switches of Milo et al. (2002), Science 298:824.
    All graphs that they lead to come equally often; where the degrees leave hardly a choice, as
    in a ring of four, there is no such step.
    """
    rounds = given_count(rounds, where="rounds")
    seed = np.uint64(generator(rng).integers(2**63))
    indptr, indices = graph_of(connectome)
    drawn, n = indices.copy(), indptr.size - 1
    if indices.size:
        swap_pairs(indptr, drawn, rounds * max(indices.size, 10_000), seed)
    kept = [
        np.bincount(ends[marks], minlength=n)
        for ends in (indices, drawn)
        for marks in (slice(None), mark_reciprocal(indptr, ends))
    ]
    must_hold("inputs and reciprocal partners", (kept[2], kept[0]), (kept[3], kept[1]))
    return _same_neurons(connectome, indptr, drawn, "reciprocity_preserving")


def make_distance_dependent(
    connectome: Connectome, *, rng: np.random.Generator | int, bin_um: float = BIN_UM
) -> Connectome:
    """Return a graph with as many connections in each bin of soma distance.

    Pairs connect by distance alone, as in the random graphs of Waxman (1988), IEEE J. Sel. Areas
    Commun. 6:1617; here the numbers by bin are kept, not a formula's.

    Parameters
    ----------
    bin_um : float
        Width of a bin of 3-D distance, µm.
    """
    return _keep_classes(connectome, False, bin_um, rng, "distance_dependent")


def make_pathway_preserving(
    connectome: Connectome, *, rng: np.random.Generator | int
) -> Connectome:
    """Return a graph with as many connections in each pathway, pre m-type → post m-type.

    A stochastic block model whose blocks are the m-types (Holland, Laskey and Leinhardt 1983, Soc.
    Netw. 5:109), with the numbers of connections kept exactly.
    """
    return _keep_classes(connectome, True, np.inf, rng, "pathway_preserving")


def make_general_biological(
    connectome: Connectome, *, rng: np.random.Generator | int, bin_um: float = BIN_UM
) -> Connectome:
    """Return a graph with as many connections in each distance bin of each pathway.

    The "general biological" control of Reimann et al. (2017), Front. Comput. Neurosci. 11:48, as a
    public reimplementation does it: shuffled within pathway and 75 µm of distance.

    Parameters
    ----------
    bin_um : float
        Width of a bin of 3-D distance, µm.
    """
    return _keep_classes(connectome, True, bin_um, rng, "general_biological")


def compute_mixing(
    connectome: Connectome, rounds: Iterable[int] = (0, 1, 2, 3, 5, 8, 13, 20), *,
    rng: np.random.Generator | int,
) -> pd.DataFrame:  # fmt: skip
    """Compute what shuffling with all degrees kept has left in place after so many rounds.

    Parameters
    ----------
    rounds : iterable of int
        Numbers of rounds of curveball trades; each starts from the connectome again.

    Returns
    -------
    pandas.DataFrame
        ``rounds`` and ``in_place``, the share of the connections that are where they were.
    """
    rng = generator(rng)
    rounds = list(rounds) if isinstance(rounds, Iterable) else [rounds]
    shuffled = (make_degree_preserving(connectome, rng=rng, rounds=r) for r in rounds)
    share = [connectome.adjacency.multiply(s.adjacency).nnz for s in shuffled]
    in_place = np.array(share) / max(connectome.n_connections, 1)
    return pd.DataFrame({"rounds": rounds, "in_place": in_place})


#: Every null by its short name.
NULLS: dict[str, Callable[..., Connectome]] = {
    "erdos_renyi": make_erdos_renyi,
    "pathway_preserving": make_pathway_preserving,
    "distance_dependent": make_distance_dependent,
    "general_biological": make_general_biological,
    "degree_preserving": make_degree_preserving,
    "reciprocity_preserving": make_reciprocity_preserving,
}


def make_null(
    connectome: Connectome, kind: str, *, rng: np.random.Generator | int, **how
) -> Connectome:
    """Return a null model by its name in `NULLS`.

    Parameters
    ----------
    kind : str
        A name in `NULLS`; another is an `UnknownNameError`.
    **how
        Further arguments of that null model.
    """
    check_choice("null model", kind, NULLS)
    return NULLS[kind](connectome, rng=rng, **how)


def make_matched_sample(
    connectome: Connectome,
    chosen: np.ndarray,
    *,
    rng: np.random.Generator | int,
    by: str = "mtype",
    nearest: int = 10,
) -> Connectome:
    """Draw other neurons of the same types and degrees as some, and their connections.

    Parameters
    ----------
    chosen : bool array of shape (N,), or int array
        Who is to be matched; none of them is drawn, and nobody twice.
    by : str
        Column of the neuron table that must agree.
    nearest : int
        Each is drawn from so many of the group that are nearest in degree (in + out), 1 or more.

    Raises
    ------
    ConnectomeError
        When a group has fewer others than are chosen of it.
    """
    nearest = given_count(nearest, where="nearest", low=1)
    rng = generator(rng)
    degree = compute_degrees(connectome)["degree"].to_numpy()
    codes, labels = group_codes(connectome, by)
    chosen = chosen_neurons(chosen, degree.size)
    left = np.setdiff1d(np.arange(degree.size), chosen)
    drawn = []
    for one in rng.permutation(chosen):
        others = left[codes[left] == codes[one]]
        if not others.size:
            raise ConnectomeError(
                f"There are not enough other neurons of {labels[codes[one]]} to match the chosen."
            )
        near = np.argsort(np.abs(degree[others] - degree[one]), kind="stable")[:nearest]
        drawn.append(others[rng.choice(near)])
        left = left[left != drawn[-1]]
    return connectome.select(np.array(drawn, np.int64), f"{connectome.name}, a matched sample")


def _keep_classes(
    connectome: Connectome, by_pathway: bool, bin_um: float, rng, kind: str
) -> Connectome:
    name = f"{connectome.name}, {TITLES[kind]}"
    bin_um = given_width(bin_um, "bin_um", finite=False)
    n, n_bins = connectome.n_neurons, 1
    groups = connectome.groups if by_pathway else np.zeros(n, np.int32)
    n_groups, xyz = int(groups.max(initial=0)) + 1, np.zeros((3, n))
    if np.isfinite(bin_um):
        name += f", {bin_um:g} µm bins"
        xyz = connectome.positions.T.copy()
        n_bins = count_bins(xyz, bin_um, n_groups)
    pairs, connections = count_pairs(connectome, groups, n_groups, xyz, bin_um, n_bins)
    order, starts = in_groups(groups, n_groups)
    seed = np.uint64(generator(rng).integers(2**63))
    how = (float(bin_um), n_bins, pairs, connections, seed, tasks(4 * n))
    with memory_for("a random graph"):
        x, y, z = xyz[:, order]
        n_out, targets = draw_classes(x, y, z, starts, *how)
    drawn = [n_out.sum(), connections.sum()]  # what was drawn is taken off
    must_hold("connections drawn", (drawn, [connectome.n_connections, 0]))
    ends = np.repeat(order, n_out), order[targets]
    graph = sparse.coo_array((np.ones(targets.size, bool), ends), shape=(n, n))
    return connectome.with_adjacency(graph, name)


def _same_neurons(
    connectome: Connectome, indptr: np.ndarray, indices: np.ndarray, kind: str
) -> Connectome:
    n, ones = connectome.n_neurons, np.ones(len(indices), bool)
    graph = sparse.csr_array((ones, indices, indptr), shape=(n, n))
    return connectome.with_adjacency(graph, f"{connectome.name}, {TITLES[kind]}")
