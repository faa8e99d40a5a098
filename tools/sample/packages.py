"""Synthetic me-type packages: zips with the portal's member names and formats.

All models of an e-type share the channel densities of ``densities.toml``, tuned by hand until each
fires as its e-type is described (Petilla terminology, Nature Reviews Neuroscience 9:557-568, 2008);
they differ in shape.  What a package or a sheet prints of a cell's answer to a current was measured
on it with NEURON.
"""

import hashlib
import json
import re
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

import nmc
import numpy as np
import pandas as pd
from nmc import names
from nmc.cells.morphology import outline_diameter

from tools.sample import SEED, column
from tools.sample.trees import APIC, AXON, DEND, SOMA, Tree, make_tree, rng_of, to_asc

_HERE = Path(__file__).parent
_STORE = _HERE.parents[1] / "_build" / "sample"

_EPOCH = (2015, 10, 7, 0, 0, 0)  # the same bytes on every day

#: Members that are made from a template of their name.
_TEXT = {
    path.relative_to(_HERE / "templates").as_posix().removesuffix(".tmpl")
    for path in (_HERE / "templates").rglob("*.tmpl")
} - {"rng", "rng_none"}
_EMPTY_FOLDERS = ("hoc_recordings/", "python_recordings/")


# Channel densities -----------------------------------------------------------------------------

SECTION_LISTS = ("somatic", "basal", "apical", "axonal")
RA, CM, ENA, EK, E_H = 100.0, 1.0, 50.0, -85.0, -45.0
CA_OUT_mM, CA_REST_mM, SHELL_um = 2.0, 1e-4, 0.1

#: Reversal potential of an ion, and the channels that pass it.
_REVERSALS = {
    "ena": (ENA, {"NaTs2_t", "NaTa_t", "Nap_Et2"}),
    "ek": (EK, {"SKv3_1", "K_Tst", "K_Pst", "Im", "SK_E2", "KdShu2007", "StochKv"}),
}
_UNIFORM = "(0.0 * %g + 1.0)*{:f}"
#: Kole et al. (2006), J. Neuroscience 26:1677: Ih grows exponentially away from the soma.
_GROWING = "(-0.869600 + 2.087000*exp((%g-0.000000)*0.003100))*{:f}"
_SETS = tomllib.loads((_HERE / "densities.toml").read_text("utf-8"))


@cache
def densities(model: names.Model | str) -> pd.DataFrame:
    """Return the channel densities of a model: those of its e-type, as all models of it share.

    ``section_list``, ``mechanism``, ``parameter`` (``gIhbar_Ih`` or ``e_pas``), ``value``, whether
    it is ``growing`` from the soma, and ``formula``, in HOC, of the distance ``%g`` in µm.
    """
    etype = names.parse_model(model).etype
    common = _SETS["pyramidal" if etype == "cADpyr" else "interneuron"]
    changes, rows = _SETS.get(etype, {}), []
    for group in SECTION_LISTS:
        # interneurons have no apical dendrite; the portal's files write one out all the same
        like = group if group in common else "basal"
        for name, value in (common[like] | changes.get(like, {})).items():
            head, bar, tail = name.partition("bar_")
            growing = name == "gIhbar_Ih" and group == "apical"
            formula = (_GROWING if growing else _UNIFORM).format(value)
            mechanism = tail if bar else head.partition("_")[2]
            rows.append((group, mechanism, name, value, growing, formula))
    columns = ["section_list", "mechanism", "parameter", "value", "growing", "formula"]
    return pd.DataFrame(rows, columns=columns)


def mechanisms(model: names.Model | str) -> tuple[str, ...]:
    """Names of the MOD files a model needs, synapses included, in alphabetical order."""
    channels = set(densities(model)["mechanism"]) - {"pas"}
    return tuple(sorted(channels | {"ProbAMPANMDA_EMS", "ProbGABAAB_EMS"}))


def is_stochastic(model: names.Model | str) -> bool:
    """Whether a model has channels that open at random."""
    return "StochKv" in mechanisms(model)


def _biophysics(model: names.Model) -> str:
    """Body of the biophysics template: insert the mechanisms, set constants and densities."""
    lines: list[str] = []

    def forsec(section_list: str, *statements: str) -> None:
        inside = (f"\t\t{statement}" for statement in statements)
        lines.extend([f"\tforsec $o1.{section_list} {{", *inside, "\t}", ""])

    table = densities(model)
    forsec("all", "insert pas")
    channels = {name: part.unique() for name, part in table.groupby("section_list")["mechanism"]}
    for section_list in SECTION_LISTS:
        forsec(section_list, *(f"insert {one}" for one in channels[section_list] if one != "pas"))
    forsec("all", f"Ra = {RA:g}")
    forsec("all", f"cm = {CM:g}")
    for section_list in SECTION_LISTS:
        for ion, (reversal, passing) in _REVERSALS.items():
            if passing & {*channels[section_list]}:
                forsec(section_list, f"{ion} = {reversal:g}")
    for row in table.itertuples():
        lines.append(f'\tdistribute($o1.{row.section_list},"{row.parameter}","{row.formula}")')
    return "\n".join(lines) + "\n"


# Packages --------------------------------------------------------------------------------------


@cache
def _template(name: str) -> str:
    return (_HERE / "templates" / f"{name}.tmpl").read_text("utf-8")


@cache
def mechanism_text(name: str) -> str:
    """Text of one of the sample's MOD files, e.g. ``Ih``."""
    return (_HERE / "mechanisms" / f"{name}.mod").read_text("utf-8")


def package_hash(model: names.Model | str) -> str:
    """Ten hexadecimal digits that make the HOC templates of a package its own."""
    name = names.parse_model(model).name
    return hashlib.sha256(f"{name}/{SEED}".encode()).hexdigest()[:10]


def gid_of(model: names.Model | str) -> int:
    """Number of the cell in the (invented) circuit; seeds its random channels and synapses."""
    return names.model_names().index(names.parse_model(model).name) * 30 + 1


def template_name(model: names.Model | str) -> str:
    """Name of the cell's HOC template; HOC allows no hyphen."""
    model = names.parse_model(model)
    return f"{model.etype_id}_{model.mtype.replace('-', '')}_{package_hash(model)}"


def package_members(
    model: names.Model | str, currents: Iterable[float] | None = None
) -> dict[str, str]:
    """Return the text of every member of a package, by its name inside the top folder."""
    model = names.parse_model(model)
    if currents is None:
        currents = [measured([model.name])[model.name][c] for c in CURRENTS]
    shape = f"synthetic-{package_hash(model)}"
    stochastic, gid = is_stochastic(model), gid_of(model)
    hold, *steps = (f"{current:.7f}" for current in currents)
    tokens = {
        "MODEL": model.name, "SEED": str(SEED), "HASH": package_hash(model),
        "TEMPLATE": template_name(model), "ETYPE_ID": model.etype_id,
        "MORPHOLOGY": shape, "GID": str(gid), "BODY": _biophysics(model),
        "RNG": _template("rng" if stochastic else "rng_none"),
        "STOCHASTIC": f"    re_init_rng({gid})\n" if stochastic else "",
        "HOLD": hold, "STEP1": steps[0], "STEP2": steps[1], "STEP3": steps[2],
    }  # fmt: skip
    fill = partial(re.sub, r"@([A-Z_0-9]+)@", lambda match: tokens[match[1]])
    members = {name: fill(_template(name)) for name in _TEXT}
    members |= {f"mechanisms/{m}.mod": mechanism_text(m) for m in mechanisms(model)}
    members[f"morphology/{shape}.asc"] = to_asc(make_tree(model))
    members["current_amps.dat"] = " ".join([hold, *steps])
    members["cellinfo.json"] = json.dumps(_cellinfo(model, shape, gid), indent=4)
    members[".provenance.json"] = json.dumps({"gid": gid, "seed": SEED, "invented": True}, indent=4)
    members |= {f"synapses/{n}": t for n, t in _synapse_files(model).items()}
    return dict(sorted((members | dict.fromkeys(_EMPTY_FOLDERS, "")).items()))


def _cellinfo(model: names.Model, shape: str, gid: int) -> dict[str, str]:
    etype = "L5PC" if model.etype == "cADpyr" else model.etype_id.rstrip("0123456789")
    return {
        "cell name": f"{model.etype_id}_{model.mtype}_{model.instance}_{shape}",
        "e-type": etype,
        "gid": str(gid),
        "layer": "L3" if model.layer == "L23" else model.layer,
        "m-type": model.mtype,
        "me-type": f"{model.mtype}_{etype}",
        "morphology": shape,
    }


def write_zip(path: Path, top: str, members: dict[str, str]) -> None:
    """Write a zip with one top folder, the same bytes on every day.

    Nothing in it is compressed: the archive around it packs all of them at once.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, text in members.items():
            info = zipfile.ZipInfo(f"{top}{name}", _EPOCH)
            executable = name.startswith("run_") and name.endswith((".sh", ".py"))
            mode = 0o40755 if name.endswith("/") else 0o100755 if executable else 0o100644
            info.create_system, info.external_attr = 3, mode << 16
            archive.writestr(info, text.encode())


# Synapses --------------------------------------------------------------------------------------

#: The portal's own packages hold about twice the sheet's numbers, for they were cut from a
#: larger tissue than the column that the sheets count.
CUT = 2.0
_SENTINEL = "-1e+15"
_SECTION_LIST = {SOMA: 0, DEND: 1, APIC: 2}

_MTYPE_ID = {name: number for number, name in enumerate(names.MTYPES)}
# types from 100 on are excitatory
_TYPE = {
    "Inhibitory, facilitating": 1, "Inhibitory, depressing": 2, "Inhibitory, pseudo-linear": 3,
    "Excitatory, facilitating": 101, "Excitatory, depressing": 102,
    "Excitatory, pseudo-linear": 103,
}  # fmt: skip


def synapse_table(model: names.Model | str) -> np.ndarray:
    """Draw the synapses of a model, (synapses, 13), in the columns of ``synapses.tsv``.

    Synapse, presynaptic cell, its m-type, section list (0 soma, 1 basal, 2 apical), section,
    position, type, D (ms), F (ms), U, decay (ms), delay (ms), weight (nS).
    """
    model = names.parse_model(model)
    tree = make_tree(model)
    rng = rng_of(model, SEED, stream=2)
    pathways = column.dynamics()
    pathways = pathways[pathways["post"] == model.mtype]
    cells = rng.poisson(CUT * pathways["convergence"].to_numpy())
    cell_path = np.repeat(np.arange(len(pathways)), cells)
    contacts = pathways["contacts"].to_numpy()[cell_path]
    counts = np.maximum(1, np.rint(rng.normal(contacts, 0.38 * contacts))).astype(int)
    path = np.repeat(cell_path, counts)
    cell = np.repeat(np.arange(len(cell_path)), counts)
    n = len(path)

    def around(column: str, spread: float) -> np.ndarray:
        mean = pathways[column].to_numpy()[path]
        return mean * np.exp(rng.normal(-(spread**2) / 2, spread, n))

    excitatory = pathways["synapse_type"].str.startswith("E").to_numpy()[path]
    factor = pathways["space_clamp_correction_factor"].fillna(column.NO_FACTOR)
    section, position, reach = _places(tree, excitatory, rng)
    number = np.zeros(len(tree.kind), int)  # of each section among those of its kind
    for kind in _SECTION_LIST:
        number[tree.of(kind)] = np.arange(len(tree.of(kind)))
    columns = [
        np.arange(n),
        100_000 + cell,
        pathways["pre"].map(_MTYPE_ID).to_numpy()[path],
        [_SECTION_LIST[kind] for kind in tree.kind[section]],
        number[section],
        position,
        pathways["synapse_type"].map(_TYPE).to_numpy()[path],
        around("d_mean", 0.15),
        around("f_mean", 0.15),
        np.clip(around("u_mean", 0.10), 0.01, 0.95),
        around("tau_decay_ms", 0.05),
        0.6 + (np.repeat(rng.gamma(3.0, 60.0, len(cell_path)), counts) + reach) / 300.0,
        around("gsyn_mean", 0.20) * factor.to_numpy()[path],
    ]
    return np.column_stack(columns)


def _places(tree: Tree, excitatory: np.ndarray, rng) -> tuple[np.ndarray, ...]:
    """Section, position on it and path from the soma (µm); inhibition sits closer to the soma."""
    at = np.flatnonzero((tree.kind == DEND) | (tree.kind == APIC) | (tree.kind == SOMA))
    length, start = tree.length_um, tree.distance_um
    middle = start[at] + length[at] / 2
    soma = tree.kind[at] == SOMA
    section = np.empty(len(excitatory), int)
    for exciting in (True, False):
        near = np.ones(len(at)) if exciting else np.exp(-middle / 150.0)
        weight = np.where(soma, 0.0 if exciting else 3.0, 1.0) * length[at] * near
        here = excitatory == exciting
        section[here] = rng.choice(at, int(here.sum()), p=weight / weight.sum())
    position = rng.uniform(0.02, 0.98, len(section))
    return section, position, start[section] + position * length[section]


def _synapse_files(model: names.Model | str) -> dict[str, str]:
    table = synapse_table(model)
    row = "%d\t%d\t%d\t%d\t%d\t%.3f\t%d\t%.4f\t%.4f\t%.6f\t%.5f\t%.5f\t%.6f\n"
    return {
        "synapses.tsv": f"{len(table)} {table.shape[1]}\n" + "".join(row % tuple(r) for r in table),
        "mtype_map.tsv": "".join(f"{number}\t{name}\n" for name, number in _MTYPE_ID.items()),
        "synconf.txt": _synconf(table),
    }


def _synconf(table: np.ndarray) -> str:
    """HOC lines, each followed by the synapses it is for."""
    kind, mtype = table[:, 6], table[:, 2].astype(int)
    excitatory = kind >= 100
    neurogliaform = np.array(["NGC" in names.MTYPES[m] for m in mtype], bool)
    lines = [
        ("%s.mg = 1.0", excitatory),
        ("%s.NMDA_ratio = 0.7", excitatory & (kind == 102)),
        ("%s.NMDA_ratio = 0.4", excitatory & (kind != 102)),
        ("%s.e_GABAA = -80.0 %s.e_GABAB = -76.0", ~excitatory),
        ("%s.GABAB_ratio = 0.75", neurogliaform & ~excitatory),
        ("%s.Use *= 1.0", np.ones(len(table), bool)),
    ]
    chosen = [(line, np.flatnonzero(who)) for line, who in lines if who.any()]
    return "".join(f"{line}\n{' '.join(map(str, ids))} {_SENTINEL}\n" for line, ids in chosen)


# What is measured ------------------------------------------------------------------------------

CURRENTS = ("hold_nA", "step1_nA", "step2_nA", "step3_nA")
REST = ("resting_membrane_potential_mV", "input_resistance_MOhm", "membrane_time_constant_ms")
_HOLD_mV, _STEPS = -84.0, (1.2, 1.3, 1.4)
_NEURITES = {"axon": AXON, "apical": APIC, "basal": DEND}
_SIZES = ("length_um", "volume_um3", "max_branch_order", "max_section_length_um")


def measured(models: Iterable[str]) -> dict[str, dict[str, float]]:
    """Measure models with NEURON, once for each version of package and NEURON: by model name."""
    models = list(models)
    _STORE.mkdir(parents=True, exist_ok=True)
    places = {}
    for model in models:
        rule = _RULE[is_stochastic(model)]
        text = json.dumps([package_members(model, (0.0,) * 4), version("neuron"), rule])
        places[model] = _STORE / f"{hashlib.sha256(text.encode()).hexdigest()}.json"
    missing = [m for m in models if not places[m].exists()]
    if missing:  # a process a model: NEURON keeps every cell it made
        with ProcessPoolExecutor(2, get_context("spawn"), max_tasks_per_child=1) as pool:
            for model, found in zip(missing, pool.map(_measure, missing), strict=True):
                places[model].write_text(json.dumps(found, indent=1))
    return {model: json.loads(place.read_text()) for model, place in places.items()}


#: What `_measure` does, and does with random channels; changes when it changes.
_RULE = ("fold of the steady curve, 3", "fold of the steady curve, averaged, 3")


def _measure(model: str) -> dict[str, float]:
    """Measure one model: rest by the package's own call, currents on its steady curve.

    The holding current brings the soma to -84 mV; the steps are 120, 130 and 140 % of the current
    from there to threshold, the first maximum of the soma's steady current over its voltage.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{model}.zip"
        write_zip(path, f"{model}/", package_members(model, (0.0,) * 4))
        package = nmc.load_package(path, trust=True)
        rest = nmc.simulate_rest(package, progress=False).attrs
        hold, fold = _steady_currents(nmc.load_cell(package), is_stochastic(model))
    found = dict(zip(CURRENTS, (hold, *(f * (fold - hold) for f in _STEPS)), strict=True))
    return found | {name: float(rest[name]) for name in REST}


def _steady_currents(cell, stochastic: bool) -> tuple[float, float]:
    """Current that holds the soma at -84 mV, and the largest before threshold, nA.

    By long implicit steps; with random channels shorter ones are averaged over seconds.
    """
    from neuron import h

    clamp = h.SEClamp(cell.soma(0.5))
    clamp.rs, clamp.dur1 = 1e-3, 1e12

    def steady(voltage: float) -> float:
        clamp.amp1 = voltage
        currents = []
        for _ in range(steps):
            h.fadvance()
            currents.append(clamp.i)
        return float(np.mean(currents[-steps // 2 :]))

    clamp.amp1 = _HOLD_mV
    h.finitialize(_HOLD_mV)
    h.dt, steps = (20.0, 400) if stochastic else (1000.0, 40)
    hold = best = steady(_HOLD_mV)
    for voltage in np.arange(-72.0, -40.0, 0.5):
        current = steady(voltage)
        if current < best - (0.04 if stochastic else 0.01) * (best - hold):
            break
        best = max(best, current)
    return hold, best


@cache
def rest_table(packaged: tuple[str, ...]) -> pd.DataFrame:
    """Rest of all 1,035 models: measured, or drawn around their e-type by dendritic surface."""
    known = pd.DataFrame(measured(packaged)).T[list(REST)]
    surface = pd.Series({m: _surface_um2(make_tree(m)) for m in names.model_names()})
    etype = surface.index.to_series().map(lambda model: names.parse_model(model).etype)
    scaled = known.assign(input_resistance_MOhm=known["input_resistance_MOhm"] * surface)
    typical = scaled.groupby(etype[known.index]).mean().loc[etype].set_axis(surface.index)
    noise = np.random.default_rng([SEED, 5]).normal(0.0, 1.0, typical.shape)
    table = pd.DataFrame({
        REST[0]: typical[REST[0]] + 0.4 * noise[:, 0],
        REST[1]: typical[REST[1]] / surface * np.exp(0.05 * noise[:, 1]),
        REST[2]: typical[REST[2]] * np.exp(0.05 * noise[:, 2]),
    })  # fmt: skip
    table.loc[known.index] = known
    return table.rename_axis("model")


def _surface_um2(tree: Tree) -> float:
    kinds = np.isin(tree.kind, (DEND, APIC))
    mean = np.array([p[:, 3].mean() for p in tree.points])
    return float(np.pi * (tree.soma_diameter_um**2 + (tree.length_um * mean)[kinds].sum()))


@cache
def anatomy_table() -> pd.DataFrame:
    """Sizes of the trees and somata of all 1,035 models: `anatomy_row` by ``model``."""
    rows = {model: anatomy_row(model) for model in names.model_names()}
    return pd.DataFrame(rows).T.infer_objects().rename_axis("model")


def anatomy_row(model: str) -> dict[str, object]:
    """Sizes of a model by the definitions of the sheets; NaN where there is no such tree."""
    tree = make_tree(model)
    length = tree.length_um
    row: dict[str, object] = {"morphology": f"synthetic-{package_hash(model)}"}
    for name, kind in _NEURITES.items():
        at = tree.of(kind)
        sizes = (
            (length[at].sum(), sum(_volume(tree, i) for i in at), tree.order[at].max() + 1,
             length[at].max()) if len(at) else (np.nan,) * 4
        )  # fmt: skip
        row |= {f"{name}_{what}": size for what, size in zip(_SIZES, sizes, strict=True)}
    row["soma_diameter_um"] = outline_diameter(tree.points[0][:, :2])
    return row


def _volume(tree: Tree, section: int) -> float:
    """Volume of cylinders with the mean radius of each step's ends, µm³; none to the mother."""
    points = tree.points[section]
    width = points[:, 3].copy()
    if tree.parent[section]:
        width[0] = width[1]
    steps = np.linalg.norm(np.diff(points[:, :3], axis=0), axis=1)
    radius = (width[1:] + width[:-1]) / 4
    return float(np.pi * radius**2 @ steps)
