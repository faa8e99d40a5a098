"""What pages get besides their own text: tables, notes, notebooks; and what no output may show.

A page asks for a table with a Markdown comment on a line of its own: ``% generated: gallery``.
"""

import json
import re
import tomllib
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import Any, NamedTuple

import nmc
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from lxml import html
from markdown_it import MarkdownIt
from nbformat import NotebookNode
from nmc.check_classes import CLASSES, Class
from nmc.published import Claim, claims, shown_printed, shown_recomputed, shown_recorded
from nmc.recomputed import load_verdicts
from pybtex.database import parse_file
from pybtex.richtext import Text

from tools.bookbuild import BookError
from tools.bookbuild.execute import Page
from tools.bookbuild.project import Project, code_cells, colab_address

#: Bibliography key → short name and address.
References = dict[str, tuple[str, str]]

ASKS = re.compile(r"^% generated: (?P<what>[a-z]+)[ \t]*$", re.MULTILINE)
_NEEDS = {
    "instance": "needs the full file: a whole connectome instance",
    "extract": "needs a connectome extract",
    "package": "needs the model package",
    "sheet": "needs the fact sheet",
}
#: Reasons of a class that its line names; more are counted.
_REASONS = 5
#: Tags of cells whose outputs no page shows.
_HIDING = {"remove-cell", "remove-output"}
#: What tells outputs that a reader cannot use.
_OUTPUTS = tomllib.loads(Path(__file__).with_name("outputs.toml").read_text("utf-8"))
#: Where the pictures of chapters lie while the book is built, from the book's folder.
GALLERY = "_build/gallery"
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")), undefined=StrictUndefined,
    autoescape=lambda name: name is not None and name.endswith(".html"),
    trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip


def fill(text: str, name: str, project: Project, pages: list[Page]) -> str:
    """Return a page's text with each request replaced by what it asks for."""

    references = short_references(project.root / "book/references.bib")
    makers: dict[str, Callable[[], str]] = {
        "gallery": lambda: gallery(project, pages, name.count("/")),
        "published": lambda: published_table(pages, references),
        "checks": checks_table,
        "api": api_reference,
    }
    return ASKS.sub(lambda match: makers[match["what"]](), text)


def filled(template: str, **values: Any) -> str:
    """Fill one of the templates of pages' parts; what goes into HTML is escaped."""
    return _TEMPLATES.get_template(template).render(**values)


def badges(urls: dict[str, str]) -> str:
    """Return the README's badges as Markdown; none without a public address."""
    return filled(
        "badges.md", site=urls.get("Documentation"), place=urls.get("Repository", "").rstrip("/"),
        colab=colab_address(urls, "book/quick-tour"),
    ).strip()  # fmt: skip


def api_reference() -> str:
    """Return a section for every part of the package and every name ``import nmc`` offers."""
    rooms: dict[str, list[str]] = {}
    for name, module in sorted(nmc._PUBLIC.items()):
        rooms.setdefault(module.split(".")[1], []).append(name)
    out = []
    for room, names in sorted(rooms.items()):
        out.append(f"## `nmc.{room}`\n")
        for name in names:
            kind = "autoclass" if isinstance(getattr(nmc, name), type) else "autofunction"
            head = f"(api-{name.lower().replace('_', '-')})=\n### {name}\n"
            out.append(f"{head}\n```{{eval-rst}}\n.. {kind}:: nmc.{name}\n```\n")
    return "\n".join(out)


def gallery(project: Project, pages: list[Page], depth: int) -> str:
    """Return the chapters by part as cards: best figure, question, what each needs, how long."""
    known = {page.chapter.name: page for page in pages}
    parts = []
    for part in project.toc.get("parts", []):
        entries = (known.get(entry["file"]) for entry in part.get("chapters") or [])
        shown = (one for one in entries if one and "} At a glance" in one.chapter.text)
        if cards := [_card(one, "../" * depth) for one in shown]:
            parts.append((part["caption"], cards))
    return filled("gallery.md", parts=parts, up="../" * depth)


def _card(page: Page, up: str) -> dict[str, Any]:
    text, name = page.chapter.text, page.chapter.name
    minutes, needs = _glance(text, f"{up}{dirname(name)}")
    figure = best_figure(page.notebook)
    return {
        "title": re.findall(r"^# (.+)$", text, re.MULTILINE)[0], "name": name,
        "question": question(text), "minutes": minutes, "needs": needs,
        "seconds": page.run.seconds, "picture": f"{GALLERY}/{picture_name(name)}",
        "alt": json.dumps(figure[0]) if figure else "",
    }  # fmt: skip


def picture_name(page: str) -> str:
    """Return the file name of a page's picture in the gallery."""
    return f"{page.replace('/', '-')}.webp"


def question(text: str) -> str:
    """Return a chapter's one question: the line before its first code that ends with its mark."""
    opening = re.search(
        r"\} At a glance\n.*?^:::\n(.*?)^```\{code-cell\}", text, re.DOTALL | re.MULTILINE
    )
    lines = opening[1].splitlines() if opening else []
    asked = next((line for line in lines if line.endswith("?")), "")
    return re.sub(r"\{[\w:]+\}`([^`<]+?)(\s*<[^>]*>)?`", r"\1", asked)


def best_figure(notebook: NotebookNode) -> tuple[str, bytes] | None:
    """Return alt text and picture of the figure tagged ``gallery``, or of the first one shown."""
    found: list[tuple[str, bytes]] = []
    for cell in code_cells(notebook):
        tags = set(cell.metadata.get("tags", []))
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt")
        for output in cell.outputs if alt and not tags & _HIDING else ():
            if picture := output.get("metadata", {}).get("thumbnail"):
                figure = (" ".join(alt.split()), b64decode(picture))
                if "gallery" in tags:
                    return figure
                found.append(figure)
    return found[0] if found else None


def _glance(text: str, folder: str) -> tuple[str, str]:
    """Return minutes and needs as *At a glance* states them, links written from the map's place."""
    minutes = re.search(r"\*\*Time\*\*\s*(\d+)", text)
    needs = re.search(r"\*\*You need\*\*\s*(.+)", text)
    words = re.sub(
        r"\]\(([^()\s#:]+)\.md(#[^()\s]*)?\)",
        lambda link: f"]({normpath(join(folder, link[1]))}.md{link[2] or ''})",
        needs.group(1) if needs else "",
    )
    return (minutes.group(1) if minutes else ""), words.strip().rstrip(".").replace("|", "\\|")


@cache
def short_references(path: Path) -> References:
    """Return each bibliography key's short name, as ``Gal et al., 2017``, and address or ""."""
    found = {}
    entries = parse_file(str(path), bib_format="bibtex").entries if path.is_file() else {}
    for key, entry in entries.items():
        people = [" ".join(who.prelast_names + who.last_names) for who in entry.persons["author"]]
        names = [str(Text.from_latex(name)) for name in people] or [key]
        who = f"{names[0]} et al." if len(names) > 2 else " & ".join(names)
        doi = entry.fields.get("doi")
        address = f"https://doi.org/{doi}" if doi else entry.fields.get("url", "")
        found[key] = (f"{who}, {entry.fields.get('year', '')}".rstrip(", "), address)
    return found


def published_table(pages: list[Page], references: References) -> str:
    """Return every claim of `nmc.published` as a row of an HTML table, one for each topic."""
    found: dict[str, dict] = {}
    for page in pages:
        for result in page.run.results:
            found.setdefault(result["key"], {**result, "chapter": page.chapter.name})
    known = claims()
    counted = {key: _counted(result) for key, result in found.items() if key not in known}
    topics: dict[str, list[tuple[Claim, dict, str]]] = {}
    for key, one in {**known, **counted}.items():
        result = found.get(key, {})
        topics.setdefault(key.partition("/")[0], []).append((one, result, _verdict(one, result)))
    return filled(
        "published.html", topics=topics, counts=_counts, references=references,
        printed=shown_printed, recomputed=shown_recomputed, recorded=shown_recorded,
    )  # fmt: skip


def _counted(result: dict) -> Claim:
    """Give a row that counts many printed numbers the form of a claim; see `compare_many`."""
    fields = ("key", "claim", "citation", "where", "unit")
    return Claim(value=result["published"], needs="", **{name: result[name] for name in fields})


def _verdict(claim: Claim, result: dict) -> str:
    """Say whether a claim came back, and why not."""
    if result and result["verdict"] == "differs":
        return f"differs: {claim.reason or 'no reason is known yet'}"
    if result:
        return result["verdict"]
    if claim.status == "not available":
        return f"not reproducible: {claim.reason}"
    return _NEEDS.get(claim.needs, f"needs {claim.needs}")


def _counts(rows: list[tuple[Claim, dict, str]]) -> str:
    """Say how many rows there are, and how many have each verdict."""
    kinds = Counter(verdict.partition(":")[0] for *_, verdict in rows)
    told = "; ".join(f"{kind}: {number}" for kind, number in kinds.most_common())
    return f"{len(rows)} rows. {told}"


def checks_table() -> str:
    """Return the recorded classes of checks in Markdown, one line a class, one table a subject."""
    recorded = {row["class"]: row for row in load_verdicts().to_dict("records")}
    subjects: dict[str, list[tuple[Class, dict, str]]] = {}
    totals = Counter[str]()
    for one in CLASSES:
        if row := recorded.get(one.name):
            totals["computed" if one.computed else "of two files"] += row["checks"]
            rows = subjects.setdefault(one.name.partition("/")[0], [])
            rows.append((one, row, _reasons(json.loads(row["reasons"]))))
    return filled("checks.md", totals=totals, subjects=subjects)


def _reasons(counts: dict[str, int]) -> str:
    """Say why numbers of a class differ, the most frequent reason first."""
    if len(counts) > _REASONS:
        return f"{sum(counts.values()):,}, each with its reason in `nmc check-sheets`"
    first = sorted(counts.items(), key=lambda pair: -pair[1])
    return "; ".join(f"{n:,}: {reason}" for reason, n in first)


def announcement(source: str, pages: list[Page]) -> str:
    """Return the source and the release of the data in words a reader of any page understands."""
    entries = [entry for page in pages for entry in page.run.data]
    real = [entry for entry in entries if not entry.get("invented")]
    if source.strip() == "sample":
        words = "synthetic sample, invented numbers"
    else:  # a folder's last name alone: a page tells no one's disk layout
        trees = [part.strip().rstrip("/").rsplit("/", 1)[-1] for part in source.split(",")]
        words = ", ".join([*trees, *(["partly invented"] if len(real) < len(entries) else [])])
    releases = " and ".join(sorted({e["release"] for e in real if e.get("release")}))
    release = f"release of the sample: {version('nmc')}"
    if real:
        release = "release of the data: NMC portal" + (releases and f", {releases}")
    return f"Data: {words} · {release}"


def run_note(page: Page) -> str:
    """Return the drop-down at a chapter's end: what it read, from where, and how long it took."""
    data = page.run.data
    real = bool(data) and not any(entry.get("invented") for entry in data)
    files = [
        {"key": one["key"], "origin": one.get("origin"), "sha256": one.get("sha256")}
        for one in data if one.get("key")
    ]  # fmt: skip
    return filled("run-note.md", run=page.run, files=files, real=real)


def check_shown(pages: list[Page]) -> None:
    """Refuse pages whose outputs a reader cannot use (`problems`); a BookError names them."""
    wrong = [
        f"{page.chapter.name}: code cell {number} {problem}"
        for page in pages
        for number, problem in problems(page.notebook)
    ]
    if wrong:
        raise BookError("\n".join(wrong))


def problems(notebook: NotebookNode) -> list[tuple[int, str]]:
    """Return code-cell numbers, from 1, and what is wrong with their outputs."""
    found = []
    for number, cell in enumerate(code_cells(notebook), 1):
        looks, data = cell.metadata.get("mystnb", {}), [o.get("data", {}) for o in cell.outputs]
        if not _HIDING & set(cell.metadata.get("tags", [])):
            if any(kind.startswith("image/") for one in data for kind in one):
                for part, name in (("figure", "caption"), ("image", "alt")):
                    if not looks.get(part, {}).get(name):
                        found.append((number, f"shows a picture without {name} text."))
            found += [(number, said) for said in shown_badly(cell)]
        for said in (str(one.get("text/markdown", "")) for one in data):
            if said.startswith("**Not "):
                told = said.partition("** ")[2]
                found.append((number, f"is a solution that its own check refuses: {told}"))
    return found


def _any(kind: str, flags: int = 0) -> re.Pattern:
    """Return a pattern that matches where one of the expressions of a kind does."""
    return re.compile("|".join(_OUTPUTS[kind]), flags)


_RAW, _PRINTED = _any("raw", re.MULTILINE), _any("printed", re.MULTILINE)
_UNIT, _UNITLESS = _any("unit"), _any("unitless", re.IGNORECASE)
_RICH = ("text/html", "text/markdown", "text/latex", "image/", "application/")


def shown_badly(cell: NotebookNode) -> Iterator[str]:
    """Say what is wrong with what a code cell shows."""
    for output in cell.outputs:
        if output.output_type == "stream" and (raw := _PRINTED.search(output.text)):
            yield f"prints a raw object, {raw[0][:60]!r}: make it a table."
        data = output.get("data", {})
        text = data.get("text/plain", "")
        if output.output_type == "execute_result" and not any(k.startswith(_RICH) for k in data):
            if _RAW.search(text):
                yield f"shows a raw object, {text[:60]!r}: make it a table, or print it."
        page = data.get("text/html", "")
        if "<table" in page and (lacking := _without_unit(page)):
            yield f"shows numbers without a unit: {lacking} (a share or ratio says so)."


def _without_unit(page: str) -> str:
    """Return the labels of the first table whose decimals have neither a unit nor none to have."""
    for table in html.fromstring(page).xpath("//table"):
        labels = [" ".join(one.text_content().split()) for one in table.xpath(".//th")]
        cells = [one.text_content().strip() for one in table.xpath(".//td")]
        decimals = any(re.fullmatch(r"-?\d+\.\d*[1-9]\d*", one) for one in cells)
        named = " ".join([*labels, *(one for one in cells if not re.match(r"-?[\d.]", one))])
        if decimals and not (_UNIT.search(named) or _UNITLESS.search(named)):
            return ", ".join(dict.fromkeys(filter(None, labels)))[:90]
    return ""


#: A question (``:::{quiz} …?``) and its choices: ``- [x] text``, and below it why.
QUIZ = re.compile(r"^:::\{quiz\} (?P<question>.+)\n(?P<body>(?:.*\n)*?):::$", re.MULTILINE)
_CHOICE = re.compile(r"^- \[(?P<mark>[ x])\] (?P<text>.+)\n(?P<why>(?:^  .+\n?)*)", re.MULTILINE)


class Choice(NamedTuple):
    """One answer to choose: whether it is right, its text, and what explains it."""

    right: bool
    text: str
    why: str

    @property
    def told(self) -> str:
        """The verdict and the explanation."""
        return f"{'**Right.**' if self.right else '**No.**'} {self.why}"


def choices(body: str) -> list[Choice]:
    """Return the choices that a question's lines hold."""
    return [
        Choice(one["mark"] == "x", one["text"], " ".join(one["why"].split()))
        for one in _CHOICE.finditer(body)
    ]


def quiz_box(match: re.Match) -> str:
    """Return a question as HTML: folds that share a name, so that one is open at a time."""
    shown = MarkdownIt("js-default", {"typographer": True}).renderInline
    folds = "".join(
        f'<details name="quiz-{match.start()}" class="{"right" if one.right else "wrong"}">'
        f"<summary>{shown(one.text)}</summary><p>{shown(one.told)}</p></details>"
        for one in choices(match["body"])
    )
    return f'<div class="quiz"><p class="quiz-question">{shown(match["question"])}</p>{folds}</div>'
