"""What pages get besides their own text: tables, notes, notebooks; and what no output may show.

A page asks for a table with a Markdown comment on a line of its own: ``% generated: gallery``.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator
from html import escape
from importlib.metadata import version
from pathlib import Path
from posixpath import dirname, join, normpath

import nmc
from lxml import html
from nbformat import NotebookNode
from nmc.check_classes import CLASSES
from nmc.published import Claim, claims, shown_printed, shown_recomputed, shown_recorded
from nmc.recomputed.verdicts import load_verdicts
from pybtex.database import parse_file
from pybtex.richtext import Text

from tools.bookbuild import BookError
from tools.bookbuild.execute import Page
from tools.bookbuild.project import Project

#: Bibliography key → short name and address.
References = dict[str, tuple[str, str]]

ASKS = re.compile(r"^% generated: (?P<what>[a-z]+)(?:-(?P<part>\w+))?[ \t]*$", re.MULTILINE)
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
#: Where the pictures of chapters lie while the book is built, from the book's folder.
GALLERY = "_build/gallery"
_COLUMNS = (
    "claim", "printed", "recomputed", "unit", "tolerance", "verdict", "on the portal's files",
    "chapter", "source", "printed in",
)  # fmt: skip


def fill(text: str, name: str, project: Project, pages: list[Page]) -> str:
    """Return a page's text with each request replaced by what it asks for."""

    def make(match: re.Match) -> str:
        what, part = match["what"], match["part"]
        if what == "gallery":
            return gallery(project, pages, name.count("/"))
        if what == "published":
            return published_table(pages, short_references(project.root / "book/references.bib"))
        if what == "checks":
            return checks_table()
        if what == "api":
            return api_reference()
        if what == "benchmarks":
            return measured(project, part)
        raise BookError(f"{name}.md asks for {match[0]!r}, which nothing makes.")

    return ASKS.sub(make, text)


def measured(project: Project, name: str) -> str:
    """Return what a benchmark wrote the last time it was run, as Markdown."""
    path = project.root / "benchmarks" / "results" / f"{name}.md"
    if not path.is_file():
        raise BookError(f"{path.name} is not there: run benchmarks/{name}.py, which writes it.")
    return path.read_text("utf-8")


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
    up, out = "../" * depth, []
    for part in project.toc.get("parts", []):
        entries = (known.get(entry["file"]) for entry in part.get("chapters") or [])
        cards = [_card(one, up) for one in entries if one and "} At a glance" in one.chapter.text]
        if cards:
            grid = "\n".join([":::::{grid} 1 2 2 3", ":gutter: 3", "", *cards, ":::::"])
            out.append(f"## {part['caption']}\n\n{grid}")
    return "\n\n".join(out)


def _card(page: Page, up: str) -> str:
    text, name = page.chapter.text, page.chapter.name
    minutes, needs = _glance(text, f"{up}{dirname(name)}")
    title = re.findall(r"^# (.+)$", text, re.MULTILINE)[0]
    lines = [f"::::{{grid-item-card}} {title}", f":link: {up}{name}", ":link-type: doc"]
    if found := best_figure(page.notebook):
        lines += [
            f":img-top: {up}{GALLERY}/{picture_name(name)}",
            f":img-alt: {json.dumps(found[0])}",
        ]
    foot = f"{minutes} minutes to read, {page.run.seconds:.0f} s to run. Needs {needs}."
    foot = f":::{{card-footer}}\n{foot}\n:::"
    return "\n".join([*lines, "", question(text), "", foot, "::::", ""])


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
    found: list[tuple[bool, int, str, str]] = []
    for cell in (one for one in notebook.cells if one.cell_type == "code"):
        tags = set(cell.metadata.get("tags", []))
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt")
        for output in cell.outputs if alt and not tags & _HIDING else ():
            if picture := output.get("metadata", {}).get("thumbnail"):
                found.append(("gallery" not in tags, len(found), " ".join(alt.split()), picture))
    return (min(found)[2], b64decode(min(found)[3])) if found else None


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
    found: dict[str, tuple[dict, str]] = {}
    for page in pages:
        for result in page.run.results:
            found.setdefault(result["key"], (result, page.chapter.name))
    known = claims()
    nothing = (None, "")
    counted = {key: _counted(pair[0]) for key, pair in found.items() if key not in known}
    topics: dict[str, list[list[str]]] = {}
    for key, one in {**known, **counted}.items():
        row = _row(one, found.get(key, nothing), references)
        topics.setdefault(key.partition("/")[0], []).append(row)
    told = _counts([row for rows in topics.values() for row in rows])
    return "\n".join([f"<p>{told}.</p>", *(_folded(*topic) for topic in topics.items())])


def _counts(rows: list[list[str]]) -> str:
    """Say how many rows there are, and how many have each verdict."""
    kinds = Counter(row[_COLUMNS.index("verdict")].partition(":")[0] for row in rows)
    told = "; ".join(f"{kind}: {number}" for kind, number in kinds.most_common())
    return f"{len(rows)} rows. {told}"


def _folded(topic: str, rows: list[list[str]]) -> str:
    """Return the table of one topic below a line that unfolds it."""
    head = "".join(f"<th scope='col'>{name}</th>" for name in _COLUMNS)
    body = "\n".join("<tr>" + "".join(f"<td>{one}</td>" for one in row) + "</tr>" for row in rows)
    title = escape(topic.replace("_", " ").capitalize())
    return (
        f'<details class="nmc-topic"><summary><b>{title}</b>, {_counts(rows)}</summary>\n'
        '<div class="nmc-table-box wide"><table class="nmc-table">'
        f"<thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div></details>"
    )


def checks_table() -> str:
    """Return the recorded classes of checks in Markdown, one line a class, one table a subject."""
    subjects: dict[str, list[str]] = {}
    totals = Counter[str]()
    known = {row["class"]: row for row in load_verdicts().to_dict("records")}
    for one in CLASSES:
        if (row := known.get(one.name)) is None:
            continue
        kind = "computed" if one.computed else "of two files"
        totals[kind] += row["checks"]
        why = sorted(json.loads(row["reasons"]).items(), key=lambda pair: -pair[1])
        told = "; ".join(f"{n:,}: {reason}" for reason, n in why)
        if len(why) > _REASONS:
            told = f"{sum(n for _, n in why):,}, each with its reason in `nmc check-sheets`"
        if row["stale"]:
            told = f"stale: {row['stale']}. {told}"
        exact = "" if one.known else " (how the sheets defined it is not known)"
        cells = (f"{one.title}{exact}", f"{one.tolerance}: {one.because}", f"{row['checks']:,}",
                 f"{row['agree']:,}", told)  # fmt: skip
        line = "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
        subjects.setdefault(one.name.partition("/")[0], []).append(line)
    head = "| numbers | how far, and why | compared | agree | differ |\n|---|---|---|---|---|\n"
    told = ", ".join(f"{number:,} {kind}" for kind, number in totals.items())
    folded = [
        f":::{{dropdown}} {name.capitalize()}\n{head}" + "\n".join(rows) + "\n:::"
        for name, rows in subjects.items()
    ]
    return f"Numbers compared: {told}.\n\n" + "\n\n".join(folded)


def _counted(result: dict) -> Claim:
    """Give a row that counts many printed numbers the form of a claim; see `compare_many`."""
    fields = ("key", "claim", "citation", "where", "unit")
    return Claim(value=result["published"], needs="", **{name: result[name] for name in fields})


def _row(claim: Claim, found: tuple[dict | None, str], references: References) -> list[str]:
    """Return the cells of a claim's row as HTML."""
    result, chapter = found
    name, address = references.get(claim.citation, (claim.citation, ""))
    told = escape(claim.where + (f" ({claim.secondary})" if claim.secondary else ""))
    paper = f'<a href="{escape(address)}">{escape(name)}</a>' if address else escape(name)
    recomputed = tolerance = link = source = ""
    if result is not None:
        verdict = result["verdict"]
        if verdict == "differs":
            verdict = f"differs: {claim.reason or 'no reason is known yet'}"
        title = escape(chapter.rsplit("/", 1)[-1].replace("-", " "))
        link = f'<a href="{chapter.removeprefix("book/")}.html">{title}</a>'
        recomputed = "; ".join(shown_recomputed(result["recomputed"], claim))
        tolerance, source = result["tolerance"], result["source"].removeprefix("Data: ")
    elif claim.status == "not available":
        verdict = f"not reproducible: {claim.reason}"
    else:
        verdict = _NEEDS.get(claim.needs, f"needs {claim.needs}")
    texts = [claim.claim, "; ".join(shown_printed(claim.value)), recomputed, claim.unit, tolerance]
    recorded = shown_recorded(claim if claim.needs else claim.key)
    cells = [escape(str(text)) for text in (*texts, verdict, recorded)]
    return [*cells, link, escape(source), f"<span>{paper}: {told}</span>"]


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
    rows = "\n".join(
        f"| `{entry['key']}` | {entry.get('origin', '')} | `{(entry.get('sha256') or '')[:12]}` |"
        for entry in page.run.data
        if entry.get("key")
    )
    table = f"\n| file | from | sha256 begins |\n|---|---|---|\n{rows}\n" if rows else ""
    if page.run.data and not any(entry.get("invented") for entry in page.run.data):
        table += (
            "\nOn Binder and Colab it reads the synthetic sample, whose numbers are invented.\n"
        )
    return (
        f"\n\n:::{{dropdown}} Data and run of this page\n:class-container: run-note\n"
        f"Executed in {page.run.seconds:.0f} s with Python {page.run.python}, "
        f"at most {page.run.peak_gb:.1f} GB of memory.\n{table}:::\n"
    )


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
    for number, cell in enumerate((c for c in notebook.cells if c.cell_type == "code"), 1):
        looks, data = cell.metadata.get("mystnb", {}), [o.get("data", {}) for o in cell.outputs]
        shown = not _HIDING & set(cell.metadata.get("tags", []))
        if shown and any(kind.startswith("image/") for one in data for kind in one):
            for part, name in (("figure", "caption"), ("image", "alt")):
                if not looks.get(part, {}).get(name):
                    found.append((number, f"shows a picture without {name} text."))
        if shown:
            found += [(number, said) for said in shown_badly(cell)]
        for said in (str(one.get("text/markdown", "")) for one in data):
            if said.startswith("**Not "):
                told = said.partition("** ")[2]
                found.append((number, f"is a solution that its own check refuses: {told}"))
    return found


#: How Python writes containers, quoted text, objects and pandas' columns: nobody writes prose so.
_RAW = re.compile(r"^(['\"<(\[{]|[\w.]+\()|^dtype: |, dtype: ", re.MULTILINE)
_RICH = ("text/html", "text/markdown", "text/latex", "image/", "application/")
#: A unit at the end of a name, in brackets, or in a column of its own.
_UNIT = re.compile(
    r"_(ms|s|mV|nA|pA|nS|pS|Hz|um|um2|um3|mm|mm2|mm3|MOhm|percent|bytes|mM|GB)\b|_per_[A-Za-z]+"
    r"|\((%|°C|[µmnpkM]?[smVASΩBHgF][\w/²³ ]*|bytes|per cent)\)|\bunit\b|S/cm²|^mV$|\bnA\b|µm"
)
#: Numbers that have none: counts, and one number over another.
_NONE = re.compile(
    r"count|number|share|ratio|over\b|÷|factor|gap|index|correlation|probability|reciproc|density"
    r"|\bp\b|cv\b|utilisation|\bu_|\bU\b|power|steady_state|degree|neurons|cells|spikes|synapses"
    r"|connections|contacts|models|pathways|files|partners|simplices|cliques|triangles|clustering"
    r"|convergence|divergence|published|printed|expected|excitatory|class|bias|modularity|quantity"
    r"|z\b|times|coefficient|measure|\bpath_|std / mean|betti|dimension|entropy|variance|accuracy",
    re.IGNORECASE,
)


def shown_badly(cell: NotebookNode) -> Iterator[str]:
    """Say what is wrong with what a code cell shows."""
    for output in cell.outputs:
        data = output.get("data", {})
        text = data.get("text/plain", "")
        if output.output_type == "execute_result" and not any(k.startswith(_RICH) for k in data):
            if _RAW.search(text):
                yield f"shows a raw object, {text[:60]!r}: make it a table, or print it."
        page = data.get("text/html", "")
        if "<table" in page and (lacking := _without_unit(page)):
            yield f"shows numbers without a unit: {lacking}."


def _without_unit(page: str) -> str:
    """Return the labels of the first table whose decimals have neither a unit nor none to have."""
    for table in html.fromstring(page).xpath("//table"):
        labels = [" ".join(one.text_content().split()) for one in table.xpath(".//th")]
        cells = [one.text_content().strip() for one in table.xpath(".//td")]
        decimals = any(re.fullmatch(r"-?\d+\.\d*[1-9]\d*", one) for one in cells)
        named = " ".join([*labels, *(one for one in cells if not re.match(r"-?[\d.]", one))])
        if decimals and not (_UNIT.search(named) or _NONE.search(named)):
            return ", ".join(dict.fromkeys(filter(None, labels)))[:90]
    return ""
