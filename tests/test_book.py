"""The chapters keep to the house's form; nothing is run here."""

from __future__ import annotations

import itertools
import re
import subprocess
from collections import Counter
from pathlib import Path

import gates
import jupytext
import pytest
from jupytext.config import load_jupytext_config
from jupytext.formats import guess_format
from nmc import exercises

from tools.bookbuild.pages import QUIZ, choices
from tools.bookbuild.project import Chapter, Project

ROOT = Path(__file__).resolve().parents[1]
PROJECT = Project(ROOT)
TEMPLATE = PROJECT.read("book/template")
#: Pages with code that are not chapters: the landing page, generated pages.
FREE_FORM = {"book/index", "book/quick-tour", "book/published-beside-recomputed", "book/chapters"}
CHAPTERS = [page for page in PROJECT.chapters if page.name not in FREE_FORM]


@pytest.mark.parametrize("gate", gates.GATES, ids=lambda gate: gate.__name__)
@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.name)
def test_chapter(chapter, gate):
    said = gate(chapter)
    assert not said, "\n".join(map(str, said))  # in full: pytest would cut a list


@pytest.mark.parametrize("chapter", PROJECT.chapters, ids=lambda chapter: chapter.name)
def test_chapter_has_at_most_one_cell_output_per_figure_name(chapter):
    names = re.findall(r"^\s+name: (fig-[\w-]+)", chapter.text, re.MULTILINE)
    assert len(names) == len(set(names))


def test_each_chapter_about_the_circuit_says_what_the_literature_found():
    lacking = [
        chapter.name
        for chapter in PROJECT.chapters
        if chapter.name.startswith(("book/connectome/", "book/circuit/"))
        and not re.search(r"^(## |:+\{admonition\} )On the portal's circuit$", chapter.text, re.M)
    ]
    assert lacking == []


def test_every_page_is_in_the_table_of_contents_once():
    on_disk = {
        path.relative_to(ROOT).with_suffix("").as_posix() for path in (ROOT / "book").rglob("*.md")
    } - {"book/template"}
    assert set(PROJECT.pages) == on_disk
    assert len(PROJECT.pages) == len(set(PROJECT.pages))


@pytest.mark.parametrize("page", PROJECT.documents.values(), ids=lambda page: page.name)
def test_page_opens_in_jupyterlab_without_pandoc(page):
    """A page without a header that has a line beginning with ``:::`` is handed to Pandoc there."""
    assert guess_format(page.text, ".md")[0] in ("myst", "markdown")


@pytest.mark.parametrize("page", [*PROJECT.chapters, TEMPLATE], ids=lambda page: page.name)
def test_saving_in_jupyterlab_changes_nothing(page):
    """Else: make layout."""
    assert as_saved(ROOT / f"{page.name}.md") == page.text


def as_saved(path: Path) -> str:
    """Return a chapter's text as JupyterLab's own kernel and jupytext save it."""
    notebook = jupytext.reads(path.read_text("utf-8"), "md:myst")
    notebook.metadata["kernelspec"]["display_name"] = "Python 3 (ipykernel)"
    return jupytext.writes(notebook, "md:myst", config=load_jupytext_config(str(path)))


def test_a_chapter_in_another_layout_is_noticed(tmp_path):
    other = tmp_path / "x.md"
    other.write_text(TEMPLATE.text.replace("\n\n```{code-cell}", "\n```{code-cell}"), "utf-8")
    assert as_saved(other) != other.read_text("utf-8")


def test_the_right_choice_of_a_quick_question_has_no_place_of_its_own():
    texts = "\n".join(chapter.text for chapter in CHAPTERS)
    places = Counter(
        [one.right for one in choices(question["body"])].index(True)
        for question in QUIZ.finditer(texts)
    )
    assert max(places.values()) < places.total() / 2


def test_no_function_is_defined_twice():
    assert gates.repeated_functions(CHAPTERS) == []


def test_every_check_is_registered_in_its_part_and_every_registered_one_is_used():
    registered = {
        name: exercises._KNOWN[name].answer.__module__.removeprefix("nmc_answers_")
        for name in exercises.exercises()
    }
    used = {
        name: chapter.name.split("/")[1].replace("-", "_")
        for chapter in CHAPTERS
        for name in gates.checked_exercises(gates.all_code(chapter))
    }
    assert used == registered


def bibliography() -> set[str]:
    return set(re.findall(r"^@\w+\{([^,]+),", (ROOT / "book/references.bib").read_text(), re.M))


def test_every_citation_is_defined_and_every_entry_is_cited():
    from nmc.published import claims

    cited = {key for page in PROJECT.documents.values() for key in gates.cited_keys(page.text)}
    printed = {claim.citation for claim in claims().values()}
    assert cited - bibliography() == set(), "cited, but not in references.bib"
    assert bibliography() - cited - printed == set(), "in references.bib, but never cited"


def test_labels_are_given_once():
    labels = [
        label
        for page in PROJECT.documents.values()
        for label in re.findall(r"^\(([\w-]+)\)=$|^:label: ([\w-]+)$", page.text, re.MULTILINE)
    ]
    assert len(labels) == len(set(labels))


GUIDE = PROJECT.documents["book/instructors-guide"]


def test_the_guide_links_the_exercises_and_files_it_names():
    """Jupyter Book refuses a link that leads nowhere; a name that is none would not be noticed."""
    unlinked = re.sub(r"\[[^\]]*\]\([^)]*\)|\{ref\}`[^`]*`", "", gates.without_code(GUIDE.text))
    named = re.findall(r"`([^`]+)`", unlinked)
    labels = {name for page in CHAPTERS for name in re.findall(r"^:label: (\S+)$", page.text, re.M)}
    assert [name for name in named if name in labels or (ROOT / name).is_file()] == []
    assert set(re.findall(r"<(ex-[\w-]+)>", GUIDE.text)) <= labels
    assert not re.search(r"\bminutes? to (read|run)|\d+ (minutes|seconds)", GUIDE.text)


def test_the_guide_gives_each_chapter_of_the_day_time_to_be_read():
    rows = re.findall(r"^\| (\d+):(\d\d) \|[^|]*?(?:\((\S+)\.md\)[^|]*)?\|", GUIDE.text, re.M)
    assert len(rows) == 5
    for (hour, minute, chapter), (end_hour, end_minute, _) in itertools.pairwise(rows):
        slot = 60 * (int(end_hour) - int(hour)) + int(end_minute) - int(minute)
        reading = re.search(r"\*\*Time\*\* (\d+)", PROJECT.documents[f"book/{chapter}"].text)
        assert slot >= 2 * int(reading[1]), "read it, and work on it for as long"


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_notebook_is_committed():
    assert tracked("*.ipynb") == []


# -- the gates themselves can fail -------------------------------------------------------------

GOOD = TEMPLATE.text


def broken(old: str, new: str) -> Chapter:
    assert old in GOOD, f"the template no longer holds {old!r}"
    return Chapter("book/x", GOOD.replace(old, new))


LONG_CELL = "import nmc\n" + "x = 1\n" * 25
LONG_FUNCTION = "import nmc\ndef f():\n" + "    x = 1\n" * 10
NESTED = ":::{note}\n```{code-cell} ipython3\n1\n```\n:::\n\n## Common mistakes"


@pytest.mark.parametrize(
    "gate, old, new",
    [
        (gates.starts_as_the_template, "(template)=\n", ""),
        (gates.starts_as_the_template, "**You need**", "You need"),
        (gates.starts_as_the_template, "minutes to read", "minutes"),
        (gates.starts_as_the_template, ":tags: [parameters]", ":tags: [hide-input]"),
        (gates.starts_as_the_template, "\nimport nmc\n", "\n1 + 1\n"),
        (gates.asks_one_question, "agree with the paper?", "agree with the paper."),
        (gates.ends_as_the_template, "## Common mistakes", "## Mistakes"),
        (gates.ends_as_the_template, "**Where next:**", "Next:"),
        (gates.ends_as_the_template, "nmc.compare(", "print("),
        (gates.has_solved_exercises, ":class: dropdown\n", ""),
        (gates.has_solved_exercises, ":::{solution-end}", ":::{note}"),
        (gates.has_solved_exercises, ":label: ex-template-sum", ":label: ex-other"),
        (gates.has_solved_exercises, "## Common mistakes", NESTED),
        (gates.checks_an_exercise, 'nmc.check("ex-template-sum", total)', "total"),
        (gates.checks_an_exercise, 'nmc.check("ex-template-sum"', 'nmc.check("ex-other"'),
        (gates.checks_an_exercise, "import nmc\n", 'import nmc\nnmc.check("ex-other", 1)\n'),
        (gates.asks_three_quick_questions, ":::{quiz} Which", ":::{note}\nWhich"),
        (gates.asks_three_quick_questions, "- [x] µm.", "- [ ] µm."),
        (gates.asks_three_quick_questions, "\n  They are written `L23`.", ""),
        (
            gates.asks_three_quick_questions,
            "- [ ] mm.\n  The column's name ends in another unit.\n",
            "",
        ),
        (gates.says_what_to_answer, "Answer as", "Give"),
        (gates.says_what_to_answer, "answer)`.", "total)`."),
        (gates.has_short_cells, "import nmc\n", LONG_CELL),
        (gates.has_short_cells, "import nmc\n", LONG_FUNCTION),
        (gates.has_short_cells, "import nmc\n", f"import nmc  # {'x' * 67}\n"),
        (gates.stays_in_its_room, "import nmc\n", "!pip install nmc\n"),
        (gates.stays_in_its_room, "import nmc\n", "%cd somewhere\n"),
        (gates.stays_in_its_room, "import nmc\n", "import sys\nsys.path.append('x')\n"),
        (gates.stays_in_its_room, "import nmc\n", "open('../data.json')\n"),
        (gates.stays_in_its_room, "import nmc\n", "import urllib.request\n"),
        (gates.stays_in_its_room, "import nmc\n", "import os; os.environ['NMC_SOURCE']\n"),
        (gates.describes_its_figures, "    alt: A bar", "    title: A bar"),
        (gates.describes_its_figures, "    name: fig-template-layers\n", ""),
        (gates.describes_its_figures, "    caption: ", "    note: "),
        (gates.numbers_its_equations, "The layers lie on", "\n$$\nx = 1\n$$\n\nThe layers lie on"),
        (gates.numbers_its_equations, "The layers lie on", "\n$$ x = 1 $$\n\nThe layers lie on"),
        (gates.guards_its_claims, "\nassert thickness", "\nthickness"),
        (gates.guards_its_claims, ":tags: [remove-cell]", ":tags: [hide-cell]"),
        (gates.writes_one_sentence_a_line, "anyone asks.", "anyone asks. A second one."),
        (gates.writes_one_sentence_a_line, "what the reader will", "what the\nreader will"),
        (gates.cites_its_numbers, "The layers lie on", "The 2,082 layers lie on"),
        (gates.cites_its_numbers, "The layers lie on", "By 3.5 they lie on"),
        (gates.hedges_its_findings, "The layers lie on", "Hubs meet more than others. The layers"),
        (gates.hedges_its_findings, "The layers lie on", "Connections lead down. The layers"),
        (gates.hedges_its_findings, "The layers lie on", "Simplices outnumber those at random."),
    ],
)
def test_the_gate_is_not_always_open(gate, old, new):
    assert len(gate(broken(old, new))) > len(gate(TEMPLATE))


def test_the_template_passes_its_own_gates():
    three = GOOD + "".join(
        GOOD[GOOD.index(":::{exercise-start}") : GOOD.index("## Common")].replace("-sum", tail)
        for tail in ("-two", "-three")
    )
    chapter = Chapter("book/x", three)
    assert [problem for gate in gates.GATES for problem in gate(chapter)] == []


def test_a_cited_or_guarded_number_may_stand():
    cited = broken("The layers lie on", "The 2,082 layers {cite:p}`markram2015` lie on")
    guarded = broken("The layers lie on", "The 2,082 layers lie on")
    guarded = Chapter("x", guarded.text.replace("assert th", "assert 2082 > 0 and th"))
    assert gates.cites_its_numbers(cited) == gates.cites_its_numbers(guarded) == []


def test_a_cited_or_hedged_finding_may_stand():
    cited, asked = "Connections lead down {cite:p}`reimann2015`.", "Do hubs meet more often?"
    for said in (cited, asked, "In the data in use hubs meet more often."):
        assert gates.hedges_its_findings(broken("The layers lie on", f"{said}\n\nThe layers")) == []


def test_a_numbered_equation_may_stand():
    assert gates.numbers_its_equations(broken("The layers lie", "$$\nx\n$$ (eq-x)\n\nThe")) == []


def test_repeated_functions_and_citations_are_found():
    twice = broken("import nmc\n", "def f():\n    return 1\n")
    assert gates.repeated_functions([twice, twice]) == ["f"]
    assert gates.cited_keys("a {cite:p}`a2000, b2001` and {cite}`c`") == {"a2000", "b2001", "c"}
