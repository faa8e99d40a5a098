"""Writing the explorer's folder: pages, assets and data shards."""

from __future__ import annotations

import html
import json
import os
import shutil
import tempfile
from importlib.resources import files
from pathlib import Path

from nmc.factsheets.explorer import data

_TRUST = "book/factsheets/trust-the-data.html"
_ASSETS = ("explorer.js", "pages.js", "explorer.css")


def build_explorer(folder: str | os.PathLike, *, home: str = "../index.html") -> Path:
    """Write the explorer into a folder, from the fact sheets of the source in use.

    Parameters
    ----------
    folder : path
        Where; it is replaced whole, and only when everything has been written.
    home : str
        Address of the book, from the folder.

    Returns
    -------
    pathlib.Path
        The explorer's ``index.html``.

    Raises
    ------
    FormatError, MissingFileError
        When a sheet cannot be read; the old folder then stays as it was.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    built = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        _write(built, home)
        if folder.exists():
            shutil.rmtree(folder)
        built.chmod(0o755)
        built.replace(folder)
    except BaseException:
        shutil.rmtree(built, ignore_errors=True)
        raise
    return folder / "index.html"


def _write(folder: Path, home: str) -> None:
    (folder / "data").mkdir()
    meta = {}
    for name, content in data.shards():
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        script = f"NMC.put({json.dumps(name)},{text});\n"
        (folder / "data" / f"{name}.js").write_text(script, encoding="utf-8")
        if name == "meta":
            meta = content
    for asset in _ASSETS:
        (folder / asset).write_text(_asset(asset), encoding="utf-8")
    page = _asset("page.html")
    for kind, title in {"index": "Explorer", **{k: t for k, (t, _) in data.TITLES.items()}}.items():
        filled = (
            page.replace("{{kind}}", kind)
            .replace("{{title}}", html.escape(title))
            .replace("{{home}}", html.escape(home, quote=True))
            .replace("{{trust}}", html.escape(_beside(home, _TRUST), quote=True))
            .replace("{{note}}", html.escape(meta["note"]))
            .replace("{{tabs}}", _tabs(kind))
        )
        (folder / f"{kind}.html").write_text(filled, encoding="utf-8")


def _beside(home: str, page: str) -> str:
    """Address of another page of the book."""
    return f"{home.rpartition('/')[0] or '.'}/{page}"


def _tabs(current: str) -> str:
    mark = ' aria-current="page"'
    return "".join(
        f'<a href="{kind}.html"{mark if kind == current else ""}>{title}</a>'
        for kind, (title, _) in data.TITLES.items()
    )


def _asset(name: str) -> str:
    return (files(__package__) / "assets" / name).read_text("utf-8")
