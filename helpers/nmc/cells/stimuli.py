"""Stimuli: what is put on a cell, as objects that are checked when they are made.

Each one goes to the worker as plain data (`Stimulus.plain`) and is the same object again there.
Times count from the start of the run; nothing flows outside a stimulus's own time.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from numbers import Real
from typing import Any, NoReturn

import numpy as np

from nmc.errors import ProtocolError, explained
from nmc.numbers import as_count, as_counts, as_number, as_numbers, shown

#: Field of a stimulus, or setting of a run → what it is, its lowest and highest value.
with (files("nmc.cells") / "bounds.csv").open(encoding="utf-8") as _rows:
    BOUNDS = {name: (kind, float(low), float(high)) for name, kind, low, high in csv.reader(_rows)}
SOMA = "soma[0](0.5)"
_PLACE = re.compile(r"(soma|dend|apic|axon)(?:\[(\d{1,9})\])?\((\d*\.?\d+)\)")
#: A shape that a formula gives is sampled so often, and linear in between.
_EVERY_MS = 0.025


def read_place(place: Any) -> tuple[str, float] | None:
    """Section and position of a place: ``"dend[12]", 0.5`` for ``dend[12](0.5)``, else None."""
    found = _PLACE.fullmatch(place) if isinstance(place, str) else None
    if not found or float(found[3]) > 1:
        return None
    return f"{found[1]}[{int(found[2] or 0)}]", float(found[3])


def check_bounds(name: str, value: Any, where: str) -> Any:
    """Return a number, or a list of them, of the kind and within the bounds that a name stands for.

    A ProtocolError, which begins with `where`, says what is wrong.
    """
    kind, low, high = BOUNDS[name]
    if kind in ("number", "whole"):
        if isinstance(value, str | bytes):
            raise ProtocolError(f"{where}: {value!r} is text; give a number.")
        if kind == "number":
            return as_number(value, where=where, low=low, high=high, error=ProtocolError)
        return as_count(value, where=where, low=int(low), high=int(high), error=ProtocolError)
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise ProtocolError(f"{where}: {shown(value)} is no list of numbers.")
    values = value.tolist() if isinstance(value, np.ndarray) else list(value)
    if not values:
        raise ProtocolError(f"{where}: the list is empty; give at least one value.")
    if kind == "wholes":
        bounds = {"low": int(low), "high": int(high)}
        return tuple(as_counts(values, where=where, **bounds, error=ProtocolError).tolist())
    found = as_numbers(values, where=where, low=low, high=high, error=ProtocolError)
    if kind == "ascending" and (np.diff(found) < 0).any():
        raise ProtocolError(f"{where}: times must ascend.")
    return tuple(found.tolist())


@dataclass(frozen=True)
class Stimulus:
    """What all stimuli share: ``at``, a place such as ``"dend[3](0.5)"``, by default the soma."""

    at: str = field(default=SOMA, kw_only=True)

    def __post_init__(self) -> None:
        """Check every field."""
        if read_place(self.at) is None:
            self._refuse(f"at: {self.at!r} is not a place; write it as 'dend[12](0.5)'")
        for name in BOUNDS.keys() & vars(self).keys():
            self._set(
                name, check_bounds(name, getattr(self, name), f"{type(self).__name__}, {name}")
            )

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _refuse(self, why: str) -> NoReturn:
        raise ProtocolError(f"{type(self).__name__}, {why}.")

    @property
    def start_ms(self) -> float:
        """When it begins."""
        first, *_ = getattr(self, "times_ms", [0.0])
        return getattr(self, "delay_ms", first)

    @property
    def end_ms(self) -> float:
        """When it has ended."""
        return self.start_ms + getattr(self, "duration_ms", 0.0)

    def plain(self) -> dict:
        """Return it as data that JSON holds."""
        return {"kind": type(self).__name__, **vars(self)}


@explained
class Current(Stimulus):
    """A stimulus that injects a current known beforehand."""

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """Times (ms) and currents (nA) between which it is linear."""
        raise NotImplementedError

    def current_nA(self, t_ms: np.ndarray) -> np.ndarray:
        """Return the current at some times, nA."""
        t_ms = np.asarray(t_ms, float)
        on = (t_ms >= self.start_ms) & (t_ms < self.end_ms)
        return np.where(on, np.interp(t_ms, *self.points()), 0.0)


@dataclass(frozen=True)
class Ramp(Current):
    """A current that goes in a straight line from ``start_nA`` to ``end_nA``."""

    delay_ms: float
    duration_ms: float
    start_nA: float
    end_nA: float

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """Begin and end."""
        return np.array([self.start_ms, self.end_ms]), np.array([self.start_nA, self.end_nA])


@dataclass(frozen=True)
class Step(Current):
    """A constant current.

    Examples
    --------
    >>> Step(700, 2000, 0.3).current_nA(np.array([699.0, 700.0, 2700.0])).tolist()
    [0.0, 0.3, 0.0]
    """

    delay_ms: float
    duration_ms: float
    amplitude_nA: float

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """Begin and end."""
        return np.array([self.start_ms, self.end_ms]), np.full(2, self.amplitude_nA)


@dataclass(frozen=True)
class Waveform(Current):
    """Any current ``i_nA`` at ascending times ``t_ms``, zero before the first and after the last.

    Two equal times make a jump.
    """

    t_ms: Sequence[float] = field(repr=False)
    i_nA: Sequence[float] = field(repr=False)

    def __post_init__(self) -> None:
        """Check lengths, too; see `Stimulus`."""
        super().__post_init__()
        t, i = len(self.t_ms), len(self.i_nA)
        if t != i or t < 2:
            self._refuse(f"t_ms and i_nA need one length, of 2 or more; got {t} and {i}")

    @property
    def start_ms(self) -> float:
        """When it begins."""
        return self.t_ms[0]

    @property
    def end_ms(self) -> float:
        """When it has ended."""
        return self.t_ms[-1]

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """Those that were given."""
        return np.array(self.t_ms), np.array(self.i_nA)


class _Formula(Current):
    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """Values of the formula every 0.025 ms."""
        t = _grid(self)
        return self.start_ms + t, self._values(t)

    def _values(self, t_ms: np.ndarray) -> np.ndarray:
        raise NotImplementedError


@dataclass(frozen=True)
class Sine(_Formula):
    """``offset_nA`` and, around it, a sine of ``amplitude_nA``."""

    delay_ms: float
    duration_ms: float
    amplitude_nA: float
    frequency_Hz: float
    offset_nA: float = 0.0

    def _values(self, t_ms: np.ndarray) -> np.ndarray:
        return self.offset_nA + self.amplitude_nA * np.sin(2e-3 * np.pi * self.frequency_Hz * t_ms)


@dataclass(frozen=True)
class Chirp(_Formula):
    """A sine whose frequency goes in a straight line from ``f_start_Hz`` to ``f_end_Hz``."""

    delay_ms: float
    duration_ms: float
    amplitude_nA: float
    f_end_Hz: float
    f_start_Hz: float = 0.0

    def _values(self, t_ms: np.ndarray) -> np.ndarray:
        t, length = t_ms / 1000, self.duration_ms / 1000 or 1.0
        turns = self.f_start_Hz * t + (self.f_end_Hz - self.f_start_Hz) * t**2 / (2 * length)
        return self.amplitude_nA * np.sin(2 * np.pi * turns)


@dataclass(frozen=True)
class OUCurrent(_Formula):
    """A noise current: an Ornstein–Uhlenbeck process (Uhlenbeck and Ornstein 1930).

    Normally distributed at each time, with ``mean_nA`` and ``sd_nA``; correlated over ``tau_ms``.
    The same seed is the same, "frozen", current.
    """

    delay_ms: float
    duration_ms: float
    mean_nA: float
    sd_nA: float
    tau_ms: float = 3.0
    seed: int = 1

    def _values(self, t_ms: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng(self.seed)
        return self.mean_nA + self.sd_nA * _ornstein_uhlenbeck(len(t_ms), self.tau_ms, rng)


@dataclass(frozen=True)
class OUConductance(Stimulus):
    """A fluctuating synaptic conductance, as many synapses far away make it together.

    An Ornstein–Uhlenbeck process that is cut off below zero, in series with its reversal
    potential (the point-conductance model of Destexhe et al. 2001, Neuroscience 107:13-24).
    Excitation and inhibition are two of them; `background_conductances` gives both with that
    paper's numbers.  The current depends on the cell's voltage, as under dynamic clamp.
    """

    delay_ms: float
    duration_ms: float
    mean_nS: float
    sd_nS: float
    tau_ms: float
    reversal_mV: float
    seed: int = 1

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """Times (ms) and conductances (nS) between which it is linear."""
        rng, t = np.random.default_rng(self.seed), _grid(self)
        noise = _ornstein_uhlenbeck(len(t), self.tau_ms, rng)
        return self.start_ms + t, np.maximum(self.mean_nS + self.sd_nS * noise, 0.0)


def background_conductances(
    delay_ms: float, duration_ms: float, *, scale: float = 1.0, seed: int = 1, at: str = SOMA
) -> list[OUConductance]:
    """Excitation and inhibition of a neocortical cell in an active network.

    Parameters
    ----------
    delay_ms, duration_ms : float
        When.
    scale : float
        Factor of all conductances; 1 is a large pyramidal cell, with the numbers of the authors'
        own mechanism (Gfluct, of Destexhe et al. 2001): a smaller cell has fewer synapses.
    seed : int
        Of the excitation; the inhibition takes the next.
    at : str
        Where.

    Returns
    -------
    list of OUConductance
    """
    scale = as_number(scale, where="scale", low=0, high=1e3, error=ProtocolError)
    return [
        OUConductance(delay_ms, duration_ms, 12.1 * scale, 3.0 * scale, 2.728, 0.0, seed, at=at),
        OUConductance(
            delay_ms, duration_ms, 57.3 * scale, 6.6 * scale, 10.49, -75.0, seed + 1, at=at
        ),
    ]


@dataclass(frozen=True)
class SpikeTrain(Stimulus):
    """Presynaptic spikes at ``times_ms``, each opening a double-exponential conductance.

    The defaults are those of an AMPA synapse; ``weight_nS`` is its peak.
    """

    times_ms: Sequence[float]
    weight_nS: float = 1.5
    rise_ms: float = 0.2
    decay_ms: float = 1.7
    reversal_mV: float = 0.0

    def __post_init__(self) -> None:
        """Check the time constants, too; see `Stimulus`."""
        super().__post_init__()
        if self.rise_ms >= self.decay_ms:
            self._refuse(f"rise_ms: {self.rise_ms:g} must be shorter than decay_ms")

    @property
    def end_ms(self) -> float:
        """When the last conductance has all but closed."""
        return self.times_ms[-1] + 10 * self.decay_ms


@dataclass(frozen=True)
class SynapseTrain(Stimulus):
    """Presynaptic spikes at ``times_ms`` in some of the package's own synapses.

    ``synapses`` are rows of `Package.synapses`; each keeps its place, kind, delay, short-term
    dynamics and random stream, and its weight times ``weight_scale``.  All others are silent.
    """

    times_ms: Sequence[float]
    synapses: Sequence[int]
    weight_scale: float = 1.0

    @property
    def end_ms(self) -> float:
        """When the last conductance has all but closed."""
        return self.times_ms[-1] + 200.0


@dataclass(frozen=True)
class VoltageClamp(Stimulus):
    """A voltage clamp from the start of the run on: ``levels_mV``, each for its ``durations_ms``.

    ``series_MOhm`` is the electrode's resistance: the smaller, the tighter the clamp.
    """

    levels_mV: Sequence[float]
    durations_ms: Sequence[float]
    series_MOhm: float = 0.01

    def __post_init__(self) -> None:
        """Check lengths, too; see `Stimulus`."""
        super().__post_init__()
        if len(self.levels_mV) != len(self.durations_ms):
            self._refuse("levels_mV and durations_ms need one length")

    @property
    def end_ms(self) -> float:
        """When it has ended."""
        return float(sum(self.durations_ms))

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """Times (ms) and levels (mV): each level has two points."""
        ends = np.cumsum(self.durations_ms)
        times = np.column_stack([ends - np.array(self.durations_ms), ends]).ravel()
        return times, np.repeat(self.levels_mV, 2)


_KINDS = {
    kind.__name__: kind
    for kind in (
        Step, Ramp, Sine, Chirp, OUCurrent, Waveform, OUConductance, SpikeTrain, SynapseTrain,
        VoltageClamp,
    )
}  # fmt: skip


def from_plain(plain: Mapping[str, Any]) -> Stimulus:
    """Make a stimulus from `Stimulus.plain`."""
    return _KINDS[plain["kind"]](**{name: v for name, v in plain.items() if name != "kind"})


def as_stimuli(given: Any, sampling_ms: float) -> list[Stimulus]:
    """Return stimuli as a list; an array is a current into the soma (nA) every `sampling_ms`."""
    if isinstance(given, Stimulus) or _are_numbers(given):
        given = [given]
    is_table = getattr(given, "ndim", 1) != 1  # of times and currents, say
    if isinstance(given, str | Mapping) or not hasattr(given, "__iter__") or is_table:
        raise ProtocolError(
            f"stimuli: {shown(given)} is no stimulus, array of nA, or list of those."
        )
    found = []
    for number, one in enumerate(given, 1):
        if not isinstance(one, Stimulus):
            if not _are_numbers(one):
                raise ProtocolError(
                    f"stimulus {number}: {one!r} is neither one of {', '.join(_KINDS)} nor an "
                    "array of currents, shape (n,), in nA."
                )
            one = Waveform((np.arange(len(one)) * sampling_ms).tolist(), one)
        found.append(one)
    return found


def _are_numbers(values: Any) -> bool:
    """Whether this is a list or array, shape (n,), of numbers."""
    if isinstance(values, list | tuple):
        return bool(values) and all(isinstance(v, Real) for v in values)
    array = np.asarray(values)
    return array.ndim == 1 and array.dtype.kind in "iuf"


def _grid(stimulus: Any) -> np.ndarray:
    """Times from the stimulus's start to its end, ms, which no run outlasts."""
    check_bounds("tstop_ms", max(stimulus.duration_ms, 1), f"{type(stimulus).__name__}, its end")
    return np.arange(round(stimulus.duration_ms / _EVERY_MS) + 1) * _EVERY_MS


def _ornstein_uhlenbeck(n: int, tau_ms: float, rng: np.random.Generator) -> np.ndarray:
    """Exact samples of the stationary process of mean 0 and variance 1, shape (n,)."""
    from scipy.signal import lfilter

    kept = np.exp(-_EVERY_MS / tau_ms)
    kicks = rng.standard_normal(n) * np.sqrt(1 - kept**2)
    kicks[0] /= np.sqrt(1 - kept**2)
    return lfilter([1.0], [1.0, -kept], kicks)
