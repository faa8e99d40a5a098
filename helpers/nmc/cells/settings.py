"""Settings of a run and of its synapses: named, documented, checked once, before NEURON starts.

`RunSettings` is what every ``simulate_*`` call of a cell takes; `protocol` lets a call
check them and its own arguments, and keeps its table; `nmc.sweep` and the command line ask
`check_arguments`.

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

import logging
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from inspect import Parameter, signature
from typing import Any, ParamSpec, TypedDict, Unpack

import numpy as np
import pandas as pd

from nmc import child, names
from nmc.cells.mechanisms import make_once
from nmc.cells.package import Package, as_package
from nmc.cells.stimuli import BOUNDS, as_stimuli, check_bounds, read_place
from nmc.errors import ProtocolError, UnknownNameError
from nmc.numbers import as_numbers

P = ParamSpec("P")
_log = logging.getLogger(__name__)


class RunSettings(TypedDict, total=False):
    """Settings of every ``simulate_*`` call of a cell, by name.

    Parameters
    ----------
    mode : {"published", "converged"}
        The package's own integration, or one that is accurate.
    dt_ms : float
        Another fixed step than the package's.
    v_init_mV : float
        Start voltage; −65 mV unless the call says otherwise, as NEURON leaves it.
    settle : bool
        Let the cell first rest for ten steps of a second, as the packages' rest protocol does.
    record : mapping of str to str
        More columns: name → place and variable, e.g. ``{"dend_mV": "dend[3](0.5).v"}``.
    sampling_ms : float
        Interval of the returned table, 0.1 ms by default.
    window_ms : (float, float)
        The part of the run that is returned; all of it by default.
    threshold_mV : float
        Soma voltage whose upward crossings count as spikes; −20 mV by default.
    celsius : float
        Another temperature than the package's 34 °C; a warning says what follows it.
    channel_seed : int
        Seed of the random channels of the models that have some; the cell's number by default.
    trust : bool
        Run the code of a package that is not known, see `nmc.load_package`.
    timeout_s : float
        Limit of wall time.
    progress : bool
        Show a progress bar for runs that take longer than a second.
    """

    mode: str
    dt_ms: float | None
    v_init_mV: float
    settle: bool
    record: Mapping[str, str] | None
    sampling_ms: float
    window_ms: tuple[float, float] | None
    threshold_mV: float
    celsius: float | None
    channel_seed: int | None
    trust: bool
    timeout_s: float
    progress: bool


MODES = ("published", "converged")
#: Samples of a returned trace; the packages' scripts keep one every 0.1 ms.
SAMPLING_MS = 0.1
#: A spike is an upward crossing of this soma voltage, eFEL's own default.
THRESHOLD_MV = -20.0
DEFAULTS: RunSettings = {
    "mode": "published", "dt_ms": None, "v_init_mV": -65.0, "settle": False, "record": None,
    "sampling_ms": SAMPLING_MS, "window_ms": None, "threshold_mV": THRESHOLD_MV, "celsius": None,
    "channel_seed": None, "trust": False, "timeout_s": child.TIMEOUT_S, "progress": True,
}  # fmt: skip

_YES_OR_NO = ("settle", "trust", "progress")
#: Columns that every trace has, and names that a recording is stored beside.
_TAKEN = ("t_ms", "v_mV", "i_nA", "spikes_ms", "clamps_nA", "_meta")


def check_setting(name: str, value: Any, *, where: str = "") -> Any:
    """Return one setting, checked; None, which stands for the default, and other names as given."""
    if value is None and not where:
        return None
    where = where or name
    if name in BOUNDS:
        value = check_bounds(name, value, where)
    if name in _YES_OR_NO and not isinstance(value, bool):
        raise ProtocolError(f"{where}: {value!r} is neither True nor False.")
    if name == "mode":
        UnknownNameError.check("mode", [value], MODES)
    if name == "window_ms" and (len(value) != 2 or value[0] >= value[1]):
        raise ProtocolError(f"window_ms: {value!r} is not (from, to), the first one smaller.")
    if name == "amplitudes_nA":
        return sorted(value)
    return check_record(value) if name == "record" else value


def check_record(record: Mapping[str, str]) -> dict[str, str]:
    """Return what is to be recorded, name → place and variable."""
    if not isinstance(record, Mapping):
        raise ProtocolError(
            f"record: {record!r} does not say names; write it as {{'dend_mV': 'dend[3](0.5).v'}}."
        )
    for name, target in record.items():
        if not isinstance(name, str) or not name or name in _TAKEN:
            raise ProtocolError(
                f"record: a column cannot be called {name!r}, which the trace has already; "
                "choose another name."
            )
        place, _, variable = str(target).rpartition(".")
        if read_place(place) is None or not variable.isidentifier():
            raise ProtocolError(
                f"record: {name!r} is to be {target!r}; write place and variable as "
                "'dend[12](0.5).v'."
            )
    return dict(record)


def refuse_settings(protocol: str, settings: Mapping[str, Any], *names: str) -> None:
    """Refuse settings that a protocol chooses itself."""
    for name in names:
        if settings.get(name) is not None:
            raise ProtocolError(f"{name}: the protocol {protocol} chooses it itself; leave it out.")


def usable_settings(call: Callable) -> list[str]:
    """Names of the settings that a ``simulate_*`` call takes: its own, then `RunSettings`."""
    own = [p.name for p in signature(call).parameters.values() if p.kind != Parameter.VAR_KEYWORD]
    return [*own[1:], *RunSettings.__annotations__]


def check_arguments(call: Callable, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a ``simulate_*`` call is given by name, each value checked."""
    UnknownNameError.check(f"setting of {call.__name__}", given, usable_settings(call))
    return {name: check_setting(name, value) for name, value in given.items()}


#: What changes nothing of a result.
_ASIDE = ("n_workers", "timeout_s", "progress")


def protocol(call: Callable[P, pd.DataFrame]) -> Callable[P, pd.DataFrame]:
    """Let a ``simulate_*`` call have its model loaded, its settings checked and its table kept."""
    own = signature(call)

    @wraps(call)
    def checked(*args: P.args, **kwargs: P.kwargs) -> pd.DataFrame:
        given = dict(own.bind(*args, **kwargs).arguments)
        model = given.pop(next(iter(own.parameters)))
        given |= given.pop("settings", {})
        found = check_arguments(call, given)
        if "stimuli" in found:
            found["stimuli"] = as_stimuli(found["stimuli"], found.get("sampling_ms") or SAMPLING_MS)
        package = as_package(model, trust=found.pop("trust", None) or False)
        if found.get("celsius") not in (None, package.celsius):
            _log.warning(
                "%s at %g °C: most of these channels have the rates of 34 °C written into them; "
                "only reversal potentials and channels that ask for the temperature follow it.",
                package.name, found["celsius"],
            )  # fmt: skip
        asked = {name: value for name, value in found.items() if name not in _ASIDE}
        params = {"cell": package.to_spec(), "source": package.source, "asked": asked}

        def make() -> tuple[dict, dict[str, np.ndarray]]:
            table = call(package, **found)  # type: ignore[arg-type]
            return table.attrs, {name: _as_array(column) for name, column in table.items()}

        attrs, columns = make_once(f"{call.__module__}:{call.__name__}", params, make)
        table = pd.DataFrame(columns)
        table.attrs = attrs
        return table

    return checked


def _as_array(column: pd.Series) -> np.ndarray:
    return column.to_numpy(None if column.dtype.kind in "biuf" else str)


#: Large cells that spike rarely: a looser tolerance, and the order where CVODE is most stable.
_PYRAMIDAL = {"atol": 3e-4, "max_order": 3}
#: Small cells that spike often: each spike's error adds up, so a tighter one.
_INTERNEURON = {"atol": 1e-4, "max_order": 4}
#: For references: the exact mechanisms, a tight tolerance, all orders.
TIGHT = {"atol": 1e-7, "max_order": 5}


def choose(
    package: Package, mode: str, dt_ms: float | None = None, *, synapses: bool = False
) -> tuple[dict, str, str]:
    """Return the integration of a mode, the mechanisms' variant, and a line that says both."""
    check_setting("mode", mode)
    dt_ms = dt_ms or package.dt_ms
    fixed = {"dt_ms": dt_ms, "order": 1}
    said = f"fixed step {dt_ms:g} ms, first order"
    if mode == "published":
        return fixed, "exact", said
    if package.stochastic:
        why = f"{', '.join(package.stochastic)} draws random numbers every step"
        return fixed, "exact", f"{said} ({why})"
    if synapses or dt_ms != package.dt_ms:
        why = "these synapses need a fixed step" if synapses else "a fixed step is given by dt_ms"
        raise ProtocolError(f"mode: 'converged' steps as it likes, but {why}; use 'published'.")
    how = _PYRAMIDAL if package.etype == "cADpyr" else _INTERNEURON
    said = f"variable step, tolerance {how['atol']:g}, order up to {how['max_order']}"
    return how, "tabulated", f"{said}, tabulated rates"


#: Where U was measured.
MEASURED_mM = 2.0
#: Class → the K whose factors are averaged, mM.
CLASSES = {"steep": (2.79,), "intermediate": (2.79, 1.09), "shallow": (1.09,)}
_KINDS = {"MC": "steep", "BTC": "steep", "DBC": "steep", "BP": "steep", "LBC": "shallow",
          "NBC": "shallow", "SBC": "shallow", "ChC": "shallow"}  # fmt: skip


class SynapseSettings(TypedDict, total=False):
    """What every call that uses a package's synapses takes, by name.

    Parameters
    ----------
    calcium_mM : float
        Calcium outside; 2.0, at which U was measured, unless given.
    release_scale, weight_scale : float
        Factors on the utilisation U, which never exceeds 1, and on the conductances; 1.
    mg_mM : float
        Magnesium outside, which blocks NMDA receptors; as the package sets it unless given.
    """

    calcium_mM: float
    release_scale: float
    weight_scale: float
    mg_mM: float | None


USUAL: SynapseSettings = {
    "calcium_mM": MEASURED_mM, "release_scale": 1.0, "weight_scale": 1.0, "mg_mM": None,
}  # fmt: skip


def calcium_class(pre_mtype: str, post_mtype: str) -> str:
    """Say how release between two m-types depends on calcium: steep, intermediate or shallow."""
    ends = [names.canonical_mtype(mtype) for mtype in (pre_mtype, post_mtype)]
    inhibitory = [mtype for mtype in ends if not names.is_excitatory(mtype)]
    if not inhibitory:
        return "steep"
    if len(inhibitory) == 2:
        return "intermediate"
    return _KINDS.get(inhibitory[0].partition("_")[2], "intermediate")


def compute_release_factor(pre_mtype: str, post_mtype: str, calcium_mM):
    """Say by which factor calcium outside changes the utilisation U of a connection.

    Parameters
    ----------
    pre_mtype, post_mtype : str
        The connection's two ends, which decide how steeply.
    calcium_mM : float or array, shape S
        From 0.01 to 10.

    Returns
    -------
    float array, shape S
        1 at 2 mM.

    Raises
    ------
    UnknownNameError, ProtocolError
        No such m-type; a concentration that cannot be.

    Examples
    --------
    >>> round(float(nmc.compute_release_factor("L5_TTPC1", "L5_TTPC1", 1.2)), 3)
    0.158
    """
    given, (_, low, high) = np.asarray(calcium_mM), BOUNDS["calcium_mM"]
    values = as_numbers(given.ravel().tolist(), where="calcium_mM", low=low, high=high,
                        error=ProtocolError).reshape(given.shape)  # fmt: skip
    K = np.array(CLASSES[calcium_class(pre_mtype, post_mtype)]) ** 4
    fixed, fourth = MEASURED_mM**4, values[..., None] ** 4
    return ((K + fixed) / fixed * fourth / (K + fourth)).mean(axis=-1)


def release_factors(
    mtypes: Iterable[str], post_mtype: str, calcium_mM: float, release_scale: float = 1.0
) -> dict[str, float]:
    """Return the factor on U by presynaptic m-type, of calcium and scale together."""
    return {
        mtype: release_scale * float(compute_release_factor(mtype, post_mtype, calcium_mM))
        for mtype in mtypes
    }


def scale_synapses(
    synapses: pd.DataFrame, post_mtype: str, **synaptic: Unpack[SynapseSettings]
) -> pd.DataFrame:
    """Return a package's synapses as they work under other conditions.

    Parameters
    ----------
    synapses : DataFrame
        Rows of `Package.synapses`.
    post_mtype : str
        The cell's own m-type.
    **synaptic
        See `SynapseSettings`.

    Returns
    -------
    pandas.DataFrame
        The same rows with other ``utilisation``, ``weight_nS`` and ``mg_mM``.

    Raises
    ------
    UnknownNameError, ProtocolError
        There is no such setting, or it cannot be.
    """
    found = check_synaptic(synaptic)
    scale = release_factors(
        synapses["pre_mtype"].unique(), post_mtype, found["calcium_mM"], found["release_scale"]
    )
    U = synapses["utilisation"] * synapses["pre_mtype"].map(scale).astype(float)
    scaled = synapses.assign(
        utilisation=U.clip(upper=1), weight_nS=synapses["weight_nS"] * found["weight_scale"]
    )
    if found["mg_mM"] is not None:
        scaled.loc[scaled["excitatory"], "mg_mM"] = found["mg_mM"]
    return scaled


def check_synaptic(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all of `SynapseSettings`, checked, the usual ones where none are given."""
    UnknownNameError.check("setting of synapses", given, USUAL)
    return {**USUAL, **{name: check_setting(name, value) for name, value in given.items()}}
