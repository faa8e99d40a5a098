"""The sample's column: facts of the literature, and one fixed rule of who connects with whom.

Counts, thicknesses and densities are those the portal's circuit and layer fact sheets print
(Markram et al. 2015, Cell 163:456-492; Ramaswamy et al. 2015, Front. Neural Circuits 9:44).
Everything else in the sample is invented.

The probability that a cell of type ``a`` contacts a cell of type ``b`` falls exponentially
with their distance (after the vertical gap between their layers is taken off), is higher in
the direction a polarised axon takes, and its strength depends on the two types alone.  The
1,932 strongest of the 3,025 ordered pairs of m-types are the sample's pathways; as many as the
portal's pathway files list.

Synapses are of six classes, named as in the portal's files; every pathway's utilisation ``U``,
recovery ``D`` and facilitation ``F`` lie close to the centre of its class, so that the classes
can be found again from the parameters.  The response (amplitude, failures, variation, latency,
rise, decay) follows from those and the postsynaptic cells by simple relations, with noise.
"""

import tomllib
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from nmc import names

from tools.sample import SEED

#: Facts and inventions that ``rule.toml`` explains.
RULE = tomllib.loads(Path(__file__).with_name("rule.toml").read_text("utf-8"))
THICKNESS_UM: dict[str, float] = RULE["thickness_um"]
DENSITY_PER_MM3: dict[str, int] = RULE["density_per_mm3"]
N_NEURONS, N_CONNECTIONS, DENSER = RULE["neurons"], RULE["connections"], RULE["denser"]
CLASSES: dict[str, list[float]] = RULE["classes"]

#: One row an m-type, in the order of `names.MTYPES`: ``neurons`` in an average microcircuit (layer
#: fact sheets; L6_BP with the 70 that the circuit's total of 31,346 asks for), and of the rule the
#: reach of its axon across layers, the space constant of its connections (both µm), and its
#: preference for targets below (positive) or above: polarised axons make paths directed.
MTYPES = pd.read_csv(Path(__file__).with_name("mtypes.csv"), index_col="mtype")


def footprint_mm2() -> float:
    """Area of a microcircuit's hexagonal column at the published densities, mm²."""
    return N_NEURONS / sum(DENSITY_PER_MM3[k] * THICKNESS_UM[k] * 1e-3 for k in THICKNESS_UM)


def borders_um(scale: float = 1.0) -> dict[str, tuple[float, float]]:
    """Lower and upper border of each of the six layers, µm; 0 is the bottom of L6."""
    borders, low = {}, 0.0
    for layer in reversed(THICKNESS_UM):
        high = low + THICKNESS_UM[layer] * scale
        borders[layer] = (low, high)
        low = high
    return borders


def _span_um(mtype: str) -> tuple[float, float]:
    """Lower and upper border of an m-type's layer, ``L23`` counting as one, µm."""
    borders, layer = borders_um(), names.layer_of(mtype)
    return (borders["L3"][0], borders["L2"][1]) if layer == "L23" else borders[layer]


def in_hexagon(n: int, area_mm2: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points evenly spread in a regular hexagon: a random rhombus of its three, then a place."""
    side = np.sqrt(area_mm2 * 2 / (3 * np.sqrt(3))) * 1e3
    turn = np.deg2rad(120.0) * rng.integers(3, size=n)
    u, v = rng.random((2, n)) * side
    ahead = turn + np.deg2rad(120.0)
    return u * np.cos(turn) + v * np.cos(ahead), u * np.sin(turn) + v * np.sin(ahead)


def share(total: int, weights: np.ndarray, least: int = 0) -> np.ndarray:
    """Split ``total`` into whole parts near ``weights``, each at least ``least``."""
    weights = np.asarray(weights, float)
    if total < least * len(weights):
        raise ValueError(f"{total} neurons are too few for {len(weights)} types.")
    exact = weights / weights.sum() * total
    parts = np.maximum(np.floor(exact), least).astype(int)
    while parts.sum() < total:
        parts[np.argmax(exact - parts)] += 1
    while parts.sum() > total:
        parts[np.argmax(np.where(parts > least, parts - exact, -np.inf))] -= 1
    return parts


def mtype_counts(n_neurons: int) -> dict[str, int]:
    """Neurons of each m-type in a sample of ``n_neurons``, at least three of each."""
    parts = share(n_neurons, MTYPES["neurons"].to_numpy(), least=3)
    return dict(zip(names.MTYPES, parts.tolist(), strict=True))


def etype_counts(mtype: str, n_neurons: int) -> dict[str, int]:
    """Neurons of each e-type among ``n_neurons`` of an m-type."""
    etypes = names.etypes_of(mtype)
    parts = share(n_neurons, np.array([RULE["etype_weight"][e] for e in etypes]))
    return dict(zip(etypes, parts.tolist(), strict=True))


# The rule ------------------------------------------------------------------------------------

_PAIRS = 10_000


def suffix(mtype: str) -> str:
    """M-type without its layer: ``TTPC1`` for ``L5_TTPC1``."""
    return mtype.split("_", 1)[1]


def sign(mtype: str) -> str:
    """``E`` or ``I``."""
    return "E" if names.is_excitatory(mtype) else "I"


def _signs(table: pd.DataFrame) -> pd.Series:
    """``EE``, ``EI``, ``IE`` or ``II`` of each pathway."""
    return table["pre"].map(sign) + table["post"].map(sign)


def _reach_um(pre: str, post: str) -> float:
    pre_layer, post_layer = names.layer_of(pre), names.layer_of(post)
    above = names.LAYERS.index(pre_layer) < names.LAYERS.index(post_layer)
    apical = RULE["apical_reach_um"][post_layer] if sign(post) == "E" and above else 0.0
    return 0.45 * float(MTYPES.at[pre, "axon_reach_um"]) + 0.6 * apical + 60.0


@cache
def _mean_kernel(pre_span, post_span, gap_um: float, length_um: float, lean: float) -> float:
    """Mean factor of distance and direction over pairs of a full column's cells (Monte Carlo)."""
    rng = np.random.default_rng(RULE["seed"])
    area = footprint_mm2()
    (x, z), (x2, z2) = (in_hexagon(_PAIRS, area, rng) for _ in range(2))
    heights = [low + rng.random(_PAIRS) * (high - low) for low, high in (pre_span, post_span)]
    dy, lateral2 = heights[0] - heights[1], (x - x2) ** 2 + (z - z2) ** 2
    near = np.exp(-np.sqrt(lateral2 + (np.abs(dy) - gap_um) ** 2) / length_um)
    return float((near * (1 + lean * dy / np.sqrt(lateral2 + dy**2 + 1))).mean())


def _all_pairs() -> pd.DataFrame:
    rng = np.random.default_rng(RULE["seed"])
    noise = np.exp(rng.normal(-0.1, 0.45, (len(names.MTYPES),) * 2))
    spans, rows = {m: _span_um(m) for m in names.MTYPES}, []
    for (a, pre), (b, post) in product(enumerate(names.MTYPES), repeat=2):
        gap = abs(sum(spans[pre]) / 2 - sum(spans[post]) / 2)
        length, lean = (float(MTYPES.at[pre, name]) for name in ("length_um", "lean"))
        peak = (
            RULE[sign(pre) + sign(post)]["base"] * noise[a, b] * np.exp(-gap / _reach_um(pre, post))
        )
        if sign(pre) == sign(post) == "E" and names.layer_of(pre) == names.layer_of(post):
            peak *= RULE["excitatory_weight"][names.layer_of(pre)]
        if suffix(pre) == "ChC":  # chandelier cells contact initial segments of pyramids only
            peak *= float(sign(post) == "E")
        kernel = _mean_kernel(spans[pre], spans[post], gap, length, lean)
        expected = float(MTYPES.at[pre, "neurons"] * MTYPES.at[post, "neurons"]) * peak * kernel
        rows.append((pre, post, peak, length, gap, lean, expected))
    columns = ["pre", "post", "peak", "length_um", "gap_um", "lean", "expected"]
    return pd.DataFrame(rows, columns=columns)


@cache
def pathways() -> pd.DataFrame:
    """The sample's 1,932 pathways and the truth behind them, index ``pre:post``.

    ``peak`` (probability at distance 0, times `DENSER`), ``length_um`` (space constant), ``gap_um``
    (vertical offset taken off), ``lean`` (−1…1, positive downwards), ``reciprocity`` (factor),
    ``expected`` (connections in a full column).
    """
    table = _all_pairs().nlargest(RULE["pathways"], "expected").sort_index()
    factor = N_CONNECTIONS / table["expected"].sum()
    table["expected"] *= factor
    table["peak"] *= factor * DENSER
    table["reciprocity"] = [RULE[signs]["reciprocity"] for signs in _signs(table)]
    table.index = pd.Index(table["pre"] + ":" + table["post"], name="pathway")
    return table


# Synapses ------------------------------------------------------------------------------------

_STREAM = 91
#: Spread of the contacts of a connection.
SPREAD = 0.38
CONTACTS_STREAM = 77

#: Spread of U, D, F between the pathways of a class.
_BETWEEN = 0.05

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

_MEASURED = {
    f"{pre}:{post}": row["factor"]
    for row in RULE["measured"] for pre, post in product(row["pre"], row["post"])
}  # fmt: skip


def synapse_class(pre: str, post: str) -> str:
    """Synaptic class of a pathway; which cells make which class is a rule of the sample's own."""
    same_layer = names.layer_of(pre) == names.layer_of(post)
    to_e = sign(post) == "E"
    if sign(pre) == "E":
        if suffix(post) == "MC":
            return "Excitatory, facilitating"
        corticothalamic = names.layer_of(pre) == "L6" and suffix(pre) in ("TPC_L4", "BPC")
        linear = corticothalamic and to_e and same_layer
        return "Excitatory, pseudo-linear" if linear else "Excitatory, depressing"
    if suffix(pre) == "SBC" and to_e:
        return "Inhibitory, facilitating"
    if suffix(pre) in ("BTC", "NBC") and to_e and same_layer:
        return "Inhibitory, pseudo-linear"
    return "Inhibitory, depressing"


def mean_contacts() -> pd.Series:
    """Mean number of synapses a connection of each pathway makes (the sample's truth)."""
    table = pathways()
    rng = np.random.default_rng(CONTACTS_STREAM)
    base = [RULE[signs]["contacts"] for signs in _signs(table)]
    return base * pd.Series(np.exp(rng.normal(0, 0.18, len(table))), index=table.index)


@cache
def dynamics() -> pd.DataFrame:
    """Synapses of all pathways, unrounded: class, short-term dynamics, conductance.

    ``contacts`` (synapses per connection), ``convergence`` (cells), ``tau_decay_ms`` (1.7 or 8.3);
    ``u``, ``d`` (ms), ``f`` (ms) and ``gsyn`` (nS) each as ``…_mean`` and ``…_std``.
    """
    rng = np.random.default_rng([SEED, _STREAM])
    out = pathways()[["pre", "post"]].copy()
    pairs = zip(out["pre"], out["post"], strict=True)
    out["synapse_type"] = [synapse_class(pre, post) for pre, post in pairs]
    out["space_clamp_correction_factor"] = out.index.map(_MEASURED).astype(float)
    out["contacts"] = mean_contacts()
    excitatory = out["synapse_type"].str.startswith("E").to_numpy()
    centres = np.array([CLASSES[c] for c in out["synapse_type"]])
    within = np.where(excitatory[:, None], RULE["within"]["E"], RULE["within"]["I"])
    for k, name in enumerate("udf"):
        mean = centres[:, k] * _noise(len(out), _BETWEEN, rng)
        out[f"{name}_mean"] = mean
        out[f"{name}_std"] = mean * within[:, k] * _noise(len(out), 0.15, rng)
    out["gsyn_mean"] = np.where(excitatory, 0.31, 0.36) * _noise(len(out), 0.10, rng)
    out["gsyn_std"] = out["gsyn_mean"] * np.where(excitatory, 0.35, 0.45)
    out["tau_decay_ms"] = np.where(excitatory, 1.7, 8.3)
    out["convergence"] = pathways()["expected"] / out["post"].map(MTYPES["neurons"])
    return out


def _noise(n: int, sigma: float, rng) -> np.ndarray:
    return np.exp(rng.normal(0, sigma, n))


def physiology(rest: pd.DataFrame) -> pd.DataFrame:
    """Physiology of all pathways, unrounded: `dynamics` and the response they give.

    Amplitude: the mean charge that is released, over the cell's capacity, less what the dendrite
    keeps.  Reliability: contacts that release independently (del Castillo and Katz 1954,
    J. Physiol. 124:560-573), their number about its mean.
    """
    out, rng = dynamics().copy(), np.random.default_rng([SEED, _STREAM, 1])
    rest = rest.groupby([names.parse_model(m).mtype for m in rest.index]).mean().loc[out["post"]]
    excitatory = out["synapse_type"].str.startswith("E").to_numpy()
    n, u = out["contacts"].to_numpy(), out["u_mean"].to_numpy()
    v_rest, resistance, tau = (rest[c].to_numpy() for c in _REST)
    weight = out["gsyn_mean"] * out["space_clamp_correction_factor"].fillna(NO_FACTOR)
    driving = np.where(excitatory, -v_rest, np.abs(E_GABA_mV - v_rest))
    counts = np.maximum(n[:, None] + SPREAD * n[:, None] * np.array([-1.0, 0.0, 1.0]), 1.0)
    charge = n * u * weight.to_numpy() * np.where(excitatory, *_OPEN_ms) * driving  # fC
    means = {
        "epsp": charge / (1e3 * tau / resistance) * np.where(excitatory, *_REACHES_SOMA),
        "risetime": np.where(excitatory, 2.0, 3.9),
        "decay": 1.8 * tau,
        "latency": 1.7 + pathways()["gap_um"].to_numpy() / _SPEED_um_per_ms,
        "failures": 100 * ((1 - u[:, None]) ** counts).mean(axis=1),
        "cv_psp_amplitude": np.sqrt((1 - u) / (n * u) + 0.25**2),
    }
    for name, spread in RULE["spreads"].items():
        mean = means[name] * _noise(len(out), 0.30 if name == "epsp" else 0.08, rng)
        out[f"{name}_mean"] = np.minimum(mean, 99.0) if name == "failures" else mean
        out[f"{name}_std"] = out[f"{name}_mean"] * spread * _noise(len(out), 0.20, rng)
    return out
