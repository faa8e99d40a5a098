"""Invented channel densities, one set for each electrical model, and their HOC text.

As in the portal's packages, all models of an e-type share the same densities; they differ in
shape.  The sets stand in ``densities.toml``, tuned by hand until each fires as its e-type is
described: continuous, bursting or delayed onset; accommodating, non-accommodating, stuttering or
irregular (Petilla terminology, Nature Reviews Neuroscience 9:557-568, 2008).
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from nmc import names

SECTION_LISTS = ("somatic", "basal", "apical", "axonal")
RA, CM, ENA, EK, E_H = 100.0, 1.0, 50.0, -85.0, -45.0
CA_OUT_mM, CA_REST_mM, SHELL_um = 2.0, 1e-4, 0.1

UNIFORM = "(0.0 * %g + 1.0)*{value:f}"
#: Kole et al. (2006), J. Neuroscience 26:1677: Ih grows exponentially away from the soma.
GROWING = "(-0.869600 + 2.087000*exp((%g-0.000000)*0.003100))*{value:f}"
GROWING_RULE = (-0.8696, 2.087, 0.0031)


@dataclass(frozen=True)
class Density:
    """One line of the table: ``parameter`` is e.g. ``gIhbar_Ih`` or ``e_pas``."""

    section_list: str
    parameter: str
    value: float
    growing: bool = False

    @property
    def mechanism(self) -> str:
        """SUFFIX of the mechanism, which ends the parameter's name."""
        head, bar, tail = self.parameter.partition("bar_")
        return tail if bar else head.partition("_")[2]

    @property
    def formula(self) -> str:
        """The density as a HOC expression of the distance ``%g`` from the soma in µm."""
        return (GROWING if self.growing else UNIFORM).format(value=self.value)


_SETS = tomllib.loads(Path(__file__).with_name("densities.toml").read_text("utf-8"))


def densities(model: names.Model | str) -> tuple[Density, ...]:
    """Return the channel densities of a model: those of its e-type."""
    model = names.parse_model(model)
    common = _SETS["pyramidal" if model.etype == "cADpyr" else "interneuron"]
    changes = _SETS.get(model.etype, {})
    rows = []
    for section_list in SECTION_LISTS:
        # interneurons have no apical dendrite; the portal's files write one out all the same
        like = section_list if section_list in common else "basal"
        values = common[like] | changes.get(like, {})
        rows += [
            Density(section_list, name, value, name == "gIhbar_Ih" and section_list == "apical")
            for name, value in values.items()
        ]
    return tuple(rows)


def channel_densities(model: names.Model | str) -> pd.DataFrame:
    """Return the densities as a table: section list, mechanism, parameter, value, formula."""
    columns = ["section_list", "mechanism", "parameter", "value", "formula"]
    rows = [[getattr(density, name) for name in columns] for density in densities(model)]
    return pd.DataFrame(rows, columns=columns)


def mechanisms(model: names.Model | str) -> tuple[str, ...]:
    """Names of the MOD files a model needs, synapses included, in alphabetical order."""
    channels = {d.mechanism for d in densities(model)} - {"pas"}
    return tuple(sorted(channels | {"ProbAMPANMDA_EMS", "ProbGABAAB_EMS"}))


def is_stochastic(model: names.Model | str) -> bool:
    """Whether a model has channels that open at random."""
    return "StochKv" in mechanisms(model)


def to_hoc(model: names.Model | str) -> str:
    """Body of the biophysics template: insert the mechanisms, set constants and densities."""
    lines: list[str] = []

    def forsec(section_list: str, *statements: str) -> None:
        inside = (f"\t\t{statement}" for statement in statements)
        lines.extend([f"\tforsec $o1.{section_list} {{", *inside, "\t}", ""])

    table = densities(model)
    forsec("all", "insert pas")
    for section_list in SECTION_LISTS:
        inserted = dict.fromkeys(d.mechanism for d in table if d.section_list == section_list)
        forsec(section_list, *(f"insert {name}" for name in inserted if name != "pas"))
    forsec("all", f"Ra = {RA:g}")
    forsec("all", f"cm = {CM:g}")
    for section_list in SECTION_LISTS:
        ions = {d.mechanism for d in table if d.section_list == section_list}
        if ions & {"NaTs2_t", "NaTa_t", "Nap_Et2"}:
            forsec(section_list, f"ena = {ENA:g}")
        if ions & {"SKv3_1", "K_Tst", "K_Pst", "Im", "SK_E2", "KdShu2007", "StochKv"}:
            forsec(section_list, f"ek = {EK:g}")
    lines += [f'\tdistribute($o1.{d.section_list},"{d.parameter}","{d.formula}")' for d in table]
    return "\n".join(lines) + "\n"
