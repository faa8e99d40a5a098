"""NEURON in a process of its own: one run, one process, with limits and without noise.

`run` starts ``python -m nmc.cells._worker``, hands it a task and its parameters as JSON, and
returns what the task returns.  A task is a module-level function ``task(params, report)`` that
runs inside the worker, may import ``neuron``, calls ``report(fraction)`` now and then, and
returns ``(meta, arrays)``: a JSON-ready dict and a dict of numpy arrays.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import psutil

from nmc import errors
from nmc.errors import SimulationError, SimulationTimeout

#: Wall seconds and resident megabytes a run may take unless told otherwise.
TIMEOUT_S = 1800.0
MEMORY_MB = 4000.0

_POLL_S = 0.05


def run(
    task: str,
    params: Mapping,
    *,
    libraries: Iterable[Path] = (),
    label: str = "NEURON",
    timeout_s: float = TIMEOUT_S,
    memory_MB: float = MEMORY_MB,
    progress: bool = False,
) -> tuple[dict, dict[str, np.ndarray]]:
    """Run one task in a fresh process with NEURON and wait for it.

    Parameters
    ----------
    task : str
        ``"package.module:function"``.
    params : mapping
        JSON-ready parameters for the task.
    libraries : iterable of pathlib.Path
        Compiled mechanisms to load first, from `nmc.cells.mechanisms.library_for`.
    label : str
        What the run is called in errors and beside the progress bar: the model's name.
    timeout_s, memory_MB : float
        Limits of wall time and of resident memory; past them the process is ended.
    progress : bool
        Show a progress bar on stderr.

    Returns
    -------
    meta : dict
        With ``cpu_s``, the CPU seconds of the task, added.
    arrays : dict of str to numpy.ndarray

    Raises
    ------
    SimulationTimeout
        The run passed its time limit.
    SimulationError
        The run failed, used too much memory, crashed, or HOC code ended the process.
    """
    with tempfile.TemporaryDirectory(prefix="nmc-run-") as name:
        folder = Path(name)
        spec = {
            "task": task,
            "params": dict(params),
            "libraries": [str(path) for path in libraries],
            "parent": os.getpid(),
        }
        (folder / "spec.json").write_text(json.dumps(spec), "utf-8")
        status = _wait(folder, label, timeout_s, memory_MB, progress)
        return _result(folder, label, status)


def _wait(folder: Path, label: str, timeout_s: float, memory_MB: float, progress: bool) -> int:
    environment = {**os.environ, "NEURON_MODULE_OPTIONS": "-nogui", "OMP_NUM_THREADS": "1"}
    with (folder / "output.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "nmc.cells._worker", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,  # an interrupt reaches us, and we end the worker
        )
        bar = _Bar(folder, label) if progress else None
        deadline = time.monotonic() + timeout_s
        try:
            while True:
                try:
                    return process.wait(_POLL_S)
                except subprocess.TimeoutExpired:
                    pass
                if bar:
                    bar.update()
                if time.monotonic() > deadline:
                    raise SimulationTimeout(
                        f"{label}: the run passed its time limit of {timeout_s:g} s; "
                        "raise timeout_s, or shorten the protocol."
                    )
                if _resident_MB(process.pid) > memory_MB:
                    raise SimulationError(
                        f"{label}: the run used more than {memory_MB:g} MB of memory; "
                        "raise memory_MB, or record less."
                    )
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            if bar:
                bar.close()


def _resident_MB(pid: int) -> float:
    try:
        return psutil.Process(pid).memory_info().rss / 1e6
    except psutil.Error:
        return 0.0


def _result(folder: Path, label: str, status: int) -> tuple[dict, dict[str, np.ndarray]]:
    failure = folder / "error.json"
    if failure.is_file():
        told = json.loads(failure.read_text("utf-8"))
        kind = getattr(errors, told["type"], None)
        if kind is not None:
            raise kind(told["message"])
        raise SimulationError(
            f"{label}: the run failed: {told['type']}: {told['message']}{_tail(folder)}"
        )
    meta = folder / "meta.json"
    if status != 0 or not meta.is_file():
        if status < 0:
            how = f"NEURON crashed ({signal.Signals(-status).name})"
        else:
            how = f"the model's own code ended NEURON (exit status {status})"
        raise SimulationError(f"{label}: {how}.{_tail(folder)}")
    with np.load(folder / "arrays.npz") as stored:
        arrays = {name: stored[name] for name in stored.files}
    return json.loads(meta.read_text("utf-8")), arrays


def _tail(folder: Path, lines: int = 6) -> str:
    log = (folder / "output.log").read_text("utf-8", "replace").strip().splitlines()
    return " NEURON's last lines:\n" + "\n".join(log[-lines:]) if log else ""


class _Bar:
    """A progress bar that follows the fraction the worker writes down."""

    def __init__(self, folder: Path, label: str):
        from tqdm import tqdm

        self._file = folder / "progress"
        # disable=None: silent where nobody watches a terminal (a page being built, a pipe).
        self._bar = tqdm(total=100, desc=label, unit="%", leave=False, delay=1.0, disable=None)

    def update(self) -> None:
        try:
            done = 100 * float(self._file.read_text())
        except (OSError, ValueError):
            return
        self._bar.update(round(done) - self._bar.n)

    def close(self) -> None:
        self._bar.close()
