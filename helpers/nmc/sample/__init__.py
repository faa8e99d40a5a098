"""The synthetic portal: the only room that invents.

`write_tree` writes a source tree with the files, names, layouts and units of the portal's, from
a seed; `write_package` writes one me-type package.  Every number is invented, its truth is known
(`nmc.sample.rule`, `nmc.sample.physiology`), and the few disagreements put in on purpose are
listed in `PLANTED`.
"""

from __future__ import annotations

from importlib import import_module

#: Seed of the sample that the book is built with.
SEED = 2015

_PUBLIC = {
    "DEFAULT_MODELS": "nmc.sample.cells",
    "PLANTED": "nmc.sample.planted",
    "average_instance": "nmc.sample.tree",
    "control_instance": "nmc.sample.tree",
    "individual_instance": "nmc.sample.tree",
    "pathway_table": "nmc.sample.sheets",
    "write_group": "nmc.sample.groups",
    "write_package": "nmc.sample.cells",
    "write_tree": "nmc.sample.tree",
}

__all__ = ["SEED", *_PUBLIC]


def __getattr__(name: str):
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'nmc.sample' has no attribute {name!r}")
