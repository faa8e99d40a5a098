"""The 1,035 models: rest, anatomy and channels, from the me-type pages and the summary file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from tqdm import tqdm

import nmc
from nmc import names
from nmc.data import archive, local, registry
from nmc.data.files import given_path
from nmc.errors import ArchiveError, FormatError, UnknownNameError
from nmc.factsheets import sheets
from nmc.numbers import as_number, as_numbers, shown

#: Label on a me-type page → column: physiology, then anatomy in the page's own order and spelling.
PHYSIOLOGY_FACTS = sheets.fields("model physiology")
#: Cells without an apical dendrite lack its facts.
ANATOMY_FACTS = sheets.fields("model anatomy")
FACTS = {**PHYSIOLOGY_FACTS, **ANATOMY_FACTS}
#: Field of ``RmpRiTau_summary.json`` → column, and the unit its ``…_Units`` names.
SUMMARY = dict(zip(("Rmp", "Rin", "Tau"), PHYSIOLOGY_FACTS.values(), strict=True))
PHYSIOLOGY = tuple(field.column for field in SUMMARY.values())
CURRENTS = ("holding_current_nA", "step1_current_nA", "step2_current_nA", "step3_current_nA")

_MEMBER_BYTES = 1 << 20  # no text of a package that is read here is longer


def load_models(
    summary: str | os.PathLike | None = None, *, step_currents: bool = True
) -> pd.DataFrame:
    """Return the 1,035 models, one row a model.

    Parameters
    ----------
    summary : path, optional
        A ``RmpRiTau_summary.json`` to read instead of the source's.
    step_currents : bool
        Also read the currents of the step protocol out of the packages that are at hand;
        nothing is downloaded for it.

    Returns
    -------
    pandas.DataFrame
        ``model``, ``metype``, ``mtype``, ``etype``, ``layer`` (ordered categoricals),
        ``instance`` (1 to 5), ``morphology`` (the reconstruction's name),
        ``resting_membrane_potential_mV``, ``input_resistance_MOhm``,
        ``membrane_time_constant_ms``, lengths, volumes, branch orders of axon, apical and
        basal dendrites, ``soma_diameter_um``; ``holding_current_nA`` and
        ``step1_current_nA`` … ``step3_current_nA`` where the package is at hand.  What a
        sheet does not print is missing.  ``.attrs`` hold ``origin`` and ``invented`` of the
        sheets.

        Resting potential, input resistance and time constant are those of
        ``RmpRiTau_summary.json`` where the source has it, else of the pages;
        `check_factsheets` compares the two.

    Raises
    ------
    FormatError
        Naming file, model, fact and value of the first thing that is not as expected.

    Notes
    -----
    The values are the portal's, one fact sheet a me-type with its five models; Markram et
    al. (2015), Cell 163:456-492, describes how the models were made.
    """
    with registry.collect() as read:
        table = read_model_pages()
        if summary is not None or nmc.available("sheet/models"):
            printed = read_model_summary(summary)
            table[list(PHYSIOLOGY)] = printed.loc[table["model"], list(PHYSIOLOGY)].to_numpy()
    at_hand = {model: local(f"model/{model}") for model in table["model"] if step_currents}
    currents = {model: read_currents(path, model) for model, path in at_hand.items() if path}
    found = pd.DataFrame.from_dict(currents, orient="index", columns=CURRENTS)
    table = table.join(found.reindex(table["model"]).astype("Float64"), on="model")
    table.attrs = registry.origin_of(read)
    return table


def read_model_pages() -> pd.DataFrame:
    """Return what the 207 me-type pages print; see `load_models`."""
    records, morphologies, files = {}, {}, {}
    for file, model, tab in _pages(names.METYPES):
        records[model] = tab_facts(file, model, tab)
        offered = tab.address.rpartition("/")[2].removesuffix(".zip")
        if sheets.spelled(f"{file}: the tab of {model}", names.parse_model, offered).name != model:
            raise FormatError(f"{file}: the tab of {model} offers {shown(tab.address)} instead.")
        morphologies[model], files[model] = tab.morphology, file
    table = sheets.as_table(lambda model: f"{files[model]}: {model}", records, FACTS)
    table.insert(0, "morphology", pd.Series(morphologies))
    parsed = [names.parse_model(name) for name in table.index]
    for i, (column, dtype) in enumerate(sheets.TYPES.items()):
        values = [getattr(model, column) for model in parsed]
        table.insert(i, column, pd.Categorical(values, dtype=dtype))
    table.insert(4, "instance", [model.instance for model in parsed])
    return table.rename_axis("model").reset_index()


def read_model_summary(path: str | os.PathLike | None = None) -> pd.DataFrame:
    """Return ``RmpRiTau_summary.json``, indexed by model."""
    file = nmc.fetch("sheet/models") if path is None else given_path(path)
    records = {}
    for key, record in sheets.read_json(file).items():
        model = sheets.spelled(f"{file}", names.parse_model, key).name
        if not isinstance(record, dict) or model in records:
            raise FormatError(f"{file}: key {key!r} stands twice, or holds no object.")
        facts = [
            sheets.Fact("", name, None, record[name], record.get(f"{name}_Units"))
            for name in SUMMARY if name in record
        ]  # fmt: skip
        records[model] = sheets.numbers_of(f"{file}: key {key!r}", facts, SUMMARY)
    table = sheets.as_table(lambda model: f"{file}: key {model!r}", records, SUMMARY)
    sheets.check_complete(f"{file}", records, names.model_names(), "model")
    return table.loc[list(names.model_names())].rename_axis("model")


def load_channel_densities(metypes: Iterable[str] | None = None) -> pd.DataFrame:
    """Return the ion channels the me-type pages list, one row a parameter.

    Parameters
    ----------
    metypes : iterable of str, optional
        Which me-types; all 207 by default.

    Returns
    -------
    pandas.DataFrame
        ``model``, ``metype``, ``section`` (axonal, somatic, apical, basal, or dendritic for
        both), ``mechanism``, ``parameter``, ``distribution`` (``uniform``, or
        ``exponential`` in the path distance x from the soma in µm), ``value`` (missing
        unless uniform), ``expression`` (as printed) and ``unit``: S/cm² for conductances,
        ms for ``decay``, none for ``gamma``.  A mechanism the page lists without any
        parameter keeps its row, with ``parameter`` and ``value`` missing.

    Raises
    ------
    FormatError
        Naming page, model, section and value of the first thing that is not as expected.

    Notes
    -----
    The pages print densities to six decimals, so a small one may read as zero.  Some sheets
    differ from the package they describe: `check_factsheets` lists which.
    """
    if isinstance(metypes, str):
        metypes = [metypes]
    chosen = names.METYPES if metypes is None else [names.canonical_metype(m) for m in metypes]
    if not chosen:
        raise UnknownNameError("No me-type is named; None stands for all.")
    rows = [
        {"model": model, "metype": names.parse_model(model).metype, **row}
        for file, model, tab in _pages(chosen)
        for row in tab_channels(file, model, tab)
    ]
    return pd.DataFrame(rows).astype({"value": float, "metype": sheets.METYPE})


class _Channel(NamedTuple):
    """A mechanism as a tab lists it; `parameters` are (name, equation, distribution)."""

    section: str
    mechanism: str
    parameters: tuple[tuple[str, str, str], ...]


class _Tab(NamedTuple):
    """One model on a me-type page: its reconstruction, package, facts and channels."""

    morphology: str
    address: str
    facts: tuple[sheets.Fact, ...]
    channels: tuple[_Channel, ...]


def tab_facts(file: Path, model: str, tab: _Tab) -> dict[str, float]:
    """Column → number of what a tab prints."""
    return sheets.numbers_of(f"{file}: {model}", tab.facts, FACTS)


def _pages(metypes: Iterable[str]) -> Iterator[tuple[Path, str, _Tab]]:
    for metype in tqdm(list(metypes), desc="me-type pages", delay=2, leave=False, disable=None):
        file = nmc.fetch(f"page/metype/{metype}")
        mtype, _, etype = metype.rpartition("_")
        for instance, tab in zip(names.INSTANCES, read_metype_page(file), strict=True):
            yield file, names.Model(mtype, etype, instance).name, tab


@sheets.once
def read_metype_page(path: Path, content: bytes) -> tuple[_Tab, ...]:
    """Return the five tabs of a me-type's page, in the order of its models; else FormatError."""
    root = sheets.open_page(path, content)
    titles = [li.get("title", "") for li in root.find_class("smw-tab-selector")]
    tabs = [div for div in root.find_class("smw-tab") if div.tag == "div"]
    if not len(titles) == len(tabs) == len(names.INSTANCES):
        raise FormatError(
            f"{path}: {len(titles)} tab titles and {len(tabs)} tabs stand where "
            f"{len(names.INSTANCES)} of each are expected."
        )
    return tuple(
        _Tab(title, _address(tab), tuple(sheets.facts_of(tab)), tuple(_channels(tab)))
        for title, tab in zip(titles, tabs, strict=True)
    )


def _address(tab) -> str:
    """Address of the package a tab offers: it says which model the tab is about."""
    links = (a.get("href", "") for a in tab.iter("a"))
    return next((href for href in links if href.endswith(".zip")), "")


def _channels(tab) -> Iterator[_Channel]:
    for table in tab.find_class("table"):
        for line in table.iter("tr"):
            cells = list(line.iter("td"))
            for link in cells[1].find_class("smw-equation") if len(cells) == 2 else ():
                spans = [s for s in link.iter("span") if s.get("data-equation") is not None]
                words = " ".join([link.text or "", *(span.tail or "" for span in spans)]).split()
                yield _Channel(
                    sheets.text_of(cells[0]),
                    words[-1] if words else "",
                    tuple((sheets.text_of(s), s.get("data-equation"), s.get("data-name", ""))
                          for s in spans),
                )  # fmt: skip


_SECTIONS = {"axonal": "axonal", "somatic": "somatic", "dendrite": "dendritic",
             "basal": "basal", "apical": "apical"}  # fmt: skip
_UNITS = {"gamma": "", "decay": "ms"}


def tab_channels(file: Path, model: str, tab: _Tab) -> Iterator[dict]:
    """Yield the rows of `load_channel_densities` that a tab gives."""
    for channel in tab.channels:
        where = f"{file}: {model}"
        if channel.section not in _SECTIONS:
            raise FormatError(f"{where}: unknown section {shown(channel.section)}.")
        place = {"section": _SECTIONS[channel.section], "mechanism": channel.mechanism}
        if not channel.parameters:
            told = ("parameter", "distribution", "value", "expression", "unit")
            yield place | dict.fromkeys(told)
        for name, text, kind in channel.parameters:
            value = float("nan")
            if kind == "uniform":
                value = as_number(text, where=f"{where}, {place['section']} {name!r}")
            elif kind != "exponential" or "exp(" not in text:
                raise FormatError(
                    f"{where}, {name!r}: unknown distribution {shown(kind)} = {shown(text)}."
                )
            yield place | {"parameter": name, "distribution": kind, "value": value,
                           "expression": text, "unit": _UNITS.get(name, "S/cm²")}  # fmt: skip


def read_currents(package: Path, model: str) -> tuple[float, ...]:
    """Return holding current and the three steps (nA) of a package's zip; else FormatError."""
    where = f"{package}: {model}/current_amps.dat"
    words = _read_member(package, f"{model}/current_amps.dat").split()
    if len(words) != len(CURRENTS):
        raise FormatError(f"{where}: four numbers are expected, found {shown(' '.join(words))}.")
    return tuple(as_numbers(words, where=where).tolist())


# distribute($o1.apical,"gIhbar_Ih","(-0.869600 + 2.087000*exp((%g-0.000000)*0.003100))*0.000080")
_LINE = re.compile(r'distribute\(\s*\$o1\.(\w+)\s*,\s*"(\w+)"\s*,\s*"([^"\n]+)"\s*\)')
_FACTOR = re.compile(r"\(? *(-?[\d.]+(?:[eE][-+]?\d+)?) *\)? *")


def read_densities(package: Path, model: str) -> dict[tuple[str, str], float]:
    """Return (section list, parameter) → the density where uniform, else that at the soma."""
    where = f"{package}: {model}/biophysics.hoc"
    found = {}
    for section, parameter, formula in _LINE.findall(
        _read_member(package, f"{model}/biophysics.hoc")
    ):
        factor = _FACTOR.fullmatch(formula.rpartition("*")[2])
        if factor is None or "*" not in formula:
            raise FormatError(f"{where}: {parameter}: no factor in {shown(formula)}.")
        found[section, parameter] = as_number(factor[1], where=f"{where}: {parameter}")
    return found


def _read_member(package: Path, name: str) -> str:
    try:
        return archive.read_text(package, name, _MEMBER_BYTES)
    except (ArchiveError, OSError) as error:
        raise FormatError(f"{package}: {name} cannot be read ({error})") from error
