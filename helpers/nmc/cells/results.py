"""Runs and their results on disk: what was simulated once with the same inputs is reused.

Rows stand in ``<cache>/results/`` as one ``.npz`` a run; delete the folder, or call
`clear_results`, to start afresh.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from importlib.metadata import version
from pathlib import Path

import numpy as np

from nmc import child
from nmc.cells import mechanisms
from nmc.cells.package import Package
from nmc.code_hash import code_hash
from nmc.data.files import NPZ_ERRORS, atomic_write, cache_folder


def run_cached(
    task: str,
    params: dict,
    packages: list[Package],
    *,
    synapses: bool = False,
    variant: str = "exact",
    keep: bool = True,
    **limits,
) -> tuple[dict, dict[str, np.ndarray]]:
    """Run a worker task over packages, or return what the same run gave before.

    `task`, `params` and `limits` are those of `nmc.child.run_child`; cells stand in
    ``params["cell"]`` or ``["cells"]``.  Without `keep` it runs anew and keeps nothing.
    """
    libraries = mechanisms.libraries_of(packages, synapses=synapses, variant=variant)
    key = result_key(task, params, mechanisms.build_tag(variant))
    if keep and (found := load_result(key)):
        return found
    label = ", ".join(dict.fromkeys(package.name for package in packages))
    meta, arrays = child.run_child(task, params, libraries=libraries, label=label, **limits)
    if keep:
        keep_result(key, meta, arrays)
    return meta, arrays


def results_folder() -> Path:
    """Where results are kept."""
    return cache_folder() / "results"


def clear_results() -> int:
    """Delete every cached result.

    Returns
    -------
    int
        How many results there were.
    """
    folder = results_folder()
    count = len(list(folder.glob("*.npz")))
    shutil.rmtree(folder, ignore_errors=True)
    return count


def result_key(task: str, params: dict, build: dict) -> str:
    """Name of a result: task, protocol, package content, code and NEURON version hashed."""
    plain = json.loads(json.dumps(params))
    for spec in [plain.get("cell"), *plain.get("cells", [])]:
        if spec:
            spec.pop("folder")  # where the package lies does not matter; its sha256 is in
    code = code_hash(task.partition(":")[0], child.__name__, mechanisms.__name__)
    told = [task, plain, build, version("neuron"), code]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]


def load_result(key: str) -> tuple[dict, dict[str, np.ndarray]] | None:
    """Return a cached result, or None; a damaged file counts as none."""
    path = results_folder() / f"{key}.npz"
    try:
        with np.load(path) as stored:
            arrays = {name: stored[name] for name in stored.files}
        return json.loads(str(arrays.pop("_meta"))), arrays
    except NPZ_ERRORS:
        return None


def keep_result(key: str, meta: dict, arrays: dict[str, np.ndarray]) -> None:
    """Write a result in one piece."""
    with atomic_write(results_folder() / f"{key}.npz") as path, path.open("wb") as out:
        np.savez_compressed(out, _meta=np.array(json.dumps(meta)), **arrays)
