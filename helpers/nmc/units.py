"""Units live in column names; here they become words for people.

A column's unit is its last part: ``v_mV``, ``t_ms``, ``input_resistance_MOhm``.  Nothing is
converted silently: `label` only writes the unit the way a reader expects it on an axis.
"""

from __future__ import annotations

#: Column suffix → the unit as printed.
UNITS = {
    "mV": "mV", "uV": "µV", "V": "V",
    "ms": "ms", "s": "s", "per_ms": "1/ms",
    "nA": "nA", "pA": "pA", "mA_per_cm2": "mA/cm²",
    "MOhm": "MΩ", "nS": "nS", "uS": "µS", "S_per_cm2": "S/cm²", "pS_per_um2": "pS/µm²",
    "um": "µm", "um2": "µm²", "um3": "µm³", "mm": "mm", "mm2": "mm²", "mm3": "mm³",
    "per_mm3": "1/mm³", "Hz": "Hz", "percent": "%", "degC": "°C", "bytes": "bytes", "MB": "MB",
    "mM": "mM", "uF_per_cm2": "µF/cm²", "Ohm_cm": "Ω·cm",
}  # fmt: skip

_CAPITALS = {"psp": "PSP", "epsp": "EPSP", "cv": "CV", "ap": "AP", "ahp": "AHP", "isi": "ISI"}
#: Columns whose parts would not say what they are.
_NAMES = {
    "n_neurons": "neurons",
    "n_neurons_listed": "neurons on the layer's own sheet",
    "n_mtypes": "m-types",
    "n_etypes": "e-types",
    "mtype": "m-type",
    "etype": "e-type",
    "metype": "me-type",
    "s_type": "s-type",
    "pre": "presynaptic",
    "post": "postsynaptic",
    "gsyn_mean_nS": "peak conductance of one synapse",
    "u_mean": "release probability U",
    "d_mean_ms": "recovery from depression D",
    "f_mean_ms": "recovery from facilitation F",
    "cv_psp_amplitude_mean": "CV of the PSP amplitude",
}


def unit_of(column: str) -> str:
    """Return the printed unit of a column name, or an empty string when it has none."""
    return UNITS.get(_suffix(column), "")


def name_of(column: str) -> str:
    """Return what a column holds, in words and without its unit: ``v_mV`` gives ``v``."""
    suffix = _suffix(column)
    return _NAMES.get(column) or _words(column.removesuffix(suffix).rstrip("_"))


def label(column: str) -> str:
    """Return a column name as an axis label: ``v_mV`` gives ``v (mV)``.

    Examples
    --------
    >>> label("input_resistance_MOhm")
    'input resistance (MΩ)'
    """
    name, unit = name_of(column), unit_of(column)
    return f"{name} ({unit})" if name and unit else name or unit


def _words(quantity: str) -> str:
    """``psp_amplitude_mean`` → ``mean PSP amplitude``."""
    words = [_CAPITALS.get(word, word) for word in quantity.split("_")]
    for kind, spoken in (("mean", "mean"), ("std", "SD of")):
        if kind in words[1:]:
            words.remove(kind)
            words.insert(0, spoken)
    return " ".join(words)


def _suffix(column: str) -> str:
    parts = column.split("_")
    for start in range(len(parts)):  # longest suffix first
        candidate = "_".join(parts[start:])
        if candidate in UNITS:
            return candidate
    return ""
