"""The 1,035 models: rest, anatomy and channels, from the me-type pages and the summary file."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from nmc import labels, names
from nmc.errors import FormatError, NMCError
from nmc.factsheets import numbers, pages, schema
from nmc.factsheets.types import ETYPE, LAYER, METYPE, MTYPE

#: Label on a me-type page → column, and the unit the page prints.
FACTS = {**labels.MODEL_PHYSIOLOGY, **labels.MODEL_ANATOMY}
PHYSIOLOGY = tuple(column for column, _ in labels.MODEL_PHYSIOLOGY.values())
CURRENTS = ("holding_current_nA", "step1_current_nA", "step2_current_nA", "step3_current_nA")

_PARTIAL = {"apical_length_um", "apical_volume_um3", "apical_max_branch_order",
            "apical_max_section_length_um"}  # fmt: skip


def load_models(*, step_currents: bool = True) -> pd.DataFrame:
    """Return the 1,035 models, one row a model.

    Parameters
    ----------
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
        sheet does not print is missing.

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
    import nmc

    table = read_model_pages()
    if nmc.available("sheet/models"):
        summary = read_model_summary()
        table[list(PHYSIOLOGY)] = summary.loc[table["model"], list(PHYSIOLOGY)].to_numpy()
    currents = _currents(table["model"]) if step_currents else {}
    for i, column in enumerate(CURRENTS):
        values = [currents.get(model, (pd.NA,) * 4)[i] for model in table["model"]]
        table[column] = pd.array(values, dtype="Float64")
    return table


def read_model_pages() -> pd.DataFrame:
    """Return what the 207 me-type pages print; see `load_models`."""
    rows, files = [], {}
    for metype, file, tabs in _pages(names.METYPES):
        rows += _rows(metype, file, tabs)
        files |= dict.fromkeys(_models(metype), file)
    frame = pd.DataFrame(rows).set_index("model")
    numeric = [column for column, _ in FACTS.values()]
    columns = {c: schema.number(missing=c in _PARTIAL) for c in numeric}
    columns["resting_membrane_potential_mV"] = schema.number(low=-120, high=0)
    checked = schema.validate(frame.reindex(columns=numeric), columns, files)
    frame[numeric] = checked
    return _typed(frame[["morphology", *numeric]])


def read_model_summary() -> pd.DataFrame:
    """Return ``RmpRiTau_summary.json``, indexed by model.

    Raises
    ------
    FormatError
        When a model is unknown or missing, or a value is no number in the expected unit.
    """
    import nmc

    file = nmc.fetch("sheet/models")
    rows = {}
    for key, record in schema.read_json(file).items():
        try:
            model = names.parse_model(key).name
        except NMCError as error:
            raise FormatError(f"{file}: {error}") from error
        rows[model] = {
            column: _summary_value(file, key, record, field, unit)
            for field, (column, unit) in labels.MODEL_SUMMARY.items()
        }
    lost = [name for name in names.model_names() if name not in rows]
    if lost:
        raise FormatError(f"{file}: the model {lost[0]!r} is missing ({len(lost)} in all).")
    table = pd.DataFrame.from_dict(rows, orient="index")
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
    chosen = names.METYPES if metypes is None else [names.canonical_metype(m) for m in metypes]
    rows = [
        {"model": model, "metype": metype, **row}
        for metype, file, tabs in _pages(chosen)
        for model, (_, tab) in zip(_models(metype), tabs, strict=True)
        for row in _channels(file, model, tab)
    ]
    table = pd.DataFrame(rows)
    table["value"] = table["value"].astype(float)
    table["metype"] = table["metype"].astype(METYPE)
    return table


def _pages(metypes: Iterable[str]) -> Iterator[tuple]:
    from tqdm import tqdm

    import nmc

    for metype in tqdm(list(metypes), desc="me-type pages", delay=2, leave=False, disable=None):
        file = nmc.fetch(f"page/metype/{metype}")
        yield metype, file, _tabs(file)


def _tabs(file: Path) -> list[tuple[str, object]]:
    """Pairs of morphology name and tab, in the order of the five models."""
    root = pages.open_page(file)
    titles = [li.get("title", "") for li in root.find_class("smw-tab-selector")]
    tabs = [div for div in root.find_class("smw-tab") if div.tag == "div"]
    if not len(titles) == len(tabs) == len(names.INSTANCES):
        raise FormatError(
            f"{file}: {len(titles)} tab titles and {len(tabs)} tabs stand where "
            f"{len(names.INSTANCES)} of each are expected."
        )
    return list(zip(titles, tabs, strict=True))


def _models(metype: str) -> list[str]:
    mtype, _, etype = metype.rpartition("_")
    return [names.Model(mtype, etype, i).name for i in names.INSTANCES]


def _rows(metype: str, file: Path, tabs: list) -> Iterator[dict]:
    for model, (morphology, tab) in zip(_models(metype), tabs, strict=True):
        row = {"model": model, "morphology": morphology}
        for fact in pages.facts_of(tab):
            row.update([_value(file, model, fact)])
        if model not in _download(tab):
            raise FormatError(f"{file}: the tab of {model} offers {_download(tab)!r} instead.")
        yield row


def _download(tab) -> str:
    """Address of the package a tab offers: it says which model the tab is about."""
    links = (a.get("href", "") for a in tab.iter("a"))
    address = next((href for href in links if href.endswith(".zip")), "")
    for mtype in names.MTYPES:
        address = address.replace(f"{names.portal_mtype(mtype)}_", f"{mtype}_")
    return address


def _value(file: Path, model: str, fact: pages.Fact) -> tuple[str, float]:
    if fact.label not in FACTS:
        raise FormatError(f"{file}: {model}: unknown fact {fact.label!r} = {fact.text!r}.")
    column, unit = FACTS[fact.label]
    return column, pages.value_of(file, fact, unit, of=model)


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    parsed = [names.parse_model(name) for name in frame.index]
    keys = pd.DataFrame(
        {
            "metype": pd.Categorical([m.metype for m in parsed], dtype=METYPE),
            "mtype": pd.Categorical([m.mtype for m in parsed], dtype=MTYPE),
            "etype": pd.Categorical([m.etype for m in parsed], dtype=ETYPE),
            "layer": pd.Categorical([m.layer for m in parsed], dtype=LAYER),
            "instance": [m.instance for m in parsed],
        },
        index=frame.index,
    )
    return keys.join(frame).reset_index()


def _summary_value(file: Path, key: str, record, field: str, unit: str) -> float:
    try:
        value = float(numbers.parse_number(record[field]).value)
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{file}: key {key!r}, field {field!r}: {error}.") from error
    if record.get(f"{field}_Units", unit) != unit:
        raise FormatError(
            f"{file}: key {key!r}, field '{field}_Units': {record[f'{field}_Units']!r} stands "
            f"where {unit!r} should."
        )
    return value


_SECTIONS = {"axonal": "axonal", "somatic": "somatic", "dendrite": "dendritic",
             "basal": "basal", "apical": "apical"}  # fmt: skip
_UNITS = {"gamma": "", "decay": "ms"}


def _channels(file: Path, model: str, tab) -> Iterator[dict]:
    for table in tab.find_class("table"):
        for line in table.iter("tr"):
            cells = list(line.iter("td"))
            if len(cells) == 2:
                yield from _section_channels(file, model, *cells)


def _section_channels(file: Path, model: str, head, cell) -> Iterator[dict]:
    section = _SECTIONS.get(pages.text_of(head))
    if section is None:
        raise FormatError(f"{file}: {model}: unknown section {pages.text_of(head)!r}.")
    for link in cell.find_class("smw-equation"):
        spans = [span for span in link.iter("span") if span.get("data-equation") is not None]
        mechanism = " ".join([link.text or "", *(span.tail or "" for span in spans)]).split()
        place = {"section": section, "mechanism": mechanism[-1] if mechanism else ""}
        if not spans:
            yield {**place, "parameter": None, "distribution": None, "value": None,
                   "expression": None, "unit": None}  # fmt: skip
        for span in spans:
            yield {**place, **_parameter(file, model, span)}


def _parameter(file: Path, model: str, span) -> dict:
    name, text, kind = pages.text_of(span), span.get("data-equation"), span.get("data-name")
    value = float("nan")
    if kind == "uniform":
        try:
            value = float(text)
        except ValueError as error:
            raise FormatError(f"{file}: {model}, {name!r}: {error}.") from error
    elif kind != "exponential" or not re.search(r"exp\(", text or ""):
        raise FormatError(f"{file}: {model}, {name!r}: unknown distribution {kind!r} = {text!r}.")
    return {"parameter": name, "distribution": kind, "value": value, "expression": text,
            "unit": _UNITS.get(name, "S/cm²")}  # fmt: skip


def _currents(models: Iterable[str]) -> dict[str, tuple[float, ...]]:
    from nmc.data.fetch import local

    found = {}
    for model in models:
        path = local(f"model/{model}")
        if path is not None:
            found[model] = read_currents(path, model)
    return found


def read_currents(package: Path, model: str) -> tuple[float, ...]:
    """Return holding current and the three steps (nA) out of a package's zip.

    Raises
    ------
    FormatError
        When the package has no ``current_amps.dat`` of four numbers.
    """
    member = f"{model}/current_amps.dat"
    try:
        with zipfile.ZipFile(package) as archive:
            text = archive.read(member).decode("ascii")
        amplitudes = tuple(float(word) for word in text.split())
    except (KeyError, zipfile.BadZipFile, ValueError) as error:
        raise FormatError(f"{package}: {member}: {error}.") from error
    if len(amplitudes) != len(CURRENTS):
        raise FormatError(f"{package}: {member}: four numbers are expected, found {text!r}.")
    return amplitudes
