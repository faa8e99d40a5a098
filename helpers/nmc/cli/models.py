"""The commands that compute: simulations, sweeps, comparisons, and the fact sheets' pages."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

import click

import nmc
from nmc.cli import shared
from nmc.data.files import written
from nmc.errors import CacheError, NMCError, UnknownNameError
from nmc.names import canonical_layer, canonical_metype, canonical_mtype, model_names, parse_model

_PROTOCOLS = ("step", "rest", "fi", "threshold", "chirp", "bap", "epsp", "bombardment")
_mode = click.option(
    "--mode", type=click.Choice(["published", "converged"]), default="published", show_default=True,
    help="The package's own time step, or an accurate and faster integration.",
)  # fmt: skip
_step = click.option(
    "--step", type=click.IntRange(1, 3), default=1, show_default=True, help="Step current."
)
_workers = click.option("--workers", default=2, show_default=True, help="Models at the same time.")
_verify = click.option(
    "--verify", type=click.IntRange(1), metavar="N",
    help="Run N recorded rows of each kind again; if all are the same, stamp the rows.",
)  # fmt: skip
_trust = click.option("--trust", is_flag=True, help="Run the code of packages that are not known.")
_packages = click.option(
    "--source", help="Where the packages come from; NMC_SOURCE unless given.", expose_value=False,
    callback=lambda _, __, source: source and os.environ.update(NMC_SOURCE=source),
)  # fmt: skip


def _protocol(*names_of_protocols: str):
    return click.option("--protocol", type=click.Choice(names_of_protocols), default="step",
                        show_default=True)  # fmt: skip


_more = click.option(
    "--set", "more", multiple=True, metavar="NAME=VALUE",
    help="Another setting of the protocol, e.g. --set dt_ms=0.0125 (nmc.RunSettings lists them).",
)  # fmt: skip


#: What the calls take beside settings; each is an option or argument of its own.
_OPTIONS = ("model", "models", "protocol", "folder", "cluster", "n_workers", "trust")


def _settings(protocol: str, step: int, mode: str, words) -> dict:
    """Settings of a protocol, those given as ``name=value`` too; JSON is taken as such."""
    found = {"mode": mode, "step": step} if protocol == "step" else {"mode": mode}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or not name.isidentifier() or name in _OPTIONS:
            raise click.BadParameter(f"{word!r} is not NAME=VALUE", param_hint="--set")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


@click.command("simulate")
@click.argument("model")
@_protocol("step", "rest")
@_step
@_mode
@shared.as_json
@click.option("--trace", type=click.Path(dir_okay=False, writable=True, path_type=Path),
              help="Write the trace to this CSV file.")  # fmt: skip
@_more
@_trust
def simulate_command(model, protocol, step, mode, as_json, trace, more, trust) -> None:
    """Run one protocol on one MODEL and print its numbers.

    MODEL is a name or a package's path.

    \b
    nmc simulate L1_HAC_cNAC187_1
    nmc simulate ./my-cell --trust
    nmc simulate L1_HAC_cNAC187_1 --step 2 --trace trace.csv --json
    """
    if trace and (trace.is_dir() or not os.access(f"{trace.parent}/.", os.W_OK)):
        why = f"{trace.parent} is no folder to write to, or {trace.name!r} no name of a file."
        raise click.BadParameter(why, param_hint="--trace")
    call = nmc.simulate_step if protocol == "step" else nmc.simulate_rest
    table = call(model, trust=trust, **_settings(protocol, step, mode, more))
    made = {name: table.attrs[name] for name in ("origin", "invented")}
    if trace:
        with written(trace, CacheError) as draft:
            draft.write_text(table.assign(**made).to_csv(index=False), "utf-8")
    if as_json:
        shared.show_json(table.attrs)
        return
    click.echo(f"data: {made['origin']}" + (", invented numbers" if made["invented"] else ""))
    for name, value in table.attrs.items():
        if name not in ("spike_times_ms", "package_sha256", *made):
            click.echo(f"{name}: {value}")


@click.command("sweep")
@click.argument("models", nargs=-1, required=True)
@_protocol(*_PROTOCOLS)
@_step
@_mode
@click.option("--folder", type=click.Path(path_type=Path), required=True,
              help="Where the rows are kept.")  # fmt: skip
@_workers
@click.option("--scheduler", help="Address of a Dask scheduler, instead of this machine.")
@_more
@_trust
@click.pass_context
def sweep_command(
    context, models, protocol, step, mode, folder, workers, scheduler, more, trust
) -> None:
    """Run one protocol over many MODELS.

    MODELS are names, m-types, me-types, layers, packages' paths, or 'all'; of a type or layer those
    run whose packages the source has. Started again with the same folder it runs only what is
    missing, failed or out of date.
    Ends with exit code 1 when a model failed; the others' rows are there.

    \b
    nmc sweep L1 --folder sweeps/l1
    nmc sweep all --protocol rest --mode converged --folder sweeps/rest
    """
    paths = [word for word in models if Path(word).exists()]
    chosen = [*paths, *_at_hand([word for word in models if word not in paths])]
    rows = nmc.sweep(
        chosen, protocol, folder=folder, cluster=scheduler, n_workers=workers, trust=trust,
        **_settings(protocol, step, mode, more),
    )  # fmt: skip
    failed = rows[rows["error"].notna()]
    click.echo(f"{len(rows) - len(failed)} of {len(rows)} models done; rows in {folder / protocol}")
    _name_failures(failed, "model")
    context.exit(1 if len(failed) else 0)


def _at_hand(words: list[str]) -> list[str]:
    """Models that some words name; of a group those whose packages the source has."""
    ready, chosen = set(nmc.available_models()), []
    for word in words:
        found = select_models([word])
        here = [model for model in found if model in ready]
        if len(found) == 1:
            here = found  # asked for by name: what is missing is an error
        elif not here:
            raise click.UsageError(
                f"The source has no package of {word}; 'nmc list model' has more."
            )
        elif len(here) < len(found):
            click.echo(f"{word}: the source has {len(here)} of {len(found)} packages.", err=True)
        chosen += [model for model in here if model not in chosen]
    return chosen


def _name_failures(rows, column: str) -> None:
    for name, error in zip(rows[column], rows["error"], strict=True):
        click.echo(f"{name}: {error}", err=True)


@click.command("scoreboard")
@click.argument("models", nargs=-1)
@_packages
@_workers
@click.option("--only", type=click.Choice(["rest", "threshold", "step"]), help="One protocol.")
@click.option("--keep", is_flag=True, help="Update the recorded rows that come with the package.")
@_verify
def scoreboard_command(models, workers, only, keep, verify) -> None:
    """Compare MODELS with their fact sheets.

    At rest, and by their counts of spikes; all models of the source by default. Started again it
    runs only what is missing, failed or out of date.

    \b
    nmc scoreboard L1_HAC_cNAC187_1 --only rest
    """
    from nmc import scoreboard

    if verify:
        click.echo(f"{scoreboard.verify(verify)} rows stamped")
        return
    plan = [entry for entry in scoreboard.PLAN if only in (None, entry[0])]
    chosen = select_models(models) or None
    rows = scoreboard.run_scoreboard(chosen, plan=plan, n_workers=workers, keep=keep)
    if keep:
        click.echo(scoreboard.summarise(scoreboard.load_scoreboard()))
        return
    rest = rows[(rows["protocol"] == "rest") & (rows["settings"].str.contains("published"))]
    if len(rest):
        click.echo(scoreboard.summarise(scoreboard.judge(rest.reset_index(drop=True))))


@click.command("scoreboard-pathways")
@_packages
@_verify
def pathways_command(verify) -> None:
    """Record pathways and compare them with their sheets.

    Takes about an hour on one core; started again it records only what is missing or stale.

    \b
    nmc scoreboard-pathways --source /data/nmc
    """
    from nmc.circuit import scores

    if verify:
        click.echo(f"{scores.verify(verify)} rows stamped")
        return
    rows = scores.run_pathways()
    click.echo(scores.summarise(rows).round(2).to_string())
    _name_failures(rows[rows["error"].notna()], "pathway")


@click.group("circuit")
def circuit_command() -> None:
    """Run a circuit that nmc.write_circuit wrote."""


@circuit_command.command("run")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@_trust
def circuit_run_command(folder, trust) -> None:
    """Simulate the circuit in FOLDER; under mpiexec each rank simulates its share of the cells.

    The folder must be one that all ranks see. nmc.read_circuit(plan, FOLDER) reads the result.

    \b
    mpiexec -n 4 nmc circuit run FOLDER
    """
    from nmc.circuit import ranks

    try:
        run, rank = ranks.run_folder(folder, trust=trust)
    except (NMCError, OSError) as error:  # one rank's failure ends all of them
        shared.tell(error)
        ranks.leave(shared.exit_code(error))
    if rank == 0:
        click.echo(f"{folder}: run {run.run_id}, {len(run.parts)} of {len(run.parts)} parts done")
    ranks.leave()


def select_models(given) -> list[str]:
    """Model names for names, me-types, m-types, layers, or ``all``."""
    every = [parse_model(name) for name in model_names()]
    chosen: list[str] = []
    for word in given:
        for spell in (parse_model, canonical_metype, canonical_mtype, canonical_layer):
            with suppress(UnknownNameError):
                word = str(spell(word))
        found = [m.name for m in every if word in (m.name, m.metype, m.mtype, m.layer, "all")]
        if not found:
            raise UnknownNameError.of("model or m-type", word, model_names())
        chosen += found
    return list(dict.fromkeys(chosen))


@click.command("check-sheets")
@shared.as_json
def sheets_command(as_json: bool) -> None:
    """List what the fact sheets of the source disagree on.

    Nothing is repaired. The last line says how many values were compared.

    \b
    nmc check-sheets
    nmc check-sheets --json | jq '.[].item'
    """
    findings = nmc.check_factsheets()
    rows = findings.to_dict("records")
    if as_json:
        shared.show_json(rows)
        return
    for row in rows:
        click.echo(f"{row['file']}: {row['item']}: {row['found']}, not {row['expected']}")
        click.echo(f"    {row['remark'].strip()}")
    compared = sum(findings.attrs["compared"].values())
    click.echo(f"{len(findings)} findings in {compared:,} comparisons")


@click.command("checks")
@click.argument("classes", nargs=-1)
@_packages
@click.option("--slow", is_flag=True, help="Also what simulates for minutes.")
@click.option("--keep", is_flag=True, help="All of it, and record what the portal's files gave.")
@shared.as_json
def checks_command(classes, slow, keep, as_json) -> None:
    """Compare printed numbers with the source's files.

    One line a class of numbers: how many were compared, how many agree, and why the others do
    not; beside it what was recorded on the portal's files. CLASSES are names; all by default.

    \b
    nmc checks
    nmc checks morphometrics/neurites --source /data/nmc
    """
    from nmc import checks

    table = checks.check_numbers(classes or None, slow=slow or keep)
    if keep:
        click.echo(f"{checks.keep(table)} classes recorded", err=True)
    if as_json:
        shared.show_json(table.drop(columns="files").reset_index().to_dict("records"))
        return
    for line in checks.tell(table):
        click.echo(line)


@click.command("explorer")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--home", default="../index.html", show_default=True, help="Address of the book.")
def explorer_command(folder: Path, home: str) -> None:
    """Write the fact sheet explorer into FOLDER.

    Its first page's path is printed. The pages work from a disk, without a server or a network;
    what FOLDER held is replaced.

    \b
    nmc explorer explorer
    """
    from nmc.factsheets.explorer import build_explorer

    if folder.is_dir() and any(folder.iterdir()) and not (folder / "explorer.js").is_file():
        raise click.UsageError(f"{folder} holds something else than an explorer: name another.")
    click.echo(build_explorer(folder, home=home))


COMMANDS = (
    simulate_command, sweep_command, scoreboard_command, pathways_command, circuit_command,
    sheets_command, checks_command, explorer_command,
)  # fmt: skip
