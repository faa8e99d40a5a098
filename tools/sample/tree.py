"""Write the synthetic portal: a source tree at the portal's own paths, and its connectomes."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import h5py
import nmc
import numpy as np
import pandas as pd
from h5py import h5d, h5g, h5p, h5s, h5t
from nmc import names
from nmc.data.registry import item

from tools.sample import ANIMALS, MODELS, SEED, column, neuroml, packages, pages, sheets, wiring

#: Neurons of an average instance.
N_NEURONS = 4000
#: Average instances the sample holds; mc2 is the one its sheets are measured on.
AVERAGES = (0, 1, 2)
SHEET_INSTANCE = 2
#: The average instance whose control the sample holds.
CONTROLLED = 0

_KINDS = {"average": 1, "individual": 2, "control": 3}


def average_instance(mc: int) -> wiring.Instance:
    """Make the sample's average instance ``mc``, 0 to 6; ``mc2`` has the counts of the sheets."""
    key = (SEED, _KINDS["average"], mc)
    rng = np.random.default_rng(key)
    counts = column.mtype_counts(N_NEURONS)
    if mc != SHEET_INSTANCE:
        counts = _vary(counts, rng)
    neurons = wiring.make_neurons(counts, rng=rng, centre_um=_centre(mc))
    return wiring.make_instance(neurons, key)


def individual_instance(animal: str, mc: int) -> wiring.Instance:
    """Make an instance for one animal: its own layer thicknesses and numbers of cells."""
    who = ANIMALS.index(animal)
    of_animal = np.random.default_rng((SEED, _KINDS["individual"], who))
    stretch = float(of_animal.uniform(0.93, 1.07))
    density = float(of_animal.uniform(0.92, 1.08))
    key = (SEED, _KINDS["individual"], who, mc)
    rng = np.random.default_rng(key)
    size = round(N_NEURONS * stretch * density)
    counts = _vary(column.mtype_counts(size), rng)
    neurons = wiring.make_neurons(counts, rng=rng, centre_um=_centre(mc), stretch=stretch)
    return wiring.make_instance(neurons, key)


def control_instance(average: wiring.Instance, mc: int, instance: int) -> wiring.Instance:
    """Make a control of an average instance: the same pathways' numbers, distance alone."""
    return wiring.make_control(average, (SEED, _KINDS["control"], mc, instance))


def write_tree(folder: str | Path) -> Path:
    """Write the synthetic portal below ``folder``; returns it."""
    folder = Path(folder)
    note = {"origin": "sample", "invented": True, "seed": SEED, "n_neurons": N_NEURONS}
    sheets.write_json(folder / "nmc-tree.json", note)
    counts, measured = _write_connectomes(folder)
    shapes, rest = packages.anatomy_table(), packages.rest_table(MODELS)
    metypes, sizes = sheets.metype_counts(counts), sheets.mean_sizes(shapes)
    layers = sheets.layer_facts(counts, measured, sizes)
    circuit = sheets.circuit_facts(counts, measured)
    anatomy, physiology = sheets.anatomy_json(measured), sheets.physiology_json(rest)
    for path, content in {
        item("sheet/circuit").path: circuit,
        item("sheet/layers").path: sheets.layer_json(layers),
        item("sheet/pathways_anatomy").path: anatomy,
        item("sheet/pathways_physiology").path: physiology,
        item("sheet/models").path: pages.summary_json(rest),
    }.items():
        sheets.write_json(folder / path, content)
    pages.write_pages(folder, circuit, layers, metypes, sizes)
    pages.write_model_pages(folder, shapes, rest)
    pages.write_pathway_pages(folder, anatomy, physiology)
    pages.write_menus(folder, measured)
    for model in MODELS:
        packages.write_package(folder, model)
    neuroml.write_neuroml(folder)
    return folder


def _write_connectomes(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write all instances; return cells by layer and pathway anatomy of the sheets' instance."""
    sheet = pd.DataFrame(), pd.DataFrame()
    for mc in AVERAGES:
        instance = average_instance(mc)
        counts = wiring.count(instance)
        write_tar(
            folder / item(f"connectome/average/mc{mc}").path, instance, counts, kind="AVERAGE"
        )
        if mc == CONTROLLED:
            control = control_instance(instance, mc, 0)
            path = folder / item(f"connectome/control/mc{mc}/0").path
            write_tar(path, control, wiring.count(control), kind="CONTROL")
        if mc == SHEET_INSTANCE:
            connectome = nmc.load_connectome(f"connectome/average/mc{mc}", source=str(folder))
            sheet = sheets.cell_counts(instance), measure(connectome, instance, counts)
    animal = individual_instance(ANIMALS[0], 0)
    path = folder / item(f"connectome/individual/{ANIMALS[0]}/mc0").path
    write_tar(path, animal, wiring.count(animal), kind="INDIVIDUAL")
    return sheet


def measure(connectome: nmc.Connectome, instance: wiring.Instance,
            counts: wiring.PopulationCounts) -> pd.DataFrame:  # fmt: skip
    """Measure every pathway of an instance with the package's own calls, index ``pre:post``.

    ``all_connections, all_synapses`` with those from outside, the others inside the column.
    """
    keys = ["pre", "post"]
    table = nmc.compute_convergence(connectome).set_index(keys)
    near = nmc.compute_pathway_probability(connectome).set_index(keys)
    table["probability"] = near["probability"]
    table["bias"] = nmc.compute_common_neighbour_bias(connectome).set_index(keys)["bias"]
    table.index = pd.Index([f"{a}:{b}" for a, b in table.index], name="pathway")
    edges = instance.adjacency.tocoo()
    mtype = instance.neurons["mtype"].astype(str).to_numpy()
    each = pd.Series(counts.contacts.astype(float), index=mtype[edges.row] + ":" + mtype[edges.col])
    contacts = each.groupby(level=0).agg(["sum", "mean", "std"])
    table["contacts_mean"], table["contacts_std"] = contacts["mean"], contacts["std"]
    table["synapses"] = contacts["sum"]
    table = table.loc[column.pathways().index].fillna(0.0)
    index = [[names.MTYPES.index(m) for m in table_key.split(":")] for table_key in table.index]
    outside = counts.outside[tuple(np.array(index).T)]
    table["all_connections"] = table["connections"] + outside[:, 0]
    table["all_synapses"] = table["synapses"].astype(int) + outside[:, 1]
    return table


def _vary(counts: dict[str, int], rng: np.random.Generator) -> dict[str, int]:
    """Move a few cells between m-types of the same layer and sign; totals stay."""
    varied = dict(counts)
    for mtype in counts:
        same = [m for m in counts if _kin(m) == _kin(mtype) and m != mtype]
        spread = 0.1 * np.sqrt(counts[mtype])
        moved = min(abs(int(np.rint(rng.normal(0, spread)))), varied[mtype] - 3)
        if same and moved > 0:
            varied[mtype] -= moved
            varied[same[rng.integers(len(same))]] += moved
    return varied


def _kin(mtype: str) -> tuple[str, bool]:
    return names.layer_of(mtype), names.is_excitatory(mtype)


def _centre(mc: int) -> tuple[float, float]:
    """Axis of a microcircuit: mc0 in the middle, the six others around it."""
    if mc == 0:
        return (0.0, 0.0)
    width = np.sqrt(column.footprint_mm2() * 2 / np.sqrt(3)) * 1e3
    angle = np.deg2rad(60.0 * mc)
    return (float(width * np.cos(angle)), float(width * np.sin(angle)))


# Files of connectomes --------------------------------------------------------------------------

_MTIME = 1_443_657_600  # a fixed date, so that the same seed gives the same bytes


def write_h5(path: Path, instance: wiring.Instance, counts: wiring.PopulationCounts) -> Path:
    """Write an instance in the HDF5 layout of the portal's connectome files.

    There are 3,025 blocks, most of them tiny: low-level calls take a fifth of the time.
    """
    ranges = instance.ranges()
    places = instance.neurons[["x_um", "y_um", "z_um"]].to_numpy(float)
    storage = h5p.create(h5p.DATASET_CREATE)
    storage.set_obj_track_times(False)  # the same seed gives the same bytes
    with h5py.File(path, "w") as h5:
        for mtype, rows in ranges.items():
            group = h5.create_group(f"populations/{mtype}")
            group.create_dataset("locations", data=places[rows], track_times=False)
            for column, values in counts.columns.items():
                data = values[rows, None].astype(np.int64)
                group.create_dataset(column, data=data, track_times=False)
        for pre, rows in ranges.items():
            group = h5.create_group(f"connectivity/{pre}")
            dense = instance.adjacency[rows].toarray().view(np.uint8)
            for post, columns in ranges.items():
                block = np.ascontiguousarray(dense[:, columns])
                inner, space = h5g.create(group.id, post.encode()), h5s.create_simple(block.shape)
                dataset = h5d.create(inner, b"cMat", h5t.STD_U8LE, space, storage)
                dataset.write(h5s.ALL, h5s.ALL, block)
    return path


def write_tar(
    target: Path, instance: wiring.Instance, counts: wiring.PopulationCounts, *, kind: str
) -> Path:
    """Write the tar of one instance: ``NAME/NAME.h5`` and ``NAME/Connectome_readme_….txt``."""
    stem = target.stem
    target.parent.mkdir(parents=True, exist_ok=True)
    h5 = write_h5(target.with_suffix(".h5.part"), instance, counts)
    neurons, connections = len(instance.neurons), instance.adjacency.nnz
    readme = (Path(__file__).parent / "templates" / "connectome.txt").read_text("utf-8")
    text = readme.format(kind=_SAYS[kind], n_neurons=neurons, n_connections=connections).encode()
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
        folder = entry(stem, 0)
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(folder)
        name = f"{stem}/Connectome_readme_{kind}_INSTANCE.txt"
        tar.addfile(entry(name, len(text)), io.BytesIO(text))
        with h5.open("rb") as handle:
            tar.addfile(entry(f"{stem}/{stem}.h5", h5.stat().st_size), handle)
    h5.unlink()
    return target


_SAYS = {
    "AVERAGE": "It stands for an AVERAGE instance: average counts and layer thicknesses.",
    "INDIVIDUAL": "It stands for an INDIVIDUAL: counts and thicknesses vary from animal to animal.",
    "CONTROL": (
        "It stands for a CONTROL: the cells of the average instance, every pathway with the same\n"
        "number of connections, placed by distance alone."
    ),
}


def entry(name: str, size: int) -> tarfile.TarInfo:
    """A tar member that is the same from run to run."""
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, _MTIME, 0o644
    return info
