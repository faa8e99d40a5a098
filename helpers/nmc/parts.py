"""Results that several processes write in parts: whose parts they are, and whether all are there.

MPI ranks, workers of a sweep and of an ensemble each write a part of one result into one folder.
The folder's ``run.json`` names the run: an id drawn when it starts, what the result is made from
(source, package digests, plan, code), and which cells, models or files each part covers.  Every
part repeats this of itself, so that `read_parts` returns a complete result or names the part that
is missing, left over from another run, made from something else, or damaged.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nmc.data.files import NPZ_ERRORS, atomic_write, write_bytes
from nmc.errors import PartsError

RUN_FILE = "run.json"
_FORMAT = 1
_PREFIX, _SUFFIX = "part-", ".npz"
_FEW = 4  # so many items of a part are named in an error


@dataclass(frozen=True)
class PartedRun:
    """One run of several processes, as its folder's ``run.json`` describes it."""

    folder: Path  #: where the parts are written
    run_id: str  #: drawn at the start of the run
    made_from: Mapping[str, str]  #: what the whole result depends on: name → value or hash
    parts: Mapping[str, list]  #: name of a part → what it covers (cells, models, files)
    part_made_from: Mapping[str, Mapping[str, str]]  #: what a part alone depends on besides

    def write_part(
        self, name: str, meta: Mapping | None = None, arrays: Mapping[str, np.ndarray] | None = None
    ) -> Path:
        """Write one of `parts` in one piece, `meta` as JSON, arrays by name; returns its file."""
        if name not in self.parts:
            raise PartsError(f"The run in {self.folder} has no part {name!r}.")
        now = open_run(self.folder)
        if now.run_id != self.run_id:
            raise PartsError(
                f"Another run was started in {self.folder} while this one was at work "
                f"({now.run_id}, not {self.run_id}). Let one run have the folder to itself."
            )
        told = json.dumps({**self._identity(name), "meta": dict(meta or {})})
        path = self.path(name)
        kept: dict[str, Any] = {**(arrays or {}), "_part": np.array(told)}
        with atomic_write(path) as partial, partial.open("wb") as out:
            np.savez(out, **kept)
        return path

    def read_part(self, name: str) -> tuple[dict, dict[str, np.ndarray]]:
        """Read one of `parts`; returns `meta` and `arrays` as they were given to `write_part`."""
        path, wanted = self.path(name), self._identity(name)
        if not path.is_file():
            raise PartsError(
                f"{self._describe(name)} is missing in {self.folder}: the process that was to "
                "write it did not finish. Run it again."
            )
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays = {key: stored[key] for key in stored.files}
            told = json.loads(str(arrays.pop("_part")))
            meta, found = told["meta"], {key: told[key] for key in wanted}
        except (*NPZ_ERRORS, TypeError) as error:
            raise PartsError(
                f"{self._describe(name)}: {path} is damaged ({error}). Run it again."
            ) from error
        if found == wanted:
            return meta, arrays
        why = "covers something else"
        if found["run_id"] != self.run_id:
            why = f"is left over from another run ({found['run_id']}, not {self.run_id})"
        elif others := _differences(found["made_from"], wanted["made_from"]):
            why = f"was made from something else: {others}"
        raise PartsError(f"{self._describe(name)}: {path} {why}. Run it again.")

    def unfinished(self) -> list[str]:
        """Names of the parts that are missing, damaged, or not of this run, in their order."""
        found = []
        for name in self.parts:
            try:
                self.read_part(name)
            except PartsError:
                found.append(name)
        return found

    def path(self, name: str) -> Path:
        """Where a part is written."""
        return self.folder / f"{_PREFIX}{name}{_SUFFIX}"

    def _identity(self, name: str) -> dict:
        made_from = {**self.made_from, **self.part_made_from.get(name, {})}
        return {"run_id": self.run_id, "covers": self.parts[name], "made_from": made_from}

    def _describe(self, name: str) -> str:
        covered = self.parts[name]
        more = ", …" if len(covered) > _FEW else ""
        number = list(self.parts).index(name) + 1
        return (
            f"Part {name} ({number} of {len(self.parts)}; "
            f"it covers {', '.join(map(str, covered[:_FEW]))}{more})"
        )


def start_run(
    folder: str | Path,
    parts: Mapping[str, Sequence],
    made_from: Mapping[str, str],
    *,
    part_made_from: Mapping[str, Mapping[str, str]] | None = None,
    resume: bool = False,
) -> PartedRun:
    """Begin a run in a folder: write its ``run.json`` and delete the parts of earlier runs.

    One process does this, the others call `open_run`.  With `resume` a run made from the same
    goes on: its parts that are covered again stay, and `PartedRun.unfinished` names the rest.
    """
    folder = Path(folder)
    covered = {str(name): list(items) for name, items in parts.items()}
    wrong = [n for n in covered if not n or n[0] == "." or set(n) & set('/\\:*?"<>|\0')]
    if not covered or wrong:
        raise PartsError(
            f"A run needs at least one part, named so that a file can be: {wrong or 'got none'}."
        )
    own = {str(name): dict(found) for name, found in (part_made_from or {}).items()}
    folder.mkdir(parents=True, exist_ok=True)
    run_id = secrets.token_hex(8)
    if resume and (folder / RUN_FILE).is_file():
        before = open_run(folder)
        if not _differences(before.made_from, made_from):
            run_id = before.run_id
    run = PartedRun(folder, run_id, dict(made_from), covered, own)
    told = {name: value for name, value in vars(run).items() if name != "folder"}
    text = json.dumps({"format": _FORMAT, **told}, indent=1)  # in the order of the parts
    write_bytes(folder / RUN_FILE, text.encode())
    for name in set(_names(folder)) - (set(covered) if resume else set()):
        run.path(name).unlink(missing_ok=True)
    return run


def open_run(folder: str | Path) -> PartedRun:
    """Read which run a folder holds, wherever it was moved to; a PartsError where it holds none."""
    folder = Path(folder)
    path = folder / RUN_FILE
    if not path.is_file():
        raise PartsError(f"No run was started in {folder}: it has no {RUN_FILE}.")
    try:
        told = json.loads(path.read_text("utf-8"))
        if told["format"] != _FORMAT:
            raise ValueError(f"format {told['format']!r} where {_FORMAT} is read")
        parts = {name: list(items) for name, items in told["parts"].items()}
        own = {name: dict(found) for name, found in told["part_made_from"].items()}
        return PartedRun(folder, str(told["run_id"]), dict(told["made_from"]), parts, own)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PartsError(f"{path} is damaged ({error}). Run it again.") from error


def read_parts(
    folder: str | Path, made_from: Mapping[str, str] | None = None
) -> tuple[PartedRun, dict[str, tuple[dict, dict[str, np.ndarray]]]]:
    """Read a complete result: the run, and each part's meta and arrays by name, in order."""
    run = open_run(folder)
    compared = {name: run.made_from.get(name) for name in made_from or ()}
    if found := _differences(compared, made_from or {}):
        raise PartsError(
            f"The run in {run.folder} was made from something else: {found}. Run it again."
        )
    read = {name: run.read_part(name) for name in run.parts}
    if extra := sorted(set(_names(run.folder)) - set(run.parts)):
        raise PartsError(
            f"{run.path(extra[0])} is no part of the run in that folder ({run.run_id}, "
            f"{len(run.parts)} parts): another run has written it. Run it again."
        )
    return run, read


def _differences(found: object, wanted: Mapping[str, str]) -> str:
    """Say which of the things that a result is made from differ; empty if none does."""
    found = found if isinstance(found, Mapping) else {}
    pairs = {n: (found.get(n), wanted.get(n)) for n in dict.fromkeys([*wanted, *found])}
    told = (f"{n} is {_short(a)} and not {_short(b)}" for n, (a, b) in pairs.items() if a != b)
    return ", ".join(told)


def _short(value: object) -> str:
    text = str(value)
    return f"{text[:12]}…" if len(text) > 24 and " " not in text else text


def _names(folder: Path) -> list[str]:
    found = folder.glob(f"{_PREFIX}*{_SUFFIX}")
    return [path.name[len(_PREFIX) : -len(_SUFFIX)] for path in found]
