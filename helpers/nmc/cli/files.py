"""The data's commands: list, fetch, verify, cite, terms, export, import."""

from __future__ import annotations

import csv
from dataclasses import asdict
from importlib import resources
from pathlib import Path

import click
from tqdm import tqdm

from nmc import data
from nmc.cli import shared
from nmc.data import fetch_folder, provenance, registry, upkeep
from nmc.data.files import progress_bar
from nmc.data.registry import items, match
from nmc.data.sources import FolderTree
from nmc.errors import UnknownNameError


def _complete(context, parameter, incomplete: str) -> list[str]:
    """Return the keys that begin so, up to the next ``/`` when there are many."""
    known = [key for key in items() if key.startswith(incomplete)]
    n_parts = incomplete.count("/") + 1
    parts = {"/".join(key.split("/")[:n_parts]) for key in known}
    return sorted(parts if len(parts) > 1 else known)


_keys = click.argument("keys", nargs=-1, metavar="[KEY]...", shell_complete=_complete)


@click.command("list")
@_keys
@click.option("--here", is_flag=True, help="Only what is at hand, without a network.")
@shared.source
@shared.as_json
def list_command(keys, here, source, as_json) -> None:
    """Show what there is to fetch, and what is at hand.

    Without KEY, one line for each family of keys. KEY may be a family (sheet), the beginning of
    a key up to a slash (connectome/average), or a pattern ('model/L5_*_1').

    \b
    nmc list
    nmc list connectome
    nmc list 'model/L5_TTPC1*' --json
    """
    trees = data.trees(source)
    rows = [_row(item, trees) for item in (match(keys) if keys else items().values())]
    rows = [row for row in rows if row["at_hand"] or not here]
    if as_json:
        shared.show_json(rows)
    elif keys or here:
        shared.show_rows(rows, ("key", "size", "trust", "at_hand", "title"))
        for note in dict.fromkeys(row["note"] for row in rows if row["note"]):
            click.echo(f"Note: {note}.", err=True)
        if any(row["trust"] == _FIRST_USE for row in rows):
            click.echo(
                f"Note: {_FIRST_USE!r} means that no sha256 was ever published: the first copy "
                "fetched is trusted and recorded, and every later one must equal it.",
                err=True,
            )
    else:
        shared.show_rows(_families(rows), ("family", "files", "at_hand", "for example"))
        click.echo("\nnmc list FAMILY shows its files; nmc fetch KEY gets one.")


_FIRST_USE = "first use"


def _row(item, trees) -> dict:
    size = item.size_bytes
    return {
        **item._asdict(),
        "addresses": list(item.addresses),
        "size": "?" if size is None else tqdm.format_sizeof(size, "B"),
        "size_bytes": size,
        "sha256": [known.sha256 for known in item.known],
        "trust": "sha256 known" if item.known else _FIRST_USE,
        "at_hand": next((tree.name for tree in trees if tree.find(item)), ""),
    }


def _families(rows: list[dict]) -> list[dict]:
    found: dict[str, dict] = {}
    for row in rows:
        name = row["key"].split("/")[0]
        family = {"family": name, "files": 0, "at_hand": 0, "for example": row["key"]}
        family = found.setdefault(name, family)
        family["files"] += 1
        family["at_hand"] += bool(row["at_hand"])
    return list(found.values())


@click.command("cite")
@_keys
@click.option("--format", "style", type=click.Choice(["bibtex", "apa"]), default="apa",
              show_default=True, help="How to print the citations.")  # fmt: skip
@shared.as_json
def cite_command(keys, style, as_json) -> None:
    """Say what to cite, for some files or for everything.

    \b
    nmc cite connectome/average/mc2
    nmc cite --format bibtex > nmc.bib
    """
    found = provenance.citations_for([item.key for item in match(keys)] if keys else [])
    text = {key: getattr(provenance, style)(key) for key in found}
    if as_json:
        shared.show_json(text)
    else:
        click.echo(("\n\n" if style == "bibtex" else "\n").join(text.values()))


@click.command("terms")
@click.option("--accept", is_flag=True, help="Accept the terms for this cache.")
@shared.as_json
def terms_command(accept, as_json) -> None:
    """Show or accept the portal's data terms.

    They are shown in our own words. The sources 'portal' and 'extracts' need an acceptance once
    for each cache; the date and the sha256 of the text are recorded.

    \b
    nmc terms
    nmc terms --accept
    """
    if accept:
        provenance.record_acceptance("nmc terms --accept")
    accepted = provenance.acceptance()
    if as_json:
        clauses = [clause._asdict() for clause in provenance.clauses()]
        shared.show_json(
            {"accepted": accepted, "sha256": provenance.terms_sha256(), "clauses": clauses}
        )
        return
    if not accept:
        click.echo(provenance.terms_text())
    if accepted:
        click.echo(f"Accepted for this cache on {accepted['date']} ({accepted['how']}).")
    else:
        click.echo("Not accepted for this cache. Accept with: nmc terms --accept")


@click.command("fetch")
@click.argument("keys", nargs=-1, required=True, metavar="KEY...", shell_complete=_complete)
@click.option("--folder", is_flag=True, help="Unpack archives and print the folders' paths.")
@click.option("--accept-terms", is_flag=True, help="Accept the data terms for this cache.")
@shared.source
@shared.quiet
@shared.as_json
def fetch_command(keys, folder, accept_terms, source, quiet, as_json) -> None:
    """Get verified files and print their paths, one a line.

    KEY is a key, a family or a pattern, as for 'nmc list'. A file that is at hand already is
    verified and not fetched again.

    \b
    nmc fetch sheet/layers sheet/pathways_anatomy
    nmc fetch 'model/L5_TTPC1*' --source portal --accept-terms
    cd "$(nmc fetch --folder model/L5_TTPC1_cADpyr232_1)"
    """
    for item in match(keys):
        get = fetch_folder if folder and item.format in ("zip", "tar") else data.fetch
        path = get(item.key, source=source, progress=not quiet, accept_terms=accept_terms or None)
        if not as_json:
            click.echo(path)
    if as_json:
        shared.show_json([asdict(entry) for entry in registry.records()])


@click.command("verify")
@click.option("--repair", is_flag=True, help="Remove or fetch again what is damaged.")
@click.option("--source", metavar="FOLDER", help="Verify a copy of the tree, not the cache.",
              type=click.Path(exists=True, file_okay=False, path_type=Path))  # fmt: skip
@shared.quiet
@shared.as_json
@click.pass_context
def verify_command(context, repair, source, quiet, as_json) -> None:
    """Compare every file of the cache with its sha256.

    Unpacked archives are compared member by member. Ends with exit code 5 when something is
    damaged and was not repaired.

    \b
    nmc verify
    nmc verify --repair
    nmc verify --source /data/nmc
    """
    if source and repair:
        raise click.UsageError("--repair mends the cache only, never a tree of yours.")
    if source:
        findings = upkeep.verify_tree(FolderTree(source.absolute()))
    else:
        findings = upkeep.verify_cache(repair=repair)
    found = list(progress_bar("Verifying", findings, unit=" files", shown=not quiet))
    n_wrong = sum(not entry.is_sound for entry in found)
    if as_json:
        shared.show_json([asdict(entry) for entry in found])
    else:
        for entry in found:
            if entry.why:
                click.echo(f"{entry.state}: {entry.path}: {entry.why}")
        click.echo(f"{len(found) - n_wrong:,} sound, {n_wrong:,} not.")
    context.exit(5 if n_wrong else 0)


#: Chapter and key (or family of keys) of every file that a chapter's run fetched, on any source.
READ_BY_CHAPTERS = "chapters.csv"


def _read_by(names: tuple[str, ...]) -> list[str]:
    """Return the keys that chapters read: of a name, of a part of the book, or of all of it."""
    known: dict[str, list[str]] = {}
    with resources.files("nmc.cli").joinpath(READ_BY_CHAPTERS).open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            name = row["chapter"].removeprefix("book/")
            for called in {"book", *name.rpartition("/")[::2], name} - {""}:
                known.setdefault(called, []).append(row["key"])
    keys: list[str] = []
    for wanted in names:
        name = wanted.removesuffix(".md").removeprefix("book/")
        if name not in known:
            raise UnknownNameError.of("chapter or part of the book", wanted, known)
        keys += known[name]
    return list(dict.fromkeys(keys))


@click.command("export")
@click.argument("folder", type=click.Path(path_type=Path))
@_keys
@click.option("--for", "chapters", multiple=True, metavar="NAME",
              help="What a chapter, a part (short-course) or the book reads.")  # fmt: skip
@shared.source
@shared.quiet
@shared.as_json
def export_command(folder, keys, chapters, source, quiet, as_json) -> None:
    """Copy files into a FOLDER for a class or a cluster.

    It is laid out as the portal's tree, with SHA256SUMS, and needs no network: set NMC_SOURCE to
    it, or take it into a cache with 'nmc import'. Without KEY, all that is at hand is copied;
    with KEY or --for, these files, fetched where need be.

    \b
    nmc export ~/nmc-course --source portal
    nmc export ~/nmc-course sheet tree 'model/L5_*_1' --source portal
    nmc export ~/nmc-course --for short-course --for find-motifs --source portal
    """
    keys = [*keys, *_read_by(chapters)]
    _report(upkeep.export(folder, keys, source=source, progress=not quiet), "exported", as_json)


@click.command("import")
@click.argument("origins", nargs=-1, required=True, metavar="PATH...",
                type=click.Path(exists=True, path_type=Path))  # fmt: skip
@shared.as_json
def import_command(origins, as_json) -> None:
    """Take files into the cache, each of them verified.

    PATH is a file with the name that the portal gave it, an exported folder, a folder of
    downloads, or an unpacked package. Afterwards the source 'portal' has these files without a
    network (NMC_OFFLINE=1).

    \b
    nmc import /media/usb/nmc-course
    nmc import ~/Downloads/layer_download.json ~/Downloads/L5_TTPC1_cADpyr232_1.zip
    """
    _report(upkeep.import_(*origins), "imported", as_json)


def _report(done, verb: str, as_json: bool) -> None:
    if as_json:
        shared.show_json(asdict(done))
        return
    for key, why in done.left_out.items():
        click.echo(f"left out: {key}: {why}", err=True)
    click.echo(f"{len(done.written):,} files {verb}: {done.folder}")


COMMANDS = (
    list_command, fetch_command, verify_command, cite_command, terms_command, export_command,
    import_command,
)  # fmt: skip
