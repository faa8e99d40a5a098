"""Invented channel densities, one set for each electrical model, and their HOC text.

As in the portal's packages, all models of an e-type share the same densities; they differ in
shape.  The sets are tuned by hand until each fires as its e-type is described: continuous,
bursting or delayed onset; accommodating, non-accommodating, stuttering or irregular (Petilla
terminology, Nature Reviews Neuroscience 9:557-568, 2008).
"""

from __future__ import annotations

from dataclasses import dataclass

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


#: Short name → parameter, as HOC knows it.
_SHORT = {
    "g": "g_pas", "e": "e_pas", "na": "gNaTs2_tbar_NaTs2_t", "nata": "gNaTa_tbar_NaTa_t",
    "nap": "gNap_Et2bar_Nap_Et2", "kv3": "gSKv3_1bar_SKv3_1", "kt": "gK_Tstbar_K_Tst",
    "kp": "gK_Pstbar_K_Pst", "im": "gImbar_Im", "ih": "gIhbar_Ih", "ca": "gCabar_Ca",
    "hva": "gCa_HVAbar_Ca_HVA", "lva": "gCa_LVAstbar_Ca_LVAst", "sk": "gSK_E2bar_SK_E2",
    "gamma": "gamma_CaDynamics_E2", "decay": "decay_CaDynamics_E2", "kd": "gkbar_KdShu2007",
    "stoch": "gkbar_StochKv",
}  # fmt: skip

_PYRAMIDAL = {
    "somatic": {"g": 3e-5, "e": -75.0, "na": 0.9, "kv3": 0.3, "im": 4e-4, "ih": 8e-5,
                "hva": 5e-4, "lva": 4e-4, "sk": 0.008, "gamma": 0.001, "decay": 200.0},
    "basal": {"g": 3e-5, "e": -75.0, "ih": 8e-5},
    "apical": {"g": 3e-5, "e": -75.0, "ih": 8e-5, "na": 0.01, "kv3": 0.004, "im": 1e-4},
    "axonal": {"g": 3e-5, "e": -75.0, "nata": 3.0, "kv3": 0.9, "nap": 0.004, "kp": 0.4,
               "kt": 0.05, "hva": 5e-4, "lva": 1e-3, "sk": 0.006, "gamma": 0.002, "decay": 200.0},
}  # fmt: skip
_INTERNEURON = {
    "somatic": {"g": 5e-5, "e": -72.0, "na": 0.4, "kv3": 0.4, "kt": 0.02, "kp": 0.01,
                "ca": 1e-4, "lva": 1e-4, "sk": 1e-3, "im": 1e-6, "nap": 1e-6,
                "gamma": 0.001, "decay": 100.0},
    "basal": {"g": 5e-5, "e": -72.0, "ih": 1e-5, "na": 1e-3, "kv3": 1e-3, "kt": 1e-3, "im": 1e-6},
    "axonal": {"g": 5e-5, "e": -72.0, "nata": 2.0, "kv3": 0.8, "kt": 0.05, "kp": 0.01, "nap": 1e-6,
               "ca": 1e-5, "lva": 1e-5, "sk": 1e-3, "gamma": 0.001, "decay": 100.0},
}  # fmt: skip

_SOME = {"stoch": 0.05}  # a few random channels in the dendrites, too
#: E-type → what differs from the common set: section list → short name → value.
#: Accommodation: SK channels on calcium that builds up over tens of spikes; a burst: the same,
#: built up within a few; delay: a D-type current that has to inactivate first; irregular and
#: stuttering: slow random potassium channels, few beside strong SK or many.
_CHANGES: dict[str, dict[str, dict[str, float]]] = {
    "cADpyr": {"somatic": {"im": 1e-3, "sk": 0.03, "gamma": 8e-4, "decay": 300.0}},
    "cAC": {"somatic": {"sk": 0.02, "ca": 3e-4, "decay": 250.0}},
    "bAC": {"somatic": {"sk": 0.04, "ca": 1e-3, "gamma": 3e-4, "decay": 400.0}},
    "bNAC": {"somatic": {"sk": 0.02, "ca": 1e-3, "gamma": 8e-4, "decay": 80.0}},
    "dNAC": {"somatic": {"kd": 1.3e-3}},
    "cSTUT": {
        "somatic": {"stoch": 12.0, "sk": 0.015, "ca": 5e-4, "gamma": 5e-4, "decay": 300.0},
        "basal": _SOME,
    },
    "bSTUT": {
        "somatic": {"stoch": 12.0, "sk": 0.04, "ca": 1e-3, "gamma": 3e-4, "decay": 400.0},
        "basal": _SOME,
    },
    "dSTUT": {"somatic": {"stoch": 10.0, "sk": 0.01, "ca": 5e-4, "kd": 3e-3}, "basal": _SOME},
    "cIR": {"somatic": {"stoch": 5.0, "sk": 0.03, "ca": 1e-3, "decay": 150.0}, "basal": _SOME},
    "bIR": {
        "somatic": {"stoch": 5.0, "sk": 0.04, "ca": 1e-3, "gamma": 3e-4, "decay": 300.0},
        "basal": _SOME,
    },
}


def densities(model: names.Model | str) -> tuple[Density, ...]:
    """Return the channel densities of a model: those of its e-type."""
    model = names.parse_model(model)
    common = _PYRAMIDAL if model.etype == "cADpyr" else _INTERNEURON
    changes = _CHANGES.get(model.etype, {})
    rows = []
    for section_list in SECTION_LISTS:
        # interneurons have no apical dendrite; the portal's files write one out all the same
        like = section_list if section_list in common else "basal"
        values = common[like] | changes.get(like, {})
        rows += [
            Density(section_list, _SHORT[short], value, short == "ih" and section_list == "apical")
            for short, value in values.items()
            if value
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
