"""The classes of checks: which printed numbers are compared, and how far ours may lie from them.

`CLASSES` is the whole list, as ``check_classes.toml`` has it, each a question put to calls that
exist elsewhere; its tolerances were written down before a number was seen.  A number that lies
farther says what was tried.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator
from functools import partial
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import nmc
from nmc import names, published, scoreboard
from nmc.cells.measures import STEP_OVER_RHEOBASE
from nmc.cells.morphometrics import SOMA_REASON, rounding
from nmc.circuit.scores import explain, find_mixtures
from nmc.circuit.synapses import pathway_keys
from nmc.connectome.claims import DRAWS, ERRORS, compare_nulls
from nmc.data import local, registry
from nmc.errors import MissingFileError, UnknownNameError
from nmc.factsheets.layers import load_layer_pages
from nmc.published import shown_tolerance

COLUMNS = ("item", "published", "recomputed", "allowed", "agrees", "reason", "count")


def _once(make: Callable[[Source], Any]) -> property:
    """Make a table when first asked for, and tell the provenance of it each time."""

    def get(source: Source):
        if make not in source.kept:
            with registry.collect() as files:
                source.kept[make] = (make(source), files)
        table, files = source.kept[make]
        for entry in files:
            registry.remember(entry)
        return table

    return property(get, doc=make.__doc__)


class Source:
    """What several classes read of the source in use, each table once."""

    def __init__(self) -> None:
        self.kept: dict = {}

    #: Models whose package is at hand; none is downloaded for a comparison.
    models = _once(lambda _: [name for name in names.model_names() if local(f"model/{name}")])
    pathways = _once(lambda _: _by_key(nmc.load_pathways()))
    findings = _once(lambda _: nmc.check_factsheets())
    sheets = _once(lambda _: nmc.load_models(step_currents=False))
    sizes = _once(
        lambda source: nmc.compare_morphometrics(source.models, source.sheets).reset_index()
    )
    currents = _once(lambda _: nmc.load_models().set_index("model").filter(like="_nA").dropna())
    synapses = _once(lambda source: nmc.compare_synapses(source.models))
    pairs = _once(lambda source: _pairs(source.models))


def _pairs(models: list[str]) -> pd.DataFrame:
    """Synapses of the recorded pathways whose package is at hand."""
    recorded = nmc.load_pathway_scores()["model"].unique()
    return nmc.compare_synapses([m for m in recorded if m in models], min_senders=1)


def _by_key(pathways: pd.DataFrame) -> pd.DataFrame:
    return pathways.set_index(pathway_keys(pathways))


class Class(NamedTuple):
    """A class of checks; its tolerance was fixed before a number was seen."""

    name: str
    title: str  #: what is compared with what
    tolerance: str  #: how far a number may lie from the printed one
    because: str  #: why that far
    rows: Callable[[Source], pd.DataFrame]  #: the numbers, as `as_rows` puts them
    behind: tuple[str, ...]  #: modules whose code decides the numbers
    known: bool = True  #: whether it is known how the printed numbers were defined
    computed: bool = True  #: False where both stand in the portal's files, and at most are summed
    slow: bool = False  #: it simulates for minutes: the recorded verdict stands for it
    citation: str = "ramaswamy2015"  #: who printed the numbers


def as_rows(items, published, recomputed, allowed, *, agrees=None, reason="") -> pd.DataFrame:
    """Put numbers beside one another; without a number on either side a row does not agree."""
    given = {"published": published, "recomputed": recomputed, "allowed": allowed}
    table = pd.DataFrame({"item": list(items)})
    for column, values in given.items():
        table[column] = np.broadcast_to(np.asarray(values, float), len(table))
    apart = (table["recomputed"] - table["published"]).abs()
    near = apart <= table["allowed"] * (1 + 1e-9)
    table["agrees"] = near if agrees is None else np.broadcast_to(agrees, len(table))
    table["reason"] = np.where(table["agrees"], "", np.asarray(reason, object))
    return table.assign(count=1)[[*COLUMNS]]


def _claims(values: dict[str, object]) -> pd.DataFrame:
    """Compare claims of `nmc.published`, each number of a vector by itself."""
    parts = []
    for key, value in values.items():
        known = published.claim(key)
        many = isinstance(known.value, tuple)
        want = np.atleast_1d(np.asarray(known.value, float))
        found = np.full(len(want), np.nan)
        given = np.atleast_1d(np.asarray(value, float))[: len(want)]
        found[: len(given)] = given
        allowed = np.maximum(known.tolerance, known.relative * np.abs(want)) + 1e-12
        items = [f"{key}[{i}]" for i in range(len(want))] if many else [key]
        parts.append(as_rows(items, want, found, allowed, reason=known.reason))
    return pd.concat(parts, ignore_index=True) if parts else as_rows([], [], [], [])


# -- cells --------------------------------------------------------------------------------------


def _rest(source: Source, column: str) -> pd.DataFrame:
    board = nmc.load_scoreboard()
    _, absolute, relative = scoreboard.TOLERANCES[column]
    sheet = board[f"published_{column}"]
    allowed = absolute + relative * sheet.abs()
    return _recorded(board, board["model"], sheet, board[column], allowed, board["reason"])


def _recorded(rows, items, printed, found, allowed, reason, agrees=None) -> pd.DataFrame:
    """Compare recorded rows; a stale one does not agree, whatever its number."""
    found = found.where(~rows["stale"])
    reason = np.where(rows["stale"], "stale: " + rows["stale_because"], reason)
    return as_rows(items, printed, found, allowed, agrees=agrees, reason=reason)


def _spike_times(source: Source) -> pd.DataFrame:
    times = {
        scoreboard.SPIKE_TIMES[row.model][0]: [] if row.stale else json.loads(row.spike_times_ms)
        for row in scoreboard.load_spike_times().itertuples()
    }
    return _claims(times)


def _thresholds(source: Source) -> pd.DataFrame:
    """Recorded searches for the rheobase of models whose own currents are at hand."""
    board = nmc.load_scoreboard("threshold", mode="converged")
    return board[board["model"].isin(source.currents.index)]


def _rheobase(source: Source, tried: dict[str, str]) -> pd.DataFrame:
    board = _thresholds(source)
    items, found = board["model"], board["rheobase_nA"].astype(float)
    printed = source.currents["step1_current_nA"].reindex(items).to_numpy() / STEP_OVER_RHEOBASE
    usual = np.where(board["stochastic"], tried["random"], tried["other"])
    reasons = items.map(tried).where(items.isin(list(tried)), usual)
    return _recorded(board, items, printed, found, 0.02 * printed, reasons)


def _held(source: Source, tried: str) -> pd.DataFrame:
    board = _thresholds(source)
    found = board["holding_potential_mV"].astype(float)
    return _recorded(board, board["model"], -84.0, found, 0.6, tried)


def _steps(source: Source) -> pd.DataFrame:
    one = source.currents["step1_current_nA"]
    parts = [
        as_rows([f"{m} step {k}" for m in one.index], share / STEP_OVER_RHEOBASE * one,
               source.currents[f"step{k}_current_nA"], 2e-5 * one)
        for k, share in ((2, 1.3), (3, 1.4))
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _sizes(source: Source, soma: bool) -> pd.DataFrame:
    table = source.sizes[(source.sizes["neurite"] == "soma") == soma]
    printed, found, allowed = (table[c] for c in ("published", "recomputed", "rounding"))
    absent = "not in the file: the reconstruction has no such neurite"
    reason = np.where(found.isna(), absent, SOMA_REASON if soma else "")
    items = table["model"] + " " + table["neurite"] + " " + table["quantity"]
    return as_rows(items, printed, found, allowed, reason=reason)


# -- synapses -----------------------------------------------------------------------------------


def _synapses(source: Source, quantity: str, kinds: str = "all") -> pd.DataFrame:
    """Compare the packages' synapses with the pathway sheets.

    Contacts by one printed deviation; U, D and F, which were drawn synapse by synapse, by three
    standard errors of as many draws, and half of the last printed digit.
    """
    table = source.synapses.assign(reason=_tried(source.synapses, quantity))
    if kinds != "all":
        table = table[table["excitatory"] == (kinds == "excitatory")]
    if quantity == "contacts":  # an interval that holds zero tells nothing
        table = table[table["sheet_contacts_sd"] < table["sheet_contacts"]]
    mean, spread = table[f"sheet_{quantity}"], table[f"sheet_{quantity}_sd"]
    errors = spread if quantity == "contacts" else 3 * spread / np.sqrt(table["synapses"])
    items = table["pathway"] + " " + table["model"]
    allowed = errors + mean.map(rounding)
    return as_rows(items, mean, table[quantity], allowed, reason=table["reason"])


def _tried(table: pd.DataFrame, quantity: str) -> np.ndarray:
    """Say what was tried for packages whose synapses are not the sheet's."""
    mean = table[f"sheet_{quantity}"]
    if quantity == "contacts":
        near = (table[quantity] - mean).abs() <= 2 * table["sheet_contacts_sd"]
        alone = near & (table.groupby("pathway")[quantity].transform("size") == 1)
        told = "within two printed SD; no second package receives this pathway"
        return np.where(alone, told, "not explained")
    by_sender = 3 * table[f"sheet_{quantity}_sd"] / np.sqrt(table["senders"]) + mean.map(rounding)
    pre = table["pathway"].str.split(":").str[0]
    several = pre.map(lambda m: not names.is_excitatory(m) and len(names.etypes_of(m)) > 1)
    return np.select(
        [several & ((table[quantity] - mean).abs() <= by_sender), find_mixtures(table)],
        [
            "agrees if each sender is one draw: the senders, of several e-types, differ among "
            "themselves (analysis of variance, p < 0.01 in all five rows)",
            "the sheet averages over e-types of the receivers: its U, D and F together are a "
            "mixture of other m-types' packages (tried on each; so is any pathway's sheet)",
        ],
        "not explained",
    )


def _responses(source: Source, quantity: str) -> pd.DataFrame:
    scores = nmc.load_pathway_scores()
    scores = scores[scores["error"].isna() & (scores[f"verdict_{quantity}"] != "")]
    sheet, found = scores[f"sheet_{quantity}"], scores[quantity]
    agrees = (scores[f"verdict_{quantity}"] == "agrees") & ~scores["stale"]
    tried = explain(scores, quantity, source.pairs)
    return _recorded(scores, scores["pathway"], sheet, found, np.nan, tried, agrees)


# -- sheets -------------------------------------------------------------------------------------


def _findings(source: Source, checks: list[str]) -> pd.DataFrame:
    """Compare what `nmc.check_factsheets` compares: only what disagrees is a row of its own."""
    compared, differ = source.findings.attrs["compared"], source.findings.attrs["differ"]
    total = sum(compared.get(check, 0) for check in checks)
    apart = sum(differ.get(check, 0) for check in checks)
    found = source.findings[source.findings["check"].isin(checks)]
    table = as_rows(found["file"] + " " + found["item"].astype(str), np.nan, np.nan, np.nan,
                   agrees=False, reason=found["remark"].str.strip())  # fmt: skip
    table["count"] = found["values"].to_numpy(int)
    agreeing = as_rows(["what agrees"], np.nan, np.nan, np.nan, agrees=True)
    table = pd.concat([table, agreeing.assign(count=total - apart)], ignore_index=True)
    return table[table["count"] > 0]


def _balance(source: Source) -> pd.DataFrame:
    """Convergence × receivers = divergence × senders, within the rounding of both means."""
    table = source.pathways
    neurons = nmc.load_mtypes().set_index("mtype")["n_neurons"]
    pre, post = (table[end].map(neurons).astype(float) for end in ("pre", "post"))
    into, out = table["convergence_mean"].astype(float), table["divergence_mean"].astype(float)
    allowed = into.map(rounding) * post + out.map(rounding) * pre
    return as_rows(table.index, into * post, out * pre, allowed)


#: Claim → label of the pathways it counts.
_LABELS = {
    f"circuit_synapses/{kind}_{sign}": f"{sign[0].upper()}{number}"
    for sign in ("excitatory", "inhibitory")
    for number, kind in enumerate(("facilitating", "depressing", "pseudo_linear"), 1)
}


def _sheet_claims(source: Source) -> pd.DataFrame:
    mtypes, layers, pathways = nmc.load_mtypes(), nmc.load_layers(), source.pathways
    totals, labels = nmc.compute_totals(pathways, mtypes), pathways["s_type"].value_counts()
    etypes = mtypes.set_index("mtype")["n_etypes"].astype(float)
    pre, post = (pathways[end].astype(str).map(etypes) for end in ("pre", "post"))
    found = {
        "circuit/neurons": mtypes["n_neurons"].sum(),
        "circuit/mtypes": len(mtypes),
        "circuit/etypes": len(nmc.load_etypes()),
        "circuit/metypes": len(nmc.load_metypes()),
        "circuit/models": len(nmc.load_models(step_currents=False)),
        "circuit/layer_sum": layers["n_neurons"].sum(),
        "circuit/volume": _volume_mm3(),
        "pathways/mtype_pathways": layers["viable_pathways"].sum(),
        "pathways/file_pathways": len(pathways),
        "pathways/metype_pathways": (pre * post).sum(),
        "pathways/connections": totals["connections"],
        "pathways/synapses": totals["synapses"],
        "pathways/gal_synapses": totals["synapses"],
        "pathways/stypes": pathways["s_type"].nunique(),
    }
    return _claims(found | {key: labels.get(label, 0) for key, label in _LABELS.items()})


def _volume_mm3() -> float:
    """Volume from the neurons on the layers' pages and the densities of the circuit sheet."""
    counts = load_layer_pages()[1].query("kind == 'mtype'")
    sheet = nmc.load_circuit().query("quantity == 'density_per_mm3'")
    density = sheet.set_index("layer")["value"].astype(float)
    return (counts.groupby("sublayer", observed=True)["n_neurons"].sum() / density).sum()


# -- connectome ---------------------------------------------------------------------------------


def _connectome_claims(source: Source) -> pd.DataFrame:
    table = nmc.check_connectome_claims()
    table = table[table["recomputed"].notna() & ~table["verdict"].str.startswith("another")]
    return _claims(table["recomputed"].to_dict())


def _nulls(source: Source, model: str) -> pd.DataFrame:
    table = compare_nulls(model)
    slack = 0.1 * table["published"] if model == "dd" else 0.0
    allowed = ERRORS * table["error"] + slack
    items = table["mtype"] + " " + table["triad"]
    return as_rows(items, table["published"], table["recomputed"], allowed)


# -- NeuroML ------------------------------------------------------------------------------------


def _with_neuroml(source: Source) -> list[str]:
    """Models at hand that have a NeuroML2 version."""
    found = []
    for model in source.models:
        try:
            nmc.load_neuroml(model)
        except (MissingFileError, UnknownNameError):
            continue
        found.append(model)
    return found


def _neuroml_densities(source: Source) -> pd.DataFrame:
    parts = [as_rows([], [], [], [])]
    for model in _with_neuroml(source):
        table = nmc.compare_densities(nmc.load_package(model), nmc.load_neuroml(model))
        table = table[table["mechanism"] != "synapses"]
        places = table[["section_list", "mechanism", "parameter"]].agg(" ".join, axis=1)
        parts.append(as_rows(model + " " + places, 0.0, table["difference_percent"], 0.01))
    return pd.concat(parts, ignore_index=True)


def _neuroml_spikes(source: Source) -> pd.DataFrame:
    """Run packages and NeuroML2 versions at their strongest step."""
    found: dict[str, object] = {}
    for model in source.models:
        key = f"neuroml/spike_times_{model}"
        if key in published.claims():
            package = nmc.simulate_step(model, 3, v_init_mV=-80.0, progress=False)
            neuroml = nmc.simulate_neuroml(model, timeout_s=900)
            found[key] = nmc.compare_spikes(package, neuroml).attrs["largest_percent"]
        if (key := f"neuroml/spikes_{model}") in published.claims():
            found[key] = nmc.simulate_neuroml(model, timeout_s=900).attrs["spike_count"]
    return _claims(found)


def _signals(source: Source) -> pd.DataFrame:
    """Run what the claims about back-propagation and channels of the pyramidal cell need."""
    model = "L5_TTPC1_cADpyr232_1"
    if model not in source.models:
        return _claims({})
    back = nmc.simulate_bap(model, amplitude_nA=1.9).query("part == 'apic'")
    back = back.sort_values("distance_um")
    smooth = back["amplitude_mV"].rolling(5, center=True, min_periods=1).median()
    kinetics = nmc.compute_channel_kinetics(nmc.load_package(model))
    share = kinetics.query("channel == 'SKv3_1'").set_index("v_mV")["steady_state"]
    gain, offset = np.polyfit(share.index, np.log(share / (1 - share)), 1)
    return _claims(
        {
            "cells/hay_bap_660um": np.interp(660, back["distance_um"], smooth),
            "neuroml/SKv3_1_half_mV": -offset / gain,
            "neuroml/SKv3_1_slope_mV": 1 / gain,
        }
    )


# -- the list -----------------------------------------------------------------------------------

#: Functions that give the numbers of a class, under the names that the list has for them.
_COMPARISONS: dict[str, Callable[..., pd.DataFrame]] = {
    one.__name__.removeprefix("_"): one
    for one in (
        _rest, _spike_times, _rheobase, _held, _steps, _sizes, _synapses, _responses, _findings,
        _balance, _sheet_claims, _connectome_claims, _nulls, _neuroml_densities, _neuroml_spikes,
        _signals,
    )
}  # fmt: skip


def _listed() -> Iterator[Class]:
    numbers = {"draws": DRAWS, "errors": f"{ERRORS:g}"}
    numbers |= {c: shown_tolerance(*allowed) for c, (_, *allowed) in scoreboard.TOLERANCES.items()}
    text = files("nmc").joinpath("check_classes.toml").read_text("utf-8")
    for name, told in tomllib.loads(text).items():
        rows = partial(_COMPARISONS[told.pop("compare")], **told.pop("given", {}))
        words = {part: told.pop(part).format(**numbers) for part in ("tolerance", "because")}
        yield Class(name, rows=rows, behind=tuple(told.pop("behind")), **words, **told)


CLASSES = tuple(_listed())
