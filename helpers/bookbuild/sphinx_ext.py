"""What the built pages get beyond the theme: right edit links, downloads, a citation line."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx


def point_at_markdown(
    app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: nodes.document
) -> None:
    """Let edit and launch buttons name the committed ``.md``, not the staged notebook."""
    for button in context.get("header_buttons", []):
        for entry in [button, *button.get("buttons", [])]:
            if "url" in entry and "download" not in str(entry.get("label", "")):
                entry["url"] = entry["url"].replace(f"{pagename}.ipynb", f"{pagename}.md")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    # After the theme, which fills the buttons at its own priority.
    app.connect("html-page-context", point_at_markdown, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
