"""Pathway files against pathway pages, and synapse types against the cells they come from."""

from __future__ import annotations

import nmc
from nmc import names
from nmc.factsheets import pathway_pages, schema
from nmc.factsheets.checks.report import Report

_PAGES = "page/pathways"


def check(report: Report) -> None:
    """Compare the sign of synapses with their cells, and every JSON value with its page."""
    _signs(report)
    _classes(report)
    if nmc.available(_PAGES):
        _pages(report)


def _signs(report: Report) -> None:
    pathways = nmc.load_pathways()
    sign = pathways["synapse_type"].astype(str).str.split(",").str[0]
    for mtype, rows in sign.groupby(pathways["pre"], observed=True):
        expected = "Excitatory" if names.is_excitatory(mtype) else "Inhibitory"
        wrong = int((rows != expected).sum())
        report.compare(
            wrong == 0, "sign of synapses", "sheet/pathways_physiology", mtype,
            f"{wrong} of {len(rows)} pathways", expected,
            "Cells of one m-type give synapses of one sign; these pathways print the other.",
        )  # fmt: skip


def _classes(report: Report) -> None:
    """Facilitation must outlast depression where the class says so, and nowhere else."""
    pathways = nmc.load_pathways()
    facilitating = pathways["f_mean_ms"] > pathways["d_mean_ms"]
    for kind, word in (("E1", True), ("I1", True), ("E2", False), ("I2", False)):
        rows = facilitating[pathways["s_type"] == kind]
        wrong = int((rows != word).sum())
        report.compare(
            wrong == 0, "class of synapses", "sheet/pathways_physiology", kind,
            f"{wrong} of {len(rows)} pathways", "F above D" if word else "F below D",
            "The class says facilitating or depressing, the mean time constants say the other.",
        )  # fmt: skip


def _pages(report: Report) -> None:
    listed = pathway_pages.list_pathway_pages()
    filled = listed[listed["filled"]]
    anatomy = schema.read_json(nmc.fetch("sheet/pathways_anatomy"))
    physiology = schema.read_json(nmc.fetch("sheet/pathways_physiology"))
    records = {_key(key): {**anatomy[key], **physiology[key]} for key in anatomy}
    current = filled[filled["portal_name"]]
    paths = {f"{row.pre}:{row.post}": row.path for row in current.itertuples()}
    report.compare(
        set(paths) == set(records), "pathway JSON and page", _PAGES, "filled pages", len(paths),
        len(records), f"{len(set(paths) - set(records))} pages have no pathway in the JSON files, "
        f"{len(set(records) - set(paths))} pathways have no page.",
    )  # fmt: skip
    stale = filled[~filled["portal_name"]]
    report.compare(
        stale.empty, "pathway JSON and page", _PAGES, "L1_SLAC, L1_DLAC", len(stale), 0,
        "Pages under the names of the files, beside those under the portal's own spelling: they "
        "print numbers of another build.",
    )  # fmt: skip
    for key in sorted(set(paths) & set(records)):
        _compare(report, key, pathway_pages.read_pathway_page(paths[key]), records[key])


def _compare(report: Report, key: str, printed: dict, record: dict) -> None:
    for name, value in record.items():
        text = printed.get(name)
        report.compare(
            text is not None and pathway_pages.agrees(name, text, value),
            "pathway JSON and page", _PAGES, key, text, value,
            f"{name}: the page and the downloadable file disagree by more than the rounding.",
        )  # fmt: skip


def _key(key: str) -> str:
    return names.pathway(*names.parse_pathway(key))
