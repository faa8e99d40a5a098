"""Packages by hand: a copy to work on, its code ported, its own commands, your own session.

The other calls never run a package's scripts.  These do, in the copy's folder and
in processes of their own, and show what the commands say.  A command may run whatever stands in
its folder, so each one needs ``trust``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

from nmc.cells import mechanisms
from nmc.cells.build import Cell, build_cell
from nmc.cells.package import AnyModel, as_package, read_package
from nmc.cells.protocols import STEP_MS, STEP_START_MS
from nmc.cells.settings import THRESHOLD_MV
from nmc.child import load_libraries
from nmc.data.files import given_path
from nmc.errors import PackageError, SimulationError, SimulationTimeout, TrustError, explained

#: Wall seconds a command may take unless told otherwise.
TIMEOUT_S = 600.0

#: A terminal's colours.
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

#: What Python 3 and today's libraries no longer take of the packages' scripts.
SCRIPT_RULES = mechanisms.read_rules("script")


@explained
@dataclass(frozen=True)
class Command:
    """A command that has ended: how it is typed, its exit status, and all that it wrote."""

    command: str
    returncode: int
    output: str

    def __repr__(self) -> str:
        return f"<{self.command}: exit status {self.returncode}>"

    def last(self, lines: int = 8, *, matching: str = "") -> str:
        """Return the last lines of the output, of those that hold a text if one is given."""
        found = [line for line in self.output.splitlines() if line.strip() and matching in line]
        return "\n".join(found[-lines:])


def copy_package(model: AnyModel, folder: Path) -> Path:
    """Copy an unpacked package to a folder where it may be changed and run.

    Parameters
    ----------
    model
        As for `nmc.load_package`.
    folder : pathlib.Path
        Where the package's own folder is put.

    Returns
    -------
    pathlib.Path
        The copy, a folder of the model's name.

    Raises
    ------
    PackageError
        A folder of that name is there already.
    """
    package = as_package(model)
    target = given_path(folder) / package.name
    if target.exists():
        raise PackageError(f"{package.name}: {target} exists already; choose another folder.")
    shutil.copytree(package.folder, target, ignore=shutil.ignore_patterns(".*"))
    for path in [target, *target.rglob("*")]:
        path.chmod(path.stat().st_mode | 0o600 | (0o100 if path.is_dir() else 0))
    for name in ("python_recordings", "hoc_recordings"):  # archives may drop empty folders
        (target / name).mkdir(exist_ok=True)
    return target


def port_package(folder: Path) -> pd.DataFrame:
    """Rewrite, in place, what old mechanisms and scripts hold that today's tools refuse.

    Parameters
    ----------
    folder : pathlib.Path
        A copy, from `copy_package`.

    Returns
    -------
    pandas.DataFrame
        One row a change: ``file``, ``what``, ``times``, ``before`` (the first place as it stood),
        ``after`` and ``why``.
    """
    folder, rows = given_path(folder), []
    for kind, rules in (("mechanisms/*.mod", mechanisms.RULES), ("*.py", SCRIPT_RULES)):
        for path in sorted(folder.glob(kind)):
            file, text = path.relative_to(folder).as_posix(), path.read_text("utf-8", "replace")
            for rule in rules:
                if found := list(rule.pattern.finditer(text)):
                    before = " ".join(found[0][0].split())
                    after = found[0].expand(rule.replacement).strip()
                    rows.append((file, rule.name, len(found), before, after, rule.reason))
                    text = rule.pattern.sub(rule.replacement, text)
            path.write_text(text, "utf-8")
    return pd.DataFrame(rows, columns=["file", "what", "times", "before", "after", "why"])


def run_command(
    command: Sequence[str], folder: Path, *, trust: bool = False, timeout_s: float = TIMEOUT_S
) -> Command:
    """Run a command in a folder as one would in a terminal, and wait for it.

    Parameters
    ----------
    command : sequence of str
        Program and arguments; ``python``, ``nrnivmodl`` and NEURON's other programs are those
        of this Python's environment.
    folder : pathlib.Path
        Where, e.g. a copy from `copy_package`.
    trust : bool
        Say that the command may run, and all files of the folder with it: without, none does.
    timeout_s : float
        Limit of wall time.

    Returns
    -------
    Command
        Whatever its exit status: look at ``returncode``.

    Raises
    ------
    PackageError
        There is no such program.
    TrustError
        Nobody said that they are trusted.
    SimulationTimeout
        The command passed its time limit; it is ended.
    """
    folder = given_path(folder)
    scripts = [sysconfig.get_path("scripts"), str(Path(sys.executable).parent)]
    path = os.pathsep.join([*scripts, os.environ.get("PATH", "")])
    program = shutil.which(command[0], path=path)
    if program is None:
        raise PackageError(f"There is no program {command[0]!r} on this machine.")
    typed = " ".join(command)
    if trust is not True:  # "no" is no yes
        raise TrustError(
            f"{typed}: the command could run the files in {folder} with your rights: read them, "
            "and pass trust=True if you trust them."
        )
    environment = {**os.environ, "PATH": path, "NEURON_MODULE_OPTIONS": "-nogui"}
    try:
        done = subprocess.run(
            [program, *command[1:]], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout_s, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise SimulationTimeout(f"{typed}: not finished within {timeout_s:g} s.") from error
    text = _COLOUR.sub("", done.stdout.decode("utf-8", "replace"))
    text = text.replace(str(folder.resolve()), ".")  # as one reads it, standing there
    return Command(typed, done.returncode, text)


def read_recording(folder: Path, step: int = 1) -> pd.DataFrame:
    """Read what a package's ``run.py`` wrote for a step.

    Parameters
    ----------
    folder : pathlib.Path
        Where the script ran.
    step : int
        Which of the package's steps, 1 (weakest) to 3.

    Returns
    -------
    pandas.DataFrame
        ``t_ms`` and ``v_mV``, with the step's times, ``spike_count`` and the package's
        ``origin`` and ``invented`` in ``.attrs`` as `nmc.simulate_step` has them.

    Raises
    ------
    PackageError
        The script wrote no such file.
    """
    folder = given_path(folder)
    path = folder / f"python_recordings/soma_voltage_step{step}.dat"
    if not path.is_file():
        raise PackageError(f"{folder.name}: run.py wrote no {path.name}; did it finish?")
    t, v = np.loadtxt(path).T
    trace = pd.DataFrame({"t_ms": t, "v_mV": v})
    trace.attrs = {
        **(read_package(folder).source if (folder / "template.hoc").is_file() else {}),
        "model": folder.name,
        "stim_start_ms": STEP_START_MS,
        "stim_end_ms": STEP_START_MS + STEP_MS,
        "spike_count": int(np.sum((v[:-1] < THRESHOLD_MV) & (v[1:] >= THRESHOLD_MV))),
    }
    return trace


# Mechanism → content hash of those in this session: NEURON takes no name twice, gives none back.
_LOADED: dict[str, str] = {}


def load_cell(model: AnyModel, *, synapses: bool = False, trust: bool = False) -> Cell:
    """Place a model's cell in this process's own NEURON.

    The only call that runs NEURON in the caller's process, for work that the protocols do not
    cover.  What the package's HOC code does, it does here: a crash ends the session.  Mechanisms
    compiled in the working folder are not loaded with it; import neuron first if you want them.

    Parameters
    ----------
    model, trust
        As for `nmc.load_package`.
    synapses : bool
        Place the package's synapses too, all silent.

    Returns
    -------
    nmc.cells.build.Cell
        ``.soma``, ``.section("dend[3]")``, ``.segment("dend[3](0.5)")`` and the template's own
        instance in ``.hoc``.

    Raises
    ------
    TrustError
        The package is neither known nor trusted.
    SimulationError
        NEURON cannot load the mechanisms.
    """
    [package] = mechanisms.rename_clashes([as_package(model, trust=trust)], dict(_LOADED))
    texts = mechanisms.texts_of([package], synapses)
    texts = {name: text for name, text in texts.items() if name not in _LOADED}
    libraries = mechanisms.library_of(texts)
    with empty_folder(), redirect_stdout(StringIO()):  # HOC code prints a line a synapse
        try:
            load_libraries(map(str, libraries))
        except RuntimeError as error:
            raise SimulationError(
                f"{package.name}: its mechanisms cannot be loaded in this session: {error}"
            ) from error
        _LOADED.update(mechanisms.hashes_of(texts))
        return build_cell(package.to_spec(), synapses=synapses)


@contextmanager
def empty_folder() -> Iterator[None]:
    """Work in an empty folder: NEURON loads libraries and HOC files that lie where it starts."""
    with tempfile.TemporaryDirectory(prefix="nmc-empty-") as folder, chdir(folder):
        yield
