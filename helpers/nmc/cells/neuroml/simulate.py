"""NeuroML2 cells run in NEURON, through pyNeuroML and jNeuroML, and beside their packages."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nmc import child, names
from nmc.cells import mechanisms
from nmc.cells._run import advance, check_finite, crossings
from nmc.cells.neuroml.cell import NeuroMLCell, load_neuroml
from nmc.cells.neuroml.elements import (
    DETERMINISTIC,
    check_trusted,
    parse_xml,
    quantity,
    read_sources,
)
from nmc.cells.package import Package
from nmc.cells.protocols import tidy
from nmc.cells.segments import PER_CM2
from nmc.cells.settings import SAMPLING_MS, THRESHOLD_MV
from nmc.errors import (
    FormatError,
    MissingFileError,
    MissingLibraryError,
    SimulationError,
)
from nmc.numbers import as_number, evaluate_formula

_TASK = "nmc.cells.neuroml.simulate:run_net"
_EXPORT_SECONDS = 300


def simulate_neuroml(
    model: str | names.Model | Path | NeuroMLCell,
    *,
    dt_ms: float | None = None,
    tstop_ms: float | None = None,
    threshold_mV: float = THRESHOLD_MV,
    trust: bool = False,
    timeout_s: float = child.TIMEOUT_S,
    progress: bool = True,
) -> pd.DataFrame:
    """Run the step-current net of a NeuroML2 cell in NEURON, in a process of its own.

    The net injects the package's holding current and third step.  pyNeuroML lets jNeuroML (a
    Java program) write it for NEURON; its mechanisms are compiled once and kept, and so is the
    result.

    Parameters
    ----------
    model : str, Model, pathlib.Path or NeuroMLCell
        As for `nmc.load_neuroml`; `nmc.list_neuroml` says which have such a net.
    dt_ms, tstop_ms : float, optional
        Step and length; the net's own unless given. jNeuroML's files advance each gate by
        Euler's forward rule, so the step matters more than in the packages, whose gates
        advance by the exact exponential.
    threshold_mV : float
        Soma voltage whose upward crossings count as spikes.
    trust : bool
        Run files that are none of a known NeuroML2 archive's (the public conversion's and the
        sample's, by content): programs are written from them.
    timeout_s, progress
        Limit of wall time; whether to show a progress bar.

    Returns
    -------
    pandas.DataFrame
        ``t_ms``, ``v_mV``, ``i_nA``, as `nmc.simulate_step` gives them; ``.attrs`` name model,
        NeuroML2 cell, ``origin``, ``invented``, ``v_init_mV``, ``celsius``, ``integration``,
        spikes and amplitudes.

    Raises
    ------
    MissingFileError
        There is no step-current net.
    TrustError
        The files are neither known nor trusted; nothing of them was run.
    FormatError
        A file cannot be read, or includes what is no NeuroML2 file.
    MissingLibraryError
        pyNeuroML or a Java runtime is not installed.
    SimulationError
        jNeuroML cannot translate the net, the run failed, or a setting is out of its bounds.
    """
    cell = model if isinstance(model, NeuroMLCell) else load_neuroml(model, progress=progress)
    lems_file = cell.step_net
    if lems_file is None:
        raise MissingFileError(
            f"There is no step-current net for {cell.name} beside its file; "
            "nmc.list_neuroml() says which cells have one."
        )
    sources = read_sources(lems_file)
    if not trust:
        check_trusted(sources, lems_file.parent)
    length, step = _simulation(lems_file)
    params: dict[str, Any] = {"model": cell.model or cell.name, "sampling_ms": SAMPLING_MS}
    for name, value, low, high in (
        ("tstop_ms", length if tstop_ms is None else tstop_ms, SAMPLING_MS, 1e6),
        ("dt_ms", step if dt_ms is None else dt_ms, 1e-5, SAMPLING_MS),
        ("threshold_mV", threshold_mV, -200, 200),
    ):
        params[name] = as_number(value, where=name, low=low, high=high, error=SimulationError)
    meta, arrays = _run(params, lems_file, sources, timeout_s, progress)
    table = tidy(arrays, ["v_mV"], (0.0, params["tstop_ms"]))
    pulses = [pulse for name in sources for pulse in _pulses(lems_file.parent / name)]
    t = table["t_ms"].to_numpy()
    current = sum(((t >= d) & (t < d + length)) * a for d, length, a in pulses) + 0.0 * t
    table.insert(2, "i_nA", current)
    delay, duration, amplitude = max(
        pulses, key=lambda pulse: pulse[0], default=(0.0, params["tstop_ms"], 0.0)
    )
    table.attrs = {
        "model": params["model"],
        "neuroml": cell.name,
        "origin": cell.origin,
        "invented": cell.invented,
        "protocol": "step",
        "step": 3,
        "mode": "NeuroML2",
        "integration": f"fixed step {params['dt_ms']:g} ms, first order",
        "v_init_mV": meta["v_init_mV"],
        "celsius": meta["celsius"],
        "threshold_mV": params["threshold_mV"],
        "spike_count": len(arrays["spikes_ms"]),
        "spike_times_ms": arrays["spikes_ms"].tolist(),
        "stim_start_ms": delay,
        "stim_end_ms": delay + duration,
        "amplitude_nA": amplitude,
        "hold_nA": sum(a for d, _, a in pulses if d == 0),
        "segments": meta["segments"],
        "cpu_s": meta["cpu_s"],
        "neuron": mechanisms.build_tag()["neuron"],
        "pyneuroml": version("pyneuroml"),
    }
    return table


def _run(params, lems_file, sources, timeout_s, progress) -> tuple[dict, dict[str, np.ndarray]]:
    if importlib.util.find_spec("pyneuroml") is None:
        raise MissingLibraryError(
            "Running NeuroML2 in NEURON needs pyNeuroML: pip install 'nmc[neuroml]'."
        )
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in sources.items()}
    said = {**params, "sources": hashes, "pyneuroml": version("pyneuroml")}
    limits = {"label": params["model"], "progress": progress}

    def make() -> tuple[dict, dict[str, np.ndarray]]:
        if shutil.which("java") is None:
            raise MissingLibraryError(
                "Running NeuroML2 in NEURON needs a Java runtime, 11 or later, and there is no "
                "'java' on the PATH: install one (Debian and Ubuntu: apt-get install "
                "default-jre-headless; macOS: brew install openjdk; conda: conda install openjdk)."
            )
        with tempfile.TemporaryDirectory(prefix="nmc-run-neuroml-") as place:
            for name, content in sources.items():
                (Path(place) / name).write_bytes(content)
            given = {"folder": place, "lems": lems_file.name, "model": params["model"]}
            task = f"{__name__}:translate"
            written, _ = child.run_child(task, given, timeout_s=_EXPORT_SECONDS, **limits)
            run = {**params, "folder": place, "script": written["script"]}
            libraries = _libraries(Path(place))
            return child.run_child(_TASK, run, libraries=libraries, timeout_s=timeout_s, **limits)

    return mechanisms.make_once(_TASK, said, make, variant="exact")


def translate(params: dict, report: Callable[[float], None]) -> tuple[dict, dict]:
    """Let pyNeuroML (jNeuroML), which changes folders, write the files of a simulation."""
    from pyneuroml import pynml

    log = Path(params["folder"]) / "export.log"
    with log.open("wb") as out:  # what jNeuroML says, and pyNeuroML's own log
        for stream in (1, 2):
            os.dup2(out.fileno(), stream)
    done = pynml.run_lems_with_jneuroml_neuron(
        params["lems"],
        nogui=True,
        exec_in_dir=params["folder"],
        only_generate_scripts=True,
        compile_mods=False,
        exit_on_fail=False,
        verbose=True,
    )
    scripts = sorted(Path(params["folder"]).glob("*_nrn.py"))
    if not done or len(scripts) != 1:
        lines = log.read_text("utf-8", "replace").strip().splitlines()
        telling = [line for line in lines if "rror" in line or "xception" in line][-6:]
        raise SimulationError(
            f"{params['model']}: jNeuroML cannot translate {params['lems']} for NEURON. Its last "
            "lines:\n" + "\n".join(telling or lines[-6:])
        )
    return {"script": str(scripts[0])}, {}


def run_net(params: dict, report: Callable[[float], None]) -> tuple[dict, dict[str, np.ndarray]]:
    """Task: run the script that jNeuroML wrote with its own start voltage, and record the soma."""
    os.chdir(params["folder"])  # the script reads and writes beside itself
    from neuron import h

    h.load_file("stdrun.hoc")
    spec = importlib.util.spec_from_file_location("generated", params["script"])
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.NeuronSimulation(tstop=params["tstop_ms"], dt=params["dt_ms"])
    soma = next(s for s in h.allsec() if s.name().rpartition(".")[2] == "soma_0")
    middle = soma(0.5)._ref_v
    t, v = (h.Vector().record(r, params["sampling_ms"]) for r in (h._ref_t, middle))
    fine_t, fine_v = (h.Vector().record(r) for r in (h._ref_t, middle))
    h.stdinit()
    start = soma(0.5).v
    advance(h, params["tstop_ms"], report)
    arrays = {"t_ms": np.array(t), "v_mV": np.array(v)}
    check_finite(params["model"], "v_mV", arrays["v_mV"], arrays["t_ms"])
    arrays["spikes_ms"] = crossings(np.array(fine_t), np.array(fine_v), params["threshold_mV"])
    segments = sum(s.nseg for s in h.allsec())
    return {"segments": segments, "v_init_mV": start, "celsius": h.celsius}, arrays


def _simulation(lems_file: Path) -> tuple[float, float]:
    """Length and step, ms, of the one simulation of a LEMS file."""
    element = parse_xml(lems_file).find(".//{*}Simulation")
    if element is None:
        raise FormatError(f"{lems_file.name} describes no simulation.")
    where = f"{lems_file.name}: Simulation"
    length, step = (quantity(element.get(k), "ms", where=where) for k in ("length", "step"))
    return length, step


def _pulses(path: Path) -> list[tuple[float, ...]]:
    """Delay, duration (ms) and amplitude (nA) of the current pulses of a net."""
    if not path.name.endswith(".net.nml"):
        return []
    units = {"delay": "ms", "duration": "ms", "amplitude": "nA"}
    return [
        tuple(quantity(pulse.get(k), u, where=f"{path.name}: {k}") for k, u in units.items())
        for pulse in parse_xml(path).iter("{*}pulseGenerator")
    ]


def _libraries(folder: Path) -> list[Path]:
    """Compile what jNeuroML wrote: channels, shared by all cells, apart from the rest."""
    mods = sorted(folder.glob("*.mod"))
    # jNeuroML calls its pas pas_nml2, beside NEURON's own.
    stems = {path: path.stem.removesuffix("_nml2") for path in mods}
    channels = [p for p in mods if (folder / f"{stems[p]}.channel.nml").is_file()]
    others = [path for path in mods if path not in channels]
    return [library for group in (channels, others) for library in mechanisms.library_for(group)]


#: Where a density that varies along the tree is compared, µm.
DISTANCES_UM = (0.0, 250.0, 500.0, 1000.0)
#: Units of cable properties and other parameters that are no conductance.
_PARAMETER_UNITS = {"cm": "uF/cm2", "Ra": "ohm cm", "decay": "ms"}
_REVERSALS = {"ena": "na", "ek": "k"}


def compare_densities(package: Package, neuroml: NeuroMLCell) -> pd.DataFrame:
    """Put the densities of a package beside those of its NeuroML2 version.

    Parameters
    ----------
    package : Package
        From `nmc.load_package`.
    neuroml : NeuroMLCell
        From `nmc.load_neuroml`.

    Returns
    -------
    pandas.DataFrame
        One row a section list, mechanism and parameter of either: ``package``, ``neuroml`` (at
        the soma where it varies with distance), ``unit``, ``difference_percent`` (the largest
        over `DISTANCES_UM` µm), ``note``.  A last row counts the synapses, which no NeuroML2
        version has.
    """
    left = _by_list(package.biophysics, _of_package)
    right = _by_list(neuroml.densities, lambda row: _of_neuroml(row, neuroml))
    keys = list(dict.fromkeys([*left, *right]))
    rows = [_row(key, left.get(key), right.get(key), neuroml) for key in keys]
    rows.append(("", "synapses", "number", len(package.synapses), 0, "", np.nan, "not converted"))
    columns = ["section_list", "mechanism", "parameter", "package", "neuroml", "unit"]
    table = pd.DataFrame(rows, columns=[*columns, "difference_percent", "note"])
    table.attrs = {"model": package.name}
    return table


def _row(key, left, right, neuroml: NeuroMLCell) -> tuple:
    far = np.array(DISTANCES_UM)
    a, b = (
        np.nan * far if side is None else evaluate_formula(side[0], {"d": far}) * side[1] + 0 * far
        for side in (left, right)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.where(a == b, 0.0, np.abs(b / a - 1) * 100)
    stand_in = f"{key[1]}{DETERMINISTIC}"
    note = "varies with distance" if np.ptp(a) > 0 else ""
    if not (left and right):
        note = f"only in the {'package' if left else 'NeuroML2 version'}"
    elif stand_in in neuroml.channels and key[2] == "g":
        note = f"{stand_in} in its place"
    unit = (left or right)[2]
    return (*key, a[0], b[0], unit, apart.max() if left and right else np.nan, note)


def _by_list(table: pd.DataFrame, told) -> dict[tuple, tuple]:
    """Key (section list, mechanism, parameter) → formula, factor to NeuroML2's unit, unit."""
    found = {}
    lists = [part for part in dict.fromkeys(table["section_list"]) if part != "all"]
    for row in table.itertuples():
        if (known := told(row)) is not None:
            mechanism, name, scale, unit = known
            everywhere = row.section_list == "all" and row.parameter != "Ra"
            for part in lists if everywhere else [row.section_list]:
                found[part, mechanism, name] = (row.formula, scale, unit)
    return found


def _of_package(row) -> tuple[str, str, float, str]:
    name = row.parameter
    if row.mechanism and name.startswith("g") and name != "gamma":
        return row.mechanism, "g", PER_CM2.get(row.mechanism, 1.0), "S/cm2"
    if name in _REVERSALS:
        return row.mechanism, f"e of {_REVERSALS[name]}", 1.0, "mV"
    unit = "mV" if (row.mechanism, name) == ("pas", "e") else _PARAMETER_UNITS.get(name, "")
    return row.mechanism, name, 1.0, unit


def _of_neuroml(row, neuroml: NeuroMLCell) -> tuple[str, str, float, str] | None:
    """As `_of_package`; reversal potentials of ions stand once a section list."""
    if row.parameter != "e" or row.mechanism == "pas":
        return row.mechanism, row.parameter, 1.0, row.unit
    species = neuroml.channel(row.channel).species
    # Another one is a constant inside the mechanism, as Ih's −45 mV.
    return ("", f"e of {species}", 1.0, row.unit) if species in _REVERSALS.values() else None


def compare_spikes(trace: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Put the spike times of two traces beside each other, first with first.

    Parameters
    ----------
    trace, other : pandas.DataFrame
        From ``simulate_*`` calls, with ``spike_times_ms`` in ``.attrs``.

    Returns
    -------
    pandas.DataFrame
        Index ``spike`` (from 1); ``t_ms``, ``t_other_ms`` (NaN where one has fewer spikes),
        ``difference_ms``, ``difference_percent`` of ``t_ms``, signs kept. ``.attrs`` hold
        ``largest_percent`` (largest size among the spikes that both have; NaN without any) and
        ``spike_counts`` of the two.
    """
    times = [np.asarray(t.attrs["spike_times_ms"], float) for t in (trace, other)]
    length = max(map(len, times))
    one, two = (np.append(t, np.full(length - len(t), np.nan)) for t in times)
    index = pd.RangeIndex(1, length + 1, name="spike")
    table = pd.DataFrame({"t_ms": one, "t_other_ms": two}, index=index)
    table["difference_ms"] = two - one
    table["difference_percent"] = table["difference_ms"] / one * 100
    largest = table["difference_percent"].abs().max() if length else np.nan
    table.attrs["largest_percent"] = float(largest)
    table.attrs["spike_counts"] = tuple(len(t) for t in times)
    return table
