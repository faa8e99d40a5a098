"""The whole book as one PDF, printed by a headless Chromium.

A browser rather than LaTeX: it prints the very pages readers see, SVG figures as vectors, tables
and folded solutions included, and needs no TeX installation of gigabytes.
"""

from __future__ import annotations

from pathlib import Path

from bookbuild.browser import find_browser
from bookbuild.errors import BookError
from bookbuild.onepage import write_one_page
from bookbuild.project import Project

#: Millimetres of A4: what is left of its width between the margins, and the margins.
COLUMN, MARGIN = 178, 16
#: Paper takes smaller letters than a screen; the page is laid out wider, then made smaller.
SCALE = 0.82
_STYLE = f"""
@page {{ size: A4; margin: {MARGIN}mm {MARGIN}mm 18mm; }}
html, body {{ background: #fff; font-size: 10.5pt; }}
main.nmc-print {{ display: block; margin: 0; max-width: none !important; padding: 0;
  width: {COLUMN / SCALE}mm; }}
.nmc-title {{ height: 300mm; display: flex; flex-direction: column; justify-content: center;
  text-align: center; }}
.nmc-title img {{ width: 70mm; margin: 0 auto 12mm; }}
.nmc-title h1 {{ font-size: 28pt; }}
.nmc-contents ul {{ list-style: none; padding-left: 6mm; }}
.nmc-contents h2 {{ font-size: 12pt; margin: 5mm 0 1mm; }}
main > section, main > nav {{ break-before: page; padding-top: 2px; }}
main > .nmc-title {{ break-before: auto; }}
h1, h2, h3 {{ break-after: avoid; }}
figure, img, tr, .sd-card {{ break-inside: avoid; }}
figure img, .cell_output img {{ max-height: 280mm; max-width: 100%; object-fit: contain; }}
pre, code {{ white-space: pre-wrap !important; overflow-wrap: anywhere; }}
.toggle-hidden, .cell.tag_hide-input {{ visibility: visible; }}
.cell_output, .output, .nmc-table-box, .pst-scrollable-table-container, .highlight, pre {{
  overflow: visible !important; max-height: none !important; }}
.nmc-table-box.wide {{ margin-right: 0; }}
.nmc-table {{ font-size: 6.5pt; }}
.nmc-table td, .nmc-table th {{ overflow-wrap: break-word; white-space: normal; padding: 1mm; }}
"""
#: Make what is wider than the column just fit it, and say what still does not.
_FIT = """
column => {
  const wide = node => node.getBoundingClientRect().right - column;
  for (const node of document.querySelectorAll('table, math, svg, .output pre')) {
    const right = node.getBoundingClientRect().left + Math.max(node.scrollWidth,
      node.getBoundingClientRect().width);
    if (right > column + 1) {
      const left = node.getBoundingClientRect().left;
      node.style.zoom = Math.max(0.35, (column - left) / (right - left) * 0.99);
    }
  }
  return [...document.querySelectorAll('table, pre, img, math, figure')]
    .filter(node => node.offsetParent !== null && wide(node) > 2)
    .map(node => node.tagName + ' ' + node.textContent.trim().slice(0, 60));
}
"""
_FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
_FOOT = (
    '<span style="font-size:8px;width:100%;text-align:center"><span class="pageNumber"></span>'
    "</span>"
)


def print_pdf(project: Project) -> Path:
    """Print the built book into one PDF.

    Returns
    -------
    Path
        The PDF file.

    Raises
    ------
    BookError
        If no Chromium is there, the book is not built, a figure did not load, or something is
        wider than the paper.
    """
    from playwright.sync_api import sync_playwright

    browser_path = find_browser()
    if browser_path is None:
        raise BookError("No Chromium or Chrome was found: install what .ci/apt.txt lists.")
    source = write_one_page(project)
    target = project.build / "book.pdf"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=_FLAGS)
        try:
            _print(browser, source, target)
        finally:
            browser.close()
    return target


def _print(browser, source: Path, target: Path) -> None:
    column = round(COLUMN / SCALE / 25.4 * 96)
    page = browser.new_page(viewport={"width": column, "height": 1000}, color_scheme="light")
    page.emulate_media(media="print")
    page.goto(source.as_uri(), wait_until="load", timeout=180_000)
    page.add_style_tag(content=_STYLE)
    page.evaluate("Promise.all([...document.images].map(i => i.decode().catch(() => null)))")
    missing = page.evaluate(
        "[...document.images].filter(i => !i.naturalWidth).map(i => i.getAttribute('src'))"
    )
    if missing:
        raise BookError(f"These figures did not load, the PDF would lack them: {missing}")
    cut = page.evaluate(_FIT, column)
    if cut:
        raise BookError("Wider than the paper:\n" + "\n".join(cut))
    page.pdf(
        path=target,
        scale=SCALE,
        prefer_css_page_size=True,
        print_background=True,
        outline=True,
        tagged=True,
        display_header_footer=True,
        header_template="<span></span>",
        footer_template=_FOOT,
    )
