"""Invented morphologies: a tree of cylinders, and its text in the Neurolucida format.

A tree's sections stand in depth-first order, soma first, so that the n-th basal section here is
``dend[n]`` in NEURON.  Every section has one diameter: its area, volume and electrical
behaviour are known exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from nmc import names

from tools.sample.cells.plans import Plan, plan

SOMA, AXON, DEND, APIC = 1, 2, 3, 4  # the codes of SWC and MorphIO
LABELS = {AXON: ("Blue", "Axon"), DEND: ("Green", "Dendrite"), APIC: ("Magenta", "Apical")}
CONTOUR_POINTS = 36
_STEP_UM = 12.0
_NARROWING = 0.68  # daughter over parent diameter; Rall's 3/2 rule would give 0.63


@dataclass(frozen=True)
class Tree:
    """A morphology without coordinates: arrays over its sections, the soma being section 0.

    Attributes
    ----------
    kind : (N,) int array
        `SOMA`, `AXON`, `DEND` or `APIC`.
    parent : (N,) int array
        Index of the parent section; -1 for the soma.
    length_um, diameter_um : (N,) float arrays
        Of the soma: its diameter twice.
    order : (N,) int array
        Branch order, 0 for stems.
    """

    kind: np.ndarray
    parent: np.ndarray
    length_um: np.ndarray
    diameter_um: np.ndarray
    order: np.ndarray

    def of(self, kind: int) -> np.ndarray:
        """Indices of the sections of a kind, in file order."""
        return np.flatnonzero(self.kind == kind)

    @property
    def distance_um(self) -> np.ndarray:
        """Path from the start of the soma section to the start of each section, (N,).

        The soma section counts with its radius, as it does in NEURON, where neurites are
        attached to its middle.
        """
        out = np.zeros(len(self.kind))
        for i in range(1, len(self.kind)):
            p = self.parent[i]
            out[i] = self.length_um[0] / 2 if p == 0 else out[p] + self.length_um[p]
        return out


def rng_of(model: names.Model | str, seed: int, stream: int = 0) -> np.random.Generator:
    """Random stream of one model: depends on seed and name alone, not on the order of calls."""
    model = names.parse_model(model)
    return np.random.default_rng([seed, stream, *model.name.encode()])


@lru_cache(maxsize=256)
def _topology(shape: Plan) -> tuple[np.ndarray, ...]:
    """Kind, parent, order, mean length and mean diameter of every section of a plan."""
    rows: list[tuple[int, int, int, float, float]] = [
        (SOMA, -1, 0, 2 * shape.soma_radius, 2 * shape.soma_radius)
    ]

    def grow(kind, parent, order, levels, length, diameter):
        rows.append((kind, parent, order, length, max(diameter, 0.4)))
        here = len(rows) - 1
        if levels > 1:
            for _ in range(2):
                grow(kind, here, order + 1, levels - 1, length, diameter * _NARROWING)

    grow(AXON, 0, 0, shape.axon_levels, shape.axon_length, shape.axon_diameter)
    for _ in range(shape.basal_stems):
        grow(DEND, 0, 0, shape.basal_levels, shape.basal_length, shape.basal_diameter)
    for _ in range(shape.apical_trunks):
        parent = 0
        for step in range(shape.trunk_sections):
            thick = shape.trunk_diameter * 0.88**step
            rows.append((APIC, parent, step, shape.trunk_length, thick))
            parent = len(rows) - 1
            if step < shape.trunk_sections - 1:
                grow(APIC, parent, step + 1, 1, shape.basal_length, thick * 0.45)
        for _ in range(2 if shape.tuft_levels else 0):
            grow(APIC, parent, shape.trunk_sections, shape.tuft_levels, shape.tuft_length,
                 thick * _NARROWING)  # fmt: skip
    kind, parents, order, length, diameter = (
        np.array(column) for column in zip(*rows, strict=True)
    )
    return kind, parents, order, length, diameter


def make_tree(model: names.Model | str, seed: int) -> Tree:
    """Return the tree of a model: its m-type's plan with lengths and diameters drawn around it."""
    model = names.parse_model(model)
    kind, parent, order, length, diameter = _topology(plan(model.mtype))
    rng = rng_of(model, seed)
    size = rng.normal(1.0, 0.06)  # one cell is larger than another
    jitter = np.exp(rng.normal(0.0, 0.15, len(kind)))
    width = np.exp(rng.normal(0.0, 0.06, len(kind)))
    length, diameter = length * size * jitter, diameter * size * width
    length[0] = diameter[0] = diameter[0]
    return Tree(kind, parent, length.round(4), diameter.round(4), order)


def make_points(tree: Tree, model: names.Model | str, seed: int) -> list[np.ndarray]:
    """Draw the sections in space: one (P, 4) array of x, y, z, diameter in µm for each.

    The soma's is its contour, a circle in the plane z = 0.  Along a section all steps are
    equally long, so that the drawn length is the tree's.
    """
    model = names.parse_model(model)
    shape = plan(model.mtype)
    rng = rng_of(model, seed, stream=1)
    angle = np.linspace(0, 2 * np.pi, CONTOUR_POINTS, endpoint=False)
    radius = tree.length_um[0] / 2
    circle = radius * np.column_stack([np.cos(angle), np.sin(angle), 0 * angle])
    points = [np.column_stack([circle, np.zeros(CONTOUR_POINTS)])]
    heading = {}
    stems = {kind: 0 for kind in LABELS}
    for i in range(1, len(tree.kind)):
        kind, parent = int(tree.kind[i]), int(tree.parent[i])
        if parent == 0:
            way = _stem_direction(kind, stems[kind], shape, rng)
            stems[kind] += 1
            start = radius * way
        else:
            way = _bend(heading[parent], kind, tree, i, shape, rng)
            start = points[parent][-1, :3]
        heading[i] = way
        steps = max(2, int(np.ceil(tree.length_um[i] / _STEP_UM)))
        wobble = way + rng.normal(0.0, 0.12, (steps, 3))
        wobble *= tree.length_um[i] / steps / np.linalg.norm(wobble, axis=1, keepdims=True)
        path = np.vstack([start, start + np.cumsum(wobble, axis=0)])
        points.append(np.column_stack([path, np.full(len(path), tree.diameter_um[i])]))
    return points


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _stem_direction(kind: int, number: int, shape: Plan, rng) -> np.ndarray:
    if kind == AXON:
        return _unit(np.array([0.05, -1.0 if shape.axon_pull[1] <= 0 else 1.0, 0.05]))
    if kind == APIC:
        return np.array([0.0, shape.apical_direction * (-1.0) ** number, 0.0])
    turn = 2 * np.pi * (number + 0.3 * rng.random()) / shape.basal_stems
    depth = -0.35 if shape.apical_trunks else 1.2 * (-1.0) ** number
    return _unit(np.array([np.cos(turn), depth, np.sin(turn)]) * shape.spread)


def _bend(parent: np.ndarray, kind: int, tree: Tree, i: int, shape: Plan, rng) -> np.ndarray:
    """Direction of a daughter: trunks keep theirs, other branches turn aside."""
    if kind == APIC and tree.order[i] < shape.trunk_sections and _is_trunk(tree, i):
        return parent
    aside = rng.normal(0.0, 1.0, 3) * shape.spread
    aside = _unit(aside - aside @ parent * parent)
    pull = np.array(shape.axon_pull) * 0.25 if kind == AXON else np.zeros(3)
    return _unit(parent + (0.9 if kind == APIC else 0.7) * aside + pull)


def _is_trunk(tree: Tree, i: int) -> bool:
    return bool((tree.parent == i).any()) and bool(np.sum(tree.parent == tree.parent[i]) == 2)


def to_asc(tree: Tree, points: list[np.ndarray]) -> str:
    """Write a tree as Neurolucida ASCII, the format of the packages' morphologies."""
    children: dict[int, list[int]] = {i: [] for i in range(len(tree.kind))}
    for i in range(1, len(tree.kind)):
        children[int(tree.parent[i])].append(i)
    lines = ["; Synthetic morphology: invented, see README", '("CellBody"', "  (Color Red)",
             "  (CellBody)"]  # fmt: skip
    lines += [f"  ({x:.5f} {y:.5f} {z:.5f} 0)" for x, y, z, _ in points[0]]
    lines += [")", ""]

    def branch(i: int, depth: int, skip: int) -> None:
        pad = "  " * depth
        for x, y, z, d in points[i][skip:]:
            lines.append(f"{pad}({x:.5f} {y:.5f} {z:.5f} {d:.4f})")
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
