"""Checks of the short course."""

from __future__ import annotations

import nmc
from nmc.exercises import exercise


@exercise("ex-fetch-largest", "Sort the catalogue's models by `size_bytes`; give the largest name.")
def _largest_package() -> str:
    catalogue = nmc.catalogue()
    models = catalogue[catalogue.index.str.startswith("model/")]
    return str(models["size_bytes"].astype(float).idxmax()).removeprefix("model/")


@exercise("ex-factsheets-warmup", "`nsmallest` on the column `n_neurons` of `load_mtypes()`.")
def _rarest_mtypes() -> str:
    mtypes = nmc.load_mtypes()
    return str(mtypes.loc[mtypes["n_neurons"].idxmin(), "mtype"])


@exercise(
    "ex-factsheets-inhibition",
    "Per cent of each layer's neurons whose `excitatory` is False: layer → per cent.",
)
def _inhibition() -> dict[str, float]:
    mtypes = nmc.load_mtypes()
    inhibitory = mtypes["n_neurons"].where(~mtypes["excitatory"].astype(bool), 0)
    layers = mtypes["layer"].astype(str)
    share = 100 * inhibitory.groupby(layers).sum() / mtypes["n_neurons"].groupby(layers).sum()
    return share.astype(float).to_dict()


@exercise("ex-simulate-silent", "The attribute `spike_count` of the trace counts its spikes.")
def _spikes_at_half_a_step(model: str = "L5_TTPC1_cADpyr232_1") -> int:
    """Count upward crossings in the trace itself."""
    half_nA = nmc.load_package(model).steps_nA[0] / 2
    trace = nmc.simulate_step(model, amplitude_nA=half_nA, mode="converged", progress=False)
    above = trace["v_mV"] > -20
    return int((above & ~above.shift(fill_value=False)).sum())


@exercise("ex-analyse-means", "Every connection counts at both of its ends.")
def _mean_degree() -> float:
    connectome = nmc.default_connectome()
    return 2 * connectome.n_connections / connectome.n_neurons


@exercise(
    "ex-analyse-best", "`nlargest(10, 'in_degree')` of `compute_degrees`; give their m-types."
)
def _best_connected() -> list[str]:
    degrees = nmc.compute_degrees(nmc.default_connectome())
    return degrees.nlargest(10, "in_degree")["mtype"].astype(str).tolist()
