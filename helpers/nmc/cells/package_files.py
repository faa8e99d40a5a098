"""Reading the files of a package as text: only the forms that the portal wrote, nothing run.

Every reader is linear in the length of its file, and every number passes `nmc.numbers`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd

from nmc import names
from nmc.cells.build import template_names
from nmc.errors import PackageError, UnknownNameError
from nmc.numbers import as_count, as_counts, as_number, as_numbers, evaluate_formula, shown

#: HOC section lists, by the number `synapses.tsv` gives them.
SECTION_LISTS = ("somatic", "basal", "apical", "axonal")
#: HOC section arrays, in the same order.
SECTION_ARRAYS = ("soma", "dend", "apic", "axon")
#: Parameters of the cable itself, of ions and of NEURON's extracellular space: of no mechanism.
CABLE = ("Ra", "cm", "ena", "ek", "eca", "xraxial", "xg", "xc", "e_extracellular")

_LISTS = "|".join(("all", *SECTION_LISTS))
_COMMENT = re.compile(r"/\*|//")
_NAME = r"([A-Za-z_]\w*)"
_INSERT = re.compile(rf"insert\s+{_NAME}", re.A)
_SET = re.compile(rf"{_NAME}(?:\[\d+\])?\s*=\s*(\S+)", re.A)
_FORSEC = re.compile(rf"forsec\s+\$o1\.({_LISTS})\s*\{{")
_DISTRIBUTE = re.compile(rf'distribute\(\$o1\.({_LISTS}),\s*"{_NAME}",\s*"([^"]+)"\)', re.A)
_INPUT = re.compile(r'\.input\("([^"\n]+)"\)')
_GID = re.compile(r"gid\s*=\s*(\S+)")

_LONGEST_MB = 100
_WORDS = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
_COLUMNS = (
    "synapse", "pre_cell", "pre_mtype", "sectionlist", "index", "x", "type",
    "depression_ms", "facilitation_ms", "utilisation", "decay_ms", "delay_ms", "weight_nS",
)  # fmt: skip
#: Bounds of what can be, of the columns that are no counts.
_BOUNDS = {
    "x": (0, 1), "depression_ms": (-1e6, 1e6), "facilitation_ms": (-1e6, 1e6),
    "utilisation": (-1, 1), "decay_ms": (0, 1e4), "delay_ms": (0, 1e4), "weight_nS": (0, 1e4),
}  # fmt: skip
#: From this type number on, a synapse is excitatory.
_FIRST_EXCITATORY = 100
#: What ``synconf.txt`` may set → column and bounds; HOC would run any other line as code.
SYNCONF = {
    "NMDA_ratio": ("NMDA_ratio", 0, 100),
    "mg": ("mg_mM", 0, 100),
    "GABAB_ratio": ("GABAB_ratio", 0, 100),
    "e_GABAA": ("e_GABAA_mV", -200, 100),
    "e_GABAB": ("e_GABAB_mV", -200, 100),
    "Use": ("use_factor", 0, 100),
}
_ASSIGNED = re.compile(r"(?<!\S)%s\.(\w+)\s+(\*?=)\s+(\S+)(?!\S)", re.A)


class Files:
    """The files of one package, read one by one; errors name the package and the file."""

    def __init__(self, name: str, folder: Path):
        self.name, self.folder = name, folder

    def has(self, file: str) -> bool:
        """Whether the package has a file."""
        return (self.folder / file).is_file()

    def refuse(self, file: str, why: str) -> NoReturn:
        """Raise the error of a file."""
        raise PackageError(f"{self.name}: {file} {why}")

    def text(self, file: str) -> str:
        """Text of a file, its line ends as Unix has them."""
        path = self.folder / file
        if not path.is_file():
            self.refuse(
                file, f"is missing (looked in {self.folder}). Fetch the package again, or unpack "
                "the whole archive."
            )  # fmt: skip
        if path.stat().st_size > _LONGEST_MB * 1e6:
            self.refuse(file, f"is larger than {_LONGEST_MB} MB, so it is no file of a package.")
        return path.read_text("utf-8-sig", "replace")

    def hoc(self, file: str) -> str:
        """Text of a HOC file without its comments."""
        return without_comments(self.text(file))

    def start(self, file: str) -> str:
        """First of a text that is only shown; empty where there is none."""
        if not self.has(file):
            return ""
        with (self.folder / file).open(encoding="utf-8-sig", errors="replace") as text:
            return text.read(100_000)


def without_comments(hoc: str) -> str:
    """Text of a HOC file with a space for each comment."""
    parts, at = [], 0
    while found := _COMMENT.search(hoc, at):
        parts.append(hoc[at : found.start()])
        block = found[0] == "/*"
        end = hoc.find("*/" if block else "\n", found.end())
        at = len(hoc) if end < 0 else end + 2 * block
    return " ".join([*parts, hoc[at:]])


def read_template(files: Files) -> str:
    """Name of the one template that ``template.hoc`` defines."""
    found = template_names(files.hoc("template.hoc"))
    if len(found) != 1:
        files.refuse("template.hoc", f"defines {len(found)} templates, not one.")
    return found[0]


def read_types(files: Files, template: str) -> tuple[str, str]:
    """M-type and e-type, from ``cellinfo.json`` or the template's name (``NGCDA``), or empty."""
    info = read_cellinfo(files)
    etype, _, rest = template.partition("_")
    told = (
        (info.get("m-type"), info.get("e-type")),
        (rest.rpartition("_")[0].replace("NGCDA", "NGC-DA").replace("NGCSA", "NGC-SA"), etype),
    )
    for place, (m, e) in enumerate(told):
        try:
            return names.canonical_mtype(str(m)), names.canonical_etype(str(e))
        except UnknownNameError as error:
            if place == 0 and m is not None:
                files.refuse("cellinfo.json", f"names no type of cell: {error}")
    return "", ""


def read_cellinfo(files: Files) -> dict:
    """Content of ``cellinfo.json``; empty where there is none."""
    if not files.has("cellinfo.json"):
        return {}
    try:
        info = json.loads(files.text("cellinfo.json"))
    except (ValueError, RecursionError) as error:
        files.refuse("cellinfo.json", f"cannot be read: {error}.")
    if not isinstance(info, dict):
        files.refuse("cellinfo.json", "is no JSON object.")
    return info


def read_gid(files: Files) -> int:
    """Number of the cell in the circuit: in ``cellinfo.json``, else where its synapses need it."""
    if info := read_cellinfo(files):
        return _count(files, "cellinfo.json: 'gid'", info.get("gid"))
    file = "synapses/synapses.hoc"
    lines = files.hoc(file).splitlines() if files.has(file) else []
    said = [found[1] for line in lines if (found := _GID.fullmatch(line.strip()))]
    return _count(files, f"{file}: gid", said[0]) if said else 0


def _count(files: Files, place: str, value) -> int:
    return as_count(value, where=f"{files.name}: {place}", error=PackageError)


def read_morphology_path(files: Files) -> Path:
    """The morphology that ``morphology.hoc`` reads; it must lie in the package."""
    found = _INPUT.search(files.hoc("morphology.hoc"))
    name = found[1] if found else ""
    try:
        path = (files.folder / name).resolve()
        there = path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        name = ""
    if not name:
        files.refuse("morphology.hoc", "names no morphology file.")
    if not path.is_relative_to(files.folder):
        files.refuse("morphology.hoc", f"points outside the package: {name!r}.")
    if not there:
        raise PackageError(f"{files.name}: the morphology file {name} is missing.")
    return path


def read_constants(files: Files) -> tuple[float, float]:
    """Temperature (°C) and time step (ms) that ``constants.hoc`` sets."""
    lines = files.hoc("constants.hoc").splitlines()
    pairs = [tuple(map(str.strip, line.split("=", 1))) for line in lines if "=" in line]

    def read(name: str, low: float, high: float) -> float:
        said = [value for other, value in pairs if other == name]
        if len(said) != 1:
            files.refuse(
                "constants.hoc", f"sets {name} twice." if said else f"does not set {name}."
            )
        where = f"{files.name}: constants.hoc: {name}"
        return as_number(said[0], where=where, low=low, high=high, error=PackageError)

    return read("celsius", 0, 60), read("dt", 1e-6, 10)


def read_biophysics(files: Files) -> tuple[dict[str, tuple[str, ...]], pd.DataFrame]:
    """Mechanisms by section list, and the parameter table, of ``biophysics.hoc``.

    What is not understood is refused, so that nothing the file does is left out of the table.
    """
    text = files.hoc("biophysics.hoc")
    _, begun, after = text.partition("proc biophys()")
    body, ended, _ = after.partition("endtemplate")
    body = body.strip()
    if not (begun and ended and body.startswith("{") and body.endswith("}")):
        files.refuse("biophysics.hoc", "has no procedure biophys().")
    inserted: dict[str, list[str]] = {}
    rows, current = [], None
    for line in map(str.strip, body[1:-1].splitlines()):
        if not line:
            continue
        if found := _FORSEC.fullmatch(line):
            current = found[1]
        elif line == "}" and current:
            current = None
        elif current and (found := _INSERT.fullmatch(line)):
            inserted.setdefault(current, []).append(found[1])
        elif current and (found := _SET.fullmatch(line)):
            as_number(found[2], where=f"{files.name}: biophysics.hoc: {line[:60]}",
                      error=PackageError)  # fmt: skip
            rows.append((current, found[1], found[2]))
        elif found := _DISTRIBUTE.fullmatch(line):
            rows.append((found[1], found[2], found[3].replace("%g", "d")))
        else:
            files.refuse("biophysics.hoc", f"holds a line not understood: {line[:80]!r}.")
    mechanisms = {part: tuple(found) for part, found in inserted.items()}
    known = {m for found in mechanisms.values() for m in found}
    return mechanisms, pd.DataFrame([_parameter(files, row, known) for row in rows])


def _parameter(files: Files, row: tuple[str, str, str], mechanisms: set[str]) -> dict:
    part, full, text = row
    # The longest mechanism that ends the name: gK_Tstbar_K_Tst is gK_Tstbar of K_Tst.
    owners = [m for m in mechanisms if full.endswith(f"_{m}")]
    if not owners and full not in CABLE:
        files.refuse("biophysics.hoc", f"sets {full!r}, which nothing inserted has.")
    owner = max(owners, key=len, default="")
    near, far = evaluate(text, [0.0, 500.0], where=f"{files.name}: biophysics.hoc: {full}")
    return {
        "section_list": part,
        "mechanism": owner,
        "parameter": full.removesuffix(f"_{owner}") if owner else full,
        "value": near if near == far else np.nan,
        "formula": text,
    }


def evaluate(text: str, d, *, where: str = "") -> np.ndarray:
    """Value of a distribution formula at path distances `d` (µm); arithmetic and exp only."""
    d = np.asarray(d, float)
    if "**" in text or not set(_WORDS.findall(text)) <= {"d", "exp"}:
        raise PackageError(f"{where}: {shown(text)} holds more than arithmetic and exp.")
    value = evaluate_formula(text, {"d": d}, where=where, error=PackageError)
    if not np.isfinite(value).all():
        raise PackageError(f"{where}: the formula {shown(text)} is not finite.")
    return np.broadcast_to(value.astype(float), d.shape).copy()


def read_currents(files: Files) -> tuple[float, tuple[float, ...]]:
    """Holding current and the three steps (nA) of ``current_amps.dat``."""
    words = files.text("current_amps.dat").split()
    if len(words) != 4:
        files.refuse(
            "current_amps.dat",
            f"must hold four numbers, the holding current and three steps in nA; it holds "
            f"{' '.join(words[:9])[:60]!r}.",
        )
    where = f"{files.name}: current_amps.dat"
    hold, *steps = as_numbers(words, where=where, low=-1000, high=1000, error=PackageError)
    return float(hold), tuple(map(float, steps))


def read_mtype_map(files: Files) -> dict[int, str]:
    """Number → m-type of ``synapses/mtype_map.tsv``; empty where there is none."""
    file = "synapses/mtype_map.tsv"
    found: dict[int, str] = {}
    for line in filter(str.strip, files.text(file).splitlines() if files.has(file) else ()):
        number, _, name = line.partition("\t")
        place = f"{file}: {line[:60]!r}"
        try:
            key, mtype = _count(files, place, number), names.canonical_mtype(name.strip())
        except UnknownNameError as error:
            raise PackageError(f"{files.name}: {place}: {error}") from error
        if found.setdefault(key, mtype) != mtype:
            raise PackageError(f"{files.name}: {place}: number {key} is {found[key]} already.")
    return found


def read_synapses(files: Files, mtypes: Mapping[int, str], sections: Mapping[str, int]):
    """Rows of ``synapses.tsv`` with what ``synconf.txt`` sets; see `Package.synapses`."""
    file = "synapses/synapses.tsv"
    first, *rows = files.text(file).splitlines() or [""]
    where = f"{files.name}: {file}"
    head = as_counts(first.split(), where=f"{where}: line 1", error=PackageError).tolist()
    cells = [row.split() for row in rows if row.strip()]
    widths = sorted({len(row) for row in cells} or {len(_COLUMNS)})
    if head != [len(cells), len(_COLUMNS)] or widths != [len(_COLUMNS)]:
        files.refuse(
            file, f"announces {' × '.join(map(str, head)) or 'no'} numbers and holds {len(cells)} "
            f"rows of {' or '.join(map(str, widths))}; a row has {len(_COLUMNS)}."
        )  # fmt: skip
    raw = {}
    for k, name in enumerate(_COLUMNS):
        values, place = [row[k] for row in cells], _at(f"{where}: {name}")
        if name in _BOUNDS:
            low, high = _BOUNDS[name]
            raw[name] = as_numbers(values, where=place, low=low, high=high, error=PackageError)
        else:
            raw[name] = as_counts(values, where=place, error=PackageError)
    lists, index = raw["sectionlist"], raw["index"]
    known_list = lists < len(SECTION_LISTS)
    have = np.array([sections[array] for array in SECTION_ARRAYS])[lists * known_list]
    wrong = {
        "an unknown section list": ~known_list,
        "an m-type that mtype_map.tsv does not list": ~np.isin(raw["pre_mtype"], list(mtypes)),
        "a section that the cell does not have": index >= have,
    }
    for what, rows in wrong.items():
        if rows.any():
            row = int(np.argmax(rows))
            files.refuse(
                file, f"names {what}: the synapse in row {row} is of m-type "
                f"{raw['pre_mtype'][row]} and stands on section {index[row]} (from 0) of list "
                f"{lists[row]}; the lists are {', '.join(SECTION_LISTS)}, their sections "
                f"{', '.join(str(sections[array]) for array in SECTION_ARRAYS)}."
            )  # fmt: skip
    count = len(cells)
    places = zip(lists.tolist(), index.tolist(), strict=True)
    columns = {
        "pre_cell": raw["pre_cell"],
        "pre_mtype": [mtypes[number] for number in raw["pre_mtype"].tolist()],
        "section": [f"{SECTION_ARRAYS[number]}[{k}]" for number, k in places],
        "x": raw["x"],
        "excitatory": raw["type"] >= _FIRST_EXCITATORY,
        **{name: np.abs(raw[name]) for name in _COLUMNS[7:10]},  # the template takes abs() too
        **{name: raw[name] for name in _COLUMNS[10:]},
    }
    settings = _read_synconf(files, count)
    columns["utilisation"] *= settings.pop("use_factor")
    if (over := columns["utilisation"] > 1).any():
        row = int(np.argmax(over))
        files.refuse("synapses/synconf.txt", f"gives the synapse in row {row} a utilisation Use of "
                     f"{columns['utilisation'][row]:g}, which lies in 0 to 1.")  # fmt: skip
    table = pd.DataFrame(columns | settings, index=pd.RangeIndex(count, name="synapse"))
    return table.astype({"pre_mtype": "str", "section": "str"})


def _at(place: str):
    return lambda row: f"{place} of the synapse in row {row}"


def _read_synconf(files: Files, count: int) -> dict[str, np.ndarray]:
    """What ``synconf.txt`` sets of each of so many synapses, by column; NaN where it does not.

    HOC would execute whatever stands there; here only assignments of `SYNCONF` pass.
    """
    file = "synapses/synconf.txt"
    lines = files.text(file).rstrip().splitlines() if files.has(file) else []
    if len(lines) % 2:
        files.refuse(file, "ends in the middle of an entry.")
    found = {column: np.full(count, np.nan) for column, _, _ in SYNCONF.values()}
    found["use_factor"] = np.ones(count)
    for code, ids in zip(lines[::2], lines[1::2], strict=True):
        where = f"{files.name}: {file}: {ids.strip()[:60]!r}"
        *numbers, last = ids.split() or ["nothing"]
        if last not in ("-1e15", "-1e+15"):
            raise PackageError(f"{where}: a list of synapses must end in -1e15.")
        rows = as_counts(numbers, where=where, high=count - 1, error=PackageError)
        for name, value in _assignments(files, code):
            column = found[SYNCONF[name][0]]
            column[rows] = value * column[rows] if name == "Use" else value
    return found


def _assignments(files: Files, code: str) -> list[tuple[str, float]]:
    """Names and values that a line assigns, e.g. ``%s.mg = 1.0 %s.Use *= 1.0``."""
    found = _ASSIGNED.findall(code)
    usual = all(name in SYNCONF and (sign == "*=") == (name == "Use") for name, sign, _ in found)
    if not found or not usual or _ASSIGNED.sub("", code).strip():
        files.refuse(
            "synapses/synconf.txt", f"holds {code.strip()[:80]!r}, which is not an assignment to "
            f"one of {', '.join(SYNCONF)}; it is not run."
        )  # fmt: skip
    values = []
    for name, _, value in found:
        where, (_, low, high) = f"{files.name}: synapses/synconf.txt: {name}", SYNCONF[name]
        number = as_number(value, where=where, low=low, high=high, error=PackageError)
        values.append((name, number))
    return values
