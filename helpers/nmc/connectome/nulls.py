"""Null models: random connectomes that keep one thing of a real one and nothing else.

Each takes a `Connectome` and a random generator and returns a `Connectome` of the same
neurons.  What each keeps, exactly:

===================  ==========================================================================
null                 keeps
===================  ==========================================================================
erdos_renyi          the number of connections
degree_preserving    every neuron's number of inputs and of outputs
distance_dependent   the number of connections in each bin of soma distance
pathway_preserving   the number of connections of each pathway (pre m-type → post m-type)
general_biological   the number of connections in each bin of distance of each pathway
===================  ==========================================================================

The portal's own controls keep still more (see `load_control`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
from scipy import sparse

from nmc.connectome.graph import Connectome
from nmc.errors import UnknownNameError

#: Width of a distance bin, µm.  75 is what a public reimplementation of the controls of
#: Reimann et al. (2017), Front. Comput. Neurosci. 11:48, uses.
BIN_UM = 75.0


def make_erdos_renyi(connectome: Connectome, *, rng: np.random.Generator) -> Connectome:
    """Return a graph drawn uniformly among those with as many neurons and connections.

    Parameters
    ----------
    connectome : Connectome
        What to randomise; only its size matters.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Connectome
        The same neurons, as many connections, drawn at random.

    Notes
    -----
    The directed G(n, m) of Erdős and Rényi (1959), without self-connections.
    """
    from nmc.connectome.kernels import randomise

    indptr, indices = randomise.gnm(connectome.n_neurons, connectome.n_connections, rng)
    return _same_neurons(connectome, indptr, indices, "Erdős–Rényi")


def make_degree_preserving(
    connectome: Connectome, *, rng: np.random.Generator, rounds: int = 20
) -> Connectome:
    """Return a graph in which every neuron keeps its number of inputs and of outputs.

    Parameters
    ----------
    connectome : Connectome
        What to randomise.
    rng : numpy.random.Generator
        Source of randomness.
    rounds : int
        Rounds of curveball trades; in each every neuron trades its targets with one other.

    Returns
    -------
    Connectome
        The same neurons, each with as many inputs and outputs as before.

    Notes
    -----
    Curveball trades (Strona et al. 2014, Nat. Commun. 5:4114; without self-connections and for
    directed graphs: Carstens et al. 2016) converge to the uniform distribution over such graphs.
    """
    from nmc.connectome.kernels import randomise

    graph = connectome.adjacency
    seed = int(rng.integers(2**31))
    indptr, indices = randomise.curveball(graph.indptr, graph.indices, rounds, seed)
    return _same_neurons(connectome, indptr, indices, "degrees kept")


def make_distance_dependent(
    connectome: Connectome, *, rng: np.random.Generator, bin_um: float = BIN_UM
) -> Connectome:
    """Return a graph with as many connections in each bin of soma distance.

    Parameters
    ----------
    connectome : Connectome
        What to randomise.
    rng : numpy.random.Generator
        Source of randomness.
    bin_um : float
        Width of a bin of 3-D distance, µm.

    Returns
    -------
    Connectome
        The same neurons, as many connections in each bin of distance.

    Raises
    ------
    ValueError
        If `bin_um` is not above 0.
    """
    groups = np.zeros(connectome.n_neurons, np.int32)
    return _keep_classes(connectome, groups, bin_um, rng, f"distance kept, {bin_um:g} µm bins")


def make_pathway_preserving(connectome: Connectome, *, rng: np.random.Generator) -> Connectome:
    """Return a graph with as many connections in each pathway, pre m-type → post m-type.

    Parameters
    ----------
    connectome : Connectome
        What to randomise.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Connectome
        The same neurons, as many connections in each pathway.
    """
    return _keep_classes(connectome, connectome.groups, np.inf, rng, "pathways kept")


def make_general_biological(
    connectome: Connectome, *, rng: np.random.Generator, bin_um: float = BIN_UM
) -> Connectome:
    """Return a graph with as many connections in each distance bin of each pathway.

    Parameters
    ----------
    connectome : Connectome
        What to randomise.
    rng : numpy.random.Generator
        Source of randomness.
    bin_um : float
        Width of a bin of 3-D distance, µm.

    Returns
    -------
    Connectome
        The same neurons, as many connections in each bin of distance of each pathway.

    Raises
    ------
    ValueError
        If `bin_um` is not above 0.

    Notes
    -----
    The "general biological" control of Reimann et al. (2017), Front. Comput. Neurosci. 11:48,
    as a public reimplementation does it: shuffled within pathway and 75 µm of distance.
    """
    name = f"pathways and distance kept, {bin_um:g} µm bins"
    return _keep_classes(connectome, connectome.groups, bin_um, rng, name)


def compute_mixing(
    connectome: Connectome, rounds: Iterable[int] = (0, 1, 2, 3, 5, 8, 13, 20), *,
    rng: np.random.Generator,
) -> pd.DataFrame:  # fmt: skip
    """Compute what shuffling with all degrees kept has left in place after so many rounds.

    Parameters
    ----------
    connectome : Connectome
        What is shuffled.
    rounds : iterable of int
        Numbers of rounds of curveball trades.
    rng : numpy.random.Generator
        Source of randomness; every number of rounds starts from the connectome again.

    Returns
    -------
    pandas.DataFrame
        ``rounds`` and ``in_place``, the share of the connections that are where they were.
    """
    rounds = list(rounds)
    shuffled = (make_degree_preserving(connectome, rng=rng, rounds=r) for r in rounds)
    share = [connectome.adjacency.multiply(s.adjacency).nnz for s in shuffled]
    in_place = np.array(share) / max(connectome.n_connections, 1)
    return pd.DataFrame({"rounds": rounds, "in_place": in_place})


#: Every null by its short name, from the one that keeps least.
NULLS: dict[str, Callable[..., Connectome]] = {
    "erdos_renyi": make_erdos_renyi,
    "pathway_preserving": make_pathway_preserving,
    "distance_dependent": make_distance_dependent,
    "general_biological": make_general_biological,
    "degree_preserving": make_degree_preserving,
}

#: The same in words, for figures.
TITLES: dict[str, str] = {
    "erdos_renyi": "Erdős–Rényi",
    "pathway_preserving": "pathways kept",
    "distance_dependent": "distance kept",
    "general_biological": "pathways and distance kept",
    "degree_preserving": "degrees kept",
}


def make_null(connectome: Connectome, kind: str, *, rng: np.random.Generator, **how) -> Connectome:
    """Return a null model by its name in `NULLS`.

    Parameters
    ----------
    connectome : Connectome
        What to randomise.
    kind : str
        A name in `NULLS`.
    rng : numpy.random.Generator
        Source of randomness.
    **how
        Further arguments of that null model.

    Returns
    -------
    Connectome
        The same neurons with random connections.

    Raises
    ------
    UnknownNameError
        For a name that is not there.
    """
    if kind not in NULLS:
        raise UnknownNameError.of("null model", kind, NULLS)
    return NULLS[kind](connectome, rng=rng, **how)


def load_control(mc: int = 0, instance: int = 0, *, source: str | None = None) -> Connectome:
    """Load one of the portal's control instances.

    Parameters
    ----------
    mc : int
        The average instance it is the control of, 0 to 6.
    instance : int
        Which of its five, 0 to 4.
    source : str, optional
        See `nmc.fetch`.

    Returns
    -------
    Connectome

    Raises
    ------
    MissingFileError
        When the source does not have it.

    Notes
    -----
    In a control, connectivity follows the overlap of average morphologies, the number of
    connections of each pathway being that of the average instance (the portal's download page).
    """
    from nmc.connectome.read import load_connectome

    return load_connectome(f"connectome/control/mc{mc}/{instance}", source=source)


def _keep_classes(
    connectome: Connectome, groups: np.ndarray, bin_um: float, rng: np.random.Generator, name: str
) -> Connectome:
    from nmc.connectome.kernels import classes

    if not bin_um > 0:
        raise ValueError(f"A distance bin must be wider than 0 µm, not {bin_um:g}.")
    graph, xyz = connectome.adjacency, connectome.positions
    reach = float(np.linalg.norm(np.ptp(xyz, axis=0))) if len(xyz) else 0.0
    how = (groups, int(groups.max(initial=0)) + 1, xyz, 1 / bin_um, int(reach / bin_um) + 1)
    pairs, connections = classes.count_classes(graph.indptr, graph.indices, *how)
    indptr, indices = classes.draw_classes(pairs, connections, *how, rng)
    return _same_neurons(connectome, indptr, indices, name)


def _same_neurons(
    connectome: Connectome, indptr: np.ndarray, indices: np.ndarray, name: str
) -> Connectome:
    n = connectome.n_neurons
    data = np.ones(len(indices), bool)
    parts = (data, indices.astype(np.int32), indptr.astype(np.int32))
    return connectome.with_adjacency(
        sparse.csr_array(parts, shape=(n, n)), f"{connectome.name}, {name}"
    )
