"""Write a synthetic me-type package: a zip with the portal's member names and formats."""

from __future__ import annotations

import hashlib
import json
import zipfile
from functools import cache
from importlib.resources import files
from pathlib import Path

from nmc import layout, names

from tools.sample import SEED
from tools.sample.cells import biophysics, currents, morphology, synapses

_EPOCH = (2015, 10, 7, 0, 0, 0)  # the same bytes on every day

_TEXT = (
    "CHANGELOG", "LICENSE", "README", "VERSION", "biophysics.hoc", "constants.hoc",
    "creategui.hoc", "createsimulation.hoc", "init.hoc", "morphology.hoc", "mosinit.hoc",
    "ringplot.hoc", "run.py", "run_RmpRiTau.py", "run_RmpRiTau_py.sh", "run_hoc.sh", "run_py.sh",
    "synapses/synapses.hoc", "template.hoc",
)  # fmt: skip
_EMPTY_FOLDERS = ("hoc_recordings/", "python_recordings/")


@cache
def _template(name: str) -> str:
    return (files(__package__) / "package" / f"{name}.tmpl").read_text("utf-8")


@cache
def mechanism_text(name: str) -> str:
    """Text of one of the sample's MOD files, e.g. ``Ih``."""
    return (files(__package__) / "mechanisms" / f"{name}.mod").read_text("utf-8")


def package_hash(model: names.Model | str, seed: int) -> str:
    """Ten hexadecimal digits that make the HOC templates of a package its own."""
    name = names.parse_model(model).name
    return hashlib.sha256(f"{name}/{seed}".encode()).hexdigest()[:10]


def gid_of(model: names.Model | str) -> int:
    """Number of the cell in the (invented) circuit; seeds its random channels and synapses."""
    return names.model_names().index(names.parse_model(model).name) * 30 + 1


def template_name(model: names.Model | str, seed: int) -> str:
    """Name of the cell's HOC template; HOC allows no hyphen."""
    model = names.parse_model(model)
    return f"{model.etype_id}_{model.mtype.replace('-', '')}_{package_hash(model, seed)}"


def package_members(model: names.Model | str, *, seed: int = SEED) -> dict[str, str]:
    """Return the text of every member of a package, by its name inside the top folder.

    Parameters
    ----------
    model : str or Model
        Any of the 1,035 model names.
    seed : int
        Seed of the sample.

    Returns
    -------
    dict
        Member name → text; names that end in ``/`` are empty folders.
    """
    model = names.parse_model(model)
    tree = morphology.make_tree(model, seed)
    points = morphology.make_points(tree, model, seed)
    shape = f"synthetic-{package_hash(model, seed)}"
    stochastic = biophysics.is_stochastic(model)
    gid = gid_of(model)
    hold, *steps = (f"{current:.7f}" for current in currents.step_currents(model, seed=seed))
    tokens = {
        "MODEL": model.name, "SEED": str(seed), "HASH": package_hash(model, seed),
        "TEMPLATE": template_name(model, seed), "ETYPE_ID": model.etype_id,
        "MORPHOLOGY": shape, "GID": str(gid), "BODY": biophysics.to_hoc(model),
        "RNG": _template("rng" if stochastic else "rng_none"),
        "STOCHASTIC": f"    re_init_rng({gid})\n" if stochastic else "",
        "HOLD": hold, "STEP1": steps[0], "STEP2": steps[1], "STEP3": steps[2],
    }  # fmt: skip
    members = {name: _fill(_template(name), tokens) for name in _TEXT}
    members |= {f"mechanisms/{m}.mod": mechanism_text(m) for m in biophysics.mechanisms(model)}
    members[f"morphology/{shape}.asc"] = morphology.to_asc(tree, points)
    members["current_amps.dat"] = " ".join([hold, *steps])
    members["cellinfo.json"] = json.dumps(_cellinfo(model, shape, gid), indent=4)
    members[".provenance.json"] = json.dumps({"gid": gid, "seed": seed, "invented": True}, indent=4)
    members |= {f"synapses/{n}": t for n, t in synapses.synapse_files(model, seed=seed).items()}
    return dict(sorted((members | dict.fromkeys(_EMPTY_FOLDERS, "")).items()))


def _fill(text: str, tokens: dict[str, str]) -> str:
    for token, value in tokens.items():
        text = text.replace(f"@{token}@", value)
    return text


def _cellinfo(model: names.Model, shape: str, gid: int) -> dict[str, str]:
    etype = "L5PC" if model.etype == "cADpyr" else model.etype_id.rstrip("0123456789")
    return {
        "cell name": f"{model.etype_id}_{model.mtype}_{model.instance}_{shape}",
        "e-type": etype,
        "gid": str(gid),
        "layer": "L3" if model.layer == "L23" else model.layer,
        "m-type": model.mtype,
        "me-type": f"{model.mtype}_{etype}",
        "morphology": shape,
    }


def write_package(folder: str | Path, model: names.Model | str, *, seed: int = SEED) -> Path:
    """Write the synthetic package of a model below `folder`, where the portal kept it.

    Parameters
    ----------
    folder : path
        Root of the tree; the zip goes to ``nmc.layout.package(model)`` below it.
    model : str or Model
        Any of the 1,035 model names.
    seed : int
        Seed of the sample; the same seed gives the same bytes.

    Returns
    -------
    pathlib.Path
        The zip.

    Raises
    ------
    UnknownNameError
        When there is no such model.
    """
    model = names.parse_model(model)
    path = Path(folder) / layout.package(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".zip.part")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_STORED) as archive:
        for name, text in package_members(model, seed=seed).items():
            info = zipfile.ZipInfo(f"{model.name}/{name}", _EPOCH)
            info.compress_type = (
                zipfile.ZIP_STORED
            )  # the archive around it packs all of them at once
            executable = name.startswith("run_") and name.endswith((".sh", ".py"))
            mode = 0o40755 if name.endswith("/") else 0o100755 if executable else 0o100644
            info.create_system, info.external_attr = 3, mode << 16
            archive.writestr(info, text.encode())
    unfinished.replace(path)
    return path
