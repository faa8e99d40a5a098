"""One hash for "would this code give the same result?", that follows imports.

Every result that is kept (runs, rows of sweeps and of `nmc.recomputed`, ensembles, pages) has
this hash in its key.  Nothing lists its inputs by hand: a module counts together with every
``nmc`` module that it imports, and so on, imports inside functions and tasks named by a string
(``"nmc.cells._run:run"``) included.  A process that outlives an upgrade ran code that is no longer
on disk, or both: it gets no hash.
"""

from __future__ import annotations

import ast
import hashlib
import re
import threading
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from nmc import _PUBLIC
from nmc.errors import ChangedCodeError, UnknownNameError

#: Followed no further: these hand over files, and the content of each file is in a result's key.
PINNED_BY_CONTENT = ("nmc.data",)

#: Fields of syntax trees that say nothing of meaning, or that only some Pythons have.
_SILENT = {"ctx", "kind", "type_comment", "type_ignores", "type_params"}
_DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
_TASK = re.compile(r"(nmc(?:\.\w+)+):\w+")
_ROOT = Path(__file__).parent


def _sha256(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


#: Every file of the package as it was when this module was imported, as all rooms do at once.
_IMPORTED = {path: _sha256(path) for path in _ROOT.rglob("*.py")}
_unchanged: dict[Path, tuple[int, int] | None] = {}  # the state in which a file was last compared
_one_at_a_time = threading.Lock()  # Python's parser fails when several threads parse at once


def code_hash(*modules: str, alone: Iterable[str] = ()) -> str:
    """Hash what some modules and all that they import within the package do: 64 hexadecimal digits.

    Comments, docstrings and layout do not count, nor the version of Python. Nothing is imported.
    Modules are full names, e.g. ``"nmc.cells.build"``; those outside the package, and those in
    `alone`, count without what they import. An UnknownNameError where one does not exist, a
    ChangedCodeError where its file was changed after this process began to use the package.
    """
    asked, more = tuple(sorted(set(modules))), tuple(sorted(set(alone)))
    for name in [*modules_behind(*asked), *more]:
        _refuse_changed(name)
    return _hash(asked, more)


def modules_behind(*modules: str) -> list[str]:
    """Names of all modules that `code_hash` of these covers, sorted; UnknownNameError for none."""
    with _one_at_a_time:
        reached: set[str] = set()
        waiting = list(modules)
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.add(name)
                waiting += _read(name)[1]
        return sorted(reached)


def syntax_hash(text: str) -> str:
    """Hash what a module's text does: comments and docstrings do not count."""
    return hashlib.sha256("\n".join(_words(ast.parse(text))).encode()).hexdigest()


def _refuse_changed(name: str) -> None:
    path = _path(name)
    if name.split(".")[0] != "nmc":
        return
    status = path.stat() if path else None
    state = (status.st_mtime_ns, status.st_size) if status else None
    if path is None or _unchanged.get(path) != state:
        if path is None or _sha256(path) != _IMPORTED.get(path):
            raise ChangedCodeError(
                f"The code of {name} was changed on disk after this process began to use it, so "
                "nobody could say which code a result is of: restart Python, then run it again."
            )
        _unchanged[path] = state


@cache
def _hash(modules: tuple[str, ...], alone: tuple[str, ...]) -> str:
    lines = [f"{name} {_read(name)[0]}\n" for name in [*modules_behind(*modules), *alone]]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@cache
def _read(name: str) -> tuple[str, tuple[str, ...]]:
    """Hash of one module's own syntax, and the ``nmc`` modules that it imports."""
    path = _path(name)
    if path is None:
        raise UnknownNameError(f"There is no module {name!r}.")
    text = path.read_text("utf-8")
    tree, digest = ast.parse(text), syntax_hash(text)
    for table in sorted(_tables(tree)):  # a table beside a module is part of it
        if (beside := path.with_name(table)).is_file():
            digest = f"{digest} {_sha256(beside).hex()}"
    found = {module for node in _running(tree) for module in _imported(node)}
    pinned = [m for m in found for top in PINNED_BY_CONTENT if f"{m}.".startswith(f"{top}.")]
    return digest, tuple(sorted(found - set(pinned)))


def _tables(tree: ast.AST) -> set[str]:
    texts = {str(node.value) for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    return {text for text in texts if re.fullmatch(r"\w+\.(csv|toml)", text)}


def _path(name: str) -> Path | None:
    """File of a module; None where there is none."""
    top, *rest = name.split(".")
    if top == "nmc":
        place = _ROOT.joinpath(*rest)
        for path in (place / "__init__.py", place.with_name(f"{place.name}.py")):
            if path.is_file():
                return path
        return None
    spec = find_spec(name)
    return Path(spec.origin) if spec and spec.origin else None


def _imported(node: ast.AST) -> Iterator[str]:
    """Yield the ``nmc`` modules that an import, or a string that names a task, brings in."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name.startswith("nmc."))
    elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "nmc":
        for alias in node.names:
            below = f"{node.module}.{alias.name}"
            known = _PUBLIC if node.module == "nmc" else {}
            yield below if _path(below) else known.get(alias.name, str(node.module))
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        if node.value.id == "nmc" and node.attr in _PUBLIC:  # ``import nmc; nmc.load_pathways()``
            yield _PUBLIC[node.attr]
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        if found := _TASK.fullmatch(node.value):
            yield found[1]


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a tree that can run: all but those under ``if TYPE_CHECKING``."""
    yield node
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name):
        if node.test.id == "TYPE_CHECKING":
            return
    for child in ast.iter_child_nodes(node):
        yield from _running(child)


def _words(node: ast.AST) -> Iterable[str]:
    """Yield a syntax tree as lines that are the same in every Python version."""
    yield type(node).__name__
    for name, value in sorted(ast.iter_fields(node)):
        if name in _SILENT:
            continue
        parts = value if isinstance(value, list) else [value]
        if name == "body" and isinstance(node, _DOCUMENTED):
            parts = parts[ast.get_docstring(node, clean=False) is not None :]
        yield f"{name} {len(parts)}"
        for part in parts:
            if isinstance(part, ast.AST):
                yield from _words(part)
            else:
                yield repr(part)
