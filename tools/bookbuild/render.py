"""Let Jupyter Book make HTML of `book/`, with warnings as errors."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import yaml

from tools.bookbuild import BookError
from tools.bookbuild.execute import Page, Store, write_notebook
from tools.bookbuild.notebooks import plain_notebook
from tools.bookbuild.pages import announcement
from tools.bookbuild.project import Project, colab_address


def render(
    project: Project,
    pages: list[Page],
    store: Store,
    source: str,
    *,
    explorer: Path | None = None,
    only: str | None = None,
    strict: bool = True,
    verbose: bool = False,
) -> Path:
    """Build the book's HTML (or `only` one page) and put it in place; returns the page to open."""
    work = project.build / ("one-page" if only else "jupyter-book")
    done = _jupyter_book(project, pages, store, source, work, only, "html", strict, verbose)
    if done.returncode:
        # Sphinx believes it is done with pages it warned of: begin anew next time.
        shutil.rmtree(work, ignore_errors=True)
        raise BookError(f"Jupyter Book failed:\n{_last_lines(done.stdout or '')}")
    site = work / "_build" / "html"
    shutil.rmtree(site / "_static/downloads", ignore_errors=True)
    for left in (site / "book").rglob("*.html"):
        if left.relative_to(site).with_suffix("").as_posix() not in project.pages:
            left.unlink()
    for page in pages:
        for ending, solutions in (("", True), ("-student", False)):
            plain = plain_notebook(page.chapter, project, solutions=solutions)
            write_notebook(plain, site / f"_static/downloads/{page.chapter.name}{ending}.ipynb")
    if card := _card(pages):
        (site / "_static/card.png").write_bytes(card)
    if only:
        return site / f"{only}.html"
    _replace(project.html, site, explorer)
    return project.html / "index.html"


def check_links(project: Project, pages: list[Page], store: Store, source: str) -> None:
    """Ask every external address of the book; a BookError lists those that do not answer."""
    work = project.build / "links"
    done = _jupyter_book(project, pages, store, source, work, None, "linkcheck", False, False)
    output = work / "_build" / "html" / "output.json"
    if not output.is_file():
        raise BookError(f"The links could not be asked:\n{_last_lines(done.stdout or '')}")
    found = [json.loads(line) for line in output.read_text("utf-8").splitlines() if line]
    asked = {one["uri"]: one for one in found if one["status"] not in ("ignored", "unchecked")}
    dead = {uri: one for uri, one in asked.items() if one["status"] in ("broken", "timeout")}
    if dead:
        lines = [f"{uri}  ({' '.join(dead[uri]['info'].split())[-100:]})" for uri in sorted(dead)]
        raise BookError(
            f"Of {len(asked)} addresses these {len(dead)} do not answer:\n" + "\n".join(lines)
        )


def _jupyter_book(
    project: Project, pages: list[Page], store: Store, source: str, work: Path, only: str | None,
    builder: str, strict: bool, verbose: bool,
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """Call Jupyter Book on the project's folder with the settings that only a build knows."""
    work.mkdir(parents=True, exist_ok=True)
    config = _config(project, pages, store, source)
    if only:
        config["sphinx"]["config"]["suppress_warnings"] += ["myst.xref_missing", "ref.*"]
    (work / "config.yml").write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")
    toc = work / "toc.yml"
    toc.write_text(yaml.safe_dump(_toc(project, only), sort_keys=False), "utf-8")
    command = [
        str(Path(sys.executable).with_name("jupyter-book")), "build", str(project.root),
        "--config", str(work / "config.yml"), "--toc", str(toc),
        "--path-output", str(work), "--builder", builder, "-q",
    ]  # fmt: skip
    if strict:
        command += ["-W", "--keep-going"]
    shown = None if verbose else subprocess.PIPE
    # Sphinx imports the extension of this package.
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": path}
    return subprocess.run(
        command, cwd=work, env=environment, text=True, stdout=shown,
        stderr=None if verbose else subprocess.STDOUT,
    )  # fmt: skip


def _toc(project: Project, only: str | None) -> dict:
    if only:
        toc: dict = {"format": "jb-book", "root": only}
        others = [page for page in ("book/glossary", "book/bibliography") if page in project.pages]
        return toc | ({"chapters": [{"file": one} for one in others]} if others else {})
    toc = dict(project.toc)
    if "parts" in toc:  # a part may wait for its first chapter
        toc["parts"] = [part for part in toc["parts"] if part.get("chapters")]
    return toc


def _config(project: Project, pages: list[Page], store: Store, source: str) -> dict:
    """Return the configuration with outputs' place, header, buttons and card."""
    config = json.loads(json.dumps(project.config))
    config["execute"] |= {"execute_notebooks": "cache", "cache": str(store.folder)}
    html, sphinx = config.setdefault("html", {}), config["sphinx"]["config"]
    html["announcement"] = (
        f"{announcement(source, pages)} · built {datetime.now(UTC).date().isoformat()}"
    )
    if "Documentation" in project.urls:
        html["baseurl"] = sphinx["ogp_site_url"] = project.urls["Documentation"].rstrip("/") + "/"
    if _card(pages):
        sphinx["ogp_image"] = "_static/card.png"
    if "Repository" in project.urls:
        config["repository"]["url"] = project.urls["Repository"]
        html |= dict.fromkeys(
            ("use_repository_button", "use_edit_page_button", "use_issues_button"), True
        )
        config["launch_buttons"] = {
            "notebook_interface": "jupyterlab",
            "binderhub_url": "https://mybinder.org",
            "thebe": colab_address(project.urls, "") is not None,  # it knows GitHub alone, too
        }
    else:
        del config["repository"]
    return config


def _card(pages: list[Page]) -> bytes | None:
    """Return the landing page's figure as pixels, for the card that shows when a link is shared."""
    for cell in pages[0].notebook.cells if pages else []:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                return base64.b64decode(output["data"]["image/png"])
    return None


def _replace(target: Path, fresh: Path, explorer: Path | None) -> None:
    """Put a copy of a folder, the explorer in it, where another may stand."""
    old, new = target.with_suffix(".old"), target.with_suffix(".new")
    for left in (old, new):
        shutil.rmtree(left, ignore_errors=True)
    shutil.copytree(fresh, new)
    if explorer is not None:
        shutil.copytree(explorer, new / "explorer")
    if target.exists():
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _last_lines(text: str, number: int = 60) -> str:
    lines = text.splitlines()
    warnings = [line for line in lines if "WARNING" in line or "ERROR" in line]
    return "\n".join([*warnings, "", *lines[-number:]])
