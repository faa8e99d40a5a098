"""The small world: more clustered than chance, with paths as short."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
from scipy import sparse
from tqdm import tqdm

from nmc.connectome.arrays import graph_of
from nmc.connectome.clustering import compute_clustering
from nmc.connectome.given import check_number, generator
from nmc.connectome.kernels.randomise import gnm
from nmc.connectome.paths import compute_path_lengths, summarise_paths


def compute_small_world(
    connectome, *, rng: np.random.Generator | int, n_random: int = 3, progress: bool = False
) -> pd.Series:
    """Compute the small-world index against random graphs of the same size.

    ``S = (C / C_random) / (L / L_random)``, with C the mean directed clustering (Fagiolo) and L the
    mean length of the shortest paths that exist; random graphs have as many neurons and
    connections. S above 1 is called a small world [1]_.

    Parameters
    ----------
    connectome : Connectome
    rng : numpy.random.Generator or int
        Draws the random graphs; or the seed of one that does.
    n_random : int
        How many, at least 1.
    progress : bool
        Show a progress bar; a whole microcircuit takes seconds a graph.

    Returns
    -------
    pandas.Series
        ``clustering``, ``clustering_random`` (mean), ``clustering_random_std``, ``path_length``,
        ``path_length_random``, ``path_length_random_std``, ``clustering_ratio``,
        ``path_length_ratio``, ``small_world_index``; NaN where a random graph has no triangle.

    Raises
    ------
    ConnectomeError
        If this is no `Connectome`, or a neuron connects to itself; if `n_random` is no whole
        number from 1 on, or `rng` neither a generator nor a seed.

    References
    ----------
    .. [1] Humphries and Gurney (2008), Network 'small-world-ness', PLoS ONE 3:e0002051; Watts and
       Strogatz (1998), Nature 393:440.
    """
    check_number(n_random, "n_random, the number of random graphs,", 1)
    rng = generator(rng)
    indptr, indices = graph_of(connectome)
    n = indptr.size - 1
    clustering, path = _both(connectome)
    drawn = np.array(
        [
            _both(_bare(n, *gnm(n, indices.size, rng)))
            for _ in tqdm(range(n_random), desc="random graphs", disable=not progress)
        ]
    )
    (c_random, l_random), (c_std, l_std) = drawn.mean(axis=0), drawn.std(axis=0)
    c_ratio = clustering / c_random if c_random else np.nan
    l_ratio = path / l_random
    return pd.Series(
        {
            "clustering": clustering,
            "clustering_random": c_random,
            "clustering_random_std": c_std,
            "path_length": path,
            "path_length_random": l_random,
            "path_length_random_std": l_std,
            "clustering_ratio": c_ratio,
            "path_length_ratio": l_ratio,
            "small_world_index": c_ratio / l_ratio,
        }
    )


def _both(graph) -> tuple[float, float]:
    """Return mean clustering and mean path length."""
    paths = summarise_paths(compute_path_lengths(graph))
    return float(compute_clustering(graph)["directed"].mean()), float(paths["mean"])


def _bare(n: int, indptr: np.ndarray, indices: np.ndarray) -> SimpleNamespace:
    """Give random connections what a measure asks for."""
    graph = sparse.csr_array((np.ones(indices.size, np.bool_), indices, indptr), shape=(n, n))
    return SimpleNamespace(adjacency=graph, neurons=pd.DataFrame(index=range(n)))
