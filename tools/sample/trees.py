"""Invented morphologies: trees that grow from a soma, and their text in the Neurolucida format.

A branch is a random walk with a memory of its direction; it tapers, splits at angles like those
of dendrites and ends at an order of its own.  Lengths, numbers of stems and where a tree points
are a recipe of the m-type: tufted pyramidal cells of layer 5 are the largest, bipolar and
bitufted cells stand upright, neurogliaform cells are small and dense, chandelier axons end in
short vertical rows (Markram et al. 2015, Cell 163:456-492; Petilla terminology, Nature Reviews
Neuroscience 9:557-568, 2008).  The numbers are invented, and sections few, so that cells run fast.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from nmc import names

from tools.sample import SEED

SOMA, AXON, DEND, APIC = 1, 2, 3, 4  # the codes of SWC and MorphIO
LABELS = {AXON: ("Blue", "Axon"), DEND: ("Green", "Dendrite"), APIC: ("Magenta", "Apical")}
CONTOUR_POINTS = 36
_UP = np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True)
class Arbour:
    """How one kind of branch grows: mean lengths (µm) by order, the last for all later ones."""

    lengths: tuple[float, ...] = (18.0, 36.0, 74.0)
    pull: tuple[float, float, float] = (0.0, 0.0, 0.0)  # a branch leans there while it grows
    spread: tuple[float, float, float] = (1.0, 1.0, 1.0)  # stretch of directions where it starts
    split: float = 0.55  # angle of a daughter with its mother, radians, on average
    wiggle: float = 0.22  # change of direction a step
    step_um: float = 11.0  # distance of drawn points
    stop: float = 0.12  # chance that a branch of a middle order ends early
    thin: float = 0.78  # daughter over mother


@dataclass(frozen=True)
class Recipe:
    """What cells of one m-type look like on average; lengths and diameters in µm."""

    soma_radius: float = 7.0
    stems: int = 5
    stem_diameter: float = 1.5
    tilt: float = 0.0  # of the stems, upwards
    dendrite: Arbour = Arbour()
    trunk_um: float = 0.0  # of the apical dendrite; negative points down
    trunk_diameter: float = 2.4
    obliques: int = 5
    oblique: Arbour = Arbour((22.0, 60.0), stop=0.0)
    tuft: Arbour | None = None
    main_um: float = 0.0  # an axon's straight part, with collaterals; negative points down
    collaterals: int = 5
    axon: Arbour = Arbour(
        (40.0, 60.0, 85.0, 110.0), step_um=16.0, wiggle=0.28, thin=0.82, stop=0.04
    )
    axon_diameter: float = 0.9


_DEND, _AXON = Recipe.dendrite, Recipe.axon
_TUFT = Arbour((14.0, 32.0, 72.0), pull=(0.0, 0.10, 0.0), spread=(1.5, 0.5, 1.5), split=0.62)
_PYRAMIDAL = Recipe(
    soma_radius=8.5, stems=6, stem_diameter=1.7, tilt=-0.45, trunk_um=300.0, tuft=_TUFT,
    main_um=-420.0, axon_diameter=1.1,
    axon=replace(_AXON, lengths=(70.0, 110.0, 150.0), spread=(1.3, 0.6, 1.3), stop=0.25),
)  # fmt: skip
_WIDE = (1.5, 0.55, 1.5)
_RECIPES = {
    "L23_PC": {"trunk_um": 230.0, "trunk_diameter": 2.2},
    "L4_PC": {"trunk_um": 340.0, "trunk_diameter": 2.2,
              "tuft": replace(_TUFT, lengths=(14.0, 30.0, 62.0))},
    "L4_SP": {"trunk_um": 300.0, "trunk_diameter": 1.9, "tuft": None},
    "L4_SS": {"trunk_um": 0.0, "tuft": None, "stems": 7, "soma_radius": 7.0, "tilt": 0.0,
              "main_um": -300.0},
    "L5_TTPC1": {"trunk_um": 760.0, "trunk_diameter": 4.0, "soma_radius": 10.5, "obliques": 7,
                 "stem_diameter": 2.0, "dendrite": replace(_DEND, lengths=(20.0, 38.0, 76.0)),
                 "tuft": replace(_TUFT, lengths=(16.0, 34.0, 38.0, 74.0), split=0.7)},
    "L5_TTPC2": {"trunk_um": 720.0, "trunk_diameter": 3.8, "soma_radius": 10.0, "obliques": 8,
                 "stem_diameter": 2.0, "dendrite": replace(_DEND, lengths=(20.0, 38.0, 76.0)),
                 "tuft": replace(_TUFT, lengths=(60.0, 36.0, 74.0), split=0.7)},
    "L5_UTPC": {"trunk_um": 700.0, "trunk_diameter": 3.0, "soma_radius": 9.0, "tuft": None},
    "L5_STPC": {"trunk_um": 640.0, "trunk_diameter": 2.8, "soma_radius": 9.0,
                "tuft": replace(_TUFT, lengths=(20.0, 70.0))},
    "L6_TPC_L1": {"trunk_um": 880.0, "trunk_diameter": 3.0},
    "L6_TPC_L4": {"trunk_um": 520.0, "trunk_diameter": 2.6},
    "L6_UTPC": {"trunk_um": 480.0, "trunk_diameter": 2.4, "tuft": None},
    "L6_IPC": {"trunk_um": -360.0, "tilt": 0.45, "main_um": 380.0},
    "L6_BPC": {"trunk_um": 330.0, "stems": 5, "tuft": replace(_TUFT, lengths=(16.0, 70.0))},
    # Interneurons, by the part of the m-type after its layer.
    "DAC": {"main_um": -320.0, "dendrite": replace(_DEND, spread=(1.4, 0.6, 1.4))},
    "HAC": {"axon": replace(_AXON, lengths=(30.0, 60.0, 75.0, 90.0, 110.0),
                            spread=(2.4, 0.3, 1.0)),
            "soma_radius": 6.5, "dendrite": replace(_DEND, spread=(1.6, 0.5, 1.0))},
    "DLAC": {"axon": replace(_AXON, lengths=(30.0, 45.0, 50.0, 60.0, 85.0), spread=_WIDE)},
    "SLAC": {"axon": replace(_AXON, lengths=(30.0, 50.0, 90.0), spread=_WIDE)},
    "NGC": {"stems": 7, "dendrite": replace(_DEND, lengths=(14.0, 24.0, 48.0), wiggle=0.35),
            "axon": replace(_AXON, lengths=(20.0, 24.0, 28.0, 34.0, 40.0, 44.0), wiggle=0.45,
                            stop=0.02)},
    "BP": {"stems": 2, "soma_radius": 6.0, "stem_diameter": 1.5, "main_um": -180.0,
           "dendrite": replace(_DEND, lengths=(38.0, 60.0, 76.0), spread=(0.25, 2.0, 0.25),
                               split=0.35)},
    "BTC": {"stems": 4, "main_um": 200.0, "dendrite": replace(
        _DEND, lengths=(22.0, 38.0, 76.0), spread=(0.45, 1.6, 0.45), split=0.4)},
    "DBC": {"stems": 4, "main_um": -360.0, "collaterals": 8, "dendrite": replace(
        _DEND, lengths=(22.0, 38.0, 74.0), spread=(0.45, 1.6, 0.45), split=0.4),
        "axon": replace(_AXON, lengths=(20.0, 60.0, 110.0), pull=(0.0, -0.35, 0.0))},
    "MC": {"stems": 4, "main_um": 470.0, "collaterals": 6, "dendrite": replace(
        _DEND, lengths=(22.0, 50.0, 78.0), spread=(0.8, 1.3, 0.8)),
        "axon": replace(_AXON, lengths=(45.0, 60.0, 95.0), spread=(1.6, 0.5, 1.6),
                        pull=(0.0, 0.06, 0.0))},
    "LBC": {"soma_radius": 8.0, "dendrite": replace(_DEND, lengths=(20.0, 38.0, 78.0)),
            "axon": replace(_AXON, lengths=(30.0, 45.0, 60.0, 75.0, 95.0, 110.0),
                            spread=(1.6, 0.7, 1.6))},
    "NBC": {"axon": replace(_AXON, lengths=(20.0, 30.0, 36.0, 44.0, 52.0, 60.0))},
    "SBC": {"dendrite": replace(_DEND, lengths=(16.0, 34.0, 78.0)),
            "axon": replace(_AXON, lengths=(18.0, 26.0, 32.0, 38.0, 46.0, 50.0), wiggle=0.36)},
    "ChC": {"axon": replace(_AXON, lengths=(25.0, 36.0, 44.0, 48.0, 50.0, 34.0),
                            spread=(1.5, 0.9, 1.5), pull=(0.0, -0.22, 0.0))},
}  # fmt: skip
_RECIPES |= {"NGC-DA": _RECIPES["NGC"], "NGC-SA": _RECIPES["NGC"]}


def recipe(mtype: str) -> Recipe:
    """Return the recipe of an m-type."""
    if mtype in _RECIPES:
        return replace(_PYRAMIDAL, **_RECIPES[mtype])
    return replace(Recipe(), **_RECIPES[mtype.split("_", 1)[1]])


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
        straight = replace(side, pull=tuple(0.5 * up), wiggle=0.10, step_um=20.0)
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
        if top is not None:
            for lean in (1.0, -1.0):
                aside = up + lean * 0.45 * np.array([np.cos(turn), 0.0, np.sin(turn)])
                thick = 0.75 * widths[-1]
                top = replace(top, pull=tuple(np.array(top.pull) * np.sign(length)))
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


def _grow_axon(grower: _Grower, shape: Recipe, radius: float) -> None:
    down = -_UP if shape.main_um <= 0 else _UP
    if shape.main_um:
        ends = (shape.axon_diameter, 0.6 * shape.axon_diameter)
        top = None if shape.main_um < 0 else replace(shape.axon, spread=_WIDE)
        grower.trunk(AXON, radius * down, shape.main_um, ends, shape.collaterals, shape.axon, top)
        return
    way = 0.5 * down + grower.rng.normal(0.0, 0.5, 3)
    way /= np.linalg.norm(way)
    grower.arbour(AXON, 0, 0, 0, radius * way, way, shape.axon_diameter, shape.axon)


def stub_diameters(tree: Tree) -> tuple[float, float]:
    """Diameters of the two cylinders that replace the axon: at its start and beyond 60 µm."""
    axon = tree.of(AXON)
    middle = (tree.distance_um + tree.length_um / 2)[axon]
    beyond = axon[middle > 60] if len(axon) > 1 else axon[:0]
    far = beyond[0] if len(beyond) else axon[0]
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
