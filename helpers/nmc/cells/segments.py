"""A simulated cell's segments: where they are, their channels and densities, recordings of all."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from nmc.cells.build import template_names
from nmc.cells.mechanisms import ported, run_cached
from nmc.cells.package import SYNAPSES, AnyModel, Package, as_package, read_package
from nmc.cells.package_files import SECTION_ARRAYS, SECTION_LISTS, evaluate, without_comments
from nmc.cells.stimuli import Stimulus
from nmc.data.files import atomic_folder, cache_folder
from nmc.data.registry import content_digest, file_hashes
from nmc.errors import PackageError, UnknownNameError
from nmc.numbers import as_number

_COMMENT = re.compile(r"(?s)\bCOMMENT\b.*?\bENDCOMMENT\b|[:?][^\n]*")
_NEURON_BLOCK = re.compile(r"\bNEURON\s*\{([^}]*)\}")
_WRITTEN = re.compile(r"(?:\bWRITE|\bNONSPECIFIC_CURRENT)\s+(i\w*)")


def locate_segments(model: AnyModel, *, trust: bool = False) -> pd.DataFrame:
    """Every segment of the simulated cell, with place and size.

    Parameters
    ----------
    model, trust
        As for `nmc.load_package`.

    Returns
    -------
    pandas.DataFrame
        One row a segment, the soma's first: ``place`` (``dend[3](0.5)``), ``section``, ``part``
        (``soma``, ``dend``, ``apic``, ``axon``), ``x`` (position on the section, 0 to 1),
        ``distance_um`` (path from the soma's middle), ``length_um``, ``diameter_um``,
        ``area_um2`` (its membrane), and where it begins and ends in space: ``x0_um``, ``y0_um``,
        ``z0_um``, ``x1_um``, ``y1_um``, ``z1_um``.  The axon is the stub of 60 µm that the
        packages simulate, drawn by NEURON where it has no points.  ``.attrs`` name the model.

    Raises
    ------
    TrustError, PackageError, MechanismError, CompilerError, SimulationError
        The package may not run or cannot be read, or its cell not be built.
    """
    package = as_package(model, trust=trust)
    task, params = "nmc.cells.build:list_segments", {"cell": package.to_spec()}
    meta, arrays = run_cached(task, params, [package], progress=False)
    table = pd.DataFrame(arrays)
    table["section"] = np.array(meta["sections"])[table["section"].astype(int)]
    table.insert(1, "part", table["section"].str.partition("[")[0])
    places = [f"{name}({x:.6g})" for name, x in zip(table["section"], table["x"], strict=True)]
    table.insert(0, "place", places)
    table.attrs = package.source
    return table


def record_segments(model: AnyModel, variable: str = "i_membrane_") -> dict[str, str]:
    """Name a recording in every segment, for the ``record`` of any ``simulate_*`` call.

    Parameters
    ----------
    model
        As for `nmc.simulate_step`.
    variable : str
        ``i_membrane_`` is all current that leaves the segment through its membrane, in nA:
        capacitive, through channels and through synapses; what an electrode injects leaves the
        cell somewhere as membrane current, so that the sum over all segments is the injected
        current. ``v`` is the voltage, in mV.

    Returns
    -------
    dict of str to str
        The segment's ``place`` in `nmc.locate_segments` → its variable.

    Examples
    --------
    >>> record = nmc.record_segments("L1_HAC_cNAC187_1")  # doctest: +SKIP
    >>> trace = nmc.simulate_step(
    ...     "L1_HAC_cNAC187_1", record=record, window_ms=(695, 750)
    ... )  # doctest: +SKIP
    >>> trace[list(record)].to_numpy().T  # nA, shape (segments, times) # doctest: +SKIP
    """
    return {place: f"{place}.{variable}" for place in locate_segments(model)["place"]}


def record_channels(model: AnyModel, place: str = "soma[0](0.5)") -> dict[str, str]:
    """Name a recording of every channel's current at one place, for ``record``.

    Parameters
    ----------
    model
        As for `nmc.simulate_step`.
    place : str
        Section and position, such as ``"dend[3](0.5)"``.

    Returns
    -------
    dict of str to str
        Channel → its current density there, in mA/cm², outward positive; ``pas`` is the leak.
        With ``i_cap``, the capacitive current, they add up to the membrane's.

    Raises
    ------
    ProtocolError, PackageError
        That is no place; there is no such section; a MOD file hides its current.
    """
    package = as_package(model)
    Stimulus(at=place)
    package.check_section(place.partition("(")[0])
    there = _LIST_OF[re.split(r"\W", place)[0]]
    found = {}
    for channel in (*package.mechanisms.get("all", ()), *package.mechanisms.get(there, ())):
        if channel == "pas":
            found[channel] = f"{place}.i_pas"
        elif channel in package.mods:
            text = package.text(f"mechanisms/{channel}.mod")
            block = _NEURON_BLOCK.search(_COMMENT.sub("", text))
            lines = block[1] if block else ""
            for current in _WRITTEN.findall(lines):
                if not re.search(rf"\bRANGE\b[^\n]*\b{current}\b", lines):
                    raise PackageError(
                        f"{package.name}: {channel}.mod does not name {current} under RANGE, so "
                        "that it cannot be recorded."
                    )
                found[channel] = f"{place}.{current}_{channel}"
    return found


def measure_places(package: Package, n_places: int | None) -> pd.DataFrame:
    """Sections of the cell, the soma first: part, length, distance and diameter of the middle."""
    segments = locate_segments(package)
    sections = segments.groupby("section", sort=False)
    table = segments[sections.cumcount() == sections["x"].transform("size") // 2]
    table = table[["section", "part", "distance_um", "diameter_um"]].reset_index(drop=True)
    table["length_um"] = sections["length_um"].sum().to_numpy()
    if n_places and len(table) > n_places:
        kept = np.unique(np.linspace(0, len(table) - 1, n_places).round().astype(int))
        table = table.iloc[kept].reset_index(drop=True)
    return table


#: StochKv's density counts in pS/µm², whatever its PARAMETER line says: its MOD multiplies by
#: 1e-4 when it computes the current.
PER_CM2 = {"StochKv": 1e-4}
_LIST_OF = dict(zip(SECTION_ARRAYS, SECTION_LISTS, strict=True))


def density_parameters(package: Package) -> pd.DataFrame:
    """``parameter``, ``scale`` (to S/cm²), ``formula`` by list and channel; a later row wins."""
    table = package.biophysics
    table = table[table["parameter"].str.match("g(?!amma)") & (table["mechanism"] != "")]
    rows = {}
    for row in table.itertuples():
        parts = SECTION_LISTS if row.section_list == "all" else (row.section_list,)
        for part in parts:
            scale = PER_CM2.get(row.mechanism, 1.0)
            rows[part, row.mechanism] = (part, row.mechanism, row.parameter, scale, row.formula)
    columns = ["section_list", "channel", "parameter", "scale", "formula"]
    return pd.DataFrame(list(rows.values()), columns=columns)


def compute_channel_densities(model: AnyModel) -> pd.DataFrame:
    """Density of every channel in every section of the simulated cell.

    Parameters
    ----------
    model : str, path, Model or Package
        As for `nmc.load_package`.

    Returns
    -------
    pandas.DataFrame
        One row a section and channel: ``section``, ``part`` (``soma``, ``dend``, ``apic``,
        ``axon``), ``distance_um`` (path from the soma), ``channel``, ``density_S_per_cm2`` in
        the section's middle, ``conductance_nS`` (density times the section's membrane, all
        gates open). The axon is the stub of 60 µm that the packages simulate.

    Raises
    ------
    TrustError, PackageError, MechanismError, CompilerError, SimulationError
        The package may not run or cannot be read, or its cell not be built.
    """
    package = as_package(model)
    places = measure_places(package, None)
    places["section_list"] = places["part"].map(_LIST_OF)
    parts = []
    for row in density_parameters(package).itertuples():
        here = places[places["section_list"] == row.section_list]
        density = evaluate(row.formula, here["distance_um"]) * row.scale
        area_cm2 = np.pi * here["diameter_um"] * here["length_um"] * 1e-8
        table = here[["section", "part", "distance_um"]].copy()
        table["channel"] = row.channel
        table["density_S_per_cm2"] = density
        table["conductance_nS"] = density * area_cm2 * 1e9
        parts.append(table)
    found = pd.concat(parts, ignore_index=True)
    found.attrs = package.source
    return found


def scale_channels(
    model: AnyModel,
    factors: Mapping[str, float],
    *,
    section_lists: Iterable[str] | str = SECTION_LISTS,
    trust: bool = False,
) -> Package:
    """Multiply the densities of some channels of a model, everywhere or in one part of the cell.

    Parameters
    ----------
    model : str, path, Model or Package
        As for `nmc.load_package`.
    factors : mapping of str to float
        Channel → factor of its density; 0 takes the channel away.
    section_lists : iterable of str, or str
        Where: some of ``somatic``, ``basal``, ``apical``, ``axonal``; everywhere by default.
    trust : bool
        As for `nmc.load_package`.

    Returns
    -------
    Package
        A copy in the cache that differs in ``biophysics.hoc`` alone; every ``simulate_*`` call
        takes it, and tells its results from the original's.  It is trusted where the original
        is, since nothing but these factors was written; its folder, loaded by its path, is a
        package like any other that is not known.

    Raises
    ------
    UnknownNameError
        The model has no such channel there, or there is no such section list.
    PackageError
        The package sets the channel in all sections at once, so that no part can differ; a factor
        is negative or not finite, or files changed after the package was loaded.
    """
    package = as_package(model, trust=trust)
    if not isinstance(factors, Mapping):
        raise PackageError(f"Factors are given as {{'Ih': 0.5}}, by channel, not as {factors!r}.")
    lists = [section_lists] if isinstance(section_lists, str | None) else list(section_lists)
    UnknownNameError.check("section list", lists, SECTION_LISTS)
    everywhere = set(lists) == set(SECTION_LISTS)
    table = density_parameters(package)
    table = table[table["section_list"].isin(lists)]
    text = package.text("biophysics.hoc")
    there = "" if everywhere else f" ({', '.join(lists)})"
    UnknownNameError.check(f"channel in {package.name}{there}:", factors, table["channel"])
    for channel, factor in factors.items():
        where = f"{package.name}: the factor of {channel}"
        by = as_number(factor, where=where, low=0, error=PackageError)
        for parameter in table.loc[table["channel"] == channel, "parameter"].unique():
            if not everywhere and f'distribute($o1.all,"{parameter}_{channel}"' in text:
                raise PackageError(
                    f"{package.name} sets {channel} in all sections at once; scale it everywhere."
                )
            text = re.sub(
                rf'(distribute\(\$o1\.(?:{"|".join([*lists, "all"])}),"{parameter}_{channel}",")'
                r'([^"]+)("\))',
                rf"\g<1>(\g<2>)*{by!r}\g<3>",
                text,
            )
    variant = _variant(package, {"biophysics.hoc": text.encode()}, package.name, package.trusted)
    told = f"{package.origin}, channels scaled"
    return replace(variant, name=package.name, origin=told, invented=package.invented)


def swap_biophysics(model: AnyModel, other: AnyModel, *, trust: bool = False) -> Package:
    """Give the tree of one model the channels of another: its mechanisms and their densities.

    Parameters
    ----------
    model, other : str, path, Model or Package
        Whose tree, and whose channels; each as for `nmc.load_package`.
    trust : bool
        As for `nmc.load_package`, for both.

    Returns
    -------
    Package
        A copy of `model` in the cache with the ``biophysics.hoc`` and the channels' MOD files of
        `other`, which every ``simulate_*`` call takes.  It has a content digest of its own, the
        name ``MODEL+CHANNELS``, the e-type of `other`, and an ``origin`` that names both; it is
        invented where one of them is, and trusted where both are.  Synapses stay, and so do the
        currents, which nobody fitted to the new cell.  Where both have the same channels it is
        `model` itself.

    Raises
    ------
    PackageError
        The two cannot be joined: their temperatures differ; only one has random channels, whose
        generators the template sets up; the channels leave a part of the tree out; or a file is
        not written as the portal writes it, or changed after its package was loaded.
    """
    package, giver = (as_package(one, trust=trust) for one in (model, other))
    _check_swap(package, giver)
    old, new = _biophysics_template(package), _biophysics_template(giver)
    if old == new and package.content("biophysics.hoc") == giver.content("biophysics.hoc"):
        if ported(package) == ported(giver):
            return package
    template, count = re.subn(rf"\bnew {old}\(", f"new {new}(", package.text("template.hoc"))
    if count != 1:
        raise PackageError(f"{package.name}: template.hoc makes {count} {old}, not one.")
    channels = (f"mechanisms/{name}.mod" for name in package.mods if name not in SYNAPSES)
    changes: dict[str, bytes | None] = dict.fromkeys(channels)
    changes |= {f: giver.content(f) for f in (f"mechanisms/{n}.mod" for n in giver.needed_mods())}
    changes |= {
        "biophysics.hoc": giver.content("biophysics.hoc"),
        "template.hoc": template.encode(),
    }
    name = f"{package.name}+{new.removesuffix('_biophys')}"
    variant = _variant(package, changes, name, package.trusted and giver.trusted)
    return replace(
        variant,
        etype=giver.etype,
        origin=f"tree of {package.name} ({package.origin}), channels of {giver.name} "
        f"({giver.origin})",
        invented=package.invented or giver.invented,
    )


def _check_swap(package: Package, giver: Package) -> None:
    """Refuse channels that the tree of a package cannot take as they are."""
    both = f"The channels of {giver.name} do not fit the tree of {package.name}: "
    if package.celsius != giver.celsius:
        raise PackageError(
            f"{both}they are made for {giver.celsius:g} °C, not {package.celsius:g}."
        )
    if bool(package.stochastic) != bool(giver.stochastic):
        random = giver if giver.stochastic else package
        raise PackageError(
            f"{both}only {random.name} has random channels, and the template that comes with the "
            "tree sets up their generators. Take two models that both have some, or both none."
        )
    counts = package.reconstruction.count()
    parts = [part for array, part in _LIST_OF.items() if counts.get(array)]
    if missing := [part for part in parts if part not in giver.mechanisms]:
        raise PackageError(f"{both}they leave out its {', '.join(missing)} sections.")


def _biophysics_template(package: Package) -> str:
    found = template_names(without_comments(package.text("biophysics.hoc")))
    if len(found) != 1:
        raise PackageError(
            f"{package.name}: biophysics.hoc defines {len(found)} templates, not one."
        )
    return found[0]


def _variant(
    package: Package, changes: Mapping[str, bytes | None], name: str, trusted: bool
) -> Package:
    """Write a copy with other files (None: without) into the cache, unless it stands there."""
    kept = {path: digest for path, digest in package._hashes.items() if path not in changes}
    new = {path: content for path, content in changes.items() if content is not None}
    digest = content_digest(
        kept | {path: hashlib.sha256(content).hexdigest() for path, content in new.items()}
    )
    target = cache_folder() / "variants" / digest[:24] / name
    if not (target.is_dir() and content_digest(file_hashes(target)) == digest):
        shutil.rmtree(target.parent, ignore_errors=True)  # somebody changed it
        with atomic_folder(target.parent) as work:
            for path in kept:
                (work / name / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(package.folder / path, work / name / path)
            for path, content in new.items():
                (work / name / path).parent.mkdir(parents=True, exist_ok=True)
                (work / name / path).write_bytes(content)
            if content_digest(file_hashes(work / name)) != digest:
                raise package.changed()
    return read_package(target, trust=trusted)
