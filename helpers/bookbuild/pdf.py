"""The whole book as one PDF, printed by a headless Chromium.

A browser rather than LaTeX: it prints the very pages readers see, SVG figures as vectors, tables
and folded solutions included, and needs no TeX installation of gigabytes.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from bookbuild.errors import BookError
from bookbuild.project import Project
from bookbuild.render import render_single_page

#: Open what is folded, show what loads late, and leave out what only a screen needs.
_PREPARE = """
for (const fold of document.querySelectorAll('details')) fold.open = true;
for (const fold of document.querySelectorAll('.toggle-hidden'))
  fold.classList.remove('toggle-hidden');
for (const image of document.images) image.loading = 'eager';
Promise.all([...document.images].map(image => image.decode().catch(() => null)));
"""
_STYLE = """
.bd-header, .bd-sidebar-primary, .bd-sidebar-secondary, .header-article, .prev-next-footer,
.toggle-button, .copybtn, .bd-header-announcement { display: none !important; }
.bd-main, .bd-article-container { max-width: none !important; }
h1 { break-before: page; }
figure, img, tr { break-inside: avoid; }
pre { white-space: pre-wrap !important; overflow-wrap: anywhere; }
"""
_FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]


def print_pdf(project: Project) -> Path:
    """Print the staged book into one PDF.

    Returns
    -------
    Path
        The PDF file.

    Raises
    ------
    BookError
        If no Chromium is there, or a figure of the book did not load.
    """
    from playwright.sync_api import sync_playwright

    browser_path = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser_path is None:
        raise BookError("No chromium was found: install the packages of .binder/apt.txt.")
    page_path = render_single_page(project)
    target = project.build / "book.pdf"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=_FLAGS)
        page = browser.new_page()
        page.goto(page_path.as_uri(), wait_until="load", timeout=180_000)
        page.evaluate(_PREPARE)
        missing = page.evaluate(
            "[...document.images].filter(i => !i.naturalWidth).map(i => i.getAttribute('src'))"
        )
        if missing:
            browser.close()
            raise BookError(f"These figures did not load, the PDF would lack them: {missing}")
        page.add_style_tag(content=_STYLE)
        page.pdf(
            path=target,
            format="A4",
            print_background=True,
            outline=True,
            tagged=True,
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=(
                '<span style="font-size:8px;width:100%;text-align:center">'
                '<span class="pageNumber"></span></span>'
            ),
            margin={"top": "16mm", "bottom": "18mm", "left": "16mm", "right": "16mm"},
        )
        browser.close()
    return target
