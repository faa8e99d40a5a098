"""``nmc list``, ``nmc cite`` and ``nmc terms``."""

from __future__ import annotations

import click

from nmc.cli import shared
from nmc.cli.shell import KeyType


@click.command("list")
@click.argument("patterns", nargs=-1, type=KeyType(), metavar="[KEY]...")
@click.option("--here", is_flag=True, help="Only what is at hand, without a network.")
@shared.source
@shared.as_json
def list_command(patterns, here, source, as_json) -> None:
    """Show what there is to fetch, and which tree of the source has it at hand.

    Without KEY, one line for each family of keys. KEY may be a family (sheet), the beginning of
    a key up to a slash (connectome/average), or a pattern ('model/L5_*_1').

    \b
    nmc list
    nmc list connectome
    nmc list 'model/L5_TTPC1*' --json
    """
    from nmc.data import bundle, sources
    from nmc.data.catalogue import items

    trees = sources.trees(source)
    chosen = bundle.match(patterns) if patterns else list(items().values())
    rows = [_row(item, trees) for item in chosen]
    if here:
        rows = [row for row in rows if row["at_hand"]]
    if as_json:
        shared.show_json(rows)
    elif patterns or here:
        shown = [{**row, "size": shared.size_text(row["size_bytes"])} for row in rows]
        shared.show_rows(shown, ("key", "size", "trust", "at_hand", "title"))
        _notes(rows)
    else:
        shared.show_rows(_families(rows), ("family", "files", "at_hand", "for example"))
        click.echo("\nnmc list FAMILY shows its files; nmc fetch KEY gets one.")


def _row(item, trees) -> dict:
    at_hand = next((tree.name for tree in trees if tree.holds(item)), "")
    return {
        "key": item.key,
        "title": item.title,
        "path": item.path,
        "addresses": list(item.addresses),
        "size_bytes": item.size_bytes,
        "sha256": [known.sha256 for known in item.known],
        "trust": "sha256 known" if item.known else "first use",
        "licence": item.licence,
        "cite": list(item.cite),
        "reader": item.reader,
        "note": item.note,
        "at_hand": at_hand,
    }


def _families(rows: list[dict]) -> list[dict]:
    families: dict[str, dict] = {}
    for row in rows:
        name = row["key"].split("/")[0]
        entry = families.setdefault(
            name, {"family": name, "files": 0, "at_hand": 0, "for example": row["key"]}
        )
        entry["files"] += 1
        entry["at_hand"] += bool(row["at_hand"])
    return list(families.values())


def _notes(rows: list[dict]) -> None:
    for note in dict.fromkeys(row["note"] for row in rows if row["note"]):
        click.echo(f"Note: {note}.", err=True)
    if any(row["trust"] == "first use" for row in rows):
        click.echo(
            "Note: 'first use' means that no sha256 was ever published: the first copy fetched "
            "is trusted and recorded, and every later one must equal it.", err=True,
        )  # fmt: skip


@click.command("cite")
@click.argument("keys", nargs=-1, type=KeyType(), metavar="[KEY]...")
@click.option("--format", "style", type=click.Choice(["bibtex", "apa"]), default="apa",
              show_default=True, help="How to print the citations.")  # fmt: skip
@shared.as_json
def cite_command(keys, style, as_json) -> None:
    """Say what to cite when you use these files; without KEY, everything.

    \b
    nmc cite connectome/average/mc2
    nmc cite --format bibtex > nmc.bib
    """
    from nmc.data import bundle, citations

    chosen = [item.key for item in bundle.match(keys)] if keys else []
    found = citations.keys_for(chosen)
    text = {key: getattr(citations, style)(key) for key in found}
    if as_json:
        shared.show_json(text)
    else:
        click.echo(("\n\n" if style == "bibtex" else "\n").join(text.values()))


@click.command("terms")
@click.option("--accept", is_flag=True, help="Accept the terms for this cache.")
@click.option("--withdraw", is_flag=True, help="Forget that they were accepted.")
@shared.as_json
def terms_command(accept, withdraw, as_json) -> None:
    """Show the terms of the portal's data, in our own words; accept or withdraw them.

    The sources 'portal' and 'extracts' need an acceptance once for each cache. The date and the
    sha256 of the text are recorded.

    \b
    nmc terms
    nmc terms --accept
    """
    from nmc.data import terms

    if accept and withdraw:
        raise click.UsageError("--accept and --withdraw exclude one another.")
    if accept:
        terms.accept("nmc terms --accept")
    if withdraw:
        terms.withdraw()
    accepted = terms.acceptance()
    if as_json:
        clauses = [vars(clause) for clause in terms.clauses()]
        shared.show_json({"accepted": accepted, "sha256": terms.sha256(), "clauses": clauses})
        return
    if not accept and not withdraw:
        click.echo(terms.text())
    click.echo(
        f"Accepted for this cache on {accepted['date']} ({accepted['how']})."
        if accepted
        else "Not accepted for this cache. Accept with: nmc terms --accept"
    )
