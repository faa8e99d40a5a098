"""Channel densities and calcium pools of a NeuroML2 cell, as the packages' table has them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from nmc.cells import _hoc
from nmc.cells.neuroml import lems
from nmc.errors import FormatError

#: Suffix by which the conversion tells its deterministic stand-in from the random channel.
DETERMINISTIC = "_deterministic"
_COLUMNS = ("section_list", "mechanism", "channel", "parameter", "value", "formula", "unit")
_POOL = "CaDynamics_E2"


def read_densities(path: Path, cell) -> pd.DataFrame:
    """Table of a cell's densities; see `nmc.cells.neuroml.cell.NeuroMLCell.densities`."""
    rows = [*_channels(path, cell), *_cable(cell), *_pools(path, cell)]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _row(group, mechanism, channel, parameter, value, unit, formula=None) -> tuple:
    text = f"{value:.10g}" if formula is None else formula
    return (group, mechanism, channel, parameter, value, text, unit)


def mechanism_of(channel: str) -> str:
    """Name of a NeuroML2 channel's mechanism in the packages."""
    return channel.removesuffix(DETERMINISTIC)


def _channels(path: Path, cell) -> Iterator[tuple]:
    membrane = cell.biophysical_properties.membrane_properties
    for density in membrane.channel_densities:
        known = _who(density)
        yield _row(*known, "g", lems.quantity(density.cond_density) / 1e4, "S/cm2")
        yield _row(*known, "e", lems.quantity(density.erev, "mV"), "mV")
    for density in membrane.channel_density_nernsts:
        yield _row(*_who(density), "g", lems.quantity(density.cond_density) / 1e4, "S/cm2")
    for density in membrane.channel_density_non_uniforms:
        yield from _varying(path, density)


def _who(density) -> tuple[str, str, str]:
    channel = density.ion_channel
    return density.segment_groups or "all", mechanism_of(channel), channel


def _varying(path: Path, density) -> Iterator[tuple]:
    """Rows of a density that depends on the path length ``p`` (µm); the file counts in S/m²."""
    channel = density.ion_channel
    for variable in density.variable_parameters:
        text = variable.inhomogeneous_value.value
        formula = "(" + re.sub(r"\bp\b", "d", text) + ")*1e-4"
        try:
            near, far = _hoc.evaluate(formula, [0.0, 500.0])
        except ValueError as error:
            raise FormatError(f"{path.name}: {density.id}: {error}.") from error
        value = near if near == far else np.nan
        who = (variable.segment_groups, mechanism_of(channel), channel)
        yield _row(*who, "g", value, "S/cm2", formula)
        yield _row(*who, "e", lems.quantity(density.erev, "mV"), "mV")


def _cable(cell) -> Iterator[tuple]:
    biophysics = cell.biophysical_properties
    for capacitance in biophysics.membrane_properties.specific_capacitances:
        value = lems.quantity(capacitance.value, "uF_per_cm2")
        yield _row(capacitance.segment_groups or "all", "", "", "cm", value, "uF/cm2")
    for resistivity in biophysics.intracellular_properties.resistivities:
        value = lems.quantity(resistivity.value, "ohm_cm")
        yield _row(resistivity.segment_groups or "all", "", "", "Ra", value, "ohm cm")


def _pools(path: Path, cell) -> Iterator[tuple]:
    """Calcium pools: libNeuroML knows no such component type, so the file itself is asked."""
    known = _concentration_models(path)
    for species in cell.biophysical_properties.intracellular_properties.species:
        model = known.get(species.concentration_model)
        if model is None:
            raise FormatError(
                f"{path.name}: the concentration model {species.concentration_model!r} is in none "
                "of the files beside the cell."
            )
        who = (species.segment_groups or "all", _POOL, "")
        for name, unit, shown in (("gamma", None, ""), ("decay", "ms", "ms")):
            if name in model:
                yield _row(*who, name, lems.quantity(model[name], unit), shown)


def _concentration_models(path: Path) -> dict[str, dict[str, str]]:
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    found = {}
    included = [path] + [
        path.parent / e.get("href", "")
        for e in etree.parse(str(path), parser).iter("{*}include")
        if "channel" not in e.get("href", "")
    ]
    for file in included:
        inside = file.resolve().is_relative_to(path.parent.resolve())
        if not inside or not file.is_file():
            continue
        try:
            tree = etree.parse(str(file), parser)
        except etree.XMLSyntaxError as error:
            raise FormatError(f"{file.name} cannot be read as XML: {error}.") from error
        for element in tree.iter("{*}concentrationModel", "{*}decayingPoolConcentrationModel"):
            found[element.get("id")] = dict(element.attrib)
    return found
