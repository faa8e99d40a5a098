"""Placing cells in NEURON, inside the process that simulates them.

`build_cell` runs a package's own HOC templates.  Their names are made unique to the package's
content first and their paths absolute, so that several models, and several copies of one, can
stand side by side.  Needs the package's mechanisms loaded (see `nmc.child`).
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from nmc import child
from nmc.cells.stimuli import read_place
from nmc.data.registry import NOT_PLAIN, content_digest, file_hashes
from nmc.errors import PackageError, SimulationError, explained
from nmc.numbers import shown

_SYNAPSES = "synapses/synapses.hoc"
_FILES = ("morphology.hoc", "biophysics.hoc", _SYNAPSES, "template.hoc")
_NO_SYNAPSES = "proc load_synapses() {}\n"
_BEGIN = re.compile(r"[ \t]*begintemplate[ \t]+(\w+)")
_LOAD = re.compile(r'load_file\("[^"]*"\)')
_USED = re.compile(r"\bnew (synapses\w*)\(")


@explained
@dataclass(eq=False)
class Cell:
    """A cell placed in this process's NEURON: its template's instance, model, gid, new names."""

    hoc: Any
    model: str
    gid: int
    renamed: Mapping[str, str]
    keep: list = field(default_factory=list, repr=False)

    @property
    def soma(self):
        """The soma's section."""
        return self.hoc.soma[0]

    @cached_property
    def sections(self) -> dict[str, Any]:
        """Every section by its short name, e.g. ``dend[12]``."""
        return {s.name().rpartition(".")[2]: s for s in self.hoc.all}

    def section(self, name: str):
        """Return one section; ``soma`` means ``soma[0]``."""
        full = name if name.endswith("]") else f"{name}[0]"
        try:
            return self.sections[full]
        except KeyError:
            counts = Counter(section.partition("[")[0] for section in self.sections)
            there = ", ".join(f"{part}[0…{n - 1}]" for part, n in counts.items())
            raise PackageError(
                f"{self.model}: there is no section {name!r}; it has {there}."
            ) from None

    def segment(self, place: str):
        """Return the segment at a place written as ``dend[12](0.5)``."""
        found = read_place(place)
        if found is None:
            raise PackageError(
                f"{self.model}: {shown(place)} is not a place; write it as 'dend[12](0.5)'."
            )
        section, x = found
        return self.section(section)(x)

    def distance(self, segment) -> float:
        """Path distance of a segment from the soma's middle, µm."""
        from neuron import h

        middle = self.soma(0.5)
        if not isinstance(segment, type(middle)):  # NEURON would end the process
            raise PackageError(f"A segment is what Cell.segment returns, not {shown(segment)}.")
        return h.distance(middle, segment)


def build_cell(spec: dict, *, synapses: bool = False) -> Cell:
    """Place a package's cell, and its silent synapses if asked for, in this process's NEURON."""
    from neuron import h

    h.load_file("stdrun.hoc")
    h.load_file("import3d.hoc")
    h.celsius = spec["celsius"]
    suffix = spec["content_sha256"][:10] + ("s" if synapses else "")
    name = f"{spec['template']}_{suffix}"
    if not hasattr(h, name):
        files = _checked_files(spec)
        _define(h, files, _copy(files, synapses), suffix, synapses, spec)
    try:
        hoc = getattr(h, name)(1 if synapses else 0)
    except RuntimeError as error:
        raise SimulationError(f"{spec['model']}: the package's template failed: {error}") from error
    return Cell(hoc, spec["model"], spec["gid"], spec["renamed"])


def template_names(hoc: str) -> list[str]:
    """Names of the templates that a HOC text defines."""
    return [found[1] for line in hoc.splitlines() if (found := _BEGIN.match(line))]


def list_segments(params: dict, report) -> tuple[dict, dict[str, np.ndarray]]:
    """Task: every segment of a cell, the soma's first, with size, distance and ends (µm)."""
    from neuron import h

    cell = build_cell(params["cell"])
    order = sorted(cell.sections, key=lambda name: name != "soma[0]")  # stable: the rest as it is
    rows = [
        (number, s.x, cell.distance(s), s.sec.L / s.sec.nseg, s.diam, s.area())
        for number, name in enumerate(order)
        for s in cell.sections[name]
    ]
    h.define_shape()  # the axon's stub has no points of its own
    ends = np.concatenate([_ends(cell.sections[name]) for name in order])
    columns = ("section", "x", "distance_um", "length_um", "diameter_um", "area_um2")
    arrays = dict(zip(columns, np.array(rows).T, strict=True))
    corners = (f"{axis}{end}_um" for end in (0, 1) for axis in "xyz")
    return {"sections": order}, arrays | dict(zip(corners, ends.T, strict=True))


def _ends(section) -> np.ndarray:
    """Where the segments of a section begin and end in space, shape (nseg, 6)."""
    points = np.array([[section.x3d(i), section.y3d(i), section.z3d(i), section.arc3d(i)]
                       for i in range(section.n3d())])  # fmt: skip
    at = np.linspace(0, points[-1, 3], section.nseg + 1)
    xyz = np.column_stack([np.interp(at, points[:, 3], points[:, axis]) for axis in range(3)])
    return np.hstack([xyz[:-1], xyz[1:]])


def _checked_files(spec: dict) -> dict[str, bytes]:
    """A package's files by their path in it, each read once; refused where they have changed."""
    folder = Path(spec["folder"])
    hashes = file_hashes(folder)
    if NOT_PLAIN not in hashes.values():
        files = {path: (folder / path).read_bytes() for path in hashes}
        hashes = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
        if content_digest(hashes) == spec["content_sha256"]:
            return files
    raise PackageError(
        f"{spec['model']}: the files in {folder} were changed after the package was loaded; load "
        "it again."
    )


def _copy(files: dict[str, bytes], synapses: bool) -> Path:
    """Write the files that NEURON reads by their path, as they were checked, for each cell anew."""
    folder = Path(tempfile.mkdtemp(prefix="package-", dir=child.private_folder()))
    for path, content in files.items():
        if path.startswith("morphology/") or (synapses and path.startswith("synapses/")):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
    return folder


def _define(
    h, files: dict[str, bytes], folder: Path, suffix: str, synapses: bool, spec: dict
) -> None:
    """Define the package's templates under names of their own.

    Without synapses their template is left empty: NEURON 8 refuses to read the package's when
    the synapses' mechanisms are not loaded.
    """
    renamed = spec["renamed"]
    written = [*renamed, *renamed.values(), suffix]  # into HOC code, as is the folder
    if not all(re.fullmatch(r"\w+", name) for name in written) or re.search(
        r'["\\\n\r]', str(folder)
    ):
        raise PackageError(f"{str(folder)!r}, {written}: HOC code cannot hold such names.")
    texts = {name: files[name].decode("utf-8", "replace") for name in _FILES if name in files}
    if not synapses:
        own = template_names(texts.get(_SYNAPSES, "")) or _USED.findall(texts["template.hoc"])[:1]
        texts[_SYNAPSES] = "".join(
            f"begintemplate {name}\npublic load_synapses\n{_NO_SYNAPSES}endtemplate {name}\n"
            for name in own
        )
    templates = [name for text in texts.values() for name in template_names(text)]
    word = re.compile(rf"\b({'|'.join(map(re.escape, templates))})\b")
    mechanism = _mechanisms(files, renamed)
    for name in sorted(texts, key=_FILES.index):
        lines = (line for line in texts[name].splitlines() if not _LOAD.fullmatch(line.strip()))
        text = word.sub(rf"\1_{suffix}", "\n".join(lines))
        if renamed:
            text = mechanism.sub(lambda found: renamed.get(found[0], found[0]), text)
        text = re.sub(r'"((?:morphology|synapses)/[^"]+)"', rf'"{folder.as_posix()}/\1"', text)
        path = folder / "defined.hoc"
        path.write_text(f"{text}\n", "utf-8")
        if not h.load_file(1, str(path)):
            raise SimulationError(f"{spec['model']}: NEURON cannot read the package's HOC files.")


def _mechanisms(files: Iterable[str], renamed: dict[str, str]) -> re.Pattern:
    """Mechanisms named in HOC code, the longest meant: not ``Ca`` in ``gCa_LVAstbar_Ca_LVAst``."""
    mods = {Path(path).stem for path in files if re.fullmatch(r"mechanisms/[^/]+\.mod", path)}
    longest = sorted(mods | set(renamed), key=len, reverse=True)
    return re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(map(re.escape, longest))})\b")
