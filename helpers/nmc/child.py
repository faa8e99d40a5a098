"""One child process: for NEURON, HDF5, and any parser that can crash.

`run_child` starts ``python -P -m nmc.child FOLDER`` with a task and its parameters as plain data
and returns what the task returns.  A task is a module-level function ``task(params, report)``
that calls ``report(fraction)`` now and then and returns ``(meta, arrays)``: a dict that JSON can
hold and a dict of numpy arrays.

The child imports nothing from the caller's working folder, works in a folder of its own that is
removed with it, obeys limits of time and memory, and is ended when its parent dies.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import fcntl
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import psutil
from tqdm import tqdm

from nmc import errors
from nmc.errors import NMCError, SimulationError, SimulationTimeout

#: Seconds and resident megabytes that a child may take unless told otherwise.
TIMEOUT_S = 1800.0
MEMORY_MB = 4000.0

_PREFIX = "nmc-run-"
_POLL_S = 0.05
#: A folder that nobody holds is swept when it is older than this: a new one is not yet held.
_STALE_S = 60.0


def run_child(
    task: str,
    params: Mapping,
    *,
    libraries: Iterable[Path] = (),
    label: str = "",
    timeout_s: float = TIMEOUT_S,
    memory_MB: float = MEMORY_MB,
    progress: bool = True,
    error: type[NMCError] = SimulationError,
) -> tuple[dict, dict[str, np.ndarray]]:
    """Run one task in a fresh process and wait for it; returns its meta and arrays.

    Parameters
    ----------
    task, params : str, mapping
        ``"package.module:function"``, and what JSON can hold for it; paths must be absolute.
    libraries : iterable of pathlib.Path
        Compiled mechanisms that NEURON loads first.
    label : str
        What errors and the progress bar call the run: a model's or a file's name.
    timeout_s, memory_MB : float
        Limits of wall time and of resident memory; past them the process is ended.
    progress : bool
        Show a progress bar on stderr, where that is a terminal.
    error : type
        What is raised when the process fails, crashes or passes a limit; `SimulationTimeout`
        past the time limit of a simulation.  An error of `nmc.errors` comes as the task raised it.
    """
    label = label or task
    with _folder() as folder:
        spec = {
            "task": task,
            "params": dict(params),
            "libraries": [str(Path(path).absolute()) for path in libraries],
            "parent": os.getpid(),
        }
        (folder / "spec.json").write_text(json.dumps(spec), "utf-8")
        status = _wait(folder, label, timeout_s, memory_MB, progress, error)
        return _result(folder, label, status, error)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """Make a folder that is removed at the end, or by a later process if this one is killed."""
    _sweep(tempfile.gettempdir())
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as name:
        with (Path(name) / "held").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)  # let go when this process ends, however
            yield Path(name)


@cache
def private_folder() -> Path:
    """Return a folder of this process's own: removed at its end, or later if it is killed."""
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(_folder())


@cache
def _sweep(place: str) -> None:
    """Remove folders of processes that were killed; once a process."""
    for folder in Path(place).glob(f"{_PREFIX}*"):
        try:
            if time.time() - folder.stat().st_mtime < _STALE_S:
                continue
            with (folder / "held").open("r+") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # held, somebody else's, or gone meanwhile
            continue


def _environment(folder: Path) -> dict[str, str]:
    here = Path.cwd()
    places = [Path(p).absolute() for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    own = Path(__file__).parents[1]
    kept = [str(p) for p in places if p.resolve() != here.resolve() or p.resolve() == own.resolve()]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(kept),
        "PYTHONSAFEPATH": "1",  # for what the child starts itself
        "TMPDIR": str(folder),
        "NEURON_MODULE_OPTIONS": "-nogui",
        "OMP_NUM_THREADS": "1",
    }
    environment.pop("NRN_NMODL_PATH", None)  # only the libraries that were asked for
    return environment


def _wait(
    folder: Path,
    label: str,
    timeout_s: float,
    memory_MB: float,
    progress: bool,
    error: type[NMCError],
) -> int:
    with (folder / "output.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "nmc.child", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=_environment(folder),
            cwd=folder,  # NEURON loads the mechanisms that it finds in the working folder
            start_new_session=True,  # an interrupt reaches us, and we end the child
        )
    # disable=None: silent where nobody watches a terminal (a page being built, a pipe).
    bar = tqdm(total=100, desc=label, unit="%", leave=False, delay=1.0,
               disable=None if progress else True)  # fmt: skip
    deadline = time.monotonic() + timeout_s
    try:
        while True:
            try:
                return process.wait(_POLL_S)
            except subprocess.TimeoutExpired:
                pass
            with contextlib.suppress(OSError, ValueError):  # not there yet, or being written
                bar.update(round(100 * float((folder / "progress").read_text())) - bar.n)
            more = "or ask for less."
            if time.monotonic() > deadline:
                late = SimulationTimeout if error is SimulationError else error
                told = f"{label}: the run passed its time limit of {timeout_s:g} s"
                raise late(f"{told}; raise timeout_s, {more}")
            if _resident_MB(process.pid) > memory_MB:
                told = f"{label}: the run used more than {memory_MB:g} MB of memory"
                raise error(f"{told}; raise memory_MB, {more}")
    finally:
        _end(process)
        bar.close()


def _end(process: subprocess.Popen) -> None:
    """End a process that still runs, and what it started."""
    if process.poll() is None:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()


def _resident_MB(pid: int) -> float:
    try:
        return psutil.Process(pid).memory_info().rss / 1e6
    except psutil.Error:
        return 0.0


def _result(
    folder: Path, label: str, status: int, error: type[NMCError]
) -> tuple[dict, dict[str, np.ndarray]]:
    failure = folder / "error.json"
    if failure.is_file():
        told = json.loads(failure.read_text("utf-8"))
        kind = getattr(errors, told["type"], None)
        if isinstance(kind, type) and issubclass(kind, NMCError):
            raise kind(told["message"])
        raise error(f"{label}: the run failed: {told['type']}: {told['message']}{_tail(folder)}")
    meta = folder / "meta.json"
    if status != 0 or not meta.is_file():
        if status < 0:
            how = f"the process crashed ({signal.Signals(-status).name})"
        else:
            how = f"code in the files ended the process (exit status {status})"
        raise error(f"{label}: {how}.{_tail(folder)}")
    with np.load(folder / "arrays.npz") as stored:
        arrays = {name: stored[name] for name in stored.files}
    return json.loads(meta.read_text("utf-8")), arrays


def _tail(folder: Path, lines: int = 6) -> str:
    log = (folder / "output.log").read_text("utf-8", "replace").strip().splitlines()
    return " Its last lines:\n" + "\n".join(log[-lines:]) if log else ""


def main(folder: Path) -> int:
    """Run the task that ``spec.json`` names; write ``meta.json`` and ``arrays.npz``."""
    spec = json.loads((folder / "spec.json").read_text("utf-8"))
    die_with(spec["parent"])

    def report(fraction: float) -> None:
        (folder / "progress").write_text(f"{fraction:.4f}")

    try:
        load_libraries(spec["libraries"])
        module, _, function = spec["task"].partition(":")
        started = time.process_time()
        meta, arrays = getattr(importlib.import_module(module), function)(spec["params"], report)
        meta = {**meta, "cpu_s": time.process_time() - started}
        np.savez(folder / "arrays.npz", **arrays)
        partial = folder / "meta.json.part"
        partial.write_text(json.dumps(meta), "utf-8")
        partial.rename(folder / "meta.json")
    except Exception as error:
        told = {"type": type(error).__name__, "message": str(error)}
        (folder / "error.json").write_text(json.dumps(told), "utf-8")
        traceback.print_exc()
        return 1
    return 0


def die_with(parent: int) -> None:
    """End this process as soon as the one of that id has died, whatever it is doing then.

    Linux sends the signal; elsewhere a shell beside this process does, as no thread runs while
    compiled code holds Python's lock.
    """
    own = os.getpid()
    if sys.platform == "linux":
        set_parent_death_signal = 1  # PR_SET_PDEATHSIG of linux/prctl.h
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
    else:
        watch = f"while kill -0 {parent} && kill -0 {own}; do sleep 1; done; kill -9 {own}"
        nowhere = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        subprocess.Popen(["/bin/sh", "-c", watch], cwd="/", **nowhere)
    if os.getppid() != parent:  # it died before this line
        os._exit(3)


def load_libraries(paths: Iterable[str]) -> None:
    """Load compiled mechanisms into this process's NEURON."""
    for path in paths:
        from neuron import h

        if not h.nrn_load_dll(path):
            raise RuntimeError(f"NEURON cannot load {path}")


if __name__ == "__main__":
    status = main(Path(sys.argv[1]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # nothing to tidy up; NEURON's own exit prints and takes time
