"""Where a synthetic cell's synapses sit and what they are like, in the packages' four files."""

from __future__ import annotations

import numpy as np
from nmc import names

from tools.sample import SEED, sheets
from tools.sample.cells.morphology import APIC, DEND, SOMA, Tree, make_tree, rng_of

#: The portal's own packages hold about twice the sheet's numbers, for they were cut from a
#: larger tissue than the column that the sheets count.
CUT = 2.0
COLUMNS = 13
_SENTINEL = "-1e+15"
_SECTION_LIST = {SOMA: 0, DEND: 1, APIC: 2}

_MTYPE_ID = {name: number for number, name in enumerate(names.MTYPES)}
# types from 100 on are excitatory
_TYPE = {
    "Inhibitory, facilitating": 1, "Inhibitory, depressing": 2, "Inhibitory, pseudo-linear": 3,
    "Excitatory, facilitating": 101, "Excitatory, depressing": 102,
    "Excitatory, pseudo-linear": 103,
}  # fmt: skip
_NO_FACTOR = 2.0  # weight over sheet conductance where no space-clamp factor is given


def synapse_table(model: names.Model | str, *, seed: int = SEED) -> np.ndarray:
    """Draw the synapses of a model, (synapses, 13), in the columns of ``synapses.tsv``.

    Columns: synapse, presynaptic cell, its m-type, section list (0 soma, 1 basal, 2 apical),
    section, position, type, D (ms), F (ms), U, decay (ms), delay (ms), weight (nS).  The
    pathways are those of the sample's sheets, `tools.sample.sheets.pathway_table`.
    """
    model = names.parse_model(model)
    tree = make_tree(model, seed)
    rng = rng_of(model, seed, stream=2)
    pathways = sheets.pathway_table(seed)
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
    factor = pathways["space_clamp_factor"].fillna(_NO_FACTOR).to_numpy()[path]
    section, position, reach = _places(tree, excitatory, rng)
    out = np.empty((n, COLUMNS))
    out[:, 0] = np.arange(n)
    out[:, 1] = 100_000 + cell
    out[:, 2] = pathways["pre"].map(_MTYPE_ID).to_numpy()[path]
    out[:, 3] = [_SECTION_LIST[kind] for kind in tree.kind[section]]
    out[:, 4] = _numbers(tree)[section]
    out[:, 5] = position
    out[:, 6] = pathways["synapse_type"].map(_TYPE).to_numpy()[path]
    out[:, 7] = around("D_ms", 0.15)
    out[:, 8] = around("F_ms", 0.15)
    out[:, 9] = np.clip(around("U", 0.10), 0.01, 0.95)
    out[:, 10] = around("tau_decay_ms", 0.05)
    out[:, 11] = 0.6 + (np.repeat(rng.gamma(3.0, 60.0, len(cell_path)), counts) + reach) / 300.0
    out[:, 12] = around("gsyn_nS", 0.20) * factor
    return out


def _places(tree: Tree, excitatory: np.ndarray, rng) -> tuple[np.ndarray, ...]:
    """Section, position on it and path from the soma (µm); inhibition sits closer to the soma."""
    at = np.flatnonzero((tree.kind == DEND) | (tree.kind == APIC) | (tree.kind == SOMA))
    middle = tree.distance_um[at] + tree.length_um[at] / 2
    soma = tree.kind[at] == SOMA
    section = np.empty(len(excitatory), int)
    for exciting in (True, False):
        near = np.ones(len(at)) if exciting else np.exp(-middle / 150.0)
        weight = np.where(soma, 0.0 if exciting else 3.0, 1.0) * tree.length_um[at] * near
        here = excitatory == exciting
        section[here] = rng.choice(at, int(here.sum()), p=weight / weight.sum())
    position = rng.uniform(0.02, 0.98, len(section))
    return section, position, tree.distance_um[section] + position * tree.length_um[section]


def _numbers(tree: Tree) -> np.ndarray:
    """Number of each section among those of its kind, as in ``dend[n]``."""
    out = np.zeros(len(tree.kind), int)
    for kind in np.unique(tree.kind):
        at = tree.of(int(kind))
        out[at] = np.arange(len(at))
    return out


def synapse_files(model: names.Model | str, *, seed: int = SEED) -> dict[str, str]:
    """Text of ``synapses.tsv``, ``mtype_map.tsv`` and ``synconf.txt`` of a model."""
    table = synapse_table(model, seed=seed)
    row = "%d\t%d\t%d\t%d\t%d\t%.3f\t%d\t%.4f\t%.4f\t%.6f\t%.5f\t%.5f\t%.6f\n"
    return {
        "synapses.tsv": f"{len(table)} {COLUMNS}\n" + "".join(row % tuple(r) for r in table),
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
    text = []
    for line, who in lines:
        ids = np.flatnonzero(who)
        if len(ids):
            text.append(f"{line}\n{' '.join(map(str, ids))} {_SENTINEL}\n")
    return "".join(text)
