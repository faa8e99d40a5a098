"""The pathway pages: what the portal printed, beside what its two JSON files hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from nmc import names
from nmc.errors import FormatError
from nmc.factsheets import numbers, pages

#: Label of a page → field of the JSON files, and the unit the page prints.  Fields with a
#: mean and a standard deviation are named by their mean.
FACTS = {
    "total synapse count": ("total_synapse_count", "synapses"),
    "connection probability": ("connection_probability", "%"),
    "common neighbor bias": ("common_neighbor_bias", ""),
    "No. of convergent neurons (mean ± std)": ("number_of_convergent_neuron_mean", ""),
    "No. of divergent neurons (mean ± std)": ("number_of_divergent_neuron_mean", ""),
    "No. of synapse per connection (mean ± std)": (
        "mean_number_of_synapse_per_connection",
        "synapses",
    ),
    "synapse type": ("synapse_type", ""),
    "gSyn (mean ± std)": ("gsyn_mean", "nS"),
    "u (mean ± std)": ("u_mean", ""),
    "d (mean ± std)": ("d_mean", "ms"),
    "f (mean ± std)": ("f_mean", "ms"),
    "space clamp correction factor": ("space_clamp_correction_factor", ""),
    "risetime (mean ± std)": ("risetime_mean", "ms"),
    "latency (mean ± std)": ("latency_mean", "ms"),
    "decay (mean ± std)": ("decay_mean", "ms"),
    "failures (mean ± std)": ("failures_mean", "%"),
    "PSP amplitude (mean ± std)": ("epsp_mean", ""),
    "CV of PSP amplitude (mean ± std)": ("cv_psp_amplitude_mean", ""),
}
_STD = {
    "mean_number_of_synapse_per_connection": "number_of_synapse_per_connection_std",
}
_WORDS = {"synapse_type", "space_clamp_correction_factor"}


def list_pathway_pages() -> pd.DataFrame:
    """Return the pathway summary pages of the source.

    Returns
    -------
    pandas.DataFrame
        ``name`` (as the file is called), ``pre``, ``post`` (canonical m-types), ``filled``
        (the page prints at least one fact), ``portal_name`` (whether the name is spelled as
        the portal's pages spell it; the others are left over from an older edition), ``path``.
    """
    import nmc

    folder = nmc.fetch_folder("page/pathways")
    rows = [_listed(path) for path in sorted(folder.rglob("*-*.html")) if path.stem != "index"]
    if not rows:
        raise FormatError(f"{folder}: no page named PRE-POST.html in the archive.")
    return pd.DataFrame(rows)


def read_pathway_page(path: Path) -> dict[str, str]:
    """Return a page's printed values under the field names of the JSON files.

    Raises
    ------
    FormatError
        When the page prints an unknown fact, a unit that is not the expected one, or a
        ``mean ± std`` that is none.
    """
    values = {}
    for fact in pages.read_facts(path):
        if fact.label not in FACTS:
            raise FormatError(f"{path}: unknown fact {fact.label!r} = {fact.text!r}.")
        field, unit = FACTS[fact.label]
        pages.check_unit(path, fact, unit)
        values.update(_split(path, fact, field))
    return values


def _split(path: Path, fact: pages.Fact, field: str) -> Iterator[tuple[str, str]]:
    if "±" not in fact.label:
        yield field, fact.text
        return
    mean, sign, std = (part.strip() for part in fact.text.partition("±"))
    if not sign:
        raise FormatError(f"{path}: {fact.label!r}: {fact.text!r} is not 'mean ± std'.")
    yield field, mean
    yield _STD.get(field, field.replace("_mean", "_std")), std


def agrees(field: str, printed: str, value: object) -> bool:
    """Whether a page's text stands for a value of the JSON, given the rounding of the print."""
    if field in _WORDS and isinstance(value, str):
        return printed == value
    try:
        return numbers.agrees(numbers.parse_number(printed).value, value)
    except ValueError:
        return False


def _listed(path: Path) -> dict:
    pre, _, post = path.stem.partition("-L")
    post = f"L{post}"
    canonical = [names.canonical_mtype(name) for name in (pre, post)]
    return {
        "name": path.stem,
        "pre": canonical[0],
        "post": canonical[1],
        "filled": b"factsheet-value" in path.read_bytes(),
        "portal_name": [names.portal_mtype(name) for name in canonical] == [pre, post],
        "path": path,
    }
