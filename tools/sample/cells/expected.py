"""What a measurement on a sample cell must find: its shape, and its answer to a small current."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import attrgetter

import numpy as np
import pandas as pd
from nmc import names

from tools.sample import SEED
from tools.sample.cells import biophysics
from tools.sample.cells.cable import Cable
from tools.sample.cells.morphology import APIC, AXON, DEND, make_tree
from tools.sample.cells.plans import plan

#: The portal's protocol: -0.01 nA from 1000 to 2000 ms; decay fitted from 1 to 10 ms after.
STEP_nA, FIT_FROM_ms, FIT_TO_ms = -0.01, 1.0, 10.0

#: What of a plan decides which section is whose daughter.
_branching = attrgetter(
    "basal_stems", "basal_levels", "apical_trunks", "trunk_sections", "tuft_levels", "axon_levels"
)

_NEURITES = {"axon": AXON, "apical": APIC, "basal": DEND}


def parse_models(models: str | names.Model | Iterable[str | names.Model]) -> list[names.Model]:
    """Return a list of models from one name or several."""
    several = [models] if isinstance(models, str | names.Model) else models
    return [names.parse_model(m) for m in several]


def cables(models: list[names.Model], seed: int) -> Iterator[tuple[list[int], Cable]]:
    """Group models by branching pattern; yield their places in the list and their `Cable`."""
    groups: dict[tuple, list[int]] = {}
    for place, model in enumerate(models):
        pattern = _branching(plan(model.mtype))
        groups.setdefault(pattern, []).append(place)
    for places in groups.values():
        some = [models[p] for p in places]
        trees = [make_tree(m, seed) for m in some]
        yield places, Cable(trees, [biophysics.densities(m) for m in some])


def expected_rest(models, *, seed: int = SEED) -> pd.DataFrame:
    """Resting potential, input resistance and time constant, from the model's equations.

    Parameters
    ----------
    models : model name, or several
        Any of the 1,035.
    seed : int
        Seed of the sample.

    Returns
    -------
    pandas.DataFrame
        Index ``model``; ``resting_membrane_potential_mV``, ``input_resistance_MOhm``,
        ``membrane_time_constant_ms``, by the definitions of the portal's protocol.  Channels
        that open at random count with their mean.
    """
    models = parse_models(models)
    values = np.empty((len(models), 3))
    for places, cable in cables(models, seed):
        rest = cable.steady()
        low = cable.steady(STEP_nA, start=rest)
        decay = cable.relax(rest, low, FIT_TO_ms)
        time = np.linspace(0, FIT_TO_ms, len(decay))
        fit = time >= FIT_FROM_ms
        slope = np.polyfit(time[fit], np.log(np.abs(decay[fit])), 1)[0]
        values[places] = np.column_stack([rest[0], (low - rest)[0] / STEP_nA, -1 / slope])
    columns = ["resting_membrane_potential_mV", "input_resistance_MOhm",
               "membrane_time_constant_ms"]  # fmt: skip
    return pd.DataFrame(values, columns=columns, index=_index(models))


def expected_anatomy(models, *, seed: int = SEED) -> pd.DataFrame:
    """Sizes of the axon, apical and basal trees and of the soma, from the tree that was drawn.

    Returns
    -------
    pandas.DataFrame
        Index ``model``; ``morphology`` and, for ``axon``, ``apical`` and ``basal``:
        ``…_length_um``, ``…_volume_um3``, ``…_max_branch_order`` (a stem's is
        1) and ``…_max_section_length_um`` (NaN where there is no such tree); ``soma_diameter_um``.
    """
    from tools.sample.cells.package import package_hash

    models = parse_models(models)
    rows = []
    for model in models:
        tree = make_tree(model, seed)
        row: dict[str, object] = {"morphology": f"synthetic-{package_hash(model, seed)}"}
        for name, kind in _NEURITES.items():
            at = tree.of(kind)
            length, diameter = tree.length_um[at], tree.diameter_um[at]
            row[f"{name}_length_um"] = length.sum() if len(at) else np.nan
            row[f"{name}_volume_um3"] = np.pi / 4 * diameter**2 @ length if len(at) else np.nan
            row[f"{name}_max_branch_order"] = tree.order[at].max() + 1 if len(at) else np.nan
            row[f"{name}_max_section_length_um"] = length.max() if len(at) else np.nan
        row["soma_diameter_um"] = tree.length_um[0]
        rows.append(row)
    return pd.DataFrame(rows, index=_index(models))


def _index(models: list[names.Model]) -> pd.Index:
    return pd.Index([m.name for m in models], name="model")
