"""Each measure as a few plain numbers, for tables that hold many connectomes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from nmc.connectome.given import check_connectome, listed
from nmc.connectome.graph import Connectome
from nmc.errors import UnknownNameError


def _size(connectome: Connectome) -> dict:
    n, m = connectome.n_neurons, connectome.n_connections
    return {
        "n_neurons": n,
        "n_connections": m,
        "probability": m / (n * (n - 1)) if n > 1 else float("nan"),
        "excitatory_share": float(connectome.neurons["excitatory"].mean()),
    }


def _degrees(connectome: Connectome) -> dict:
    from nmc.connectome.degrees import compute_degrees

    table = compute_degrees(connectome)
    return {
        "degree_mean": float(table["in_degree"].mean()),
        "in_degree_std": float(table["in_degree"].std(ddof=0)),
        "out_degree_std": float(table["out_degree"].std(ddof=0)),
    }


def _reciprocity(connectome: Connectome) -> dict:
    from nmc.connectome.degrees import compute_reciprocity

    return {"reciprocity": compute_reciprocity(connectome)}


def _distance(connectome: Connectome) -> dict:
    from nmc.connectome.distance import compute_distance_profile

    first = compute_distance_profile(connectome, bin_um=100.0)["probability"].head(1)
    return {"probability_below_100um": float(first.iloc[0]) if first.size else float("nan")}


def _clustering(connectome: Connectome) -> dict:
    from nmc.connectome.clustering import compute_clustering

    table = compute_clustering(connectome)
    return {
        "clustering_directed": float(table["directed"].mean()),
        "clustering_undirected": float(table["undirected"].mean()),
    }


def _triads(connectome: Connectome) -> dict:
    from nmc.connectome.motifs import count_triads

    return {f"triad_{name}": int(count) for name, count in count_triads(connectome).items()}


def _paths(connectome: Connectome) -> dict:
    from nmc.connectome.paths import compute_path_lengths, summarise_paths

    numbers = summarise_paths(compute_path_lengths(connectome))
    return {f"path_{name}": float(value) for name, value in numbers.items()}


def _neighbours(connectome: Connectome) -> dict:
    from nmc.connectome.neighbours import compute_common_neighbour_bias

    bias = compute_common_neighbour_bias(connectome, by=None)["bias"].iloc[0]
    return {"common_neighbour_bias": float(bias)}


def _simplices(connectome: Connectome) -> dict:
    from nmc.connectome.cliques import count_simplices

    return {f"simplex_{d}": int(count) for d, count in count_simplices(connectome).items()}


def _modularity(connectome: Connectome) -> dict:
    from nmc.connectome.communities import compute_modularity

    return {"modularity": compute_modularity(connectome, "layer")}


#: Name of a measure → function of a Connectome that returns plain numbers by column name.
MEASURES: dict[str, Callable[[Connectome], dict]] = {
    "size": _size,
    "degrees": _degrees,
    "reciprocity": _reciprocity,
    "distance": _distance,
    "clustering": _clustering,
    "triads": _triads,
    "paths": _paths,
    "neighbours": _neighbours,
    "simplices": _simplices,
    "modularity": _modularity,
}
DEFAULT = ("size", "degrees", "reciprocity", "distance", "clustering", "triads", "modularity")


def check_names(measures: Iterable[str]) -> tuple[str, ...]:
    """Return the measures' names; an unknown one is an error that suggests the nearest."""
    measures = tuple(listed(measures, "names of measures"))
    for name in measures:
        if not isinstance(name, str) or name not in MEASURES:
            raise UnknownNameError.of("measure", name, MEASURES)
    return measures


def compute_summary(connectome: Connectome, measures: Iterable[str] = DEFAULT) -> dict:
    """Return several measures of one connectome as plain numbers.

    Parameters
    ----------
    connectome : Connectome
        What to measure.
    measures : str or iterable of str
        Names in `MEASURES`.

    Returns
    -------
    dict
        Column name → number.

    Raises
    ------
    UnknownNameError
        For a measure that does not exist.
    ConnectomeError
        If this is no `Connectome`, or a neuron connects to itself.
    """
    check_connectome(connectome)
    row: dict = {}
    for name in check_names(measures):
        row |= MEASURES[name](connectome)
    return row
