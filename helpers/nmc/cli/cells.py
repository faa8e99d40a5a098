"""``nmc simulate``, ``nmc sweep`` and ``nmc scoreboard``: me-types from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import click

_MODE = click.option(
    "--mode",
    type=click.Choice(["published", "converged"]),
    default="published",
    show_default=True,
    help="The package's own time step, or an accurate and faster integration.",
)
_PROTOCOL = click.option(
    "--protocol", type=click.Choice(["step", "rest"]), default="step", show_default=True
)
_STEP = click.option(
    "--step", type=click.IntRange(1, 3), default=1, show_default=True, help="Step current."
)


def _settings(protocol: str, step: int, mode: str) -> dict:
    if protocol == "bombardment":  # its synapses draw random numbers: one integration only
        return {}
    return {"mode": mode, "step": step} if protocol == "step" else {"mode": mode}


def _more(words) -> dict:
    """Settings given as ``name=value``; a value that reads as JSON is taken as such."""
    found = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or not name.isidentifier():
            raise click.BadParameter(f"{word!r} is not NAME=VALUE", param_hint="--set")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


@click.command("simulate")
@click.argument("model")
@_PROTOCOL
@_STEP
@_MODE
@click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else, on stdout.")
@click.option("--trace", type=click.Path(path_type=Path), help="Write the trace to this CSV file.")
def simulate_command(model, protocol, step, mode, as_json, trace) -> None:
    """Run one protocol on one MODEL and print its numbers."""
    import nmc

    table = (
        nmc.simulate_step(model, step, mode=mode)
        if protocol == "step"
        else nmc.simulate_rest(model, mode=mode)
    )
    if trace:
        table.to_csv(trace, index=False)
    if as_json:
        click.echo(json.dumps(table.attrs))
        return
    for name, value in table.attrs.items():
        if name not in ("spike_times_ms", "package_sha256"):
            click.echo(f"{name}: {value}")


@click.command("sweep")
@click.argument("models", nargs=-1, required=True)
@click.option(
    "--protocol",
    type=click.Choice(["step", "rest", "fi", "chirp", "bap", "epsp", "bombardment"]),
    default="step",
    show_default=True,
)
@_STEP
@_MODE
@click.option(
    "--folder", type=click.Path(path_type=Path), required=True, help="Where the rows are kept."
)
@click.option("--workers", default=2, show_default=True, help="Models at the same time.")
@click.option("--scheduler", help="Address of a Dask scheduler, instead of this machine.")
@click.option(
    "--set", "more", multiple=True, metavar="NAME=VALUE",
    help="Another setting of the protocol, e.g. --set section='dend[5]'.",
)  # fmt: skip
def sweep_command(models, protocol, step, mode, folder, workers, scheduler, more) -> None:
    """Run one protocol over MODELS: names, m-types, me-types, or 'all'.

    Started again with the same folder it runs only what is missing, failed or out of date.
    """
    from nmc.cells.sweep import sweep

    rows = sweep(
        select_models(models),
        protocol,
        folder=folder,
        cluster=scheduler,
        n_workers=workers,
        **_settings(protocol, step, mode),
        **_more(more),
    )
    failed = rows[rows["error"].notna()]
    click.echo(f"{len(rows) - len(failed)} of {len(rows)} models done; rows in {folder}")
    for row in failed.itertuples():
        click.echo(f"{row.model}: {row.error}", err=True)


@click.command("scoreboard")
@click.argument("models", nargs=-1)
@click.option("--source", help="Where the packages come from; NMC_SOURCE unless given.")
@click.option("--workers", default=2, show_default=True, help="Models at the same time.")
@click.option("--rest-only", is_flag=True, help="Only the comparison with the fact sheets.")
@click.option("--keep", is_flag=True, help="Update the kept rows that come with the package.")
def scoreboard_command(models, source, workers, rest_only, keep) -> None:
    """Compare MODELS at rest with their fact sheets, and count their spikes.

    All models of the source by default.  Started again it runs only what is missing, failed or
    out of date.
    """
    import os

    from nmc.cells.scoreboard import PLAN, run_scoreboard
    from nmc.cells.verdicts import judge, summarise

    if source:
        os.environ["NMC_SOURCE"] = source  # this process and its workers
    rows = run_scoreboard(
        select_models(models) or None,
        plan=PLAN[:1] if rest_only else PLAN,
        n_workers=workers,
        keep=keep,
    )
    if keep:
        from nmc.cells.scoreboard import load_scoreboard

        click.echo(summarise(load_scoreboard()))
        return
    rest = rows[(rows["protocol"] == "rest") & (rows["settings"].str.contains("published"))]
    click.echo(summarise(judge(rest.reset_index(drop=True))))


def select_models(given) -> list[str]:
    """Model names for names, me-types, m-types, layers, or ``all``."""
    from nmc import names
    from nmc.errors import UnknownNameError

    every = [names.parse_model(name) for name in names.model_names()]
    chosen: list[str] = []
    for word in given:
        found = [m.name for m in every if word in (m.name, m.metype, m.mtype, m.layer, "all")]
        if not found:
            raise UnknownNameError.of("model or m-type", word, names.model_names())
        chosen += found
    return list(dict.fromkeys(chosen))
