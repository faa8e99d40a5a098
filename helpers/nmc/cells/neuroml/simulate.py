"""Running the twins' step-current nets in NEURON, through pyNeuroML and jNeuroML."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from nmc import child, names
from nmc.cells import mechanisms, results
from nmc.cells.neuroml import lems
from nmc.cells.neuroml.cell import NeuroMLCell, load_neuroml, read_document
from nmc.cells.protocols import SAMPLING_MS, THRESHOLD_MV, tidy
from nmc.errors import (
    FormatError,
    MechanismError,
    MissingFileError,
    MissingLibraryError,
    SimulationError,
)

_TASK = "nmc.cells.neuroml._run:run"
_EXPORT_SECONDS = 300
_INCLUDE = re.compile(r'<include\s+(?:file|href)\s*=\s*"([^"]+)"', re.I)
#: Files of LEMS's own library, which jNeuroML brings.
_CORE = ("Cells.xml", "Networks.xml", "Simulation.xml", "NeuroML2CoreTypes.xml", "Inputs.xml")


def simulate_neuroml(
    model: str | names.Model | NeuroMLCell,
    *,
    dt_ms: float | None = None,
    tstop_ms: float | None = None,
    threshold_mV: float = THRESHOLD_MV,
    trust: bool = False,
    timeout_s: float = child.TIMEOUT_S,
    progress: bool = True,
) -> pd.DataFrame:
    """Run a twin's step-current net in NEURON, in a process of its own.

    The net injects the package's holding current and third step.  pyNeuroML lets jNeuroML (a
    Java program) write it for NEURON; its mechanisms are compiled once and kept, and so is the
    result.

    Parameters
    ----------
    model : str, Model or NeuroMLCell
        A model that has a twin with such a net; see `nmc.list_neuroml`.
    dt_ms, tstop_ms : float, optional
        Step and length; the net's own unless given. jNeuroML's files advance each gate by
        Euler's forward rule, so the step matters more than in the packages, whose gates
        advance by the exact exponential.
    threshold_mV : float
        Soma voltage whose upward crossings count as spikes.
    trust : bool
        Compile generated mechanisms even when they hold C code.
    timeout_s : float
        Limit of wall time.
    progress : bool
        Show a progress bar for runs that take longer than a second.

    Returns
    -------
    pandas.DataFrame
        ``t_ms``, ``v_mV``, ``i_nA``, as `nmc.simulate_step` gives them; ``.attrs`` name model,
        twin, ``v_init_mV``, ``celsius``, ``integration``, spikes and amplitudes.

    Raises
    ------
    MissingFileError
        The twin has no step-current net.
    MissingLibraryError
        pyNeuroML or a Java runtime is not installed.
    SimulationError
        jNeuroML cannot translate the net, or the run failed.
    """
    twin = model if isinstance(model, NeuroMLCell) else load_neuroml(model, progress=progress)
    lems_file = twin.step_net
    if lems_file is None:
        raise MissingFileError(
            f"There is no step-current net for {twin.name} beside its file; "
            "nmc.list_neuroml() says which cells have one."
        )
    sources = _sources(lems_file)
    tstop, dt = _simulation(lems_file)
    tstop, dt = tstop_ms or tstop, dt_ms or dt
    params = {
        "model": twin.model or twin.name,
        "tstop_ms": tstop,
        "dt_ms": dt,
        "sampling_ms": SAMPLING_MS,
        "threshold_mV": threshold_mV,
    }
    meta, arrays = _run(params, lems_file, sources, trust, timeout_s, progress)
    table = tidy(arrays, ["v_mV"], tstop)
    pulses = [p for path in sources for p in _pulses(path)]
    table.insert(2, "i_nA", _current(table["t_ms"].to_numpy(), pulses))
    table.attrs = _told(twin, params, meta, arrays, pulses)
    return table


def _run(params, lems_file, sources, trust, timeout_s, progress):
    digest = hashlib.sha256()
    for path in sorted(sources, key=lambda p: p.name):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    said = {**params, "sources": digest.hexdigest(), "pyneuroml": _pyneuroml()}
    key = results.result_key(_TASK, said, mechanisms.build_tag())
    if found := results.load_result(key):
        return found
    _check_java()
    with tempfile.TemporaryDirectory(prefix="nmc-neuroml-") as name:
        folder = Path(name)
        for path in sources:
            shutil.copyfile(path, folder / path.name)
        script = _export(folder, lems_file.name, params["model"])
        libraries = _libraries(folder, trust)
        meta, arrays = child.run_child(
            _TASK,
            {**params, "folder": str(folder), "script": str(script)},
            libraries=libraries,
            label=params["model"],
            timeout_s=timeout_s,
            progress=progress,
        )
    results.keep_result(key, meta, arrays)
    return meta, arrays


def _pyneuroml() -> str:
    """Version of pyNeuroML, which brings jNeuroML."""
    if importlib.util.find_spec("pyneuroml") is None:
        raise MissingLibraryError(
            "Running NeuroML2 in NEURON needs pyNeuroML: pip install 'nmc[neuroml]'."
        )
    return version("pyneuroml")


def _check_java() -> None:
    if shutil.which("java") is None:
        raise MissingLibraryError(
            "Running NeuroML2 in NEURON needs a Java runtime, 11 or later, and there is no 'java' "
            "on the PATH: install one (Debian and Ubuntu: apt-get install default-jre-headless; "
            "macOS: brew install openjdk; conda: conda install openjdk)."
        )


def _sources(lems_file: Path) -> list[Path]:
    """Return a LEMS file and all that it includes, each once; all lie in one folder."""
    found, waiting = [], [lems_file.name]
    while waiting:
        name = waiting.pop()
        path = lems_file.parent / name
        if name in _CORE or path in found:
            continue
        if "/" in name or not path.is_file():
            raise MissingFileError(
                f"{lems_file.name} includes {name!r}, which is not beside it. Fetch the archive "
                "again."
            )
        found.append(path)
        waiting += _INCLUDE.findall(path.read_text("utf-8", "replace"))
    return found


def _simulation(lems_file: Path) -> tuple[float, float]:
    """Length and step, ms, of the one simulation of a LEMS file."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    try:
        element = etree.parse(str(lems_file), parser).find(".//{*}Simulation")
    except etree.XMLSyntaxError as error:
        raise FormatError(f"{lems_file.name} cannot be read as XML: {error}.") from error
    if element is None:
        raise FormatError(f"{lems_file.name} describes no simulation.")
    return tuple(lems.quantity(element.get(k), "ms") for k in ("length", "step"))


def _pulses(path: Path) -> list[tuple[float, float, float]]:
    """Delay, duration (ms) and amplitude (nA) of the current pulses of a net."""
    if not path.name.endswith(".net.nml"):
        return []
    return [
        (
            lems.quantity(p.delay, "ms"),
            lems.quantity(p.duration, "ms"),
            lems.quantity(p.amplitude, "nA"),
        )
        for p in read_document(path).pulse_generators
    ]


def _current(t: np.ndarray, pulses: list[tuple[float, float, float]]) -> np.ndarray:
    return sum(((t >= d) & (t < d + length)) * a for d, length, a in pulses) + 0.0 * t


def _told(twin, params, meta, arrays, pulses) -> dict:
    step = max(pulses, key=lambda pulse: pulse[0], default=(0.0, params["tstop_ms"], 0.0))
    hold = sum(a for d, _, a in pulses if d == 0)
    return {
        "model": params["model"],
        "twin": twin.name,
        "protocol": "step",
        "step": 3,
        "mode": "NeuroML2",
        "integration": f"fixed step {params['dt_ms']:g} ms, first order",
        "v_init_mV": meta["v_init_mV"],
        "celsius": meta["celsius"],
        "threshold_mV": params["threshold_mV"],
        "spike_count": len(arrays["spikes_ms"]),
        "spike_times_ms": arrays["spikes_ms"].tolist(),
        "stim_start_ms": step[0],
        "stim_end_ms": step[0] + step[1],
        "amplitude_nA": step[2],
        "hold_nA": hold,
        "segments": meta["segments"],
        "cpu_s": meta["cpu_s"],
        "neuron": mechanisms.build_tag()["neuron"],
        "pyneuroml": version("pyneuroml"),
    }


def _export(folder: Path, lems_name: str, model: str) -> Path:
    """Let jNeuroML write NEURON's files into a folder; returns the Python script."""
    log = folder / "export.log"
    with log.open("wb") as out:
        try:
            status = subprocess.run(
                [sys.executable, "-m", "nmc.cells.neuroml._export", str(folder), lems_name],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, "MPLBACKEND": "Agg"},
                timeout=_EXPORT_SECONDS,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired as error:
            raise SimulationError(
                f"{model}: jNeuroML did not finish within {_EXPORT_SECONDS} s."
            ) from error
    scripts = sorted(folder.glob("*_nrn.py"))
    if status != 0 or len(scripts) != 1:
        lines = log.read_text("utf-8", "replace").strip().splitlines()
        telling = [line for line in lines if "rror" in line or "xception" in line][-6:]
        raise SimulationError(
            f"{model}: jNeuroML cannot translate {lems_name} for NEURON. Its last lines:\n"
            + "\n".join(telling or lines[-6:])
        )
    return scripts[0]


def _libraries(folder: Path, trust: bool) -> tuple[Path, ...]:
    """Compile what jNeuroML wrote: channels, shared by all cells, apart from the rest."""
    mods = sorted(folder.glob("*.mod"))
    with_code = [path.name for path in mods if "VERBATIM" in path.read_text("utf-8")]
    if with_code and not trust:
        raise MechanismError(
            f"The mechanisms {', '.join(with_code)} that jNeuroML wrote hold C code, which would "
            "run on this machine: read them, and pass trust=True if you trust them."
        )
    channels = [p for p in mods if (folder / f"{_channel(p)}.channel.nml").is_file()]
    others = [path for path in mods if path not in channels]
    return tuple(
        library for group in (channels, others) for library in mechanisms.library_for(group)
    )


def _channel(mod: Path) -> str:
    return mod.stem.removesuffix("_nml2")  # jNeuroML's pas, beside NEURON's own
