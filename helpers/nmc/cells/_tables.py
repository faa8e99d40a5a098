"""Reading a package's tables: step currents, synapses, their settings, presynaptic m-types."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from nmc import names
from nmc.errors import PackageError, UnknownNameError

_ARRAYS = ("soma", "dend", "apic", "axon")
_COLUMNS = (
    "synapse", "pre_cell", "pre_mtype", "sectionlist", "index", "x", "type",
    "depression_ms", "facilitation_ms", "utilisation", "decay_ms", "delay_ms", "weight_nS",
)  # fmt: skip
#: From this type number on, a synapse is excitatory.
_FIRST_EXCITATORY = 100

#: What ``synconf.txt`` may set → column; HOC would run any other line as code.
SYNCONF = {
    "NMDA_ratio": "NMDA_ratio",
    "mg": "mg_mM",
    "GABAB_ratio": "GABAB_ratio",
    "e_GABAA": "e_GABAA_mV",
    "e_GABAB": "e_GABAB_mV",
    "Use": "use_factor",
}
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_ASSIGNMENT = re.compile(rf"%s\.(\w+) (\*?=) ({_NUMBER})")
_SENTINEL = -1e15


def read_currents(model: str, folder: Path) -> tuple[float, tuple[float, ...]]:
    """Holding current and the three steps (nA) of ``current_amps.dat``."""
    words = (folder / "current_amps.dat").read_text("utf-8", "replace").split()
    try:
        values = [float(word) for word in words]
    except ValueError:
        values = []
    if len(values) != 4 or not all(map(math.isfinite, values)):
        raise PackageError(
            f"{model}: current_amps.dat must hold four numbers, the holding current and three "
            f"steps in nA; it holds {' '.join(words)[:60]!r}."
        )
    return values[0], tuple(values[1:])


def read_mtype_map(model: str, folder: Path) -> dict[int, str]:
    """Number → m-type of ``mtype_map.tsv``."""
    found = {}
    for line in (folder / "synapses/mtype_map.tsv").read_text("utf-8", "replace").splitlines():
        if not line.strip():
            continue
        number, _, name = line.partition("\t")
        try:
            found[int(number)] = names.canonical_mtype(name.strip())
        except (ValueError, UnknownNameError) as error:
            raise PackageError(
                f"{model}: synapses/mtype_map.tsv: cannot read {line!r}: {error}"
            ) from error
    return found


def read_synapses(model: str, folder: Path, mtypes: Mapping[int, str]) -> pd.DataFrame:
    """Rows of ``synapses.tsv``; see `nmc.cells.package.Package.synapses`."""
    lines = (folder / "synapses/synapses.tsv").read_text("utf-8", "replace").splitlines()
    try:
        rows, columns = map(int, lines[0].split())
        values = np.array([line.split() for line in lines[1:] if line.strip()], float)
        values = values.reshape(-1, len(_COLUMNS))
    except (ValueError, IndexError) as error:
        raise PackageError(
            f"{model}: synapses/synapses.tsv is not a table of numbers: {error}."
        ) from error
    if (rows, columns) != values.shape:
        raise PackageError(
            f"{model}: synapses/synapses.tsv announces {rows} × {columns} numbers and holds "
            f"{values.shape[0]} × {values.shape[1]}."
        )
    raw = pd.DataFrame(values, columns=list(_COLUMNS))
    _check_synapses(model, raw, mtypes)
    whole = raw[["synapse", "pre_cell", "pre_mtype", "sectionlist", "index", "type"]].astype(int)
    table = pd.DataFrame(
        {
            "pre_cell": whole["pre_cell"],
            "pre_mtype": whole["pre_mtype"].map(dict(mtypes)).astype("str"),
            "section": _sections(whole),
            "x": raw["x"],
            "excitatory": whole["type"] >= _FIRST_EXCITATORY,
            **{name: raw[name].abs() for name in _COLUMNS[7:10]},  # the template takes abs() too
            **{name: raw[name] for name in _COLUMNS[10:]},
        }
    )
    return table.set_index(pd.RangeIndex(len(table), name="synapse"))


def _sections(whole: pd.DataFrame) -> pd.Series:
    """HOC names of the sections that synapses stand on."""
    array = whole["sectionlist"].map(dict(enumerate(_ARRAYS))).astype("str")
    return array + "[" + whole["index"].astype("str") + "]"


def _check_synapses(model: str, raw: pd.DataFrame, mtypes: Mapping[int, str]) -> None:
    where = f"{model}: synapses/synapses.tsv"
    wrong = {
        "a number that is not finite": ~np.isfinite(raw).all(axis=1),
        "an unknown section list": ~raw["sectionlist"].isin(range(len(_ARRAYS))),
        "a negative section index": raw["index"] < 0,
        "a position outside 0 to 1": ~raw["x"].between(0, 1),
        "an m-type that mtype_map.tsv does not list": ~raw["pre_mtype"].isin(list(mtypes)),
        "a negative delay or weight": (raw["delay_ms"] < 0) | (raw["weight_nS"] < 0),
    }
    for what, rows in wrong.items():
        if rows.any():
            raise PackageError(f"{where}: synapse in row {int(np.argmax(rows))} has {what}.")


def read_synconf(model: str, folder: Path, synapses: pd.DataFrame) -> pd.DataFrame:
    """Add to the synapse table what ``synconf.txt`` sets.

    The file alternates a line of HOC assignments and a line of synapse numbers that ends in
    −1e15.  HOC would execute whatever stands there; here only assignments of `SYNCONF` pass.
    """
    path = folder / "synapses/synconf.txt"
    lines = path.read_text("utf-8", "replace").splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    if len(lines) % 2:
        raise PackageError(f"{model}: synapses/synconf.txt ends in the middle of an entry.")
    table = synapses.assign(**dict.fromkeys(SYNCONF.values(), np.nan))
    table["use_factor"] = 1.0
    for code, ids in zip(lines[::2], lines[1::2], strict=True):
        rows = _synapse_numbers(model, ids, len(table))
        for name, operator, value in _assignments(model, code):
            if operator == "*=":
                table.loc[rows, "use_factor"] *= value
            else:
                table.loc[rows, SYNCONF[name]] = value
    table["utilisation"] *= table.pop("use_factor")
    return table


def _assignments(model: str, code: str) -> list[tuple[str, str, float]]:
    found = _ASSIGNMENT.findall(code)
    rebuilt = " ".join(f"%s.{name} {operator} {number}" for name, operator, number in found)
    allowed = all(
        name in SYNCONF and (operator == "*=") == (name == "Use") for name, operator, _ in found
    )
    if not found or rebuilt != " ".join(code.split()) or not allowed:
        raise PackageError(
            f"{model}: synapses/synconf.txt holds {code.strip()[:80]!r}, which is not an "
            f"assignment to one of {', '.join(SYNCONF)}; it is not run."
        )
    return [(name, operator, float(number)) for name, operator, number in found]


def _synapse_numbers(model: str, line: str, count: int) -> np.ndarray:
    try:
        values = np.array(line.split(), float)
    except ValueError:
        values = np.array([])
    ids = values[:-1]
    if not len(values) or values[-1] != _SENTINEL or not np.array_equal(ids, ids.astype(int)):
        raise PackageError(
            f"{model}: synapses/synconf.txt: a list of synapses must be whole numbers that end "
            f"in -1e15; got {line.strip()[:60]!r}."
        )
    if len(ids) and not (0 <= ids.min() and ids.max() < count):
        raise PackageError(
            f"{model}: synapses/synconf.txt names synapse {int(ids.max())} of {count}."
        )
    return ids.astype(int)
