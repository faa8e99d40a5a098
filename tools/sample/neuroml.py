"""The sample's cells in NeuroML2, laid out as the public conversion of 13 cells.

Cells have the tree, the densities and the input of their package.  What the files look like
stands in ``templates/neuroml``; so do the channels: the equations of their MOD files, in
NeuroML's own rate laws or, where it has none, in a component type of their own.
"""

from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from nmc import names

from tools.sample import NEUROML_MODELS
from tools.sample.packages import (
    CM,
    CURRENTS,
    E_H,
    EK,
    ENA,
    RA,
    SECTION_LISTS,
    CA_OUT_mM,
    CA_REST_mM,
    SHELL_um,
    densities,
    gid_of,
    measured,
    package_hash,
    template_name,
)
from tools.sample.trees import APIC, CONTOUR_POINTS, DEND, Tree, make_tree, stub_diameters

TOP = "NMC/NeuroML2/"
#: Models with a step-current net: those of the public conversion, which are listed first.
NETS = NEUROML_MODELS[:5]
#: Channel → ion and reversal potential (mV); calcium reverses at Nernst's.
CHANNELS: dict[str, tuple[str, float | None]] = {
    **dict.fromkeys(("NaTa_t", "NaTs2_t", "Nap_Et2"), ("na", ENA)),
    **dict.fromkeys(("SKv3_1", "K_Tst", "K_Pst", "Im", "SK_E2", "KdShu2007",
                     "StochKv_deterministic"), ("k", EK)),
    **dict.fromkeys(("Ca", "Ca_HVA", "Ca_LVAst"), ("ca", None)),
    "Ih": ("hcn", E_H),
}  # fmt: skip
_FILES = Path(__file__).parent / "templates" / "neuroml"
_TEMPLATES = Environment(
    loader=FileSystemLoader(_FILES), undefined=StrictUndefined,
    trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
)  # fmt: skip
_TEMPLATES.globals |= {
    "note": "Synthetic: invented for the sample of the package nmc, CC BY 4.0.",
    "rest_mM": CA_REST_mM, "out_mM": CA_OUT_mM, "shell_um": SHELL_um, "cm": CM, "ra": RA,
    "groups": list(SECTION_LISTS), "v_init": -80.0,
}  # fmt: skip
_STEP = 3
_POOL = "CaDynamics_E2_NML2"
_STUB_UM = 30.0
#: NEURON's import makes 21 discs of a soma's contour.
_DISCS = 21
#: Random channels count in pS/µm², everything else in S/cm².
_PS_PER_UM2 = 1e-4


def neuroml_members() -> dict[str, str]:
    """Return the text of every file of the archive, by its name inside the top folder."""
    models = [names.parse_model(m) for m in NEUROML_MODELS]
    files = {p.name: p.read_text("utf-8") for p in _FILES.iterdir() if p.suffix in (".nml", ".md")}
    found = {name: values for model in models for name, values in pools(model).items()}
    files[f"{_POOL}.nml"] = _render("pools", id=_POOL, pools=found)
    for model in models:
        template = template_name(model)
        files[f"{template}_0_0.cell.nml"] = cell_file(model)
        if model.name in NETS:
            files[f"{template}.net.nml"] = _net_file(model, step=False)
            files[f"{template}.stepcurrent{_STEP}.net.nml"] = _net_file(model, step=True)
            files[f"LEMS_{model.name}.xml"] = _lems_file(model)
    return dict(sorted(files.items()))


def _render(template: str, **values) -> str:
    return _TEMPLATES.get_template(f"{template}.jinja").render(**values)


def channel_of(mechanism: str) -> str:
    """NeuroML name of a mechanism's channel; the random one has a deterministic stand-in."""
    return "StochKv_deterministic" if mechanism == "StochKv" else mechanism


def _channel_files(model: names.Model) -> list[str]:
    """Files that a model's cell includes: its channels in alphabetical order, and the pools."""
    used = set(densities(model)["mechanism"].map(channel_of))
    channels = sorted(used & (set(CHANNELS) | {"pas"}))
    return [*(f"{name}.channel.nml" for name in channels), f"{_POOL}.nml"]


def pools(model: names.Model) -> dict[str, tuple[str, float, float]]:
    """Calcium pool's name → section list, gamma and decay (ms)."""
    found: dict[str, dict[str, float]] = {}
    for density in densities(model).itertuples():
        if density.mechanism == "CaDynamics_E2":
            found.setdefault(density.section_list, {})[density.parameter[:5]] = density.value
    return {
        f"{_POOL}__{model.etype_id}_{group}": (group, values["gamma"], values["decay"])
        for group, values in found.items()
    }


def cell_file(model: names.Model) -> str:
    """Text of ``TEMPLATE_0_0.cell.nml``."""
    shape = f"synthetic-{package_hash(model)}"
    properties = {
        "cell name": f"{model.etype_id}_{model.mtype}_{model.instance}_{shape}",
        "gid": gid_of(model), "m-type": model.mtype, "morphology": shape,
    }  # fmt: skip
    return _render(
        "cell", id="synthetic", cell=f"{template_name(model)}_0_0", properties=properties,
        includes=_channel_files(model), sections=_sections(make_tree(model)),
        channels=_channels(model), pools=pools(model),
    )  # fmt: skip


def _sections(tree: Tree) -> list[dict]:
    """Sections as the package's template makes them, with the segment each one grows from."""
    reach = np.cos(np.pi / CONTOUR_POINTS) * tree.soma_diameter_um / 2
    x = np.linspace(-reach, reach, _DISCS)
    radius = np.sqrt(np.maximum(reach**2 - x**2, 0))
    radius[[0, -1]] = radius[[1, -2]] / 2
    found: dict[str, dict] = {}

    def add(name: str, group: str, points: np.ndarray, parent: int | None) -> None:
        first = sum(len(section["points"]) - 1 for section in found.values())
        length = float(np.linalg.norm(np.diff(points[:, :3], axis=0), axis=1).sum())
        found[name] = {"name": name, "group": group, "points": points, "first": first,
                       "parent": parent, "nseg": 1 + 2 * int(length / 40),
                       "last": first + len(points) - 2}  # fmt: skip

    add("soma_0", "somatic", np.column_stack([x, 0 * x, 0 * x, 2 * radius]), None)
    name_of: dict[int, str] = {}
    for kind, array, group in ((DEND, "dend", "basal"), (APIC, "apic", "apical")):
        for n, i in enumerate(tree.of(kind)):
            mother = name_of.get(int(tree.parent[i]))
            name_of[int(i)] = f"{array}_{n}"
            parent = found[mother]["last"] if mother else (_DISCS - 1) // 2 - 1
            add(name_of[int(i)], group, tree.points[i], parent)
    y = -np.array([0.0, _STUB_UM, 2 * _STUB_UM])
    for n, (thick, mother) in enumerate(
        zip(stub_diameters(tree), ("soma_0", "axon_0"), strict=True)
    ):
        line = np.array([[reach, y[n], 0, thick], [reach, y[n + 1], 0, thick]])
        add(f"axon_{n}", "axonal", line, found[mother]["last"])
    return [*found.values()]


def _channels(model: names.Model) -> list[dict]:
    """Conductances by section list: uniform, reversing at Nernst's potential, or growing."""
    table = densities(model)
    leak = table[table["parameter"] == "e_pas"].set_index("section_list")["value"]
    conducting = table["parameter"].str.startswith("g") & (table["mechanism"] != "CaDynamics_E2")
    found = []
    for density in table[conducting].itertuples():
        channel, group = channel_of(density.mechanism), density.section_list
        ion, erev = CHANNELS.get(channel) or ("non_specific", leak.get(group))
        value = density.value * (_PS_PER_UM2 if density.mechanism == "StochKv" else 1.0)
        found.append({
            "id": f"{group}_{density.parameter}", "channel": channel, "ion": ion, "group": group,
            "kind": "growing" if density.growing else "nernst" if erev is None else "uniform",
            "value": density.formula.replace("%g", "p") if density.growing else f"{value:.10g}",
            "erev": erev,
        })  # fmt: skip
    return found


def _net_file(model: names.Model, step: bool) -> str:
    """Text of the cell's net, without input or with the package's holding current and a step."""
    pulses = []
    if step:
        found = measured([model.name])[model.name]
        pulses = [(f"stepcurrent{_STEP}_hyp", 0, 3000, found[CURRENTS[0]]),
                  (f"stepcurrent{_STEP}", 700, 2000, found[CURRENTS[_STEP]])]  # fmt: skip
    return _render("net", id="synthetic_net", cell=f"{template_name(model)}_0_0", pulses=pulses)


def _lems_file(model: names.Model) -> str:
    """Text of the LEMS file that runs a cell's step-current net for three seconds."""
    template = template_name(model)
    files = ["Cells.xml", "Networks.xml", "Simulation.xml",
             f"{template}.stepcurrent{_STEP}.net.nml", f"{template}_0_0.cell.nml",
             *_channel_files(model)]  # fmt: skip
    name = model.name.replace("-", "")
    return _render("lems", name=name, cell=f"{template}_0_0", files=files)
