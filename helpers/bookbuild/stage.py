"""Lay out the sources as Jupyter Book reads them: chapters with outputs, pages as they are."""

from __future__ import annotations

import base64
import json
import shutil
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import yaml

from bookbuild.book import Page
from bookbuild.generated import fill, relink
from bookbuild.identity import file_hash
from bookbuild.notes import release_text, run_note, source_text
from bookbuild.project import Project
from bookbuild.students import without_solutions


def stage(project: Project, pages: list[Page], source: str) -> Path:
    """Write the stage; a file whose bytes are the same is not touched, so Sphinx skips it.

    Returns
    -------
    Path
        The staged folder.
    """
    wanted = _Folder(project.stage)
    with_code = {page.chapter.name for page in pages}
    for name, document in project.documents.items():
        if name not in with_code:
            text = fill(document.text, name, project, pages)
            wanted.write(f"{name}.md", relink(text, name, with_code))
    for page in pages:
        notebook = deepcopy(page.notebook)
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                text = fill(cell.source, page.chapter.name, project, pages)
                cell.source = relink(text, page.chapter.name, with_code)
        notebook.cells.append(nbformat.v4.new_markdown_cell(run_note(page), id="run-note"))
        wanted.write(f"{page.chapter.name}.ipynb", nbformat.writes(notebook))
        student = nbformat.writes(without_solutions(page.chapter.notebook()))
        wanted.write(f"book/_static/downloads/{page.chapter.name}-student.ipynb", student)
        plain = nbformat.writes(page.chapter.notebook())
        wanted.write(f"book/_static/downloads/{page.chapter.name}.ipynb", plain)
    for path in sorted((project.root / "book").rglob("*")):
        if path.is_file() and path.suffix not in (".md", ".ipynb"):
            wanted.copy(path, path.relative_to(project.root))
    card = _card(pages)
    if card:
        wanted.write_bytes("book/_static/card.png", card)
    wanted.write("_toc.yml", yaml.safe_dump(project.toc, sort_keys=False))
    config = _config(project, pages, source)
    if card:
        config["sphinx"]["config"]["ogp_image"] = "_static/card.png"
    wanted.write("_config.yml", yaml.safe_dump(config, sort_keys=False))
    wanted.remove_others()
    return project.stage


def _config(project: Project, pages: list[Page], source: str) -> dict:
    """Return the configuration with what only the build knows: the header and the buttons."""
    config = json.loads(json.dumps(project.config))
    html = config.setdefault("html", {})
    today = datetime.now(UTC).date().isoformat()
    html["announcement"] = f"{source_text(source, pages)} · {release_text(pages)} · built {today}"
    if html.get("baseurl"):
        config["sphinx"]["config"]["ogp_site_url"] = html["baseurl"].rstrip("/") + "/"
    repository = config.get("repository") or {}
    if repository.get("url"):
        html |= dict.fromkeys(
            ("use_repository_button", "use_edit_page_button", "use_issues_button"), True
        )
        config["launch_buttons"] = {
            "notebook_interface": "jupyterlab",
            "binderhub_url": "https://mybinder.org",
        }
    else:
        config.pop("repository", None)
    return config


def _card(pages: list[Page]) -> bytes | None:
    """Return the landing page's figure as pixels, for the card that shows when a link is shared."""
    for cell in pages[0].notebook.cells if pages else []:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data:
                return base64.b64decode(data["image/png"])
    return None


class _Folder:
    """A folder that shall hold exactly what is written through here."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.held: set[Path] = set()

    def write(self, name: str | Path, text: str) -> None:
        self.write_bytes(name, text.encode())

    def write_bytes(self, name: str | Path, content: bytes) -> None:
        path = self._take(name)
        if not path.is_file() or path.read_bytes() != content:
            path.write_bytes(content)

    def copy(self, source: Path, name: str | Path) -> None:
        path = self._take(name)
        if not path.is_file() or file_hash(path) != file_hash(source):
            shutil.copyfile(source, path)

    def remove_others(self) -> None:
        for path in sorted(self.top.rglob("*"), reverse=True):
            if path.is_dir():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path not in self.held:
                path.unlink()

    def _take(self, name: str | Path) -> Path:
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self.held.add(path)
        return path
