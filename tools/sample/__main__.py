"""Make the sample and put it into the package: ``python -m tools.sample``.

`write_tree` writes a source tree at the portal's own paths, `pack` puts it into the archive that
the package ships, with the lists of what is in it.
"""

import hashlib
import io
import lzma
import tarfile
import tempfile
import zipfile
from pathlib import Path

import h5py
import nmc
import numpy as np
import pandas as pd
from h5py import h5d, h5g, h5p, h5s, h5t
from nmc import names
from nmc.data import archive
from nmc.data.files import sha256_of
from nmc.data.registry import RELEASE_FILES, item

from tools.sample import ANIMALS, MODELS, SEED, column, neuroml, packages, pages, sheets, wiring

#: Neurons of an average instance.
N_NEURONS = 4000
#: Average instances the sample holds; mc2 is the one its sheets are measured on.
AVERAGES = (0, 1, 2)
SHEET_INSTANCE = 2
#: The average instance whose control the sample holds.
CONTROLLED = 0

#: What the random numbers of each kind of instance are drawn with, besides its own numbers.
_AVERAGE, _INDIVIDUAL, _CONTROL = ((SEED, kind) for kind in (1, 2, 3))

TARGET = Path(__file__).resolve().parents[2] / "helpers" / "nmc" / "data" / "sample"
#: The largest archive that may go into the package.
MOST_BYTES = 4_000_000


def average_instance(mc: int) -> wiring.Instance:
    """Make the sample's average instance ``mc``, 0 to 6; ``mc2`` has the counts of the sheets."""
    rng = np.random.default_rng((*_AVERAGE, mc))
    counts = column.mtype_counts(N_NEURONS)
    if mc != SHEET_INSTANCE:
        counts = _vary(counts, rng)
    neurons = wiring.make_neurons(counts, rng=rng, centre_um=_centre(mc))
    return wiring.make_instance(neurons, (*_AVERAGE, mc))


def individual_instance(who: int, mc: int) -> wiring.Instance:
    """Make an instance for one of `ANIMALS`: its own layer thicknesses and numbers of cells."""
    of_animal = np.random.default_rng((*_INDIVIDUAL, who))
    stretch = float(of_animal.uniform(0.93, 1.07))
    size = round(N_NEURONS * stretch * float(of_animal.uniform(0.92, 1.08)))
    rng = np.random.default_rng((*_INDIVIDUAL, who, mc))
    counts = _vary(column.mtype_counts(size), rng)
    neurons = wiring.make_neurons(counts, rng=rng, centre_um=_centre(mc), stretch=stretch)
    return wiring.make_instance(neurons, (*_INDIVIDUAL, who, mc))


def write_tree(folder: str | Path) -> Path:
    """Write the synthetic portal below ``folder``; returns it."""
    folder = Path(folder)
    note = {"origin": "sample", "invented": True, "seed": SEED, "n_neurons": N_NEURONS}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "nmc-tree.json").write_text(sheets.to_json(note), "utf-8")
    counts, measured = _write_connectomes(folder)
    shapes, rest = packages.anatomy_table(), packages.rest_table(MODELS)
    metypes, sizes = sheets.metype_counts(counts), sheets.mean_sizes(shapes)
    layers = sheets.layer_facts(counts, measured, sizes)
    circuit = sheets.circuit_facts(counts, measured)
    anatomy, physiology = sheets.anatomy_json(measured), sheets.physiology_json(rest)
    for name, content in {
        "circuit": circuit, "layers": sheets.layer_json(layers), "pathways_anatomy": anatomy,
        "pathways_physiology": physiology, "models": pages.summary_json(rest),
    }.items():  # fmt: skip
        sheets.write(folder, f"sheet/{name}", sheets.to_json(content))
    pages.write_pages(folder, circuit, layers, metypes, sizes)
    pages.write_model_pages(folder, shapes, rest)
    pages.write_pathway_pages(folder, anatomy, physiology)
    pages.write_menus(folder, measured)
    zips = {f"model/{m}": (f"{m}/", packages.package_members(m)) for m in MODELS}
    zips["neuroml/subset"] = neuroml.TOP, neuroml.neuroml_members()
    for key, content in zips.items():
        packages.write_zip(folder / item(key).path, *content)
    return folder


def _write_connectomes(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write all instances; return cells by layer and pathway anatomy of the sheets' instance."""
    sheet = pd.DataFrame(), pd.DataFrame()
    for mc in AVERAGES:
        instance = average_instance(mc)
        counts = write_tar(folder, f"average/mc{mc}", instance)
        if mc == CONTROLLED:
            control = wiring.make_control(instance, (*_CONTROL, mc, 0))
            write_tar(folder, f"control/mc{mc}/0", control)
        if mc == SHEET_INSTANCE:
            connectome = nmc.load_connectome(f"connectome/average/mc{mc}", source=str(folder))
            sheet = sheets.cell_counts(instance), measure(connectome, instance, counts)
    write_tar(folder, f"individual/{ANIMALS[0]}/mc0", individual_instance(0, 0))
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
    kin = {m: (names.layer_of(m), names.is_excitatory(m)) for m in counts}
    for mtype in counts:
        same = [m for m in counts if kin[m] == kin[mtype] and m != mtype]
        spread = 0.1 * np.sqrt(counts[mtype])
        moved = min(abs(int(np.rint(rng.normal(0, spread)))), varied[mtype] - 3)
        if same and moved > 0:
            varied[mtype] -= moved
            varied[same[rng.integers(len(same))]] += moved
    return varied


def _centre(mc: int) -> tuple[float, float]:
    """Axis of a microcircuit: mc0 in the middle, the six others around it."""
    if mc == 0:
        return (0.0, 0.0)
    width = np.sqrt(column.footprint_mm2() * 2 / np.sqrt(3)) * 1e3
    angle = np.deg2rad(60.0 * mc)
    return (float(width * np.cos(angle)), float(width * np.sin(angle)))


# Files of connectomes --------------------------------------------------------------------------

_MTIME = 1_443_657_600  # a fixed date, so that the same seed gives the same bytes


def write_h5(path: Path, instance: wiring.Instance, counts: wiring.PopulationCounts) -> None:
    """Write an instance in the HDF5 layout of the portal's connectome files.

    There are 3,025 blocks, most of them tiny: low-level calls take a fifth of the time.
    """
    ranges = wiring.mtype_ranges(instance.neurons)
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


def write_tar(folder: Path, key: str, instance: wiring.Instance) -> wiring.PopulationCounts:
    """Write the tar of one instance: ``NAME/NAME.h5`` and ``NAME/Connectome_readme_….txt``."""
    target, kind = folder / item(f"connectome/{key}").path, key.partition("/")[0].upper()
    counts, stem, h5 = wiring.count(instance), target.stem, target.with_suffix(".h5.part")
    target.parent.mkdir(parents=True, exist_ok=True)
    write_h5(h5, instance, counts)
    neurons, connections = len(instance.neurons), instance.adjacency.nnz
    readme = (Path(__file__).parent / "templates" / "connectome.txt").read_text("utf-8")
    text = readme.format(kind=_SAYS[kind], n_neurons=neurons, n_connections=connections).encode()
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
        top = entry(stem, 0)
        top.type, top.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(top)
        name = f"{stem}/Connectome_readme_{kind}_INSTANCE.txt"
        tar.addfile(entry(name, len(text)), io.BytesIO(text))
        with h5.open("rb") as handle:
            tar.addfile(entry(f"{stem}/{stem}.h5", h5.stat().st_size), handle)
    h5.unlink()
    return counts


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


# The archive -----------------------------------------------------------------------------------


def pack(root: Path, folder: Path) -> Path:
    """Write ``sample.tar.xz`` of a tree and the lists ``files``, ``packages``, ``inner.csv``.

    The same tree gives the same bytes: members are sorted and have no owner, mode or time.
    """
    paths = {p.relative_to(root).as_posix(): p for p in root.rglob("*") if p.is_file()}
    paths = dict(sorted(paths.items()))
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, path in paths.items():
            with path.open("rb") as content:
                tar.addfile(entry(name, path.stat().st_size), content)
    packed = lzma.compress(plain.getvalue(), preset=9 | lzma.PRESET_EXTREME)
    if len(packed) > MOST_BYTES:
        raise ValueError(f"The sample packs to {len(packed):,} bytes, more than {MOST_BYTES:,}.")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sample.tar.xz").write_bytes(packed)
    files = [(name, path.stat().st_size, sha256_of(path)) for name, path in paths.items()]
    zips = {model: root / item(f"model/{model}").path for model in sorted(MODELS)}
    found = [(m, len(_counted(path)), archive.inspect(path)[0]) for m, path in zips.items()]
    for name, columns, rows in (
        ("files", ("path", "size_bytes", "sha256"), files),
        ("packages", ("model", "n_members", "content_sha256"), found),
        ("inner", ("file", "size_bytes", "sha256"), list_inner(paths)),
    ):
        table = pd.DataFrame(rows, columns=columns)
        table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
    return folder / "sample.tar.xz"


def _counted(package: Path) -> list[str]:
    """Return the members of a package that its digest counts."""
    with zipfile.ZipFile(package) as content:
        inside = [name.split("/", 1)[1] for name in content.namelist() if name[-1] != "/"]
    return [n for n in inside if n[0] != "." and n not in RELEASE_FILES]


def list_inner(files: dict[str, Path]) -> list[tuple[str, int, str]]:
    """Return name, size and sha256 of the connectomes and NeuroML2 files inside the archives."""
    found = {}
    for name, path in files.items():
        if name.endswith(".tar"):
            with tarfile.open(path) as tar:
                found |= {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}
        elif name == item("neuroml/subset").path:
            with zipfile.ZipFile(path) as content:
                found |= {member: content.read(member) for member in content.namelist()}
    return sorted(
        (name.rpartition("/")[2], len(content), hashlib.sha256(content).hexdigest())
        for name, content in found.items()
        if name.endswith((".h5", ".nml", ".xml"))
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        packed = pack(write_tree(place), TARGET)
    print(f"{packed}: {packed.stat().st_size:,} bytes")
