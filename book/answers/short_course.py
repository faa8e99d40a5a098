"""Checks of the short course."""

import nmc
from nmc.exercises import exercise


@exercise("ex-fetch-largest", "Sort the catalogue's models by `size_bytes`.", first_decides=True)
def _largest_package() -> dict[str, str]:
    catalogue = nmc.catalogue()
    models = catalogue[catalogue.index.str.startswith("model/")]
    ranked = models["size_bytes"].astype(float).sort_values().index.str.removeprefix("model/")
    return {"largest": ranked[-1], "smallest": ranked[0]}


@exercise(
    "ex-factsheets-warmup", "`nsmallest` on `n_neurons` of `load_mtypes()`.", first_decides=True
)
def _rarest_mtypes() -> dict:
    mtypes = nmc.load_mtypes()
    rarest = mtypes.loc[mtypes["n_neurons"].idxmin()]
    return {"mtype": str(rarest["mtype"]), "n_neurons": int(rarest["n_neurons"])}


@exercise(
    "ex-factsheets-inhibition",
    "The share of each layer's neurons whose `excitatory` is False.",
    share=True,
)
def _inhibition() -> dict[str, float]:
    mtypes = nmc.load_mtypes()
    inhibitory = mtypes["n_neurons"].where(~mtypes["excitatory"].astype(bool), 0)
    layers = mtypes["layer"].astype(str)
    share = inhibitory.groupby(layers).sum() / mtypes["n_neurons"].groupby(layers).sum()
    return share.astype(float).to_dict()


@exercise("ex-simulate-silent", "The trace's `spike_count` counts its spikes.")
def _spikes_at_half_a_step(model: str = "L5_TTPC1_cADpyr232_1") -> bool:
    """Count upward crossings in the trace itself."""
    half_nA = nmc.load_package(model).steps_nA[0] / 2
    trace = nmc.simulate_step(model, amplitude_nA=half_nA, mode="converged", progress=False)
    above = trace["v_mV"] > -20
    return bool((above & ~above.shift(fill_value=False)).any())


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
