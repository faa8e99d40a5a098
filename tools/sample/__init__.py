"""The maker of the synthetic sample; it runs on maintainers' machines alone (``make sample``).

`write_tree` writes a source tree with the files, names, layouts and units of the portal's, from
a seed; `write_package` writes one me-type package.  Every number is invented, its truth is known
(`tools.sample.rule`, `tools.sample.physiology`), and the few disagreements put in on purpose are
listed in `PLANTED`.  `pack` puts a tree into the archive that the package ships.
"""

from __future__ import annotations

from importlib import import_module

#: Seed of the sample that the book is built with.
SEED = 2015

_PUBLIC = {
    "DEFAULT_MODELS": "tools.sample.cells",
    "PLANTED": "tools.sample.planted",
    "average_instance": "tools.sample.tree",
    "control_instance": "tools.sample.tree",
    "individual_instance": "tools.sample.tree",
    "pack": "tools.sample.archive",
    "pathway_table": "tools.sample.sheets",
    "write_package": "tools.sample.cells",
    "write_tree": "tools.sample.tree",
}

__all__ = ["SEED", *_PUBLIC]


def __getattr__(name: str):
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'tools.sample' has no attribute {name!r}")
