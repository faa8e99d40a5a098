"""Reading a package's HOC files as text: only the few forms that the portal wrote."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pandas as pd

from nmc.errors import PackageError

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
_LISTS = ("all", "somatic", "basal", "apical", "axonal")
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_INSERT = re.compile(r"insert (\w+)")
_SET = re.compile(rf"(\w+) = ({_NUMBER})")
_FORSEC = re.compile(rf"forsec \$o1\.({'|'.join(_LISTS)}) \{{")
_DISTRIBUTE = re.compile(rf'distribute\(\$o1\.({"|".join(_LISTS)}),"(\w+)","([^"]+)"\)')
#: Parameters of the cable itself and of ions: they belong to no mechanism.
CABLE = ("Ra", "cm", "ena", "ek", "eca")


def read(path: Path) -> str:
    """Text of a HOC file without its comments."""
    return _COMMENT.sub(" ", path.read_text("utf-8", "replace"))


def template_name(model: str, path: Path) -> str:
    """Name of the one template that a file defines."""
    found = re.findall(r"^\s*begintemplate\s+(\w+)", read(path), re.M)
    if len(found) != 1:
        raise PackageError(f"{model}: {path.name} defines {len(found)} templates, not one.")
    return found[0]


def morphology_name(hoc: str) -> str | None:
    """Path in the package of the morphology that the text of ``morphology.hoc`` reads."""
    found = re.search(r'\.input\("([^"]+)"\)', hoc)
    return found[1] if found else None


def morphology_file(model: str, folder: Path) -> Path:
    """The morphology that ``morphology.hoc`` reads; it must lie in the package and be whole."""
    name = morphology_name(read(folder / "morphology.hoc"))
    if not name:
        raise PackageError(f"{model}: morphology.hoc names no morphology file.")
    path = (folder / name).resolve()
    if not path.is_relative_to(folder):
        raise PackageError(f"{model}: morphology.hoc points outside the package: {name!r}.")
    if not path.is_file():
        raise PackageError(f"{model}: the morphology file {name} is missing.")
    text = path.read_text("latin-1")
    if not text.strip() or _unbalanced(text):
        raise PackageError(
            f"{model}: the morphology file {name} is truncated (its brackets do not close). "
            "Fetch the package again."
        )
    return path


def _unbalanced(asc: str) -> bool:
    bare = re.sub(r'"[^"]*"|;[^\n]*', "", asc)
    return bare.count("(") != bare.count(")")


def read_constants(model: str, path: Path) -> dict[str, float]:
    """``celsius`` and ``dt`` as ``constants.hoc`` sets them."""
    text = read(path)
    values = {}
    for name in ("celsius", "dt"):
        found = re.search(rf"^\s*{name}\s*=\s*({_NUMBER})\s*$", text, re.M)
        if not found:
            raise PackageError(f"{model}: constants.hoc does not set {name}.")
        values[name] = float(found[1])
    return values


def read_biophysics(model: str, path: Path) -> tuple[dict[str, tuple[str, ...]], pd.DataFrame]:
    """Mechanisms by section list, and the parameter table, of ``biophysics.hoc``.

    Only ``insert``, assignments inside ``forsec`` and ``distribute`` calls are understood, and
    anything else is refused, so that nothing the file does is left out of the table.
    """
    body = re.search(r"proc biophys\(\) \{\n(.*?)\n\s*\}\s*endtemplate", read(path), re.S)
    if not body:
        raise PackageError(f"{model}: biophysics.hoc has no procedure biophys().")
    inserted: dict[str, list[str]] = {}
    rows, current = [], None
    for raw in body[1].splitlines():
        line = raw.strip()
        if not line:
            continue
        if found := _FORSEC.fullmatch(line):
            current = found[1]
        elif line == "}" and current:
            current = None
        elif current and (found := _INSERT.fullmatch(line)):
            inserted.setdefault(current, []).append(found[1])
        elif current and (found := _SET.fullmatch(line)):
            rows.append((current, found[1], found[2]))
        elif found := _DISTRIBUTE.fullmatch(line):
            rows.append((found[1], found[2], found[3].replace("%g", "d")))
        else:
            raise PackageError(f"{model}: biophysics.hoc: this line is not understood: {line!r}.")
    mechanisms = {part: tuple(found) for part, found in inserted.items()}
    known = {m for found in mechanisms.values() for m in found}
    return mechanisms, pd.DataFrame([_parameter(model, row, known) for row in rows])


def _parameter(model: str, row: tuple[str, str, str], mechanisms: set[str]) -> dict:
    part, full, formula = row
    # The longest mechanism that ends the name: gK_Tstbar_K_Tst is gK_Tstbar of K_Tst.
    owners = [m for m in mechanisms if full.endswith(f"_{m}")]
    if not owners and full not in CABLE:
        raise PackageError(f"{model}: biophysics.hoc sets {full!r}, which nothing inserted has.")
    owner = max(owners, key=len, default="")
    try:
        near, far = evaluate(formula, [0.0, 500.0])
    except ValueError as error:
        raise PackageError(f"{model}: biophysics.hoc: {full}: {error}") from error
    return {
        "section_list": part,
        "mechanism": owner,
        "parameter": full.removesuffix(f"_{owner}") if owner else full,
        "value": near if near == far else np.nan,
        "formula": formula,
    }


def evaluate(formula: str, d) -> np.ndarray:
    """Value of a distribution formula at path distances `d` (µm); arithmetic and exp only."""
    d = np.asarray(d, float)
    try:
        tree = ast.parse(formula, mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"the formula {formula!r} is not arithmetic") from error
    return np.broadcast_to(np.asarray(_value(tree, d, formula), float), d.shape).copy()


_BINARY = {ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide}


def _value(node: ast.expr, d: np.ndarray, formula: str):
    match node:
        case ast.Constant(value=int() | float()):
            return node.value
        case ast.Name(id="d"):
            return d
        case ast.UnaryOp(op=ast.USub()):
            return -_value(node.operand, d, formula)
        case ast.BinOp() if type(node.op) in _BINARY:
            left, right = (_value(side, d, formula) for side in (node.left, node.right))
            return _BINARY[type(node.op)](left, right)
        case ast.Call(func=ast.Name(id="exp"), args=[argument], keywords=[]):
            return np.exp(_value(argument, d, formula))
    raise ValueError(f"the formula {formula!r} holds something other than arithmetic and exp")
