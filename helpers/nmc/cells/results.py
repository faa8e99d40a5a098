"""Results on disk: what was simulated once with the same files, protocol and code is reused.

Rows stand in ``<cache>/results/`` as one ``.npz`` a run; delete the folder, or call
`clear_results`, to start afresh.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from importlib.metadata import version
from pathlib import Path

import numpy as np

from nmc import child
from nmc.cells import mechanisms
from nmc.code_hash import code_hash


def results_folder() -> Path:
    """Where results are kept."""
    from nmc.data.files import cache_folder

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
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError):
        return None


def keep_result(key: str, meta: dict, arrays: dict[str, np.ndarray]) -> None:
    """Write a result in one piece."""
    folder = results_folder()
    folder.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(suffix=".part", dir=folder)
    try:
        with os.fdopen(handle, "wb") as out:
            np.savez_compressed(out, _meta=np.array(json.dumps(meta)), **arrays)
        os.replace(partial, folder / f"{key}.npz")
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
