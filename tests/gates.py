"""What every chapter must keep to, found without running it.

Each gate takes a chapter and returns what is wrong, in sentences; an empty list lets it pass.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from tools.bookbuild.pages import QUIZ, choices
from tools.bookbuild.pages import question as asked_by
from tools.bookbuild.project import Chapter

CELL_LINES = 25
CELL_COLUMNS = 80
FUNCTION_LINES = 10
EXERCISES = range(3, 6)
SECTIONS = (
    "Published beside recomputed",
    "Check yourself",
    "Common mistakes",
    "Take-aways",
)
GLANCE = ("**You will**", "**You need**", "**Time**", "**Data**")
_FORBIDDEN = {
    r"^\s*!": "a shell command",
    r"^\s*%(?!matplotlib)": "a magic command",
    r"\bsys\.path\b": "sys.path",
    r"\.\./": "a relative path",
    r"\b(urllib|requests|httpx|wget|urlretrieve)\b": "a download of its own",
    r"\bNMC_SOURCE\b|\binvented\(": "a look at which source is in use",
}


def starts_as_the_template(chapter: Chapter) -> list[str]:
    """Label, one title, *At a glance* with its four parts, imports, parameters."""
    body = chapter.text.split("---", 2)[-1].lstrip()
    wrong = []
    if not re.match(r"\([\w-]+\)=\n# \S", body):
        wrong.append("It begins with something else than a label and a title.")
    if len(re.findall(r"^# ", without_code(body), re.MULTILINE)) != 1:
        wrong.append("It has more or less than one title.")
    glance = re.search(r"^(:{3,}|`{3,})\{admonition\} At a glance\n(.*?)^\1$", body, re.M | re.S)
    if not glance:
        return [*wrong, "'At a glance' is missing."]
    wrong += [f"'At a glance' lacks {part}." for part in GLANCE if part not in glance.group(2)]
    if not re.search(r"\*\*Time\*\*[^\n]*\d+ minutes? to read[^\n]*\d+ s", glance.group(2)):
        wrong.append("'At a glance' does not say 'N minutes to read, M seconds to run'.")
    code = chapter.code
    if not code or not re.match(r"(#.*\n)*\s*(import|from) ", code[0].source):
        wrong.append("The first code cell does not import.")
    tagged = [n for n, cell in enumerate(code) if "parameters" in cell.metadata.get("tags", [])]
    if tagged != [1]:
        wrong.append("The second code cell, and no other, is the one tagged 'parameters'.")
    return wrong


def asks_one_question(chapter: Chapter) -> list[str]:
    """What the gallery shows of it: a line of the opening that ends with a question mark."""
    return [] if asked_by(chapter.text) else ["No line before the first code ends with '?'."]


def ends_as_the_template(chapter: Chapter) -> list[str]:
    """The closing sections stand in the template's order, and the way on is named."""
    found = [t for t in re.findall(r"^## (.+)$", chapter.text, re.M) if t.strip() in SECTIONS]
    wrong = []
    if tuple(found) != SECTIONS:
        wrong.append(f"The closing sections are {found}, not {list(SECTIONS)}.")
    if "**Where next" not in chapter.text:
        wrong.append("'Where next' is missing.")
    told = "This chapter has no printed number of its own:" in chapter.text
    if told == bool(re.search(r"compare(_\w+)?\(|check_\w*claims\(", all_code(chapter))):
        wrong.append("A number is put beside a printed one, or the page says that it has none.")
    return wrong


def has_solved_exercises(chapter: Chapter) -> list[str]:
    """Three to five exercises, each with a folded solution whose code runs."""
    exercises = re.findall(r"\{exercise-start\}[^\n]*\n:label: ([\w-]+)", chapter.text)
    solutions = re.findall(r"\{solution-start\} ([\w-]+)\n:class: dropdown", chapter.text)
    wrong = []
    if len(exercises) not in EXERCISES:
        wrong.append(f"It has {len(exercises)} exercises, not three to five.")
    if sorted(exercises) != sorted(solutions):
        wrong.append(f"Exercises {exercises} and folded solutions {solutions} do not match.")
    for kind in ("exercise", "solution"):
        starts = chapter.text.count(f"{{{kind}-start}}")
        if starts != chapter.text.count(f"{{{kind}-end}}"):
            wrong.append(f"A {kind} is opened and never closed.")
    for cell in chapter.cells:
        if cell.cell_type == "markdown" and "{code-cell}" in cell.source:
            wrong.append("A code cell stands inside a directive, where it never runs.")
    return wrong


def checks_an_exercise(chapter: Chapter) -> list[str]:
    """At least one solution ends in ``nmc.check`` of its own exercise."""
    pattern = r"\{solution-start\} ([\w-]+)\n(.*?)\{solution-end\}"
    found = re.findall(pattern, chapter.text, re.DOTALL)
    checked = [
        (label, name) for label, body in found for name in checked_exercises(_cells_of(body))
    ]
    wrong = [f"The solution of {label} checks {name}." for label, name in checked if label != name]
    if len(checked) != len(checked_exercises(all_code(chapter))):
        wrong.append("An nmc.check stands outside a solution.")
    return wrong if checked else ["No solution ends in nmc.check."]


def asks_three_quick_questions(chapter: Chapter) -> list[str]:
    """*Check yourself* begins with three questions to click, each choice of them explained."""
    section = chapter.text.partition("## Check yourself\n")[2].partition(":::{exercise-start}")[0]
    asked = list(QUIZ.finditer(section))
    wrong = []
    if len(asked) != 3 or chapter.text.count("{quiz}") != 3:
        wrong.append(f"{len(asked)} quick questions stand before the exercises, not three.")
    for question in asked:
        given, lines = choices(question["body"]), question["body"].count("- [")
        if len(given) != lines or lines < 3 or sum(one.right for one in given) != 1:
            wrong.append(f"Not three choices or more with one right: {question['question']!r}")
        wrong += [f"Nothing explains {one.text!r}." for one in given if not one.why]
    return wrong


def says_what_to_answer(chapter: Chapter) -> list[str]:
    """Each statement ends with the form of the answer and, if checked, the line to type."""
    wrong = []
    checks = {
        call.args[0].value: ", ".join(["answer", *map(ast.unparse, call.keywords)])
        for call in _calls(all_code(chapter), "nmc.check")
    }
    pattern = r"^:label: (ex-[\w-]+)\n(.*?)\{exercise-end\}"
    for label, body in re.findall(pattern, chapter.text, re.MULTILINE | re.DOTALL):
        last = body.rstrip("`:\n").splitlines()[-1]
        line = f': `nmc.check("{label}", {checks[label]})`.' if label in checks else "."
        if not (last.startswith("Answer as ") and last.endswith(line)):
            wrong.append(f"{label} does not end with 'Answer as …{line}'")
    return wrong


def has_short_cells(chapter: Chapter) -> list[str]:
    """No long cell, no long function, and no line that a page cannot show whole."""
    wrong = []
    cells = re.findall(r"^```\{code-cell\}.*?\n(.*?)^```$", chapter.text, re.S | re.M)
    for number, text in enumerate(cells, 1):  # with its figure's name and caption
        if (lines := len(text.splitlines())) > CELL_LINES:
            wrong.append(f"Code cell {number} has {lines} lines, more than {CELL_LINES}.")
    for number, cell in enumerate(chapter.code, 1):
        for line in cell.source.splitlines():
            if len(line) > CELL_COLUMNS:
                wrong.append(f"Code cell {number} has {len(line)} columns: {line.strip()[:60]!r}")
        for function in _functions(cell.source):
            length = function.end_lineno - function.lineno + 1
            if length > FUNCTION_LINES:
                wrong.append(f"{function.name} has {length} lines, more than {FUNCTION_LINES}.")
    return wrong


def stays_in_its_room(chapter: Chapter) -> list[str]:
    """No shell, no path tricks, no download of its own, no branch on the source."""
    code = "\n".join(cell.source for cell in chapter.code)
    return [
        f"A code cell holds {what}."
        for pattern, what in _FORBIDDEN.items()
        if re.search(pattern, code, re.MULTILINE)
    ]


def describes_its_figures(chapter: Chapter) -> list[str]:
    """Every cell that draws has a name, a caption and an alt text."""
    wrong = []
    for number, cell in enumerate(chapter.code, 1):
        looks = cell.metadata.get("mystnb", {})
        figure, image = looks.get("figure", {}), looks.get("image", {})
        hidden = {"remove-cell", "remove-output"} & set(cell.metadata.get("tags", []))
        if not (draws(cell.source) or figure) or hidden:
            continue
        for part, value in (
            ("a name", figure.get("name")),
            ("a caption", figure.get("caption")),
            ("an alt text", image.get("alt") or _html_alt(cell.source)),
        ):
            if not value:
                wrong.append(f"Code cell {number} draws a figure without {part}.")
    return wrong


def numbers_its_equations(chapter: Chapter) -> list[str]:
    """A displayed equation has a label, hence a number."""
    pieces = without_code(chapter.text).split("$$")
    after = [piece.split("\n", 1)[0].strip() for piece in pieces[2::2]]
    bare = [text for text in after if not re.fullmatch(r"\(eq-[\w-]+\)", text)]
    return [f"{len(bare)} displayed equations have no label '(eq-…)'."] if bare else []


def guards_its_claims(chapter: Chapter) -> list[str]:
    """Each section that shows a figure holds a hidden assert; hidden cells do assert."""
    wrong = []
    title, drew, guarded = "", False, True
    for cell in [*chapter.cells, None]:
        heads = _headings(cell) if cell is not None else ["end"]
        if heads and drew and not guarded and title not in SECTIONS:
            wrong.append(f"Nothing guards the sentences of section '{title}'.")
        if heads:
            title, drew, guarded = heads[-1], False, False
        if cell is None or cell.cell_type != "code":
            continue
        hidden = "remove-cell" in cell.metadata.get("tags", [])
        asserts = re.search(r"^\s*assert\b|\.testing\.assert_", cell.source, re.MULTILINE)
        if hidden and not asserts:
            wrong.append(f"A hidden cell asserts nothing: {cell.source.splitlines()[0]!r}")
        guarded |= bool(hidden and asserts)
        drew |= draws(cell.source)
    return wrong


def shows_what_it_uses(chapter: Chapter) -> list[str]:
    """No visible cell needs a name that only a hidden cell defines: students' notebooks lack it."""
    wrong: list[str] = []
    shown: set[str] = set()
    hidden: set[str] = set()
    for number, cell in enumerate(chapter.code, 1):
        if "remove-cell" in cell.metadata.get("tags", []):
            hidden |= bound(cell.source)
            continue
        for name in sorted(needed(cell.source) & hidden - shown):
            wrong.append(f"Code cell {number} uses {name!r}, which only a hidden cell defines.")
        shown |= bound(cell.source)
    return wrong


def writes_one_sentence_a_line(chapter: Chapter) -> list[str]:
    """A line of prose holds one whole sentence, so that a change is one line in a diff."""
    wrong = []
    for block in blocks(chapter):
        for line in block:
            if _SECOND_SENTENCE.search(_SHORT.sub("X", _LEAD.sub("", plain(line)))):
                wrong.append(f"Two sentences on a line: {line[:90]!r}")
        for line in block[:-1]:
            if not re.search(r"[.?!:;\\]([)*_\"'”’}\]`]|X)*$", line.rstrip()):
                wrong.append(f"A sentence broken over lines: {line[:90]!r}")
    return wrong


def cites_its_numbers(chapter: Chapter) -> list[str]:
    """A number in prose is cited in its paragraph, or stands in an assert or a parameter."""
    code = "\n".join(
        cell.source
        for cell in chapter.code
        if {"remove-cell", "parameters"} & set(cell.metadata.get("tags", []))
    ).replace("_", "")
    wrong = []
    for block in blocks(chapter):
        if any("{cite" in line for line in block) or "**Time**" in block[0]:
            continue
        for line in block:
            for number in _NUMBER.findall(plain(line)):
                if number.replace(",", "") not in code:
                    wrong.append(f"{number} is neither cited nor guarded: {line[:90]!r}")
    return wrong


#: A sentence that has one of these subjects and one of these verbs or quantities states a finding.
_SUBJECTS = (
    r"hubs?|simplic\w+|cliques?|cavit\w+|connections?|neighbours?|triads?|triples?|motifs?|pyramidal"
    r"|interneurons?|inhibit\w+|excitat\w+|neurons?|m-types?|types?|layers?|pathways?|degrees?"
    r"|synapses?|networks?|wiring|columns?"
)
_FINDINGS = (
    r"outnumber\w*|meet (more|often)|leads? (down|up)|runs? (within|down|up)|down more than up"
    r"|(?<!^)prefers?|dominate\w*|(over|under)-represented|(more|less) (often|likely)"
    r"|rarer|(are|is) rare|(more|fewer|less) than (half|chance|four fifths)"
    r"|(nearly|almost) all|hardly any|can(not)? tell"
)
#: It then says of what it was found, or that it is no finding but logic, a condition, a question.
_HEDGES = r"\b(in use|by definition|by chance alone|in any network|if|where|would|may|might)\b|\?$"


def hedges_its_findings(chapter: Chapter) -> list[str]:
    """A sentence that states a finding is cited in its paragraph, or says of what data it holds."""
    return [
        f"A finding is neither cited nor hedged ('in the data in use'): {line[:90]!r}"
        for block in blocks(chapter)
        if not any("{cite" in line for line in block)
        for line in map(plain, block)
        if not re.match(r"- (\[.\]|[a-z])", line)  # a choice of a question, or an aim
        and re.search(rf"\b({_SUBJECTS})\b", line, re.I)
        and re.search(rf"\b({_FINDINGS})", line)
        and not re.search(_HEDGES, line, re.I)
    ]


#: "**Warm-up.**" names a paragraph; it is no sentence.
_LEAD = re.compile(r"^([-*]|\d+\.)?\s*\*\*[^*]+\*\*\s*")
_SHORT = re.compile(r"\b(e\.g|i\.e|cf|vs|et al|Fig|Eq|Dr|No|ca|resp|approx)\.")
_SECOND_SENTENCE = re.compile(r"[^\s.\d][.?!][)\"'*]*\s+(?=[A-Z“\"(*])")
#: Numbers that look like a result: three digits or more, or decimals.
_NUMBER = re.compile(r"(?<![\w.,-])(?:\d{1,3}(?:,\d{3})+|\d+\.\d+|\d{3,})(?![\w-])")

GATES: tuple[Callable[[Chapter], list[str]], ...] = (
    starts_as_the_template,
    asks_one_question,
    ends_as_the_template,
    has_solved_exercises,
    checks_an_exercise,
    asks_three_quick_questions,
    says_what_to_answer,
    has_short_cells,
    stays_in_its_room,
    describes_its_figures,
    numbers_its_equations,
    guards_its_claims,
    shows_what_it_uses,
    writes_one_sentence_a_line,
    cites_its_numbers,
    hedges_its_findings,
)


def repeated_functions(chapters: Iterable[Chapter]) -> list[str]:
    """Name the functions that more than one place defines."""
    names = Counter(
        function.name
        for chapter in chapters
        for cell in chapter.code
        for function in _functions(cell.source)
    )
    return [name for name, times in names.items() if times > 1]


def cited_keys(text: str) -> set[str]:
    """Return the bibliography keys a page cites."""
    groups = re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", text)
    return {key.strip() for group in groups for key in group.split(",")}


def checked_exercises(text: str) -> list[str]:
    """Return the exercises whose answers a text checks."""
    return re.findall(r"\bnmc\.check\(\s*[\"']([\w-]+)[\"']", text)


def draws(code: str) -> bool:
    """Whether a cell's code makes a figure."""
    return bool(re.search(r"\b(plot_\w+|plt\.subplots|plt\.figure|sns\.\w+plot)\(", code))


def _html_alt(code: str) -> bool:
    """Interactive views carry their own text and picture."""
    return bool(re.search(r"\bview_\w+\(", code))


def all_code(chapter: Chapter) -> str:
    return "\n".join(cell.source for cell in chapter.code)


def _cells_of(text: str) -> str:
    """Return the code of the cells in a piece of Markdown."""
    return "\n".join(re.findall(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", text, re.M | re.S))


def _calls(code: str, name: str) -> list[ast.Call]:
    calls = (node for node in ast.walk(_tree(code)) if isinstance(node, ast.Call))
    return [call for call in calls if ast.unparse(call.func) == name]


def _functions(code: str) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(_tree(code)) if isinstance(node, ast.FunctionDef)]


def _tree(code: str) -> ast.Module:
    kept = (("pass" if re.match(r"\s*[%!]", line) else line) for line in code.splitlines())
    return ast.parse("\n".join(kept))


def _headings(cell) -> list[str]:
    if cell.cell_type != "markdown":
        return []
    return [t.strip() for t in re.findall(r"^##? (.+)$", cell.source, re.MULTILINE)]


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


# -- the prose of a page, line by line, without code, directives, tables and headings -----------

_FENCE = re.compile(r"^\s*(`{3,}|:{3,}|\$\$)")
_OPTION = re.compile(r"^\s*:[\w-]+:")
_LABEL = re.compile(r"^\([\w-]+\)=\s*$")
_NOT_PROSE = ("#", "|", "<", "%", "[^")
#: Directives whose body is not prose.
_CLOSED = ("figure", "bibliography", "toctree", "math", "raw", "mermaid", "list-table", "glossary")

_LITERAL = re.compile(r"`[^`]*`")
_TARGET = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_MATH = re.compile(r"\$[^$]+\$")
_ROLE = re.compile(r"\{[\w:-]+\}`[^`]*`")


def blocks(chapter: Chapter) -> Iterator[list[str]]:
    """Yield the prose of a page as blocks of successive lines (paragraphs and list items)."""
    for cell in chapter.cells:
        if cell.cell_type == "markdown":
            yield from _of_text(cell.source)


def _of_text(text: str) -> Iterator[list[str]]:
    block: list[str] = []
    closed = ""
    for line in [*text.splitlines(), ""]:
        fence = _FENCE.match(line)
        if closed:
            if fence and line.strip() == closed:
                closed = ""
            continue
        stops = not line.strip() or fence or _OPTION.match(line) or _LABEL.match(line)
        if stops or line.lstrip().startswith(_NOT_PROSE):
            if block:
                yield block
            block = []
            if fence and _is_closed(line):
                closed = fence.group(1)
            continue
        if block and re.match(r"^\s*([-*]|\d+\.)\s", line):
            yield block
            block = []
        block.append(line.strip())


def _is_closed(line: str) -> bool:
    name = re.search(r"\{([\w-]+)\}", line)
    if name:
        return name.group(1) in _CLOSED
    mark = line.strip()
    return mark.startswith(("```", "$$")) and not (mark.startswith("$$") and len(mark) > 2)


def plain(line: str) -> str:
    """Return a line's words: no code, roles, maths or link targets."""
    line = _ROLE.sub("X", line)
    line = _TARGET.sub(r"\1", line)
    return _MATH.sub("X", _LITERAL.sub("X", line))


# -- names that a cell binds and needs ---------------------------------------------------------


def bound(code: str) -> set[str]:
    """Return the names that a cell defines: variables, functions, imports, parameters."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ExceptHandler) and node.name:
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
    return names


def needed(code: str) -> set[str]:
    """Return the names that a cell reads and does not define itself."""
    read = {
        node.id
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    return read - bound(code) - set(dir(builtins))
