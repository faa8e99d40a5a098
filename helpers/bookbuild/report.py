"""The small table of how long each chapter took."""

from __future__ import annotations

import json

from bookbuild.book import Page
from bookbuild.project import Project


def times_table(project: Project, pages: list[Page]) -> str:
    """Return the chapters' times as text, and keep them in ``_build/times.json``."""
    rows = [
        {
            "chapter": page.chapter.name,
            "seconds": page.run.seconds,
            "cpu_seconds": page.run.cpu_seconds,
            "peak_gb": page.run.peak_gb,
            "this_time": page.fresh,
        }
        for page in pages
    ]
    project.build.mkdir(parents=True, exist_ok=True)
    (project.build / "times.json").write_text(json.dumps(rows, indent=1), "utf-8")
    lines = ["seconds     CPU    GB  chapter"]
    for row in rows:
        kept = "" if row["this_time"] else "  (kept from an earlier run)"
        lines.append(
            f"{row['seconds']:7.1f}  {row['cpu_seconds']:6.1f}  {row['peak_gb']:4.1f}  "
            f"{row['chapter']}{kept}"
        )
    noisy = [page.chapter.name for page in pages if _wrote_to_stderr(page)]
    if noisy:
        lines.append(f"wrote to stderr (not shown on the page): {', '.join(noisy)}")
    return "\n".join(lines)


def _wrote_to_stderr(page: Page) -> bool:
    return any(
        output.get("name") == "stderr"
        for cell in page.notebook.cells
        for output in cell.get("outputs", [])
    )
