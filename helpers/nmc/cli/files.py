"""``nmc fetch``, ``nmc verify``, ``nmc export`` and ``nmc import``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from nmc.cli import shared
from nmc.cli.shell import KeyType


@click.command("fetch")
@click.argument("keys", nargs=-1, required=True, type=KeyType(), metavar="KEY...")
@click.option("--folder", is_flag=True, help="Unpack archives and print the folders' paths.")
@click.option("--accept-terms", is_flag=True, help="Accept the data terms for this cache.")
@shared.source
@shared.quiet
@shared.as_json
def fetch_command(keys, folder, accept_terms, source, quiet, as_json) -> None:
    """Get files and print the paths of the verified copies, one a line.

    KEY is a key, a family or a pattern, as for 'nmc list'. A file that is at hand already is
    verified and not fetched again.

    \b
    nmc fetch sheet/layers sheet/pathways_anatomy
    nmc fetch 'model/L5_TTPC1*' --source portal --accept-terms
    cd "$(nmc fetch --folder model/L5_TTPC1_cADpyr232_1)"
    """
    from nmc.data import bundle, provenance
    from nmc.data.fetch import fetch_record
    from nmc.data.unpacked import fetch_folder

    options = {"source": source, "progress": not quiet, "accept_terms": accept_terms or None}
    for item in bundle.match(keys):
        if folder and item.format in ("zip", "tar"):
            path = fetch_folder(item.key, **options)
        else:
            path = fetch_record(item.key, **options).path
        if not as_json:
            click.echo(path)
    if as_json:
        shared.show_json([asdict(entry) for entry in provenance.records()])


@click.command("verify")
@click.option(
    "--repair",
    is_flag=True,
    help="Remove what is damaged or left over; fetch it again where possible.",
)
@click.option("--source", metavar="FOLDER", help="Verify a copy of the tree, not the cache.")
@shared.quiet
@shared.as_json
def verify_command(repair, source, quiet, as_json) -> None:
    """Read every file of the cache again and compare it with its sha256.

    Unpacked archives are compared member by member. Ends with exit code 5 when something is
    damaged and was not repaired.

    \b
    nmc verify
    nmc verify --repair
    nmc verify --source /data/nmc
    """
    from nmc.data import upkeep
    from nmc.data.folder import FolderTree

    if source and repair:
        raise click.UsageError(
            "--repair mends the cache only; a tree of yours is never written to."
        )
    if source and not Path(source).is_dir():
        raise click.UsageError(f"{source} is no folder.")
    tree = FolderTree(Path(source).absolute()) if source else None
    findings = upkeep.verify_tree(tree) if tree else upkeep.verify_cache(repair=repair)
    found = list(_with_bar(findings, quiet))
    wrong = [entry for entry in found if not entry.is_sound]
    if as_json:
        shared.show_json([asdict(entry) for entry in found])
    else:
        for entry in found:
            if entry.why:
                click.echo(f"{entry.state}: {entry.path}: {entry.why}")
        click.echo(f"{len(found) - len(wrong):,} sound, {len(wrong):,} not.")
    if wrong:
        sys.exit(5)


@click.command("export")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("keys", nargs=-1, type=KeyType(), metavar="[KEY]...")
@shared.source
@shared.quiet
@shared.as_json
def export_command(folder, keys, source, quiet, as_json) -> None:
    """Copy files into a new FOLDER laid out as the portal's tree, with SHA256SUMS.

    For a classroom or a cluster without a network. Without KEY, all that is at hand is copied;
    with KEY, these files, fetched where need be. The folder is a source: set NMC_SOURCE to it,
    or take it into a cache with 'nmc import'.

    \b
    nmc export ~/nmc-course --source portal
    nmc export ~/nmc-course sheet tree 'model/L5_*_1' --source portal
    """
    from nmc.data import bundle

    done = bundle.export(folder, keys, source=source, progress=not quiet)
    _report(done, "exported", as_json)


@click.command("import")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@shared.as_json
def import_command(folder, as_json) -> None:
    """Take an exported FOLDER into the cache; every file is verified.

    Afterwards the source 'portal' has these files without a network (NMC_OFFLINE=1).

    \b
    nmc import /media/usb/nmc-course
    """
    from nmc.data import bundle

    _report(bundle.import_(folder), "imported", as_json)


def _report(done, verb: str, as_json: bool) -> None:
    if as_json:
        shared.show_json(asdict(done))
        return
    for key, why in done.left_out.items():
        click.echo(f"left out: {key}: {why}", err=True)
    click.echo(f"{len(done.written):,} files {verb}: {done.folder}")


def _with_bar(findings, quiet: bool):
    from tqdm import tqdm

    return tqdm(findings, desc="Verifying", unit=" files", leave=False, disable=quiet or None)
