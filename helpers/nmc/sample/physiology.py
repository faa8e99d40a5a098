"""Invented physiology of the pathways: short-term dynamics, conductance and the response it gives.

Six synaptic classes, named as in the portal's files; every pathway's utilisation ``U``,
recovery ``D`` and facilitation ``F`` lie close to the centre of its class, so that the classes
can be found again from the parameters.  The response (amplitude, failures, variation, latency,
rise, decay) follows from those by simple relations, with noise: a binomial release model for
failures and variation (del Castillo and Katz 1954), passive charging for the rest.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from nmc import names
from nmc.sample import contacts, rule

_STREAM = 91

#: Centre of each class: U, D in ms, F in ms. Invented.
CLASSES = {
    "Excitatory, facilitating": (0.09, 140.0, 670.0),
    "Excitatory, depressing": (0.50, 670.0, 17.0),
    "Excitatory, pseudo-linear": (0.26, 420.0, 180.0),
    "Inhibitory, facilitating": (0.06, 62.0, 430.0),
    "Inhibitory, depressing": (0.25, 710.0, 21.0),
    "Inhibitory, pseudo-linear": (0.31, 170.0, 70.0),
}
#: Spread of U, D, F between the pathways of a class and between the cells of a pathway.
_BETWEEN, _WITHIN = 0.05, {"E": (0.10, 0.15, 0.20), "I": (0.28, 0.30, 0.24)}

#: What the portal writes where no factor is known.
NOT_MEASURED = "Synaptic conductance not measured experimentally"

_MEASURED = {
    **{f"{a}:{b}": 2.2 for a in ("L4_PC", "L4_SP", "L4_SS") for b in ("L4_PC", "L4_SP", "L4_SS")},
    **{f"{a}:{b}": 4.6 for a in ("L5_TTPC1", "L5_TTPC2") for b in ("L5_TTPC1", "L5_TTPC2")},
    **{f"{a}:L5_{b}": 3.2 for a in ("L5_TTPC1", "L5_TTPC2") for b in ("LBC", "NBC", "SBC")},
    **{f"L5_{a}:{b}": 2.1 for a in ("MC", "LBC", "SBC") for b in ("L5_TTPC1", "L5_TTPC2")},
    "L4_SS:L23_PC": 1.6, "L23_SBC:L23_PC": 2.6, "L23_LBC:L23_PC": 2.6,
}  # fmt: skip


def synapse_class(pre: str, post: str) -> str:
    """Synaptic class of a pathway; which cells make which class is a rule of the sample's own."""
    same_layer = names.layer_of(pre) == names.layer_of(post)
    to_e = rule.sign(post) == "E"
    if rule.sign(pre) == "E":
        if rule.suffix(post) == "MC":
            return "Excitatory, facilitating"
        corticothalamic = names.layer_of(pre) == "L6" and rule.suffix(pre) in ("TPC_L4", "BPC")
        linear = corticothalamic and to_e and same_layer
        return "Excitatory, pseudo-linear" if linear else "Excitatory, depressing"
    if rule.suffix(pre) == "SBC" and to_e:
        return "Inhibitory, facilitating"
    if rule.suffix(pre) in ("BTC", "NBC") and to_e and same_layer:
        return "Inhibitory, pseudo-linear"
    return "Inhibitory, depressing"


@cache
def table(seed: int) -> pd.DataFrame:
    """Physiology of all pathways, unrounded.

    Returns
    -------
    DataFrame
        Index ``pre:post``; ``pre, post, synapse_type, space_clamp_correction_factor`` (NaN where
        not measured), ``contacts`` (synapses per connection) and for each of ``gsyn`` (nS),
        ``u, d`` (ms), ``f`` (ms), ``epsp`` (mV), ``risetime`` (ms), ``decay`` (ms), ``latency``
        (ms), ``failures`` (%) and ``cv_psp_amplitude`` a ``…_mean`` and a ``…_std``.
    """
    pathways = rule.pathways()
    rng = np.random.default_rng([seed, _STREAM])
    out = pathways[["pre", "post"]].copy()
    out["synapse_type"] = [
        synapse_class(a, b) for a, b in zip(out["pre"], out["post"], strict=True)
    ]
    out["space_clamp_correction_factor"] = out.index.map(_MEASURED).astype(float)
    out["contacts"] = contacts.mean_contacts()
    excitatory = out["synapse_type"].str.startswith("E").to_numpy()
    _add_dynamics(out, excitatory, rng)
    _add_conductance(out, excitatory, rng)
    _add_response(out, pathways, excitatory, rng)
    return out


def _noise(n: int, sigma: float, rng) -> np.ndarray:
    return np.exp(rng.normal(0, sigma, n))


def _add_dynamics(out: pd.DataFrame, excitatory: np.ndarray, rng) -> None:
    centres = np.array([CLASSES[c] for c in out["synapse_type"]])
    within = np.where(excitatory[:, None], _WITHIN["E"], _WITHIN["I"])
    for k, name in enumerate("udf"):
        mean = centres[:, k] * _noise(len(out), _BETWEEN, rng)
        out[f"{name}_mean"] = mean
        out[f"{name}_std"] = mean * within[:, k] * _noise(len(out), 0.15, rng)


def _add_conductance(out: pd.DataFrame, excitatory: np.ndarray, rng) -> None:
    out["gsyn_mean"] = np.where(excitatory, 0.31, 0.36) * _noise(len(out), 0.10, rng)
    out["gsyn_std"] = out["gsyn_mean"] * np.where(excitatory, 0.35, 0.45)


def _add_response(out: pd.DataFrame, pathways: pd.DataFrame, excitatory, rng) -> None:
    n, u = out["contacts"].to_numpy(), out["u_mean"].to_numpy()
    to_e = np.array([rule.sign(p) == "E" for p in out["post"]])
    input_resistance = np.where(to_e, 110.0, 420.0)  # MOhm
    tau = np.where(to_e, 28.0, 22.0) * _noise(len(out), 0.12, rng)  # ms
    driving = np.where(excitatory, 72.0, 16.0)  # mV
    local = out["gsyn_mean"] * out["space_clamp_correction_factor"].fillna(2.0)
    reach = pathways["gap_um"].to_numpy() + pathways["length_um"].to_numpy()
    attenuation = 0.22 * np.exp(-reach / 900.0)
    means = {
        "epsp": local * n * u * driving * input_resistance * 1e-3 * attenuation,
        "risetime": 1.2 + 0.008 * reach + 0.25 * np.where(excitatory, 1.0, 6.0),
        "decay": 1.5 * tau + np.where(excitatory, 2.0, 9.0),
        "latency": 0.6 + reach / 250.0,
        "failures": 100 * _mean_failure(n, u),
        "cv_psp_amplitude": np.sqrt((1 - u) / (n * u) + 0.25**2),
    }
    spread = {"epsp": 0.40, "risetime": 0.35, "decay": 0.20, "latency": 0.35, "failures": 0.80,
              "cv_psp_amplitude": 0.22}  # fmt: skip
    for name, mean in means.items():
        mean = np.asarray(mean) * _noise(len(out), 0.08, rng)
        out[f"{name}_mean"] = np.minimum(mean, 99.0) if name == "failures" else mean
        out[f"{name}_std"] = out[f"{name}_mean"] * spread[name] * _noise(len(out), 0.20, rng)


def _mean_failure(n: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Share of trials without a release, over contact counts about the mean ``n``."""
    spread = 0.38 * n
    counts = np.maximum(n[:, None] + spread[:, None] * np.array([-1.0, 0.0, 1.0]), 1.0)
    return ((1 - u[:, None]) ** counts).mean(axis=1)
