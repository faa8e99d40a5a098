"""The synaptome of a cell: whose its synapses are, in which zone, how many and how strong.

A *contact* is one row of a package's ``synapses.tsv``; a *sender* is one presynaptic cell, with
all its contacts on the package.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd
from tqdm import tqdm

from nmc import names
from nmc.cells import morphology
from nmc.cells.package import AnyModel, Package, as_package, each_model
from nmc.circuit.synapses import pathway_keys
from nmc.errors import PackageError, SynapseError
from nmc.factsheets.pathways import load_pathways
from nmc.numbers import as_count, as_counts

ZONES = ("axon", "soma", "near", "rest", "tuft")
NEAR_um = 50.0


def name_zones(package: Package, section: pd.Series, distance_um: pd.Series) -> np.ndarray:
    """Name the zone of places: their sections, and their paths to the soma."""
    paths = morphology.section_paths(package).items()
    ends = [path.start_um + path.along_um[-1] for name, path in paths if name.startswith("apic")]
    part = section.str.split("[").str[0]
    far = part.eq("apic") & (distance_um > max(ends, default=0.0) / 2)
    zone = np.where(distance_um <= NEAR_um, "near", np.where(far, "tuft", "rest"))
    return np.where(part.isin(["soma", "axon"]), part, zone)


def count_forks(package: Package) -> pd.Series:
    """Count the forks between the soma and each section, by its HOC name."""
    order: list[int] = []
    for parent in package.reconstruction.parents:  # a section stands behind the one it grows from
        order.append(0 if parent < 0 else order[parent] + 1)
    return pd.Series(
        order, pd.Index(list(morphology.section_paths(package)), name="section"), name="order"
    )


def cut_dendrite(package: Package) -> tuple[np.ndarray, pd.DataFrame]:
    """As `nmc.cells.morphology.cut_dendrite`, each piece with its ``zone``."""
    ends, pieces = morphology.cut_dendrite(package)
    return ends, pieces.assign(zone=name_zones(package, pieces["section"], pieces["distance_um"]))


#: Columns of `Package.synapses` that a worker needs.
_NEEDED = [
    "pre", "post", "pre_cell", "section", "x", "excitatory", "depression_ms", "facilitation_ms",
    "utilisation", "decay_ms", "delay_ms", "weight_nS", "NMDA_ratio", "mg_mM", "GABAB_ratio",
    "e_GABAA_mV", "e_GABAB_mV",
]  # fmt: skip


def contacts_of(package: Package, pre_mtype: str) -> pd.DataFrame:
    """Return a package's synapses from an m-type, in any spelling; SynapseError for none."""
    mtype = names.canonical_mtype(pre_mtype)
    every = package.synapses
    rows = every[every["pre_mtype"] == mtype]
    if rows.empty:
        there = ", ".join(sorted(every["pre_mtype"].unique()))
        more = f"; its presynaptic m-types are {there}" if there else ", nor from any other m-type"
        raise SynapseError(f"{package.name} has no synapse from {mtype}{more}.")
    return rows


def choose_cells(contacts: pd.DataFrame, wanted: int | Sequence[int] | None, rng) -> np.ndarray:
    """Choose senders among contacts: so many at random, those listed, or all (None); sorted."""
    cells = np.unique(contacts["pre_cell"])
    if wanted is None:
        return cells
    if isinstance(wanted, Iterable) and not isinstance(wanted, str):
        listed = np.unique(as_counts(list(wanted), where="presynaptic cells", error=SynapseError))
        absent = np.setdiff1d(listed, cells)
        if len(absent) or not len(listed):
            raise SynapseError(
                f"Presynaptic cells: {absent[:6].tolist() or 'an empty list'} cannot be taken; "
                f"{len(cells)} cells make these contacts, {cells[:6].tolist()} among them."
            )
        return listed
    number = as_count(wanted, where="presynaptic cells", low=1, error=SynapseError)
    return cells if number >= len(cells) else np.sort(rng.choice(cells, number, replace=False))


def to_spec(contacts: pd.DataFrame) -> list[dict]:
    """Turn rows, by synapse, into dictionaries for a worker; what is not set is left out."""
    table = contacts[[column for column in _NEEDED if column in contacts]]
    return [
        {"synapse": int(number)} | {k: v for k, v in row.items() if v == v}
        for number, row in zip(table.index, table.to_dict("records"), strict=True)
    ]


def locate_synapses(model: AnyModel) -> pd.DataFrame:
    """Find every synapse of a package in space.

    Parameters
    ----------
    model : str, Model, path or Package
        The cell.

    Returns
    -------
    pandas.DataFrame
        Index ``synapse``; ``pre_cell``, ``pre_mtype``, ``excitatory``, ``section``,
        ``weight_nS``, ``x_um``, ``y_um``, ``z_um`` (from the soma's centre, y towards the pia),
        ``distance_um`` (path from the soma along the dendrite), ``order`` (forks on that path)
        and ``zone``: *axon*, *soma*, *near* (within 50 µm of path), *tuft* or *rest*.

    Raises
    ------
    PackageError
        A synapse on a section that the morphology does not have.
    """
    package = as_package(model)
    paths = morphology.section_paths(package)
    synapses = package.synapses
    rows = []
    for section, x in zip(synapses["section"], synapses["x"], strict=True):
        if section.startswith("soma"):
            rows.append((0.0, 0.0, 0.0, 0.0))
            continue
        if section not in paths:
            raise PackageError(
                f"{package.name}: a synapse stands on {section}, which the morphology lacks."
            )
        path = paths[section]
        at = x * path.along_um[-1]
        place = (np.interp(at, path.along_um, path.points[:, k]) for k in range(3))
        rows.append((*place, path.start_um + at))
    columns = ["x_um", "y_um", "z_um", "distance_um"]
    places = pd.DataFrame(rows, columns=columns, index=synapses.index, dtype=float)
    kept = synapses[["pre_cell", "pre_mtype", "excitatory", "section", "weight_nS"]]
    order = count_forks(package).reindex(synapses["section"]).fillna(0).to_numpy(int)
    zone = name_zones(package, synapses["section"], places["distance_um"])
    table = kept.join(places).assign(order=order, zone=zone)
    table.attrs = package.source | {"folder": str(package.folder)}
    return table


def compute_innervation(models: Iterable[AnyModel], *, progress: bool = True) -> pd.DataFrame:
    """Count where each presynaptic type contacts cells, beside what dendrite in reach would say.

    The null model is a form of Peters' rule: a type's contacts on a cell lie where dendrite lies,
    in proportion to its length, within the range of heights at which the type contacts the cell.

    Parameters
    ----------
    models : iterable of str, Model, path or Package
        The receiving cells.
    progress : bool
        Show a progress bar.

    Returns
    -------
    pandas.DataFrame
        One row a model, presynaptic m-type and zone (see `locate_synapses`): ``model``,
        ``post_mtype``, ``pre_mtype``, ``excitatory`` (the sender), ``zone``, ``synapses`` and
        ``expected`` (all 0 where no dendrite is in reach).

    Raises
    ------
    UnknownNameError, PackageError
        No such model; a package cannot be read.
    """
    bar = tqdm(each_model(models), unit="cell", leave=False, disable=None if progress else True)
    rows = [row for model in bar for row in _innervate(as_package(model))]
    columns = ["model", "post_mtype", "pre_mtype", "excitatory", "zone", "synapses", "expected"]
    return pd.DataFrame(rows, columns=columns).astype({"synapses": int, "expected": float})


def _innervate(package: Package) -> Iterator[tuple]:
    ends, pieces = cut_dendrite(package)
    height = ends[:, :, 1].mean(axis=1)
    for (mtype, excitatory), own in locate_synapses(package).groupby(["pre_mtype", "excitatory"]):
        reached = (height >= own["y_um"].min()) & (height <= own["y_um"].max())
        length = pieces[reached].groupby("zone")["length_um"].sum()
        expected, found = len(own) * length / length.sum(), own["zone"].value_counts()
        for zone in ZONES:
            yield (package.name, package.mtype, mtype, excitatory, zone, found.get(zone, 0),
                   expected.get(zone, 0.0))  # fmt: skip


def count_synaptome(model: AnyModel) -> pd.DataFrame:
    """Count a cell's synapses by presynaptic m-type, beside the pathway sheets.

    Parameters
    ----------
    model : str, Model, path or Package
        The cell.

    Returns
    -------
    pandas.DataFrame
        Index ``pre_mtype``; ``excitatory``, ``cells`` and ``synapses`` of the package,
        ``sheet_cells`` (convergence), ``sheet_synapses`` (times synapses per connection; NaN
        where the sheets have no such pathway) and ``ratio`` of the synapses.
    """
    package = as_package(model)
    table = package.synapses.groupby("pre_mtype").agg(
        excitatory=("excitatory", "first"), cells=("pre_cell", "nunique"),
        synapses=("pre_cell", "size"),
    )  # fmt: skip
    sheet = _sheets(["convergence_mean", "synapses_per_connection_mean"])
    sheet = sheet.reindex(table.index + f":{package.mtype}").set_axis(table.index)
    table["sheet_cells"] = sheet["convergence_mean"]
    table["sheet_synapses"] = table["sheet_cells"] * sheet["synapses_per_connection_mean"]
    table["ratio"] = table["synapses"] / table["sheet_synapses"]
    table.attrs = package.source
    return table.sort_values("synapses", ascending=False)


def _sheets(columns: list[str]) -> pd.DataFrame:
    """Columns of the pathway sheets, index ``pathway``."""
    table = load_pathways()
    return table.set_index(pathway_keys(table))[columns].astype(float)


#: Quantity of a package's synapses → column of the sheets without what it is and its unit.
_SHEET = {"contacts": ("synapses_per_connection", ""), "U": ("u", ""), "D_ms": ("d", "_ms"),
          "F_ms": ("f", "_ms")}  # fmt: skip


def compare_synapses(models: Iterable[AnyModel], *, min_senders: int = 10) -> pd.DataFrame:
    """Put number and dynamics of the packages' synapses beside the pathway sheets.

    Parameters
    ----------
    models : iterable of str, Model, path or Package
        The receiving packages.
    min_senders : int
        A pathway needs as many senders in a package.

    Returns
    -------
    pandas.DataFrame
        One row a pathway and package: ``pathway``, ``model``, ``excitatory`` (both ends),
        ``senders``, ``synapses``, ``weight_nS`` (mean); of ``contacts`` (synapses a connection),
        ``U``, ``D_ms`` and ``F_ms`` the mean, ``sheet_…`` and ``sheet_…_sd``.

    Raises
    ------
    UnknownNameError, PackageError, SynapseError
        No such model; a package cannot be read; `min_senders` is no count.
    """
    least = as_count(min_senders, where="min_senders", error=SynapseError)
    told = {f"sheet_{quantity}{end}": f"{name}_{kind}{unit}"
            for quantity, (name, unit) in _SHEET.items()
            for end, kind in (("", "mean"), ("_sd", "std"))}  # fmt: skip
    sheet, parts = _sheets(list(told.values())), []
    for package in map(as_package, each_model(models)):
        rows = package.synapses.groupby("pre_mtype").agg(
            senders=("pre_cell", "nunique"), synapses=("pre_cell", "size"),
            weight_nS=("weight_nS", "mean"), U=("utilisation", "mean"),
            D_ms=("depression_ms", "mean"), F_ms=("facilitation_ms", "mean"),
        )  # fmt: skip
        post = names.is_excitatory(package.mtype)
        rows = rows.assign(
            contacts=rows["synapses"] / rows["senders"], model=package.name,
            excitatory=[post and names.is_excitatory(pre) for pre in rows.index],
        )  # fmt: skip
        rows.index = rows.index.astype(str) + f":{package.mtype}"
        parts.append(rows[rows.index.isin(sheet.index) & (rows["senders"] >= least)])
    columns = ["model", "excitatory", "senders", "synapses", "weight_nS", *_SHEET]
    table = pd.concat(parts) if parts else pd.DataFrame(columns=columns)
    table = table[columns].rename_axis("pathway").reset_index()
    printed = sheet.loc[table["pathway"], list(told.values())].set_axis(list(told), axis=1)
    return table.join(printed.reset_index(drop=True))


def compare_conductances(models: Iterable[AnyModel], *, min_senders: int = 10) -> pd.DataFrame:
    """Put the synaptic weights of packages beside conductance and space-clamp factor of the sheets.

    Only pathways for which the sheets print a factor, and of which at least one package has
    `min_senders` senders; the contacts of all packages that receive from these are put together.

    Parameters
    ----------
    models, min_senders
        As for `compare_synapses`.

    Returns
    -------
    pandas.DataFrame
        One row a pathway, index ``pathway``: ``packages``, ``senders``, ``contacts``,
        ``weight_nS`` (mean over the contacts), ``gsyn_nS`` and ``factor`` of the sheet, and
        ``ratio``, weight over their product.
    """
    least = as_count(min_senders, where="min_senders", error=SynapseError)
    rows = compare_synapses(models, min_senders=1)
    sheet = _sheets(["gsyn_mean_nS", "space_clamp_correction_factor"]).dropna()
    found = rows.assign(weight=rows["weight_nS"] * rows["synapses"]).groupby("pathway").agg(
        packages=("senders", "size"), most=("senders", "max"), senders=("senders", "sum"),
        contacts=("synapses", "sum"), weight=("weight", "sum"),
    )  # fmt: skip
    found = found[(found["most"] >= least) & found.index.isin(sheet.index)]
    gsyn, factor = sheet.loc[found.index].to_numpy().T
    weight = found["weight"] / found["contacts"]
    return found[["packages", "senders", "contacts"]].assign(
        weight_nS=weight, gsyn_nS=gsyn, factor=factor, ratio=weight / (gsyn * factor)
    )
