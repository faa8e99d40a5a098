"""Invented physiology of the pathways: short-term dynamics, conductance and the response it gives.

Six synaptic classes, named as in the portal's files; every pathway's utilisation ``U``,
recovery ``D`` and facilitation ``F`` lie close to the centre of its class, so that the classes
can be found again from the parameters.  The response (amplitude, failures, variation, latency,
rise, decay) follows from those and the postsynaptic cells by simple relations, with noise.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
from nmc import names

from tools.sample import SEED, column, wiring

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

#: Weight over sheet conductance in the packages where no factor is known.
NO_FACTOR = 2.0
E_GABA_mV = -80.0

_REST = ("resting_membrane_potential_mV", "input_resistance_MOhm", "membrane_time_constant_ms")
# Area of a contact's conductance over its peak, ms, with what NMDA adds at rest; and the share of
# its charge that raises the soma: both excitatory, inhibitory.
_OPEN_ms = (2.8, 9.0)
_REACHES_SOMA = (0.55, 0.42)
_SPEED_um_per_ms = 300.0
_SPREAD = {"epsp": 0.40, "risetime": 0.35, "decay": 0.20, "latency": 0.35, "failures": 0.80,
           "cv_psp_amplitude": 0.22}  # fmt: skip

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
    to_e = column.sign(post) == "E"
    if column.sign(pre) == "E":
        if column.suffix(post) == "MC":
            return "Excitatory, facilitating"
        corticothalamic = names.layer_of(pre) == "L6" and column.suffix(pre) in ("TPC_L4", "BPC")
        linear = corticothalamic and to_e and same_layer
        return "Excitatory, pseudo-linear" if linear else "Excitatory, depressing"
    if column.suffix(pre) == "SBC" and to_e:
        return "Inhibitory, facilitating"
    if column.suffix(pre) in ("BTC", "NBC") and to_e and same_layer:
        return "Inhibitory, pseudo-linear"
    return "Inhibitory, depressing"


@cache
def dynamics() -> pd.DataFrame:
    """Synapses of all pathways, unrounded: class, short-term dynamics, conductance.

    ``contacts`` (synapses per connection); ``u``, ``d`` (ms), ``f`` (ms) and ``gsyn`` (nS) each
    as ``…_mean`` and ``…_std``.
    """
    rng = np.random.default_rng([SEED, _STREAM])
    out = column.pathways()[["pre", "post"]].copy()
    pairs = zip(out["pre"], out["post"], strict=True)
    out["synapse_type"] = [synapse_class(pre, post) for pre, post in pairs]
    out["space_clamp_correction_factor"] = out.index.map(_MEASURED).astype(float)
    out["contacts"] = wiring.mean_contacts()
    excitatory = _is_excitatory(out)
    centres = np.array([CLASSES[c] for c in out["synapse_type"]])
    within = np.where(excitatory[:, None], _WITHIN["E"], _WITHIN["I"])
    for k, name in enumerate("udf"):
        mean = centres[:, k] * _noise(len(out), _BETWEEN, rng)
        out[f"{name}_mean"] = mean
        out[f"{name}_std"] = mean * within[:, k] * _noise(len(out), 0.15, rng)
    out["gsyn_mean"] = np.where(excitatory, 0.31, 0.36) * _noise(len(out), 0.10, rng)
    out["gsyn_std"] = out["gsyn_mean"] * np.where(excitatory, 0.35, 0.45)
    return out


def pathway_table() -> pd.DataFrame:
    """The columns of `dynamics`, ``tau_decay_ms`` (1.7 or 8.3) and ``convergence``."""
    table = dynamics()
    n_post = table["post"].map(column.MTYPE_COUNTS).astype(float)
    return table.assign(
        tau_decay_ms=np.where(_is_excitatory(table), 1.7, 8.3),
        convergence=column.pathways()["expected"] / n_post,
    )


def _is_excitatory(table: pd.DataFrame) -> np.ndarray:
    return table["synapse_type"].str.startswith("E").to_numpy()


def _noise(n: int, sigma: float, rng) -> np.ndarray:
    return np.exp(rng.normal(0, sigma, n))


def table(rest: pd.DataFrame) -> pd.DataFrame:
    """Physiology of all pathways, unrounded: `dynamics` and the response they give.

    Amplitude: the mean charge that is released, over the cell's capacity, less what the dendrite
    keeps.  Reliability: contacts that release independently (del Castillo and Katz 1954,
    J. Physiol. 124:560-573).
    """
    out, rng = dynamics().copy(), np.random.default_rng([SEED, _STREAM, 1])
    rest = rest.groupby([names.parse_model(m).mtype for m in rest.index]).mean().loc[out["post"]]
    excitatory = _is_excitatory(out)
    n, u = out["contacts"].to_numpy(), out["u_mean"].to_numpy()
    v_rest, resistance, tau = (rest[c].to_numpy() for c in _REST)
    weight = out["gsyn_mean"] * out["space_clamp_correction_factor"].fillna(NO_FACTOR)
    driving = np.where(excitatory, -v_rest, np.abs(E_GABA_mV - v_rest))
    charge = n * u * weight.to_numpy() * np.where(excitatory, *_OPEN_ms) * driving  # fC
    means = {
        "epsp": charge / (1e3 * tau / resistance) * np.where(excitatory, *_REACHES_SOMA),
        "risetime": np.where(excitatory, 2.0, 3.9),
        "decay": 1.8 * tau,
        "latency": 1.7 + column.pathways()["gap_um"].to_numpy() / _SPEED_um_per_ms,
        "failures": 100 * _mean_failure(n, u),
        "cv_psp_amplitude": np.sqrt((1 - u) / (n * u) + 0.25**2),
    }
    for name, spread in _SPREAD.items():
        mean = means[name] * _noise(len(out), 0.30 if name == "epsp" else 0.08, rng)
        out[f"{name}_mean"] = np.minimum(mean, 99.0) if name == "failures" else mean
        out[f"{name}_std"] = out[f"{name}_mean"] * spread * _noise(len(out), 0.20, rng)
    return out


def _mean_failure(n: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Share of trials without a release, over contact counts about the mean ``n``."""
    spread = 0.38 * n
    counts = np.maximum(n[:, None] + spread[:, None] * np.array([-1.0, 0.0, 1.0]), 1.0)
    return ((1 - u[:, None]) ** counts).mean(axis=1)
