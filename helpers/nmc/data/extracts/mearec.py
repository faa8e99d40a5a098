"""Thirteen model packages of layer 5 that MEArec ships, unpacked, in its ``cell_models/bbp``.

MEArec's copies are of release 1.0.11.  A few of their files were re-formatted there; every file is
compared with the sha256 it has in the portal's own packages (``members.csv``), and `compare` lists
what differs.  A model whose morphology, mechanisms, synapses or HOC files say anything else than
the portal's is not offered.
"""

from __future__ import annotations

import csv
import hashlib
import re
import zipfile
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from nmc.data.extracts.installed import folder_of, version_of

if TYPE_CHECKING:
    import pandas as pd

PACKAGE = "MEArec"

MODELS = (
    "L5_BP_bAC217_1", "L5_BTC_bAC217_1", "L5_ChC_cACint209_1", "L5_DBC_bAC217_1",
    "L5_LBC_bAC217_1", "L5_MC_bAC217_1", "L5_NBC_bAC217_1", "L5_NGC_bNAC219_1",
    "L5_SBC_bNAC219_1", "L5_STPC_cADpyr232_1", "L5_TTPC1_cADpyr232_1", "L5_TTPC2_cADpyr232_1",
    "L5_UTPC_cADpyr232_1",
)  # fmt: skip

KEYS = tuple(f"model/{name}" for name in MODELS)

#: Scripts around a model: a change in them does not change the model.
_AROUND = {"run.py", "run_RmpRiTau.py", "run_RmpRiTau_py.sh", "run_py.sh", "run_hoc.sh", "README",
           "CHANGELOG", "VERSION"}  # fmt: skip

_TIME = (2015, 10, 7, 0, 0, 0)  # the release's day: archives made twice are equal


def version() -> str:
    """Return the installed version, or an empty text."""
    return version_of(PACKAGE) if place() else ""


def place() -> Path | None:
    """Return the folder that holds the models' folders, or None."""
    root = folder_of("MEArec")
    models = root / "cell_models" / "bbp" if root else None
    return models if models and models.is_dir() else None


def compare() -> pd.DataFrame:
    """Compare every file of MEArec's models with the portal's.

    Returns
    -------
    pandas.DataFrame
        Columns ``model, file, state``: ``as published``, ``white space differs``,
        ``re-formatted`` (a script that says it differently), ``altered`` (anything else),
        ``not in the portal's package``, ``missing``.
    """
    import pandas as pd

    rows = [
        {"model": model, "file": name, "state": state}
        for model in MODELS
        for name, state in _states(model).items()
    ]
    return pd.DataFrame(rows, columns=["model", "file", "state"])


def refusal(key: str) -> str:
    """Say why a model is not offered; an empty text when it is."""
    model = key.removeprefix("model/")
    root = place()
    if root is None or not (root / model).is_dir():
        return f"the installed {PACKAGE} has no folder of it"
    states = _states(model)
    wrong = [name for name, state in states.items() if state in ("altered", "missing")]
    return f"{PACKAGE} {version()} changed {', '.join(wrong)}" if wrong else ""


def write(key: str, target: Path) -> None:
    """Write a model's package as a zip, laid out as the portal's own."""
    model = key.removeprefix("model/")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, path in sorted(_files(model).items()):
            info = zipfile.ZipInfo(f"{model}/{name}", _TIME)
            info.external_attr = 0o644 << 16
            archive.writestr(info, path.read_bytes())


def _files(model: str) -> dict[str, Path]:
    root = place() / model
    found = (p for p in root.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return {path.relative_to(root).as_posix(): path for path in found}


def _states(model: str) -> dict[str, str]:
    present = _files(model)
    known = {path: sums for path, name, sums in _members() if name in ("*", model)}
    states = {name: _state(name, path, known.get(name)) for name, path in present.items()}
    needed = {name for name in known if name not in _AROUND and not name.startswith(".")}
    states.update({name: "missing" for name in sorted(needed - set(present))})
    return dict(sorted(states.items()))


def _state(name: str, path: Path, known: tuple[str, str] | None) -> str:
    if known is None:
        return "re-formatted" if name in _AROUND else "not in the portal's package"
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() == known[0]:
        return "as published"
    squeezed = re.sub(rb"\s+", b"", content)
    if hashlib.sha256(squeezed).hexdigest()[:16] == known[1]:
        return "white space differs"
    return "re-formatted" if name in _AROUND else "altered"


@cache
def _members() -> tuple[tuple[str, str, tuple[str, str]], ...]:
    """Return (path, model or ``*``, (sha256, start of the sha256 without white space))."""
    place_ = resources.files("nmc.data.extracts").joinpath("members.csv")
    with place_.open(encoding="utf-8") as lines:
        return tuple(
            (row["path"], model, (row["sha256"], row["squeezed"]))
            for row in csv.DictReader(lines)
            for model in row["models"].split()
        )
