"""Equations as MathML: browsers draw them themselves, without a script or a network."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.math import get_node_equation_number


def _convert(latex: str, display: str) -> str:
    from latex2mathml.converter import convert

    return convert(latex.strip(), display=display)


def _visit_inline(writer: Any, node: nodes.Element) -> None:
    writer.body.append(f'<span class="math">{_convert(node.astext(), "inline")}</span>')
    raise nodes.SkipNode


def _visit_display(writer: Any, node: nodes.Element) -> None:
    identifier = f' id="{node["ids"][0]}"' if node["ids"] else ""
    number = ""
    if node["number"]:
        number = f'<span class="eqno">({get_node_equation_number(writer, node)})</span>'
    equation = _convert(node.astext(), "block")
    writer.body.append(f'<div class="math"{identifier}>{number}{equation}</div>\n')
    raise nodes.SkipNode


def add_mathml(app: Sphinx) -> None:
    """Offer ``html_math_renderer = "mathml"``."""
    app.add_html_math_renderer("mathml", (_visit_inline, None), (_visit_display, None))
