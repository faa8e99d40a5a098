"""The sample's channels in NeuroML2: the equations of its MOD files, in NeuroML's own rate laws.

What NeuroML has no law for is a component type of its own, as in public conversions.
"""

from __future__ import annotations

from dataclasses import dataclass

from tools.sample.cells.biophysics import EK, ENA
from tools.sample.cells.channels import E_H

#: From 21 to 34 °C with q10 = 2.3, as in the MOD files.
_QT = f'<q10Settings type="q10Fixed" fixedQ10="{2.3**1.3:.10g}"/>'
_HEAD = (
    '<neuroml xmlns="http://www.neuroml.org/schema/neuroml2" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xsi:schemaLocation="http://www.neuroml.org/schema/neuroml2 '
    'https://raw.github.com/NeuroML/NeuroML2/development/Schemas/NeuroML2/NeuroML_v2.3.xsd" '
    'id="{id}">\n'
)
NOTE = "Synthetic: invented for the sample of the package nmc, CC BY 4.0."


@dataclass(frozen=True)
class Channel:
    """A channel's file: ``erev`` is None for calcium, which reverses at Nernst's potential."""

    species: str
    erev: float | None
    gates: tuple[str, ...]
    types: tuple[str, ...] = ()
    scaling: str = ""


def _rate(tag: str, law: str, rate: float, scale: float, midpoint: float) -> str:
    unit = "per_ms" if law.endswith("Rate") else ""
    return (
        f'<{tag} type="HH{law}" rate="{rate:.10g}{unit}" scale="{scale:g}mV" '
        f'midpoint="{midpoint:g}mV"/>'
    )


def _steady(scale: float, midpoint: float) -> str:
    return _rate("steadyState", "SigmoidVariable", 1, scale, midpoint)


def _linear(a: float, k: float, midpoint: float) -> str:
    """Forward rate ``a * x/(1 - exp(-x/k))``, ``x = v - midpoint``."""
    return _rate("forwardRate", "ExpLinearRate", a * abs(k), k, midpoint)


def _back(a: float, k: float, midpoint: float) -> str:
    return _linear(a, k, midpoint).replace("forwardRate", "reverseRate")


def _gate(name: str, instances: int, kind: str, *parts: str) -> str:
    inner = "".join(f"            {part}\n" for part in parts)
    return (
        f'        <gate id="{name}" type="{kind}" instances="{instances}">\n{inner}        </gate>'
    )


def _course(name: str, *cases: tuple[str | None, str], needs: bool = False) -> str:
    """Component type of a time course: cases of condition and value in ms, in ``V`` (mV)."""
    rates = ("alpha", "beta") if needs else ()
    lines = [f'    <ComponentType name="{name}" extends="baseVoltageDepTime">']
    lines += ['        <Constant name="MS" dimension="time" value="1 ms"/>',
              '        <Constant name="MV" dimension="voltage" value="1 mV"/>']  # fmt: skip
    lines += [f'        <Requirement name="{r}" dimension="per_time"/>' for r in rates]
    lines += [
        "        <Dynamics>",
        '            <DerivedVariable name="V" dimension="none" value="v / MV"/>',
    ]
    if len(cases) == 1:
        lines.append(
            '            <DerivedVariable name="t" exposure="t" dimension="time" '
            f'value="({cases[0][1]}) * MS"/>'
        )
    else:
        lines.append(
            '            <ConditionalDerivedVariable name="t" exposure="t" dimension="time">'
        )
        for condition, value in cases:
            when = f'condition="{condition}" ' if condition else ""
            lines.append(f'                <Case {when}value="({value}) * MS"/>')
        lines.append("            </ConditionalDerivedVariable>")
    return "\n".join([*lines, "        </Dynamics>", "    </ComponentType>"])


def _own(name: str) -> str:
    return f'<timeCourse type="{name}"/>'


def _fixed(ms: float) -> str:
    return f'<timeCourse type="fixedTimeCourse" tau="{ms:g}ms"/>'


def _sodium(shift: float) -> tuple[str, str]:
    m, h = -38 + shift, -66 + shift
    rates = "gateHHrates"
    return (
        _gate("m", 3, rates, _QT, _linear(0.182, 6, m), _back(0.124, -6, m)),
        _gate("h", 1, rates, _QT, _linear(0.015, -6, h), _back(0.015, 6, h)),
    )


def _exponential(tag: str, rate: float, scale: float, midpoint: float) -> str:
    return _rate(tag, "ExpRate", rate, scale, midpoint)


_HVA = (
    _gate("m", 2, "gateHHrates", _linear(0.055, 3.8, -27),
          _exponential("reverseRate", 0.94, -17, -75)),
    _gate("h", 1, "gateHHrates", _exponential("forwardRate", 0.000457, -50, -13),
          _rate("reverseRate", "SigmoidRate", 0.0065, 28, -15)),
)  # fmt: skip
_SK_TYPE = """    <ComponentType name="SK_E2_z_inf" extends="baseVoltageConcDepVariable">
        <Constant name="MOLAR" dimension="concentration" value="1 mM"/>
        <Dynamics>
            <DerivedVariable name="c" dimension="none" value="caConc / MOLAR"/>
            <DerivedVariable name="x" exposure="x" dimension="none" value="1/(1+(0.00043/c)^4.8)"/>
        </Dynamics>
    </ComponentType>"""
_Q23 = 'q10Factor="2.3" experimentalTemp="23degC"'

#: NeuroML name → channel.
CHANNELS = {
    "NaTa_t": Channel("na", ENA, _sodium(0)),
    "NaTs2_t": Channel("na", ENA, _sodium(6)),
    "Nap_Et2": Channel("na", ENA, (
        _gate("m", 3, "gateHHratesTauInf", _QT, _linear(0.182, 6, -38), _back(0.124, -6, -38),
              _own("Nap_Et2_m_tau"), _steady(4.6, -52.6)),
        _gate("h", 1, "gateHHratesInf", _QT, _linear(2.88e-6, -4.63, -17),
              _back(6.94e-6, 2.63, -64.4), _steady(-10, -48.8)),
    ), (_course("Nap_Et2_m_tau", (None, "6/((alpha + beta)*MS)"), needs=True),)),
    "SKv3_1": Channel("k", EK, (
        _gate("m", 1, "gateHHtauInf", _own("SKv3_1_m_tau"), _steady(9.7, 18.7)),
    ), (_course("SKv3_1_m_tau", (None, "4/(1 + exp(-(V + 46.56)/44.14))")),)),
    "K_Tst": Channel("k", EK, (
        _gate("m", 4, "gateHHtauInf", _QT, _own("K_Tst_m_tau"), _steady(19, -10)),
        _gate("h", 1, "gateHHtauInf", _QT, _own("K_Tst_h_tau"), _steady(-10, -76)),
    ), (_course("K_Tst_m_tau", (None, "0.34 + 0.92*exp(-1*((V + 81)/59)^2)")),
        _course("K_Tst_h_tau", (None, "8 + 49*exp(-1*((V + 83)/23)^2)")))),
    "K_Pst": Channel("k", EK, (
        _gate("m", 2, "gateHHtauInf", _QT, _own("K_Pst_m_tau"), _steady(12, -11)),
        _gate("h", 1, "gateHHtauInf", _QT, _own("K_Pst_h_tau"), _steady(-11, -64)),
    ), (_course("K_Pst_m_tau", ("V .lt. (-60)", "1.25 + 175.03*exp(0.026*(V + 10))"),
                (None, "1.25 + 13*exp(-0.026*(V + 10))")),
        _course("K_Pst_h_tau",
                (None, "360 + (1010 + 24*(V + 65))*exp(-1*((V + 85)/48)^2)")))),
    "Im": Channel("k", EK, (
        _gate("m", 1, "gateHHrates", _QT, _exponential("forwardRate", 3.3e-3, 10, -35),
              _exponential("reverseRate", 3.3e-3, -10, -35)),
    )),
    "Ih": Channel("hcn", E_H, (
        _gate("m", 1, "gateHHrates", _linear(0.00643, -11.9, -154.9),
              _exponential("reverseRate", 0.193, 33.1, 0)),
    )),
    "Ca": Channel("ca", None, _HVA),
    "Ca_HVA": Channel("ca", None, _HVA),
    "Ca_LVAst": Channel("ca", None, (
        _gate("m", 2, "gateHHtauInf", _QT, _own("Ca_LVAst_m_tau"), _steady(6, -40)),
        _gate("h", 1, "gateHHtauInf", _QT, _own("Ca_LVAst_h_tau"), _steady(-6.4, -90)),
    ), (_course("Ca_LVAst_m_tau", (None, "5 + 20/(1 + exp((V + 35)/5))")),
        _course("Ca_LVAst_h_tau", (None, "20 + 50/(1 + exp((V + 50)/7))")))),
    "SK_E2": Channel("k", EK, (
        _gate("z", 1, "gateHHtauInf", _fixed(1), '<steadyState type="SK_E2_z_inf"/>'),
    ), (_SK_TYPE,)),
    "KdShu2007": Channel("k", EK, (
        _gate("m", 1, "gateHHtauInf", _fixed(0.6), _steady(8, -43)),
        _gate("h", 1, "gateHHtauInf",
              '<q10Settings type="q10ExpTemp" q10Factor="2.3" experimentalTemp="22degC"/>',
              _fixed(1500), _steady(-7.3, -67)),
    )),
    "StochKv_deterministic": Channel("k", EK, (
        _gate("n", 1, "gateHHrates", f'<q10Settings type="q10ExpTemp" {_Q23}/>',
              _linear(5e-4, 3, -45), _back(5e-4, -3, -45)),
    ), scaling=f"        <q10ConductanceScaling {_Q23}/>\n"),
}  # fmt: skip


def document(name: str, body: str) -> str:
    """Return a NeuroML2 file around its content."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{_HEAD.format(id=name)}{body}</neuroml>\n'


def channel_file(name: str) -> str:
    """Text of a channel's file, ``NAME.channel.nml``; ``pas`` too."""
    if name == "pas":
        inside = '    <ionChannel id="pas" conductance="10pS" type="ionChannelPassive"/>\n'
        return document(name, f"    <notes>{NOTE}</notes>\n{inside}")
    channel = CHANNELS[name]
    gates = "\n".join(channel.gates)
    body = (
        f"    <notes>{NOTE}</notes>\n"
        f'    <ionChannel id="{name}" conductance="10pS" type="ionChannelHH" '
        f'species="{channel.species}">\n{channel.scaling}{gates}\n    </ionChannel>\n'
    )
    return document(name, body + "".join(f"{t}\n" for t in channel.types))
