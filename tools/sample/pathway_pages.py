"""The pathway pages, packed as the archive the portal's tree is kept in."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

from nmc import layout, names

from tools.sample import planted as wrong
from tools.sample.markup import fact, printed, section, sheet

_CONVERGENT = "No. of convergent neurons (mean ± std)"
_DIVERGENT = "No. of divergent neurons (mean ± std)"
_CONTACTS = "No. of synapse per connection (mean ± std)"
#: Label → name in the JSON, unit.
_PHYSIOLOGY = {
    "gSyn (mean ± std)": ("gsyn", "nS"),
    "u (mean ± std)": ("u", ""),
    "d (mean ± std)": ("d", "ms"),
    "f (mean ± std)": ("f", "ms"),
    "risetime (mean ± std)": ("risetime", "ms"),
    "latency (mean ± std)": ("latency", "ms"),
    "decay (mean ± std)": ("decay", "ms"),
    "failures (mean ± std)": ("failures", "%"),
    "PSP amplitude (mean ± std)": ("epsp", ""),
    "CV of PSP amplitude (mean ± std)": ("cv_psp_amplitude", ""),
}


def write_pathway_pages(
    folder: Path, anatomy: dict[str, dict], physiology: dict[str, dict]
) -> Path:
    """Write ``pathway.tar.gz`` from the content of the two pathway files.

    A page is named by the portal's spelling of its m-types; under the other spelling of L1_SLAC
    and L1_DLAC stands an empty page, as in the portal's tree.
    """
    target = folder / layout.PATHWAY_PAGES
    target.parent.mkdir(parents=True, exist_ok=True)
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, text in _members(anatomy, physiology):
            data = text.encode()
            info = tarfile.TarInfo(f"pathway/{name}.html")
            info.size, info.mode = len(data), 0o644
            tar.addfile(info, io.BytesIO(data))
    # A fixed time in the header keeps the bytes the same from run to run.
    target.write_bytes(gzip.compress(plain.getvalue(), compresslevel=3, mtime=0))
    return target


def _members(anatomy: dict[str, dict], physiology: dict[str, dict]) -> Iterator[tuple[str, str]]:
    for key in sorted(anatomy):
        pre, post = names.parse_pathway(key)
        name = f"{names.portal_mtype(pre)}-{names.portal_mtype(post)}"
        yield name, pathway_page(name, _as_printed(key, anatomy[key]), physiology[key])
        if name != f"{pre}-{post}":
            yield f"{pre}-{post}", ""


def _as_printed(key: str, entry: dict) -> dict:
    pathway, field, factor = wrong.WRONG_PATHWAY
    return {**entry, field: entry[field] * factor} if key == pathway else entry


def pathway_page(name: str, anatomy: dict, physiology: dict) -> str:
    """One pathway's page, from its entries in the two files."""
    first = [
        fact("total synapse count", printed(anatomy["total_synapse_count"]), "synapses"),
        fact("connection probability", printed(anatomy["connection_probability"], 2), "%"),
        fact("common neighbor bias", printed(anatomy["common_neighbor_bias"], 2)),
        fact(_CONVERGENT, _pair(anatomy, "number_of_convergent_neuron_{}")),
        fact(_DIVERGENT, _pair(anatomy, "number_of_divergent_neuron_{}")),
        fact(_CONTACTS, _contacts(anatomy), "synapses"),
    ]
    factor = physiology["space_clamp_correction_factor"]
    second = [
        fact("synapse type", physiology["synapse_type"]),
        *(
            fact(label, _pair(physiology, f"{field}_{{}}"), unit)
            for label, (field, unit) in _PHYSIOLOGY.items()
        ),
    ]
    clamp = factor if isinstance(factor, str) else printed(factor, 2)
    second.insert(5, fact("space clamp correction factor", clamp))
    return sheet(
        f"Pathway fact sheet - {name}", [section("Anatomy", first), section("Physiology", second)]
    )


def _contacts(anatomy: dict) -> str:
    mean = anatomy["mean_number_of_synapse_per_connection"]
    return f"{printed(mean, 2)} ± {printed(anatomy['number_of_synapse_per_connection_std'], 2)}"


def _pair(entry: dict, pattern: str) -> str:
    mean, std = (entry[pattern.format(k)] for k in ("mean", "std"))
    return f"{printed(mean, 2)} ± {printed(std, 2)}"
