"""Sizes of a morphology, measured by NeuroM on what MorphIO reads, beside the fact sheets.

The sheets do not say how they measure.  Three definitions were found by trying the usual ones
on 105 packages; with them every length, volume and branch order of the 105 comes out as printed:

* sections are counted between branch points: a point with a single branch going on divides
  nothing;
* a stem has branch order 1;
* a segment's volume is that of a cylinder with the mean of its end radii, not a truncated cone.

The soma's printed diameter is not among them.  The area of its outline gives it within print
rounding in 65 of the 105, or 43 of their 67 different somata, and nothing that was tried does
better (`SOMA_REASON`).  The other 24 are off by 3 to 14 %, five of them by 17 to 64 %, 16 too
large and 8 too small.  15 of them are drawn in one plane, so it is not the projection.  Scaling
does not matter either: the 1,035 sheets print one diameter for all copies of a reconstruction, and
copies share the outline.  One sheet (L5_NBC_bAC217_1) prints less than its outline's narrowest
width, which no diameter of that outline is: there at least, the sheet was made from other points.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from nmc.cells.known import OWN
from nmc.cells.morphology import outline_diameter
from nmc.cells.package import AnyModel, Package, as_package
from nmc.cells.reconstruction import NEURITES, call, open_file
from nmc.errors import ProtocolError, UnknownNameError, optional
from nmc.names import parse_model
from nmc.numbers import as_number
from nmc.published import INVENTED, MIXED, compare_many, says_invented, verdict

_SHEET = {"axon": "axon", "basal dendrite": "basal", "apical dendrite": "apical"}
DENDRITES = ("basal dendrite", "apical dendrite")
_SIZES = ("length_um", "volume_um3", "max_branch_order", "max_section_length_um")
#: Neurite and quantity → the fact sheets' column.
_COLUMNS = {(n, size): f"{start}_{size}" for n, start in _SHEET.items() for size in _SIZES}
_COLUMNS["soma", "diameter_um"] = "soma_diameter_um"
#: What is known of the somata whose printed diameter is not that of their outline's area.
SOMA_REASON = (
    "how the sheets measured somata is not known; of what was tried the outline's area meets most "
    "of them. Others: mean, median and extreme distances of points or line from the centre "
    "(NeuroM's definition among them), perimeter, hull, widths and chords by direction, fitted "
    "circle and ellipse, the sphere of NEURON's surface or volume, hulls with the stems. One "
    "printed diameter is smaller than its outline's narrowest width"
)


def compute_morphometrics(model: AnyModel) -> pd.DataFrame:
    """Measure a package's reconstruction.

    Parameters
    ----------
    model : str, path, Model or Package
        As for `nmc.load_package`.

    Returns
    -------
    pandas.DataFrame
        One row a part that the reconstruction has, index ``neurite``: ``soma``, ``axon``,
        ``basal dendrite``, ``apical dendrite``.  Columns, NaN where a part has no such thing:

        ``length_um``, ``area_um2``
            Summed over the segments; a segment is a truncated cone.
        ``volume_um3``
            As the fact sheets have it, of cylinders with the mean radius of a segment's ends.
        ``cone_volume_um3``
            Of truncated cones.
        ``diameter_um``
            Soma: of the circle with the area of its outline, seen from the front.  Neurites:
            mean over the length.
        ``stems``, ``sections``, ``bifurcations``, ``tips``
            Counts; sections reach from one branch point to the next.
        ``max_branch_order``
            Sections from the soma to the farthest tip in branches; a stem's is 1.
        ``max_section_length_um``, ``max_path_um``, ``max_radius_um``
            Longest section; largest distance from the soma along the branches, and as the
            crow flies.

    Raises
    ------
    PackageError
        The morphology cannot be read.
    """
    package = as_package(model)
    tree = package.reconstruction
    rows, _ = _on_file(_measure, package)
    rows = {"soma": {"diameter_um": outline_diameter(tree.soma[:, :2])}, **rows}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("neurite")
    table = table[[*(c for c in table.columns if c != "diameter_um"), "diameter_um"]]
    counts = ["stems", "sections", "bifurcations", "tips", "max_branch_order"]
    table[counts] = table[counts].astype("Int64")
    table.attrs = package.source | {"morphology": package.morphology.stem}
    return table


def _on_file(task, package: Package, **params) -> tuple[dict, dict]:
    known = package.origin != OWN
    meta, arrays = call(task, package.morphology, package.name, known=known, **params)
    meta.pop("cpu_s", None)
    return meta, arrays


def _measure(params: dict, report) -> tuple[dict, dict]:
    """Task: all columns of each kind of neurite that a file has."""
    import neurom

    morphology = neurom.load_morphology(open_file(params, joined=True))
    kinds = {found.type for found in morphology.neurites}
    types = {neurite: neurom.NeuriteType(kind) for kind, neurite in NEURITES.items()}
    return {n: _measure_neurite(morphology, t) for n, t in types.items() if t in kinds}, {}


def _measure_neurite(morphology, neurite_type) -> dict[str, float]:
    import neurom

    def of(feature: str) -> np.ndarray:
        return np.asarray(neurom.get(feature, morphology, neurite_type=neurite_type), float)

    lengths, radii = of("segment_lengths"), of("segment_radii")  # the mean of a segment's ends
    sections = of("section_lengths")
    found = {
        "length_um": sections.sum(),
        "area_um2": of("section_areas").sum(),
        "volume_um3": np.pi * (radii**2 @ lengths),
        "cone_volume_um3": of("section_volumes").sum(),
        "stems": of("number_of_neurites"),
        "sections": len(sections),
        "bifurcations": of("number_of_bifurcations"),
        "tips": of("number_of_leaves"),
        "max_branch_order": of("section_branch_orders").max() + 1,
        "max_section_length_um": sections.max(),
        "max_path_um": of("section_path_distances").max(),
        "max_radius_um": of("section_radial_distances").max(),
        "diameter_um": 2 * (radii @ lengths) / lengths.sum(),
    }
    return {name: float(value) for name, value in found.items()}


def compute_sholl(model: AnyModel, *, step_um: float = 20.0) -> pd.DataFrame:
    """Count how often branches cross spheres around the soma (Sholl 1953, J Anat 87:387).

    Parameters
    ----------
    model
        As for `compute_morphometrics`.
    step_um : float
        Distance between the spheres.

    Returns
    -------
    pandas.DataFrame
        ``neurite``, ``radius_um``, ``crossings``; one row a neurite and sphere, out to the
        farthest point of the whole cell.

    Raises
    ------
    ProtocolError
        `step_um` is no positive number.
    PackageError
        The morphology cannot be read.
    """
    step_um = as_number(step_um, where="step_um", low=1e-3, high=1e6, error=ProtocolError)
    package = as_package(model)
    _, found = _on_file(_cross, package, step_um=step_um)
    radii = found.pop("radius_um")
    tables = [
        pd.DataFrame({"neurite": neurite, "radius_um": radii, "crossings": crossings})
        for neurite, crossings in found.items()
        if crossings.any()
    ]
    table = pd.concat(tables, ignore_index=True)
    table.attrs = package.source | {"step_um": step_um}
    return table


def _cross(params: dict, report) -> tuple[dict, dict[str, np.ndarray]]:
    """Task: radii of spheres, and crossings by neurite."""
    import neurom
    from neurom.features.morphology import sholl_crossings

    morphology = neurom.load_morphology(open_file(params, joined=True))
    farthest = np.linalg.norm(morphology.points[:, :3] - morphology.soma.center, axis=1).max()
    radii = np.arange(params["step_um"], farthest + params["step_um"], params["step_um"])
    arrays = {
        neurite: sholl_crossings(morphology, neurite_type=neurom.NeuriteType(kind), radii=radii)
        for kind, neurite in NEURITES.items()
    }
    return {}, {"radius_um": radii} | {n: np.asarray(c, int) for n, c in arrays.items()}


def compute_barcode(model: AnyModel, neurites: Iterable[str] = DENDRITES) -> pd.DataFrame:
    """Turn the branches of a cell into a persistence barcode (TMD, Kanari et al. 2018).

    A bar is a branch: it reaches from the tip back to the point where it meets a branch that
    goes farther; the longest bar of each tree reaches back to the soma.

    Parameters
    ----------
    model : str, path, Model or Package
        As for `nmc.load_package`.
    neurites : iterable of str
        Kinds of neurites as `nmc.load_morphology` names them; the dendrites by default.

    Returns
    -------
    pandas.DataFrame
        One row a bar, the longest first: ``neurite``, ``start_um`` and ``end_um``, the path
        distances of its two ends from the beginning of the tree, and ``length_um``.

    Raises
    ------
    PackageError
        The morphology cannot be read.
    UnknownNameError
        There is no such kind of neurite.
    MissingLibraryError
        The library TMD is not installed.

    References
    ----------
    Kanari et al. (2018), A topological representation of branching neuronal morphologies,
    Neuroinformatics 16:3-13.
    """
    package, wanted = as_package(model), {neurites} if isinstance(neurites, str) else set(neurites)
    UnknownNameError.check("kind of neurite", wanted, NEURITES.values())
    _, arrays = _on_file(_find_bars, package)
    table = pd.DataFrame(arrays | {"neurite": [NEURITES[kind] for kind in arrays["neurite"]]})
    table = table[table["neurite"].isin(wanted)]
    table["length_um"] = table["end_um"] - table["start_um"]
    table = table.sort_values("length_um", ascending=False, ignore_index=True)
    table.attrs = package.source | {"morphology": package.morphology.stem}
    return table


def _find_bars(params: dict, report) -> tuple[dict, dict[str, np.ndarray]]:
    """Task: kind and ends of every bar of a file's trees."""
    with optional("Barcodes need the library TMD", "'nmc[analysis]'"):
        from tmd.io.conversion import convert_morphio_trees
        from tmd.Topology.methods import get_persistence_diagram
    bars = [
        (tree.t[0], start, end)
        for tree in convert_morphio_trees(open_file(params))
        for end, start in get_persistence_diagram(tree, feature="path_distances")
    ]
    kinds, starts, ends = np.array(bars, float).reshape(-1, 3).T
    return {}, {"neurite": kinds.astype(int), "start_um": starts, "end_um": ends}


def compare_morphometrics(models: Iterable[str], sheets: pd.DataFrame) -> pd.DataFrame:
    """Put the measured anatomy of some models beside what their fact sheets print.

    Parameters
    ----------
    models : iterable of str
        Which models.
    sheets : pandas.DataFrame
        From `nmc.load_models`.

    Returns
    -------
    pandas.DataFrame
        One row a model and printed quantity, index ``model``, ``neurite``, ``quantity``:
        ``published``, ``recomputed``, ``rounding`` (half of the last printed place, the sheets
        print two digits) and ``verdict``: *agrees* within that rounding, *differs*, *not in the
        file* where the reconstruction has no such neurite; or what `nmc.published.verdict` says
        where the reconstruction or the sheets are invented.

    Raises
    ------
    PackageError
        A morphology cannot be read.
    """
    sheets, rows = sheets.set_index("model"), []
    for model in (parse_model(model).name for model in models):
        measured = compute_morphometrics(model)
        for (neurite, quantity), column in _COLUMNS.items():
            found = measured[quantity].get(neurite, np.nan)
            invented = measured.attrs["invented"]
            rows.append((model, neurite, quantity, sheets.at[model, column], found, invented))
    columns = ["model", "neurite", "quantity", "published", "recomputed", "invented"]
    table = pd.DataFrame(rows, columns=columns).astype({"published": float, "recomputed": float})
    table = table[table["published"].notna()].set_index(columns[:3])
    counted = table.index.get_level_values("quantity") == "max_branch_order"
    table["rounding"] = table["published"].map(rounding).where(~counted, 0.0)
    both = zip(_near(table), table.pop("invented"), strict=True)
    table["verdict"] = [verdict(near, one, says_invented(sheets)) for near, one in both]
    absent = table["recomputed"].isna() & table["verdict"].isin(["agrees", "differs"])
    table["verdict"] = table["verdict"].mask(absent, "not in the file")
    return table


def _near(table: pd.DataFrame) -> pd.Series:
    apart = (table["recomputed"] - table["published"]).abs()
    return apart <= table["rounding"] * (1 + 1e-9)


def count_morphometrics(table: pd.DataFrame) -> pd.DataFrame:
    """Count the sizes of `compare_morphometrics` that come back, neurites and somata apart."""
    table = table[table["recomputed"].notna() & (table["verdict"] != MIXED)]
    near = _near(table)
    soma = table.index.get_level_values("neurite") == "soma"
    told = {
        "neurites": ("lengths, volumes and branch orders of neurites", ~soma, ""),
        "somata": ("soma diameters", soma, SOMA_REASON),
    }
    rows = []
    for name, (claim, chosen, reason) in told.items():
        rows.append(
            compare_many(
                f"morphometrics/{name}",
                claim=claim,
                agreeing=int((near & chosen).sum()),
                of=int(chosen.sum()),
                tolerance="half of the last printed place",
                citation="ramaswamy2015",
                where="me-type fact sheets",
                unit="printed values",
                reason=reason if chosen.any() else MIXED,
                invented=INVENTED in set(table["verdict"]),
            )
        )
    return pd.concat(rows)


def rounding(printed: float, digits: int = 2) -> float:
    """Half of the last place of a number that is printed with so many significant digits."""
    return 0.5 * 10.0 ** (np.floor(np.log10(abs(printed))) - digits + 1) if printed else 0.0
