"""Quick questions: whoever opens a choice reads whether it is right, and why; no script is needed.

A chapter writes a question and its choices, each with a line or more that explain it::

    :::{quiz} Which unit has a conductance density?
    - [ ] `nS`
      That is a whole conductance.
    - [x] `S/cm²`
      Siemens for each square centimetre of membrane.
    :::
"""

from __future__ import annotations

import re
from html import escape
from typing import NamedTuple

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

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


def plain_quiz(match: re.Match) -> str:
    """Return a question for a notebook: Markdown and the folds that every browser knows."""
    folds = [
        f"<details><summary>{_html(one.text)}</summary>{_html(one.told)}</details>"
        for one in choices(match["body"])
    ]
    return "\n".join([f"**Quick question.** {match['question']}", "", *folds, ""])


def _html(text: str) -> str:
    text = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", escape(text, quote=False))
    text = re.sub(r"\*(.+?)\*", r"<i>\1</i>", text)
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", text)


class Quiz(SphinxDirective):
    """A question whose choices unfold one at a time."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return a box of folds that share a name, so that one is open at a time."""
        name = f"quiz-{self.env.new_serialno('quiz')}"
        box = nodes.container(classes=["quiz"])
        box += nodes.paragraph("", "", *self._inline(self.arguments[0]), classes=["quiz-question"])
        for one in choices("\n".join(self.content)):
            kind = "right" if one.right else "wrong"
            box += nodes.raw("", f'<details name="{name}" class="{kind}"><summary>', format="html")
            box += nodes.inline("", "", *self._inline(one.text))
            box += nodes.raw("", "</summary>", format="html")
            box += nodes.paragraph("", "", *self._inline(one.told))
            box += nodes.raw("", "</details>", format="html")
        return [box]

    def _inline(self, text: str) -> list[nodes.Node]:
        found, _ = self.state.inline_text(text, self.lineno)
        return found
