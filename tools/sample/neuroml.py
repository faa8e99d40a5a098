"""The sample's cells in NeuroML2, laid out as the public conversion of 13 cells.

Cells have the tree, the densities and the input of their package.  Channels stand as files in
``templates/neuroml``: the equations of their MOD files, in NeuroML's own rate laws or, where it
has none, in a component type of their own.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from nmc import layout, names

from tools.sample import NEUROML_MODELS, biophysics
from tools.sample.biophysics import E_H, EK, ENA, CA_OUT_mM, CA_REST_mM, SHELL_um
from tools.sample.packages import CURRENTS, gid_of, measured, package_hash, template_name
from tools.sample.trees import APIC, CONTOUR_POINTS, DEND, Tree, make_tree, stub_diameters

NOTE = "Synthetic: invented for the sample of the package nmc, CC BY 4.0."
TOP = "NMC/NeuroML2/"
#: Models with a step-current net: those of the public conversion.
NETS = (
    "L5_TTPC1_cADpyr232_1", "L23_PC_cADpyr229_1", "L1_HAC_cNAC187_1", "L23_NBC_cNAC187_1",
    "L23_LBC_cSTUT189_1",
)  # fmt: skip
#: Channel → ion and reversal potential (mV); calcium reverses at Nernst's.
CHANNELS: dict[str, tuple[str, float | None]] = {
    **dict.fromkeys(("NaTa_t", "NaTs2_t", "Nap_Et2"), ("na", ENA)),
    **dict.fromkeys(("SKv3_1", "K_Tst", "K_Pst", "Im", "SK_E2", "KdShu2007",
                     "StochKv_deterministic"), ("k", EK)),
    **dict.fromkeys(("Ca", "Ca_HVA", "Ca_LVAst"), ("ca", None)),
    "Ih": ("hcn", E_H),
}  # fmt: skip
_FILES = Path(__file__).parent / "templates" / "neuroml"
_STEP = 3
_EPOCH = (2015, 10, 7, 0, 0, 0)  # the same bytes on every day
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<neuroml xmlns="http://www.neuroml.org/schema/neuroml2" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xsi:schemaLocation="http://www.neuroml.org/schema/neuroml2 '
    'https://raw.github.com/NeuroML/NeuroML2/development/Schemas/NeuroML2/NeuroML_v2.3.xsd" '
    'id="{id}">\n'
)


def _document(name: str, body: str) -> str:
    return f"{_HEAD.format(id=name)}{body}</neuroml>\n"


def write_neuroml(folder: Path) -> None:
    """Write the archive below ``folder``, where the public conversion stands in a tree."""
    path = folder / layout.NEUROML_SUBSET
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, text in neuroml_members().items():
            info = zipfile.ZipInfo(TOP + name, _EPOCH)
            info.create_system, info.external_attr = 3, 0o100644 << 16
            archive.writestr(info, text.encode())


def neuroml_members() -> dict[str, str]:
    """Return the text of every file of the archive, by its name inside the top folder."""
    models = [names.parse_model(m) for m in NEUROML_MODELS]
    files = {p.name: p.read_text("utf-8") for p in _FILES.iterdir() if p.suffix in (".nml", ".md")}
    files[f"{_POOL}.nml"] = _pools_file(models)
    for model in models:
        template = template_name(model)
        files[f"{template}_0_0.cell.nml"] = cell_file(model)
        if model.name in NETS:
            files[f"{template}.net.nml"] = _net_file(model, None)
            files[f"{template}.stepcurrent{_STEP}.net.nml"] = _net_file(model, _STEP)
            files[f"LEMS_{model.name}.xml"] = _lems_file(model, _STEP)
    return dict(sorted(files.items()))


def _pools_file(models: list[names.Model]) -> str:
    found = {name: values for model in models for name, values in pools(model).items()}
    lines = [
        f'    <concentrationModel id="{name}" ion="ca" type="concentrationModelShell" '
        f'minCai="{CA_REST_mM:g} mM" gamma="{gamma:g}" decay="{decay:g} ms" '
        f'depth="{SHELL_um:g} um"/>\n'
        for name, (_, gamma, decay) in sorted(found.items())
    ]
    kind = (_FILES / "concentration.xml").read_text("utf-8")
    return _document(_POOL, f"    <notes>{NOTE}</notes>\n" + "".join(lines) + kind)


# Cells ---------------------------------------------------------------------------------------

V_INIT_mV = -80.0
_STUB_UM = 30.0
#: NEURON's import makes 21 discs of a soma's contour.
_DISCS = 21
_POOL = "CaDynamics_E2_NML2"
_SECTION = "sao864921383"  # NeuroLex: an unbranched neurite is one section
#: Random channels count in pS/µm², everything else in S/cm².
_PS_PER_UM2 = 1e-4


def channel_of(mechanism: str) -> str:
    """NeuroML name of a mechanism's channel; the random one has a deterministic stand-in."""
    return "StochKv_deterministic" if mechanism == "StochKv" else mechanism


def channels_of(model: names.Model | str) -> list[str]:
    """Channels that a model's cell uses, in alphabetical order, ``pas`` among them."""
    found = {channel_of(d.mechanism) for d in biophysics.densities(model)}
    return sorted(found & (set(CHANNELS) | {"pas"}))


def pool_id(model: names.Model, group: str) -> str:
    """Name of an e-type's calcium pool in a section list."""
    return f"{_POOL}__{model.etype_id}_{group}"


def cell_file(model: names.Model | str) -> str:
    """Text of ``TEMPLATE_0_0.cell.nml``."""
    model = names.parse_model(model)
    sections = _sections(make_tree(model))
    includes = [f"{name}.channel.nml" for name in channels_of(model)] + [f"{_POOL}.nml"]
    lines = [f'    <include href="{name}"/>' for name in includes]
    lines += [f'    <cell id="{template_name(model)}_0_0">', f"        <notes>{NOTE}</notes>"]
    lines += [f'        <property tag="BBP:{tag}" value="{v}"/>' for tag, v in _who(model)]
    lines += ['        <morphology id="morphology">']
    lines += _segments(sections) + _groups(sections)
    lines += ["        </morphology>", '        <biophysicalProperties id="biophys">']
    lines += _membrane(model) + _inside(model)
    lines += ["        </biophysicalProperties>", "    </cell>", ""]
    return _document("synthetic", "\n".join(lines))


def _who(model: names.Model) -> list[tuple[str, str]]:
    shape = f"synthetic-{package_hash(model)}"
    return [
        ("cell name", f"{model.etype_id}_{model.mtype}_{model.instance}_{shape}"),
        ("gid", str(gid_of(model))), ("m-type", model.mtype), ("morphology", shape),
    ]  # fmt: skip


def _sections(tree: Tree) -> list[dict]:
    """Sections as the package's template makes them: name, points, parent section, where."""
    reach = np.cos(np.pi / CONTOUR_POINTS) * tree.soma_diameter_um / 2
    x = np.linspace(-reach, reach, _DISCS)
    radius = np.sqrt(np.maximum(reach**2 - x**2, 0))
    radius[[0, -1]] = radius[[1, -2]] / 2
    soma = np.column_stack([x, 0 * x, 0 * x, 2 * radius])
    found = [{"name": "soma_0", "group": "somatic", "points": soma, "parent": None}]
    name_of = {0: "soma_0"}
    for kind, array, group in ((DEND, "dend", "basal"), (APIC, "apic", "apical")):
        for n, i in enumerate(tree.of(kind)):
            name_of[int(i)] = f"{array}_{n}"
            parent = name_of[int(tree.parent[i])]
            rest = {"group": group, "points": tree.points[i], "parent": parent}
            found.append({"name": name_of[int(i)], **rest})
    near, far = stub_diameters(tree)
    y = -np.array([0.0, _STUB_UM, 2 * _STUB_UM])
    for n, (thick, parent) in enumerate(((near, "soma_0"), (far, "axon_0"))):
        line = np.array([[reach, y[n], 0, thick], [reach, y[n + 1], 0, thick]])
        found.append({"name": f"axon_{n}", "group": "axonal", "points": line, "parent": parent})
    return found


def _segments(sections: list[dict]) -> list[str]:
    """Segments of all sections; numbers them and notes each section's first and last."""
    lines, number, last = [], 0, {}
    for section in sections:
        section["first"] = number
        points = section["points"]
        for k in range(len(points) - 1):
            lines.append(f'            <segment id="{number}" name="Seg{k}_{section["name"]}">')
            parent = number - 1 if k else _parent(section, last)
            if parent is not None:
                lines.append(f'                <parent segment="{parent}"/>')
            if k == 0:
                lines.append(_point("proximal", points[0]))
            lines += [_point("distal", points[k + 1]), "            </segment>"]
            number += 1
        last[section["name"]] = number - 1
        section["last"] = number - 1
    return lines


def _parent(section: dict, last: dict[str, int]) -> int | None:
    """Segment that a section grows from: dendrites from the soma's middle, the axon its end."""
    if section["parent"] is None:
        return None
    if section["parent"] == "soma_0" and section["group"] != "axonal":
        return (_DISCS - 1) // 2 - 1
    return last[section["parent"]]


def _point(tag: str, point: np.ndarray) -> str:
    x, y, z, d = point
    return f'                <{tag} x="{x:.5f}" y="{y:.5f}" z="{z:.5f}" diameter="{d:.5f}"/>'


def _groups(sections: list[dict]) -> list[str]:
    lines = []
    for section in sections:
        nseg = 1 + 2 * int(_length(section["points"]) / 40)
        lines += [
            f'            <segmentGroup id="{section["name"]}" neuroLexId="{_SECTION}">',
            f'                <property tag="numberInternalDivisions" value="{nseg}"/>',
        ]
        lines += [
            f'                <member segment="{i}"/>'
            for i in range(section["first"], section["last"] + 1)
        ]
        lines.append("            </segmentGroup>")
    for group in ("all", *biophysics.SECTION_LISTS):
        lines.append(f'            <segmentGroup id="{group}">')
        lines += [
            f'                <include segmentGroup="{section["name"]}"/>'
            for section in sections
            if group in ("all", section["group"])
        ]
        if group in ("basal", "apical"):
            lines += [
                f'                <inhomogeneousParameter id="PathLengthOver_{group}" variable="p" '
                'metric="Path Length from root">',
                '                    <proximal translationStart="0"/>',
                "                </inhomogeneousParameter>",
            ]
        lines.append("            </segmentGroup>")
    return lines


def _length(points: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(points[:, :3], axis=0), axis=1).sum())


def _membrane(model: names.Model) -> list[str]:
    table = biophysics.densities(model)
    leak = {d.section_list: d.value for d in table if d.parameter == "e_pas"}
    uniform, nernst, varying = [], [], []
    for density in table:
        channel = channel_of(density.mechanism)
        if not density.parameter.startswith("g") or density.mechanism == _POOL[:-5]:
            continue
        group, erev = density.section_list, leak.get(density.section_list)
        kind = CHANNELS.get(channel)
        ion, erev = kind or ("non_specific", erev)
        who = f'id="{group}_{density.parameter}" ionChannel="{channel}" ion="{ion}"'
        scale = _PS_PER_UM2 if density.mechanism == "StochKv" else 1.0
        value = f'condDensity="{density.value * scale:.10g} S_per_cm2" segmentGroup="{group}"'
        if density.growing:
            varying.append(_growing(group, who, density.value, erev))
        elif erev is None:
            nernst.append(f"                <channelDensityNernst {who} {value}/>")
        else:
            uniform.append(f'                <channelDensity {who} {value} erev="{erev:g} mV"/>')
    capacitance = [
        f'                <specificCapacitance value="{biophysics.CM:g} uF_per_cm2" '
        f'segmentGroup="{group}"/>'
        for group in biophysics.SECTION_LISTS
    ]
    return [
        "            <membraneProperties>", *uniform, *nernst, *varying,
        '                <spikeThresh value="10mV"/>', *capacitance,
        f'                <initMembPotential value="{V_INIT_mV:g} mV"/>',
        "            </membraneProperties>",
    ]  # fmt: skip


def _growing(group: str, who: str, value: float, erev: float) -> str:
    base, gain, rate = biophysics.GROWING_RULE
    law = f"1e4 * (({base:f} + {gain:f}*exp((p-0.000000)*{rate:f}))*{value:f})"
    return (
        f'                <channelDensityNonUniform {who} erev="{erev:g} mV">\n'
        f'                    <variableParameter parameter="condDensity" segmentGroup="{group}">\n'
        "                        <inhomogeneousValue "
        f'inhomogeneousParameter="PathLengthOver_{group}" value="{law}"/>\n'
        "                    </variableParameter>\n"
        "                </channelDensityNonUniform>"
    )


def pools(model: names.Model | str) -> dict[str, tuple[str, float, float]]:
    """Pool's name → section list, gamma and decay (ms)."""
    model = names.parse_model(model)
    found: dict[str, dict[str, float]] = {}
    for density in biophysics.densities(model):
        if density.mechanism == "CaDynamics_E2":
            name = density.parameter.removesuffix("_CaDynamics_E2")
            found.setdefault(density.section_list, {})[name] = density.value
    return {
        pool_id(model, group): (group, values["gamma"], values["decay"])
        for group, values in found.items()
    }


def _inside(model: names.Model) -> list[str]:
    species = [
        f'                <species id="ca" ion="ca" concentrationModel="{name}" '
        f'initialConcentration="{CA_REST_mM:g} mM" initialExtConcentration="{CA_OUT_mM:g} mM" '
        f'segmentGroup="{group}"/>'
        for name, (group, _, _) in pools(model).items()
    ]
    return [
        "            <intracellularProperties>", *species,
        f'                <resistivity value="{biophysics.RA:g} ohm_cm"/>',
        "            </intracellularProperties>",
    ]  # fmt: skip


def _net_file(model: names.Model, step: int | None) -> str:
    """Text of the cell's net, without input or with the package's holding current and a step."""
    cell = f"{template_name(model)}_0_0"
    pulses, inputs = [], []
    if step:
        found = measured([model.name])[model.name]
        amplitudes = [found[name] for name in CURRENTS]
        for name, delay, duration, amplitude in (
            (f"stepcurrent{step}_hyp", 0, 3000, amplitudes[0]),
            (f"stepcurrent{step}", 700, 2000, amplitudes[step]),
        ):
            pulses.append(
                f'    <pulseGenerator id="{name}" delay="{delay}ms" duration="{duration}ms" '
                f'amplitude="{amplitude:.7f}nA"/>\n'
            )
            inputs.append(
                f'        <inputList id="{name}_input" population="Pop_{cell}" '
                f'component="{name}">\n            <input id="0" target="../Pop_{cell}/0/{cell}" '
                'destination="synapses"/>\n        </inputList>\n'
            )
    return _document(
        "synthetic_net",
        f'    <notes>{NOTE}</notes>\n    <include href="{cell}.cell.nml"/>\n{"".join(pulses)}'
        '    <network id="network" type="networkWithTemperature" temperature="34 degC">\n'
        f'        <population id="Pop_{cell}" component="{cell}" size="1" type="populationList">\n'
        '            <instance id="0">\n                <location x="0" y="0" z="0"/>\n'
        f"            </instance>\n        </population>\n{''.join(inputs)}    </network>\n",
    )


def _lems_file(model: names.Model, step: int) -> str:
    """Text of the LEMS file that runs a cell's step-current net for three seconds."""
    template = template_name(model)
    cell = f"{template}_0_0"
    files = ["Cells.xml", "Networks.xml", "Simulation.xml",
             f"{template}.stepcurrent{step}.net.nml", f"{cell}.cell.nml",
             *(f"{name}.channel.nml" for name in channels_of(model)), f"{_POOL}.nml"]  # fmt: skip
    name, path = model.name.replace("-", ""), f"Pop_{cell}/0/{cell}/v"
    return (
        f'<Lems>\n    <!-- {NOTE} -->\n    <Target component="{name}"/>\n'
        + "".join(f'    <Include file="{file}"/>\n' for file in files)
        + f'    <Simulation id="{name}" length="3000ms" step="0.025ms" target="network" '
        'seed="1234">\n'
        f'        <OutputFile id="volts" fileName="{name}.v.dat">\n'
        f'            <OutputColumn id="v" quantity="{path}"/>\n        </OutputFile>\n'
        "    </Simulation>\n</Lems>\n"
    )
