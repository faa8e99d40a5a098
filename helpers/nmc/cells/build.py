"""Placing cells in NEURON, inside the process that simulates them.

`build_cell` runs a package's own HOC templates.  Their names are made unique to the package's
content first and their paths absolute, so that several models, and several copies of one, can
stand side by side.  Needs the package's mechanisms loaded (see `nmc.child`).
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nmc.cells import known
from nmc.errors import PackageError, SimulationError

if TYPE_CHECKING:
    from nmc.cells.package import Package

_SYNAPSES = "synapses/synapses.hoc"
_FILES = ("morphology.hoc", "biophysics.hoc", _SYNAPSES, "template.hoc")
_NO_SYNAPSES = "proc load_synapses() {}\n"
_BEGIN = re.compile(r"[ \t]*begintemplate[ \t]+(\w+)")
_LOAD = re.compile(r'load_file\("[^"]*"\)')
_USED = re.compile(r"\bnew (synapses\w*)\(")
_PLACE = re.compile(r"(soma|dend|apic|axon)(?:\[(\d+)\])?\(([0-9.]+)\)")


def cell_spec(package: Package) -> dict:
    """What a worker needs to build a package's cell, ready for JSON.

    Raises
    ------
    TrustError
        The package is neither known nor trusted.
    """
    package.check_trusted()
    return {
        "model": package.name,
        "folder": str(package.folder),
        "template": package.template,
        "content_sha256": package.content_sha256,
        "gid": package.gid,
        "celsius": package.celsius,
        "renamed": dict(package.renamed),
    }


@dataclass(eq=False)
class Cell:
    """A cell placed in this process's NEURON.

    Attributes
    ----------
    hoc : HocObject
        The template's instance: ``soma``, ``dend``, ``apic``, ``axon`` and the section lists.
    model : str
        Name of the model.
    gid : int
        The cell's number in the reconstructed circuit.
    """

    hoc: Any
    model: str
    gid: int
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
            raise PackageError(
                f"{self.model}: there is no section {name!r}; it has {_ranges(self.sections)}."
            ) from None

    def segment(self, place: str):
        """Return the segment at a place written as ``dend[12](0.5)``."""
        found = _PLACE.fullmatch(place)
        if not found or not 0 <= float(found[3]) <= 1:
            raise PackageError(
                f"{self.model}: {place!r} is not a place; write it as 'dend[12](0.5)'."
            )
        return self.section(f"{found[1]}[{found[2] or 0}]")(float(found[3]))

    def distance(self, segment) -> float:
        """Path distance of a segment from the soma's middle, µm."""
        from neuron import h

        return h.distance(self.soma(0.5), segment)


def build_cell(spec: dict, *, synapses: bool = False) -> Cell:
    """Place a package's cell in this process's NEURON.

    Parameters
    ----------
    spec : dict
        From `cell_spec`.
    synapses : bool
        Place the package's synapses too, all silent, as the package's template does.

    Raises
    ------
    SimulationError
        The package's HOC code failed; NEURON's own words are in the worker's log.
    PackageError
        The folder's files are no longer those that the spec was made from.
    """
    from neuron import h

    h.load_file("stdrun.hoc")
    h.load_file("import3d.hoc")
    h.celsius = spec["celsius"]
    suffix = spec["content_sha256"][:10] + ("s" if synapses else "")
    name = f"{spec['template']}_{suffix}"
    folder = Path(spec["folder"])
    # Before each cell, not only the first: NEURON reads the synapses' files anew for each.
    if known.content_digest(known.file_hashes(folder)) != spec["content_sha256"]:
        raise PackageError(
            f"{spec['model']}: the files in {folder} were changed after the package was "
            "loaded; load it again."
        )
    if not hasattr(h, name):
        _define(h, folder, suffix, synapses, spec["renamed"])
    try:
        hoc = getattr(h, name)(1 if synapses else 0)
    except RuntimeError as error:
        raise SimulationError(f"{spec['model']}: the package's template failed: {error}") from error
    return Cell(hoc, spec["model"], spec["gid"])


def template_names(hoc: str) -> list[str]:
    """Names of the templates that a HOC text defines."""
    return [found[1] for line in hoc.splitlines() if (found := _BEGIN.match(line))]


def list_sections(params: dict, report) -> tuple[dict, dict[str, np.ndarray]]:
    """Task: a cell's sections, the soma first, with distance, length and diameter (µm)."""
    cell = build_cell(params["cell"])
    order = sorted(cell.sections, key=lambda name: name != "soma[0]")  # stable: the rest as it is
    sections = [cell.sections[name] for name in order]
    arrays = {
        "distance_um": np.array([cell.distance(section(0.5)) for section in sections]),
        "length_um": np.array([section.L for section in sections]),
        "diameter_um": np.array([section(0.5).diam for section in sections]),
    }
    return {"sections": order}, arrays


def _define(h, folder: Path, suffix: str, synapses: bool, renamed: dict[str, str]) -> None:
    """Define the package's templates under names of their own.

    Without synapses their template is left empty: NEURON 8 refuses to read the package's when
    the synapses' mechanisms are not loaded, and a package may have none.
    """
    written = [*renamed, *renamed.values(), suffix]  # into HOC code, as is the folder
    if not all(re.fullmatch(r"\w+", name) for name in written) or re.search(
        r'["\\\n\r]', str(folder)
    ):
        raise PackageError(f"{str(folder)!r}, {written}: HOC code cannot hold such names.")
    paths = {name: folder / name for name in _FILES if (folder / name).is_file()}
    texts = {name: path.read_text("utf-8", "replace") for name, path in paths.items()}
    if not synapses:
        own = template_names(texts.get(_SYNAPSES, "")) or _USED.findall(texts["template.hoc"])[:1]
        texts[_SYNAPSES] = "".join(
            f"begintemplate {name}\npublic load_synapses\n{_NO_SYNAPSES}endtemplate {name}\n"
            for name in own
        )
    templates = [name for text in texts.values() for name in template_names(text)]
    word = re.compile(rf"\b({'|'.join(map(re.escape, templates))})\b")
    mechanism = _mechanisms(folder, renamed)
    for name in sorted(texts, key=_FILES.index):
        lines = (line for line in texts[name].splitlines() if not _LOAD.fullmatch(line.strip()))
        text = word.sub(rf"\1_{suffix}", "\n".join(lines))
        if renamed:
            text = mechanism.sub(lambda found: renamed.get(found[0], found[0]), text)
        text = re.sub(r'"((?:morphology|synapses)/[^"]+)"', rf'"{folder.as_posix()}/\1"', text)
        with tempfile.NamedTemporaryFile("w", suffix=".hoc", delete=False) as file:
            file.write(text + "\n")
        try:
            if not h.load_file(1, file.name):
                raise SimulationError(f"{folder.name}: NEURON cannot read the package's HOC files.")
        finally:
            Path(file.name).unlink()


def _mechanisms(folder: Path, renamed: dict[str, str]) -> re.Pattern:
    """Mechanisms named in HOC code: alone, or at the end of a parameter (``gIhbar_Ih``).

    The longest name that fits is meant: ``gCa_LVAstbar_Ca_LVAst`` names no mechanism ``Ca``.
    """
    names = {path.stem for path in (folder / "mechanisms").glob("*.mod")} | set(renamed)
    longest = sorted(names, key=len, reverse=True)
    return re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(map(re.escape, longest))})\b")


def _ranges(sections: dict) -> str:
    counts: dict[str, int] = {}
    for name in sections:
        part = name.partition("[")[0]
        counts[part] = counts.get(part, 0) + 1
    return ", ".join(f"{part}[0…{n - 1}]" if n > 1 else f"{part}[0]" for part, n in counts.items())
