"""Write the synthetic portal: a whole source tree at the portal's own paths."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from nmc import layout, names

from tools.sample import (
    SEED,
    anatomy,
    contacts,
    facts,
    hdf5,
    jsontext,
    layers,
    menus,
    sheets,
    wiring,
)

#: Average instances the sample holds; mc2 is the one its sheets are measured on.
AVERAGES = (0, 1, 2)
SHEET_INSTANCE = 2
#: The average instance whose control the sample holds.
CONTROLLED = 0

_KINDS = {"average": 1, "individual": 2, "control": 3}


def average_instance(mc: int, *, seed: int = SEED, n_neurons: int = 1500) -> wiring.Instance:
    """Make the sample's average instance ``mc``.

    ``mc2`` has the counts of the fact sheets; the others differ a little from type to type, as
    stochastic instances do.

    Parameters
    ----------
    mc : int
        0 to 6.
    seed : int
        Seed of the sample.
    n_neurons : int
        Neurons of the column: at least 110, up to 31,346 and beyond.

    Returns
    -------
    Instance
    """
    key = (seed, _KINDS["average"], mc)
    rng = np.random.default_rng(key)
    counts = facts.mtype_counts(n_neurons)
    if mc != SHEET_INSTANCE:
        counts = _vary(counts, rng)
    neurons = wiring.make_neurons(counts, rng=rng, centre_um=_centre(mc, n_neurons))
    return wiring.make_instance(neurons, key)


def individual_instance(animal: str, mc: int, *, seed: int = SEED,
                        n_neurons: int = 1500) -> wiring.Instance:  # fmt: skip
    """Make an instance for one animal: its own layer thicknesses and numbers of cells."""
    who = layout.ANIMALS.index(animal)
    of_animal = np.random.default_rng((seed, _KINDS["individual"], who))
    stretch = float(of_animal.uniform(0.93, 1.07))
    density = float(of_animal.uniform(0.92, 1.08))
    key = (seed, _KINDS["individual"], who, mc)
    rng = np.random.default_rng(key)
    size = max(round(n_neurons * stretch * density), 2 * len(names.MTYPES))
    counts = _vary(facts.mtype_counts(size), rng)
    neurons = wiring.make_neurons(
        counts, rng=rng, centre_um=_centre(mc, n_neurons), stretch=stretch
    )
    return wiring.make_instance(neurons, key)


def control_instance(average: wiring.Instance, mc: int, instance: int, *,
                     seed: int = SEED) -> wiring.Instance:  # fmt: skip
    """Make a control of an average instance: the same pathways' numbers, distance alone."""
    return wiring.make_control(average, (seed, _KINDS["control"], mc, instance))


def write_tree(folder, *, seed: int = SEED, n_neurons: int = 1500,
               models: Iterable[str] | None = None) -> Path:  # fmt: skip
    """Write a synthetic portal tree.

    The same seed and sizes give the same bytes.

    Parameters
    ----------
    folder : path-like
        Root of the tree; made if need be.
    seed : int
        Seed of everything.
    n_neurons : int
        Neurons of an average instance: at least 110, 31,346 for a full one.
    models : iterable of str
        Me-type packages to write beside the sheets and connectomes; None writes
        `DEFAULT_MODELS`.

    Returns
    -------
    Path
        ``folder``.

    Raises
    ------
    ValueError
        When ``n_neurons`` cannot give every m-type two cells.
    UnknownNameError
        When a model does not exist.
    """
    from tqdm import tqdm

    from tools.sample.neuroml import write_neuroml

    folder = Path(folder)
    wanted = _wanted(models)
    bar = tqdm(total=len(AVERAGES) + 6, desc="writing the sample", delay=2, leave=False)
    with bar:
        counts, measured = _write_connectomes(folder, seed, n_neurons, bar.update)
        _write_sheets(folder, seed, n_neurons, counts, measured)
        bar.update()
        menus.write_menus(folder, measured)
        bar.update()
        _write_packages(folder, seed, wanted)
        bar.update()
        write_neuroml(folder, seed=seed)
        bar.update()
    note = {"origin": "sample", "invented": True, "seed": seed, "n_neurons": n_neurons}
    (folder / "nmc-tree.json").write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
    return folder


def _write_connectomes(
    folder: Path, seed: int, n_neurons: int, done: Callable[[], object]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write all instances; return cells by layer and pathway anatomy of the sheets' instance."""
    sheet = pd.DataFrame(), pd.DataFrame()
    for mc in AVERAGES:
        instance = average_instance(mc, seed=seed, n_neurons=n_neurons)
        counts = contacts.count(instance)
        hdf5.write_tar(folder / layout.average(mc), instance, counts, kind="AVERAGE")
        if mc == CONTROLLED:
            control = control_instance(instance, mc, 0, seed=seed)
            _write_tar(folder / layout.control(mc, 0), control, "CONTROL")
            done()
        if mc == SHEET_INSTANCE:
            sheet = layers.cell_counts(instance), anatomy.measure(instance, counts)
        done()
    animal = individual_instance(layout.ANIMALS[0], 0, seed=seed, n_neurons=n_neurons)
    _write_tar(folder / layout.individual(layout.ANIMALS[0], 0), animal, "INDIVIDUAL")
    done()
    return sheet


def _write_tar(target: Path, instance: wiring.Instance, kind: str) -> None:
    hdf5.write_tar(target, instance, contacts.count(instance), kind=kind)


def _write_sheets(
    folder: Path, seed: int, n_neurons: int, counts: pd.DataFrame, measured: pd.DataFrame
) -> None:
    from tools.sample import model_pages, pages, pathway_pages
    from tools.sample.cells import expected_anatomy, expected_rest

    shapes = expected_anatomy(names.model_names(), seed=seed)
    rest = expected_rest(names.model_names(), seed=seed)
    area, sizes = facts.footprint_mm2(n_neurons), layers.mean_sizes(shapes)
    metypes = layers.metype_counts(counts)
    layer_facts = layers.layer_facts(counts, measured, sizes, area)
    circuit = layers.circuit_facts(counts, measured, area)
    anatomy_file, physiology_file = sheets.anatomy_json(measured), sheets.physiology_json(seed)
    content = {
        layout.CIRCUIT_JSON: circuit,
        layout.LAYERS_JSON: layers.layer_json(layer_facts),
        layout.ANATOMY_JSON: anatomy_file,
        layout.PHYSIOLOGY_JSON: physiology_file,
        layout.MODELS_JSON: model_pages.summary_json(rest),
    }
    for path, value in content.items():
        jsontext.write(folder / path, value)
    pages.write_pages(folder, circuit, layer_facts, metypes, sizes)
    model_pages.write_model_pages(folder, shapes, rest)
    pathway_pages.write_pathway_pages(folder, anatomy_file, physiology_file)


def _wanted(models: Iterable[str] | None) -> list[names.Model]:
    if models is None:
        from tools.sample.cells import DEFAULT_MODELS as models
    return [names.parse_model(m) for m in models]


def _write_packages(folder: Path, seed: int, models: list[names.Model]) -> None:
    for model in models:
        from tools.sample.cells import write_package

        write_package(folder, model.name, seed=seed)


def _vary(counts: dict[str, int], rng: np.random.Generator) -> dict[str, int]:
    """Move a few cells between m-types of the same layer and sign; totals stay."""
    varied = dict(counts)
    for mtype in counts:
        same = [m for m in counts if _kin(m) == _kin(mtype) and m != mtype]
        spread = 0.1 * np.sqrt(counts[mtype])
        moved = min(abs(int(np.rint(rng.normal(0, spread)))), varied[mtype] - 2)
        if same and moved > 0:
            varied[mtype] -= moved
            varied[same[rng.integers(len(same))]] += moved
    return varied


def _kin(mtype: str) -> tuple[str, bool]:
    return names.layer_of(mtype), names.is_excitatory(mtype)


def _centre(mc: int, n_neurons: int) -> tuple[float, float]:
    """Axis of a microcircuit: mc0 in the middle, the six others around it."""
    if mc == 0:
        return (0.0, 0.0)
    width = np.sqrt(facts.footprint_mm2(n_neurons) * 2 / np.sqrt(3)) * 1e3
    angle = np.deg2rad(60.0 * mc)
    return (float(width * np.cos(angle)), float(width * np.sin(angle)))
