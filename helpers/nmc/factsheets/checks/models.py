"""The me-type pages against the summary file and against the packages at hand."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import nmc
import pandas as pd
from nmc import names
from nmc.errors import FormatError
from nmc.factsheets import models, numbers
from nmc.factsheets.checks.report import Report

# distribute($o1.apical,"gIhbar_Ih","(-0.869600 + 2.087000*exp((%g-0.000000)*0.003100))*0.000080")
_LINE = re.compile(r'distribute\(\s*\$o1\.(\w+)\s*,\s*"(\w+)"\s*,\s*"(.+)"\s*\)')
_FACTOR = re.compile(r"\*\s*\(?\s*(-?[\d.]+(?:[eE][-+]?\d+)?)\s*\)?\s*$")

_SECTIONS = {"dendritic": ("basal", "apical")}
#: The pages print densities with six decimals, times and the like with six as well.
_STEP = 1e-6
_CHECK = "sheet and package densities"


def check(report: Report) -> None:
    """Compare resting values with the summary file, and densities with the packages."""
    if nmc.available("sheet/models"):
        _summary(report)
    _channels(report)


def _summary(report: Report) -> None:
    summary = models.read_model_summary()
    pages = models.read_model_pages().set_index("model")
    for column in models.PHYSIOLOGY:
        for model, value in summary[column].items():
            printed = pages.loc[model, column]
            report.compare(
                numbers.agrees(printed, value), "model summary and page", "sheet/models",
                model, value, printed,
                f"{column}: the summary file and the model's page differ by more than rounding.",
            )  # fmt: skip


def _channels(report: Report) -> None:
    from nmc.data import local

    found = {name: local(f"model/{name}") for name in names.model_names()}
    packages = {name: read_densities(path, name) for name, path in found.items() if path}
    templates = {
        names.parse_model(name).etype_id: densities for name, densities in packages.items()
    }
    metypes = sorted({names.parse_model(name).metype for name in packages})
    if not metypes:
        return
    sheets = dict(list(models.load_channel_densities(metypes).groupby("model")))
    for metype in metypes:
        own = {name: p for name, p in packages.items() if names.parse_model(name).metype == metype}
        _compare(
            report, metype, {name: (_printed(sheets[name]), own[name]) for name in own}, templates
        )


def _compare(report: Report, metype: str, pairs: dict, templates: dict) -> None:
    wrong, size = set(), 0
    for printed, package in pairs.values():
        wrong |= {key for key, value in printed.items() if not _same(value, package.get(key))}
        size = len(printed)
        report.compared[_CHECK] += len(printed) - 1  # the finding below counts one
    printed = next(iter(pairs.values()))[0]
    like = [
        name for name, densities in templates.items()
        if wrong and all(_same(value, densities.get(key)) for key, value in printed.items())
    ]  # fmt: skip
    listed = ", ".join(f"{parameter} ({section})" for section, parameter in sorted(wrong)[:3])
    report.compare(
        not wrong, _CHECK, f"page/metype/{metype}", "ion channels",
        f"{len(wrong)} of {size} values differ",
        f"those of the packages {names.parse_model(next(iter(pairs))).etype_id}",
        f"Such as {listed}. "
        + (f"The page prints exactly the values of {', '.join(like)}." if like else ""),
    )  # fmt: skip


def _printed(sheet: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Section list and parameter with mechanism → printed factor of the distribution."""
    return {
        (section, f"{row.parameter}_{row.mechanism}"): float(row.expression.partition("*")[0])
        for row in sheet.dropna(subset="parameter").itertuples()
        for section in _SECTIONS.get(row.section, (row.section,))
    }


def _same(printed: float, value: float | None) -> bool:
    return value is not None and abs(value - printed) <= 0.5 * _STEP * (1 + 1e-6)


def read_densities(package: Path, model: str) -> dict[tuple[str, str], float]:
    """Return what a package's ``biophysics.hoc`` distributes over its sections.

    Parameters
    ----------
    package : Path
        The package's zip.
    model : str
        Its name, which is that of its top folder.

    Returns
    -------
    dict
        (section list, parameter with mechanism) → factor of the distribution: the density
        itself where uniform, the value at the soma's scale where it grows with distance.

    Raises
    ------
    FormatError
        When the package has no such file, or a line of it cannot be understood.
    """
    member = f"{model}/biophysics.hoc"
    try:
        with zipfile.ZipFile(package) as archive:
            text = archive.read(member).decode("utf-8", "replace")
    except (KeyError, zipfile.BadZipFile) as error:
        raise FormatError(f"{package}: {member}: {error}.") from error
    found = {}
    for section, parameter, formula in _LINE.findall(text):
        factor = _FACTOR.search(formula)
        if factor is None:
            raise FormatError(f"{package}: {member}: {parameter}: no factor in {formula!r}.")
        found[section, parameter] = float(factor[1])
    return found
