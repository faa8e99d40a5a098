"""The bibliography's entries as a line of a table names them: authors, year, address."""

from __future__ import annotations

from pathlib import Path


def short_references(path: Path) -> dict[str, tuple[str, str]]:
    """Return each key's short name, such as ``Gal et al., 2017``, and its address or "".

    Parameters
    ----------
    path : Path
        A BibTeX file; one that is not there gives no entries.
    """
    from pybtex.database import parse_file
    from pybtex.richtext import Text

    if not path.is_file():
        return {}
    found = {}
    for key, entry in parse_file(str(path), bib_format="bibtex").entries.items():
        people = [" ".join(who.prelast_names + who.last_names) for who in entry.persons["author"]]
        names = [str(Text.from_latex(name)) for name in people] or [key]
        who = names[0] if len(names) == 1 else " & ".join(names)
        if len(names) > 2:
            who = f"{names[0]} et al."
        doi = entry.fields.get("doi")
        address = f"https://doi.org/{doi}" if doi else entry.fields.get("url", "")
        found[key] = (f"{who}, {entry.fields.get('year', '')}".rstrip(", "), address)
    return found
