"""Settings of a simulation, checked before NEURON starts, and how a run is integrated.

One table says which numbers a setting may have; every ``simulate_*`` call and `nmc.sweep` look
their arguments up in it.

The mode ``published`` is what the packages' own scripts do: a fixed step of 0.025 ms, first order
(implicit Euler).  ``converged`` takes NEURON's variable step (CVODE, backward differentiation
formulas; Cohen and Hindmarsh 1996, Computers in Physics 10:138) on mechanisms whose rates are
tabulated.  Between spikes CVODE's step is limited not by accuracy but by the poor stability of
high orders on these stiff cells, so the order is capped.  `benchmarks/cells.py` measures the
spike-time error of the rule against a tight run and the cost against the package's own step.
Channels that draw random numbers every step have no meaning under a variable step; such models
keep the fixed one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from nmc.cells.package import Package
from nmc.errors import ProtocolError, UnknownNameError
from nmc.numbers import as_count, as_number

#: Setting → lowest and highest value.
RANGES: Mapping[str, tuple[float, float]] = {
    "amplitude_nA": (-1000.0, 1000.0),
    "hold_nA": (-1000.0, 1000.0),
    "v_init_mV": (-200.0, 200.0),
    "threshold_mV": (-200.0, 200.0),
    "tstop_ms": (0.1, 1e7),
    "duration_ms": (0.1, 1e7),
    "weight_nS": (0.0, 1e4),
    "f_max_Hz": (1.0, 4000.0),  # a trace has a sample every 0.1 ms
    "rate_Hz": (0.0, 1e4),
    "timeout_s": (0.0, 1e9),
}
#: Setting that is a whole number → lowest and highest value.
COUNTS: Mapping[str, tuple[int, int]] = {
    "step": (1, 3),
    "seed": (0, 2**32 - 1),
    "n_places": (1, 100_000),
    "n_workers": (1, 10_000),
}
#: Columns that every trace has, and names that a recording is stored beside.
_TAKEN = ("t_ms", "v_mV", "i_nA", "spikes_ms", "_meta")
_TARGET = re.compile(r"\w+(?:\[\d+\])?\([0-9.]+\)\.\w+")
#: Kind of stimulus → its fields besides the place, with their ranges; None: a list of numbers.
_TIME, _CURRENT = (0.0, 1e9), RANGES["amplitude_nA"]
_STIMULI: Mapping[str, Mapping[str, tuple[float, float] | None]] = {
    "step": {"delay_ms": _TIME, "duration_ms": _TIME, "amplitude_nA": _CURRENT},
    "waveform": {"t_ms": None, "i_nA": None},
    "epsp": {"onset_ms": _TIME, "rise_ms": (1e-3, 1e6), "decay_ms": (1e-3, 1e6),
             "weight_uS": (0.0, 10.0), "reversal_mV": (-200.0, 200.0)},
}  # fmt: skip


def check_settings(**given) -> dict[str, float]:
    """Return settings as numbers within their ranges; None stays None.

    Raises
    ------
    ProtocolError
        A value is no number, not finite, or out of its range; names setting, value and range.
    """
    return {name: check_setting(name, value) for name, value in given.items()}


def check_setting(name: str, value, *, where: str = ""):
    """Return one setting as a number within its range; see `check_settings`."""
    where = where or name
    if value is None:
        return None
    if isinstance(value, str | bytes):
        raise ProtocolError(f"{where}: {value!r} is text; give a number.")
    if name in COUNTS:
        low, high = COUNTS[name]
        return as_count(value, where=where, low=low, high=high, error=ProtocolError)
    low, high = RANGES[name]
    return as_number(value, where=where, low=low, high=high, error=ProtocolError)


def check_numbers(name: str, values: Iterable) -> list[float]:
    """Return a list of values of one setting, each checked; an empty list is refused.

    Raises
    ------
    ProtocolError
        See `check_settings`.
    """
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise ProtocolError(f"{name}: {values!r} is no list of numbers.")
    found = [check_setting(name, v, where=f"{name}, value {i}") for i, v in enumerate(values, 1)]
    if not found or None in found:
        raise ProtocolError(f"{name}: the list is empty; give at least one value.")
    return found


def check_record(record: Mapping[str, str] | None) -> dict[str, str]:
    """Return what is to be recorded, name → place and variable.

    Raises
    ------
    ProtocolError
        A name that the trace has already, or a place that is not written as ``dend[3](0.5).v``.
    """
    if record is not None and not isinstance(record, Mapping):
        raise ProtocolError(
            f"record: {record!r} does not say names; write it as {{'dend_mV': 'dend[3](0.5).v'}}."
        )
    for name, target in (record or {}).items():
        if not isinstance(name, str) or not name or name in _TAKEN:
            raise ProtocolError(
                f"record: a column cannot be called {name!r}, which the trace has already; "
                "choose another name."
            )
        if not isinstance(target, str) or not _TARGET.fullmatch(target):
            raise ProtocolError(
                f"record: {name!r} is to be {target!r}; write place and variable as "
                "'dend[12](0.5).v'."
            )
    return dict(record or {})


def check_stimuli(stimuli: Sequence[Mapping]) -> list[dict]:
    """Return stimuli as plain data, each of its fields checked.

    Raises
    ------
    ProtocolError
        An unknown kind, a field that is missing, no number or out of range, or a waveform whose
        times and values do not match; names the stimulus by its number in the list.
    """
    if isinstance(stimuli, Mapping | str) or not isinstance(stimuli, Iterable):
        raise ProtocolError(f"stimuli: {stimuli!r} is no list of stimuli.")
    return [_stimulus(s, f"stimulus {i}") for i, s in enumerate(stimuli, 1)]


def _stimulus(stimulus: Mapping, where: str) -> dict:
    kind = stimulus.get("kind") if isinstance(stimulus, Mapping) else stimulus
    if kind not in _STIMULI:
        raise ProtocolError(f"{where}: the kind is one of {', '.join(_STIMULI)}, not {kind!r}.")
    fields = _STIMULI[kind]
    missing = [name for name in ("at", *fields) if name not in stimulus]
    if missing:
        raise ProtocolError(f"{where} ({kind}) lacks {', '.join(missing)}.")
    found = {"kind": kind, "at": str(stimulus["at"])}
    if kind == "waveform":
        return found | _waveform(stimulus, where)
    for name, (low, high) in fields.items():
        if isinstance(stimulus[name], str | bytes):
            raise ProtocolError(f"{where}, {name}: {stimulus[name]!r} is text; give a number.")
        found[name] = as_number(
            stimulus[name], where=f"{where}, {name}", low=low, high=high, error=ProtocolError
        )
    return found


def _waveform(stimulus: Mapping, where: str) -> dict[str, list[float]]:
    try:
        t, i = (np.asarray(stimulus[name], float) for name in ("t_ms", "i_nA"))
    except (TypeError, ValueError):
        raise ProtocolError(f"{where}: t_ms and i_nA are lists of numbers.") from None
    if t.ndim != 1 or t.shape != i.shape or len(t) < 2:
        raise ProtocolError(
            f"{where}: t_ms and i_nA need one length, of two or more; got {t.shape} and {i.shape}."
        )
    if not (np.isfinite(t).all() and np.isfinite(i).all()):
        raise ProtocolError(f"{where}: a time or a current is not a finite number.")
    if (np.diff(t) < 0).any() or t[0] < 0 or np.abs(i).max() > _CURRENT[1]:
        raise ProtocolError(
            f"{where}: times must ascend from 0 or later, and currents lie within "
            f"±{_CURRENT[1]:g} nA."
        )
    return {"t_ms": t.tolist(), "i_nA": i.tolist()}


MODES = ("published", "converged")

#: Large cells that spike rarely: a looser tolerance, and the order where CVODE is most stable.
_PYRAMIDAL = {"atol": 3e-4, "max_order": 3}
#: Small cells that spike often: each spike's error adds up, so a tighter one.
_INTERNEURON = {"atol": 1e-4, "max_order": 4}
#: For references: the exact mechanisms, a tight tolerance, all orders.
TIGHT = {"atol": 1e-7, "max_order": 5}


def choose(package: Package, mode: str) -> tuple[dict, str, str]:
    """Return the integration of a mode, the mechanisms' variant, and a line that says both.

    Raises
    ------
    UnknownNameError
        There is no such mode.
    """
    if mode not in MODES:
        raise UnknownNameError.of("mode", mode, MODES)
    fixed = {"dt_ms": package.dt_ms, "order": 1}
    said = f"fixed step {package.dt_ms:g} ms, first order"
    if mode == "published":
        return fixed, "exact", said
    if package.stochastic:
        why = f"{', '.join(package.stochastic)} draws random numbers every step"
        return fixed, "exact", f"{said} ({why})"
    how = _PYRAMIDAL if package.etype == "cADpyr" else _INTERNEURON
    said = f"variable step, tolerance {how['atol']:g}, order up to {how['max_order']}"
    return how, "tabulated", f"{said}, tabulated rates"
