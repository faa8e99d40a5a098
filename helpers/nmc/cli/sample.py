"""``nmc sample``: the synthetic portal, written at any size."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import click


@click.command("sample")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--neurons",
    default=1500,
    show_default=True,
    type=click.IntRange(110, 200_000),
    help="Neurons of an average connectome; 31346 makes full ones, in minutes.",
)
@click.option("--seed", type=int, help="Seed of every number; the book's own by default.")
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME",
    help="A model to write a package of; repeat it, or say 'all'.",
)
def sample_command(folder: Path, neurons: int, seed: int | None, models: tuple[str, ...]) -> None:
    """Write the synthetic portal into a new FOLDER and print its path.

    The files, names, layouts and units are the portal's; every number is invented from the seed,
    and the same seed gives the same bytes. Use the folder as a source afterwards.

    \b
    nmc sample full-size --neurons 31346
    NMC_SOURCE=full-size nmc fetch connectome/average/mc0
    """
    from nmc import names, sample

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise click.UsageError(f"{folder} exists already and is no empty folder: name another.")
    wanted = names.model_names() if "all" in models else models
    wanted = [names.parse_model(name).name for name in wanted] or None
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
        written = Path(temporary) / folder.name
        seed = sample.SEED if seed is None else seed
        sample.write_tree(written, seed=seed, n_neurons=neurons, models=wanted)
        if folder.is_dir():
            folder.rmdir()
        shutil.move(written, folder)
    click.echo(folder)
