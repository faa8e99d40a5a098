"""What a page says of its own making: source, release, files, seconds."""

from __future__ import annotations

from importlib.metadata import version

from bookbuild.book import Page


def invented(pages: list[Page]) -> bool:
    """Whether any file of these pages was written by the sample."""
    return any(entry.get("invented") for page in pages for entry in page.run.data)


def source_text(source: str, pages: list[Page]) -> str:
    """Return the source in words a reader of any page understands."""
    if source.strip() == "sample":
        return "Data: synthetic sample, invented numbers"
    return f"Data: {_public_name(source)}" + (", partly invented" if invented(pages) else "")


def release_text(pages: list[Page]) -> str:
    """Return which release of the data the pages show, as the files themselves name it."""
    entries = [entry for page in pages for entry in page.run.data if not entry.get("invented")]
    if not entries:
        return f"release of the sample: {version('nmc')}"
    releases = sorted({entry["release"] for entry in entries if entry.get("release")})
    return "release of the data: NMC portal" + (f", {' and '.join(releases)}" if releases else "")


def run_note(page: Page) -> str:
    """Return the drop-down at a chapter's end: what it read, from where, and how long it took."""
    rows = "\n".join(
        f"| `{entry['key']}` | {entry.get('origin', '')} | `{(entry.get('sha256') or '')[:12]}` |"
        for entry in page.run.data
        if entry.get("key")
    )
    table = f"\n| file | from | sha256 begins |\n|---|---|---|\n{rows}\n" if rows else ""
    return (
        f":::{{dropdown}} Data and run of this page\n:class-container: run-note\n"
        f"Executed in {page.run.seconds:.0f} s with Python {page.run.python}, "
        f"at most {page.run.peak_gb:.1f} GB of memory.\n{table}:::\n"
    )


def _public_name(source: str) -> str:
    """Return the source with a folder's last name alone: a page tells no one's disk layout."""
    return ", ".join(part.strip().rstrip("/").rsplit("/", 1)[-1] for part in source.split(","))
