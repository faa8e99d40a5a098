"""A sample cell in NeuroML2: the tree, densities and input of its package, written once more."""

from __future__ import annotations

import numpy as np
from nmc import names

from tools.sample.cells import biophysics, currents, morphology
from tools.sample.cells.cable import STUB_UM, stub_diameters
from tools.sample.cells.channels import CA_OUT_mM, CA_REST_mM
from tools.sample.cells.morphology import APIC, CONTOUR_POINTS, DEND
from tools.sample.cells.package import gid_of, package_hash, template_name
from tools.sample.neuroml.channels import CHANNELS, NOTE, document

V_INIT_mV = -80.0
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


def cell_file(model: names.Model | str, *, seed: int) -> str:
    """Text of ``TEMPLATE_0_0.cell.nml``."""
    model = names.parse_model(model)
    tree = morphology.make_tree(model, seed)
    points = morphology.make_points(tree, model, seed)
    sections = _sections(tree, points)
    includes = [f"{name}.channel.nml" for name in channels_of(model)] + [f"{_POOL}.nml"]
    lines = [f'    <include href="{name}"/>' for name in includes]
    lines += [f'    <cell id="{template_name(model, seed)}_0_0">', f"        <notes>{NOTE}</notes>"]
    lines += [f'        <property tag="BBP:{tag}" value="{v}"/>' for tag, v in _who(model, seed)]
    lines += ['        <morphology id="morphology">']
    lines += _segments(sections) + _groups(sections)
    lines += ["        </morphology>", '        <biophysicalProperties id="biophys">']
    lines += _membrane(model) + _inside(model)
    lines += ["        </biophysicalProperties>", "    </cell>", ""]
    return document("synthetic", "\n".join(lines))


def _who(model: names.Model, seed: int) -> list[tuple[str, str]]:
    shape = f"synthetic-{package_hash(model, seed)}"
    return [
        ("cell name", f"{model.etype_id}_{model.mtype}_{model.instance}_{shape}"),
        ("gid", str(gid_of(model))), ("m-type", model.mtype), ("morphology", shape),
    ]  # fmt: skip


def _sections(tree: morphology.Tree, points: list[np.ndarray]) -> list[dict]:
    """Sections as the package's template makes them: name, points, parent section, where."""
    reach = np.cos(np.pi / CONTOUR_POINTS) * tree.length_um[0] / 2
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
            found.append(
                {"name": name_of[int(i)], "group": group, "points": points[i], "parent": parent}
            )
    near, far = (float(d[0]) for d in stub_diameters([tree]))
    y = -np.array([0.0, STUB_UM, 2 * STUB_UM])
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
        ion, erev = ("non_specific", erev) if kind is None else (kind.species, kind.erev)
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


def net_file(model: names.Model | str, *, seed: int, step: int | None) -> str:
    """Text of the cell's net, without input or with the package's holding current and a step."""
    model = names.parse_model(model)
    cell = f"{template_name(model, seed)}_0_0"
    pulses, inputs = [], []
    if step:
        amplitudes = currents.step_currents(model, seed=seed)
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
    return document(
        "synthetic_net",
        f'    <notes>{NOTE}</notes>\n    <include href="{cell}.cell.nml"/>\n{"".join(pulses)}'
        '    <network id="network" type="networkWithTemperature" temperature="34 degC">\n'
        f'        <population id="Pop_{cell}" component="{cell}" size="1" type="populationList">\n'
        '            <instance id="0">\n                <location x="0" y="0" z="0"/>\n'
        f"            </instance>\n        </population>\n{''.join(inputs)}    </network>\n",
    )


def lems_file(model: names.Model | str, *, seed: int, step: int) -> str:
    """Text of the LEMS file that runs a cell's step-current net for three seconds."""
    model = names.parse_model(model)
    template = template_name(model, seed)
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
