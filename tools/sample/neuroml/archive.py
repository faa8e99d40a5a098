"""The sample's archive of NeuroML2 twins, laid out as the public conversion of 13 cells."""

from __future__ import annotations

import zipfile
from pathlib import Path

from nmc import layout, names

from tools.sample import SEED
from tools.sample.cells import DEFAULT_MODELS
from tools.sample.cells.channels import FARADAY, CA_REST_mM, SHELL_um
from tools.sample.cells.package import template_name
from tools.sample.neuroml import cell, channels

TOP = "NMC/NeuroML2/"
#: Models with a step-current net: those of the public conversion.
NETS = (
    "L5_TTPC1_cADpyr232_1", "L23_PC_cADpyr229_1", "L1_HAC_cNAC187_1", "L23_NBC_cNAC187_1",
    "L23_LBC_cSTUT189_1",
)  # fmt: skip
_STEP = 3
_EPOCH = (2015, 10, 7, 0, 0, 0)  # the same bytes on every day
_README = f"""NeuroML2 twins of synthetic me-type packages
============================================

{channels.NOTE}

One NAME_0_0.cell.nml a cell, with the tree and the densities of its package; one
NAME.channel.nml a channel, with the equations of its MOD file; CaDynamics_E2_NML2.nml, the
calcium pools. NAME.stepcurrent3.net.nml injects the package's holding current and third step,
and LEMS_MODEL.xml runs it. Random channels have a deterministic stand-in, synapses are left out.
"""
_POOL_TYPE = f"""    <ComponentType name="concentrationModelShell" extends="concentrationModel">
        <Parameter name="gamma" dimension="none"/>
        <Parameter name="minCai" dimension="concentration"/>
        <Parameter name="decay" dimension="time"/>
        <Parameter name="depth" dimension="length"/>
        <Constant name="Faraday" dimension="charge_per_mole" value="{FARADAY:g}C_per_mol"/>
        <Constant name="AREA_SCALE" dimension="area" value="1m2"/>
        <Constant name="LENGTH_SCALE" dimension="length" value="1m"/>
        <Requirement name="iCa" dimension="current"/>
        <Text name="ion"/>
        <Dynamics>
            <StateVariable name="concentration" exposure="concentration" dimension="concentration"/>
            <StateVariable name="extConcentration" exposure="extConcentration"
                           dimension="concentration"/>
            <DerivedVariable name="currDensCa" dimension="currentDensity"
                             value="iCa / surfaceArea"/>
            <TimeDerivative variable="concentration"
                value="(currDensCa*gamma/(2*Faraday*depth)) - ((concentration - minCai) / decay)"/>
            <OnStart>
                <StateAssignment variable="concentration" value="initialConcentration"/>
                <StateAssignment variable="extConcentration" value="initialExtConcentration"/>
            </OnStart>
        </Dynamics>
    </ComponentType>
"""


def neuroml_members(models=DEFAULT_MODELS, *, nets=NETS, seed: int = SEED) -> dict[str, str]:
    """Text of every file of the archive, by its name inside the top folder.

    Parameters
    ----------
    models : iterable of str
        Models that get a twin.
    nets : iterable of str
        Those of them that get a step-current net and a LEMS file to run it.
    seed : int
        Seed of the sample.

    Returns
    -------
    dict
    """
    models = [names.parse_model(m) for m in models]
    wanted = {names.parse_model(m).name for m in nets}
    files = {f"{n}.channel.nml": channels.channel_file(n) for n in (*channels.CHANNELS, "pas")}
    files["README.md"] = _README
    files["CaDynamics_E2_NML2.nml"] = _pools(models)
    for model in models:
        template = template_name(model, seed)
        files[f"{template}_0_0.cell.nml"] = cell.cell_file(model, seed=seed)
        if model.name in wanted:
            files[f"{template}.net.nml"] = cell.net_file(model, seed=seed, step=None)
            step = cell.net_file(model, seed=seed, step=_STEP)
            files[f"{template}.stepcurrent{_STEP}.net.nml"] = step
            files[f"LEMS_{model.name}.xml"] = cell.lems_file(model, seed=seed, step=_STEP)
    return dict(sorted(files.items()))


def _pools(models: list[names.Model]) -> str:
    found = {name: values for model in models for name, values in cell.pools(model).items()}
    lines = [
        f'    <concentrationModel id="{name}" ion="ca" type="concentrationModelShell" '
        f'minCai="{CA_REST_mM:g} mM" gamma="{gamma:g}" decay="{decay:g} ms" '
        f'depth="{SHELL_um:g} um"/>\n'
        for name, (_, gamma, decay) in sorted(found.items())
    ]
    body = f"    <notes>{channels.NOTE}</notes>\n" + "".join(lines) + _POOL_TYPE
    return channels.document("CaDynamics_E2_NML2", body)


def write_neuroml(folder: str | Path, *, seed: int = SEED) -> Path:
    """Write the archive below `folder`, where the public conversion stands in a tree.

    Parameters
    ----------
    folder : path
        Root of the tree; the zip goes to ``nmc.layout.NEUROML_SUBSET`` below it.
    seed : int
        Seed of the sample; the same seed gives the same bytes.

    Returns
    -------
    pathlib.Path
        The zip.
    """
    path = Path(folder) / layout.NEUROML_SUBSET
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".zip.part")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, text in neuroml_members(seed=seed).items():
            info = zipfile.ZipInfo(TOP + name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system, info.external_attr = 3, 0o100644 << 16
            archive.writestr(info, text.encode())
    unfinished.replace(path)
    return path
