"""What a reader must not meet in an executed chapter: raw objects, and numbers without a unit."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import html
from nbformat import NotebookNode

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
