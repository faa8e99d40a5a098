"""Invented morphologies: trees that grow from a soma, and their text in the Neurolucida format.

A branch is a random walk with a memory of its direction; it tapers, splits at angles like those
of dendrites and ends at an order of its own.  Lengths, numbers of stems and where a tree points
are a recipe of the m-type: tufted pyramidal cells of layer 5 are the largest, bipolar and
bitufted cells stand upright, neurogliaform cells are small and dense, chandelier axons end in
short vertical rows (Markram et al. 2015, Cell 163:456-492; Petilla terminology, Nature Reviews
Neuroscience 9:557-568, 2008).  The numbers are invented, and sections few, so that cells run fast.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from nmc import names

from tools.sample import SEED

SOMA, AXON, DEND, APIC = 1, 2, 3, 4  # the codes of SWC and MorphIO
LABELS = {AXON: ("Blue", "Axon"), DEND: ("Green", "Dendrite"), APIC: ("Magenta", "Apical")}
CONTOUR_POINTS = 36
_UP = np.array([0.0, 1.0, 0.0])


_WIDE = [1.5, 0.55, 1.5]
_RECIPES = tomllib.loads(Path(__file__).with_name("recipes.toml").read_text("utf-8"))
#: How one kind of branch grows; ``recipes.toml`` explains each number.
Arbour = SimpleNamespace


@cache
def recipe(mtype: str) -> SimpleNamespace:
    """Return what cells of an m-type look like on average, as ``recipes.toml`` tells it."""
    own = ["pyramidal", mtype] if mtype in _RECIPES else [mtype.split("_", 1)[1].partition("-")[0]]
    found: dict[str, Any] = {}
    for told in (_RECIPES[name] for name in ("any", *own)):
        for name, value in told.items():
            if isinstance(value, dict):
                value = Arbour(**_RECIPES["arbour"] | vars(found.get(name) or Arbour()) | value)
            found[name] = value
    return SimpleNamespace(**found)


def _changed(how: Arbour, **what: Any) -> Arbour:
    return Arbour(**vars(how) | what)


@dataclass(frozen=True)
class Tree:
    """A morphology; its sections stand in depth-first order, the soma being section 0.

    The n-th basal section here is ``dend[n]`` in NEURON; `order` is 0 for stems; `points` (P, 4)
    x, y, z and diameter, µm, the soma's its outline, a circle in the plane z = 0.
    """

    kind: np.ndarray
    parent: np.ndarray
    order: np.ndarray
    points: tuple[np.ndarray, ...]

    def of(self, kind: int) -> np.ndarray:
        """Indices of the sections of a kind, in file order."""
        return np.flatnonzero(self.kind == kind)

    @property
    def soma_diameter_um(self) -> float:
        """Diameter of the soma's circle."""
        return float(np.ptp(self.points[0][:, 0]))

    @property
    def length_um(self) -> np.ndarray:
        """Length of each section, (N,); of the soma its diameter."""
        lengths = [np.linalg.norm(np.diff(p[:, :3], axis=0), axis=1).sum() for p in self.points]
        return np.array([self.soma_diameter_um, *lengths[1:]])

    @property
    def distance_um(self) -> np.ndarray:
        """Path from the soma's start to each section's, (N,); stems leave its middle."""
        out, length = np.zeros(len(self.kind)), self.length_um
        for i in range(1, len(self.kind)):
            p = self.parent[i]
            out[i] = length[0] / 2 if p == 0 else out[p] + length[p]
        return out


def rng_of(model: names.Model | str, seed: int, stream: int = 0) -> np.random.Generator:
    """Random stream of one model: depends on seed and name alone, not on the order of calls."""
    return np.random.default_rng([seed, stream, *names.parse_model(model).name.encode()])


class _Grower:
    """The sections grown so far, and the generator they are drawn with."""

    def __init__(self, rng: np.random.Generator, size: float):
        self.rng, self.size = rng, size
        self.rows: list[tuple[int, int, int, np.ndarray]] = []

    def section(self, kind: int, parent: int, order: int, start: np.ndarray, way: np.ndarray,
                length: float, ends: tuple[float, float], how: Arbour) -> int:  # fmt: skip
        """Grow one section; returns its number."""
        steps = max(2, int(np.ceil(length / how.step_um)))
        points, way = [start], way / np.linalg.norm(way)
        for _ in range(steps):
            way = way + self.rng.normal(0.0, how.wiggle, 3) + 0.5 * np.array(how.pull)
            way /= np.linalg.norm(way)
            points.append(points[-1] + way * length / steps)
        width = np.linspace(*ends, steps + 1)
        self.rows.append((kind, parent, order, np.column_stack([points, width]).round(2)))
        return len(self.rows) - 1

    def end(self, number: int) -> tuple[np.ndarray, np.ndarray, float]:
        """Where a section ends, in which direction, and how thick."""
        points = self.rows[number][3]
        way = points[-1, :3] - points[max(0, len(points) - 4), :3]
        return points[-1, :3], way / np.linalg.norm(way), float(points[-1, 3])

    def arbour(self, kind: int, parent: int, order: int, depth: int, start: np.ndarray,
               way: np.ndarray, diameter: float, how: Arbour) -> None:  # fmt: skip
        """Grow a branch with all that grows from it; ``depth`` counts from the arbour's stem."""
        rng, last = self.rng, len(how.lengths) - 1
        early = 0 < depth < last and rng.random() < how.stop
        mean = how.lengths[last if early else min(depth, last)]
        length = self.size * mean * rng.gamma(9.0, 1 / 9.0)
        thin = diameter * (0.85 if kind != AXON else 1.0)  # an axon's sections are cylinders
        here = self.section(kind, parent, order, start, way, length, (diameter, thin), how)
        if early or depth == last:
            return
        start, way, diameter = self.end(here)
        aside = rng.normal(0.0, 1.0, 3) * how.spread
        aside -= aside @ way * way
        aside /= np.linalg.norm(aside)
        for side in (1.0, -1.0):
            angle = how.split * rng.uniform(0.6, 1.4)
            turned = np.cos(angle) * way + side * np.sin(angle) * aside
            thick = max(diameter * how.thin * rng.uniform(0.9, 1.1), 0.3)
            self.arbour(kind, here, order + 1, depth + 1, start, turned, thick, how)

    def trunk(self, kind: int, start: np.ndarray, length: float, ends: tuple[float, float],
              nodes: int, side: Arbour, top: Arbour | None) -> None:  # fmt: skip
        """Grow a straight stem with side branches at ``nodes`` places, and a tuft at its end."""
        rng = self.rng
        up = _UP * np.sign(length)
        gaps = rng.gamma(4.0, 1.0, nodes + 1)
        gaps *= abs(length) * self.size / gaps.sum()
        widths = np.linspace(*ends, nodes + 2)
        straight = _changed(side, pull=tuple(0.5 * up), wiggle=0.10, step_um=20.0)
        parent, way = 0, up + rng.normal(0.0, 0.08, 3)
        turn = rng.uniform(0, 2 * np.pi)
        for k, gap in enumerate(gaps):
            thick = (widths[k], widths[k] if kind == AXON else widths[k + 1])
            parent = self.section(kind, parent, k, start, way, gap, thick, straight)
            start, way, _ = self.end(parent)
            if k < nodes:
                turn += 2.4  # the golden angle: branches leave on all sides
                aside = np.array([np.cos(turn), 0.25 * np.sign(length), np.sin(turn)])
                thick = max(0.45 * widths[k + 1], 0.5)
                self.arbour(kind, parent, k + 1, 0, start, aside * side.spread, thick, side)
        if top:
            for lean in (1.0, -1.0):
                aside = up + lean * 0.45 * np.array([np.cos(turn), 0.0, np.sin(turn)])
                thick = 0.75 * widths[-1]
                top = _changed(top, pull=tuple(np.array(top.pull) * np.sign(length)))
                self.arbour(kind, parent, nodes + 1, 0, start, aside, thick, top)


@cache
def make_tree(model: names.Model | str, seed: int = SEED) -> Tree:
    """Grow the tree of a model after its m-type's recipe."""
    model = names.parse_model(model)
    shape, rng = recipe(model.mtype), rng_of(model, seed)
    size = rng.normal(1.0, 0.06)  # one cell is larger than another
    grower = _Grower(rng, size)
    radius = round(shape.soma_radius * size, 2)
    angle = np.linspace(0, 2 * np.pi, CONTOUR_POINTS, endpoint=False)
    circle = radius * np.column_stack([np.cos(angle), np.sin(angle), 0 * angle, 0 * angle])
    grower.rows.append((SOMA, -1, 0, circle.round(5)))
    grower.rng = rng_of(model, seed, stream=1)
    _grow_axon(grower, shape, radius)
    grower.rng = rng
    turn = rng.uniform(0, 2 * np.pi)
    for k in range(shape.stems):
        turn += 2 * np.pi / shape.stems * rng.uniform(0.8, 1.2)
        height = shape.tilt or (1 if k % 2 else -1) * rng.uniform(0.1, 0.8)
        way = np.array([np.cos(turn), height, np.sin(turn)]) * shape.dendrite.spread
        way /= np.linalg.norm(way)
        thick = shape.stem_diameter * rng.uniform(0.85, 1.15)
        grower.arbour(DEND, 0, 0, 0, radius * way, way, thick, shape.dendrite)
    if shape.trunk_um:
        ends = (shape.trunk_diameter, 0.55 * shape.trunk_diameter)
        ways = (1.0, -1.0) if model.mtype == "L6_BPC" else (1.0,)
        for way in ways:
            length = way * shape.trunk_um
            start = radius * np.sign(length) * _UP
            grower.trunk(APIC, start, length, ends, shape.obliques, shape.oblique, shape.tuft)
    kind, parent, order, points = zip(*grower.rows, strict=True)
    return Tree(np.array(kind), np.array(parent), np.array(order), points)


def _grow_axon(grower: _Grower, shape: SimpleNamespace, radius: float) -> None:
    down = -_UP if shape.main_um <= 0 else _UP
    if shape.main_um:
        ends = (shape.axon_diameter, 0.6 * shape.axon_diameter)
        top = None if shape.main_um < 0 else _changed(shape.axon, spread=_WIDE)
        grower.trunk(AXON, radius * down, shape.main_um, ends, shape.collaterals, shape.axon, top)
        return
    way = 0.5 * down + grower.rng.normal(0.0, 0.5, 3)
    way /= np.linalg.norm(way)
    grower.arbour(AXON, 0, 0, 0, radius * way, way, shape.axon_diameter, shape.axon)


def stub_diameters(tree: Tree) -> tuple[float, float]:
    """Diameters of the two cylinders that replace the axon: at its start and beyond 60 µm."""
    axon = tree.of(AXON)
    middle = (tree.distance_um + tree.length_um / 2)[axon]
    far = [*axon[middle > 60], axon[0]][0]
    return float(tree.points[axon[0]][0, 3]), float(tree.points[far][0, 3])


def to_asc(tree: Tree) -> str:
    """Write a tree as Neurolucida ASCII, the format of the packages' morphologies."""
    children: dict[int, list[int]] = {i: [] for i in range(len(tree.kind))}
    for i in range(1, len(tree.kind)):
        children[int(tree.parent[i])].append(i)
    lines = ["; Synthetic morphology: invented, see README", '("CellBody"', "  (Color Red)",
             "  (CellBody)"]  # fmt: skip
    lines += [f"  ({x:.5f} {y:.5f} {z:.5f} 0)" for x, y, z, _ in tree.points[0]]
    lines += [")", ""]

    def branch(i: int, depth: int, skip: int) -> None:
        pad = "  " * depth
        for x, y, z, d in tree.points[i][skip:]:
            lines.append(f"{pad}({x:.2f} {y:.2f} {z:.2f} {d:.2f})")
        if children[i]:
            lines.append(f"{pad}(")
            for n, child in enumerate(children[i]):
                if n:
                    lines.append(f"{pad}|")
                branch(child, depth + 1, 1)
            lines.append(f"{pad})")

    for stem in children[0]:
        colour, label = LABELS[int(tree.kind[stem])]
        lines += [f"( (Color {colour})", f"  ({label})"]
        branch(stem, 1, 0)
        lines += [")", ""]
    return "\n".join(lines) + "\n"
