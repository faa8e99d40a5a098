"""What the command line is given: an answer, or an exit code and one readable sentence.

Commands, options and arguments are found in the group, so that a new one is swept, too.
"""

from __future__ import annotations

import os

import click
import nmc
import pandas as pd
import pytest
from nmc import cli
from nmc.circuit import ranks
from nmc.cli import shared

M = "L1_HAC_cNAC187_1"
#: What is no number, name, key or path to work with.
GIVEN = (
    "", "-1", "0", "nan", "1e400", "9" * 30, "./missing/deeper", "file.txt", "file.txt/below",
    "folder", "bad.zip", "a\x1b[31mb\tc", "y" * 5000, "[", "~no-such-user/x", "http://[",
    "/proc/nothing", "\udcff",
)  # fmt: skip
#: What fits a parameter that is needed, so that another one can be tried.
FITS = {"model": M, "models": M, "origins": "file.txt", "keys": "sheet/layers", "folder": "folder",
        "classes": "morphometrics/neurites"}  # fmt: skip


def find_commands(group: click.Group, words: tuple[str, ...] = ()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from find_commands(command, (*words, name))
        else:
            yield (*words, name), command


CASES = [
    pytest.param(words, command, one, id=f"{'-'.join(words)}-{one.name}")
    for words, command in find_commands(cli.group)
    for one in command.params
    if not getattr(one, "is_flag", False)
]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Return a folder to work in, with an empty tree as the source; nothing may run NEURON."""
    (tmp_path / "file.txt").write_text("x")
    (tmp_path / "bad.zip").write_bytes(b"PK\3\4 nothing")
    for name in ("folder", "tree"):
        (tmp_path / name).mkdir()
    (tmp_path / "folder" / "a").write_text("mine")

    def leave(code=0):
        raise click.exceptions.Exit(code)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NMC_SOURCE", str(tmp_path / "tree"))
    monkeypatch.setenv("NMC_OFFLINE", "1")
    monkeypatch.setattr(ranks, "leave", leave)
    return tmp_path


def run(capfd, *words: str) -> tuple[int, str]:
    """Call the command line in this process: its exit code, and what it said on stderr."""
    kept = os.environ.get("NMC_SOURCE", "")
    with pytest.raises(SystemExit) as ended:
        cli.main(list(words))
    os.environ["NMC_SOURCE"] = kept
    return ended.value.code, capfd.readouterr().err


def is_readable(said: str) -> bool:
    """Whether an error is a sentence; after it, indented, the addresses that were tried."""
    *_, last = (line for line in said.splitlines() if line and line[0] != " ")
    return last.isprintable() and 15 < len(last) < 6000 and "Traceback" not in said


@pytest.mark.parametrize(("words", "command", "one"), CASES)
def test_whatever_a_command_is_given_the_answer_is_a_result_or_one_sentence(
    words, command, one, here, capfd
):
    for value in GIVEN:
        before = {path for path in here.rglob("*") if path.is_file()}
        options, arguments = [], []
        for other in command.params:
            what = value if other is one else FITS.get(other.name, "x")
            needed = other is one or other.required or other.name == "classes"
            if needed and isinstance(other, click.Argument):
                arguments.append(what)
            elif needed:
                options += [other.opts[0], what]
        code, said = run(capfd, *words, *options, "--", *arguments)
        assert code in range(7)
        assert not code or is_readable(said), said
        assert not code or {path for path in here.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("name", ["NMC_SOURCE", "NMC_CACHE", "NMC_OFFLINE"])
def test_whatever_a_setting_is_the_answer_is_a_result_or_one_sentence(
    name, given, here, monkeypatch, capfd
):
    monkeypatch.setenv("NMC_CACHE", str(here / "cache"))
    monkeypatch.setenv(name, given)
    for words in (["list"], ["fetch", "sheet/layers"], ["verify"], ["terms", "--accept"]):
        code, said = run(capfd, *words)
        assert code in range(7)
        assert not code or is_readable(said), said


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["simulate", M, "--set", "dt_ms=nan"], "dt_ms: 'nan' is text; give a number."),
        (["simulate", M, "--set", "dt_ms=1e400"], "dt_ms: inf is not a finite number."),
        (["simulate", M, "--set", "trust=1"], "'trust=1' is not NAME=VALUE"),
        (["simulate", M, "--set", "model=3"], "'model=3' is not NAME=VALUE"),
        (["sweep", M, "--folder", "new", "--set", "folder=x"], "'folder=x' is not NAME=VALUE"),
        (["sweep", M, "--folder", "new", "--workers", "0"], "n_workers: 0 is not between"),
        (["sweep", M, "--folder", "new", "--scheduler", "x"], "No Dask scheduler answers at x"),
        (["sweep", M, "--folder", "file.txt"], "file.txt"),
        (["simulate", M, "--trace", ""], "or '' no name of a file."),
        (["simulate", M, "--trace", "file.txt/below"], "file.txt is no folder to write to"),
        (["scoreboard"], "The source has no package"),
        (["circuit", "run", "folder"], "folder"),
        (["explorer", "folder"], "holds something else than an explorer"),
        (["import", "file.txt"], "holds no file of the registry"),
    ],
)  # fmt: skip
def test_the_sentence_of_a_command_names_what_is_wrong(words, told, here, monkeypatch, capfd):
    if M in words:
        monkeypatch.setenv("NMC_SOURCE", "sample")
    code, said = run(capfd, *words)
    assert code in range(1, 7) and told in said and is_readable(said)
    assert (here / "file.txt").read_text() == "x" and (here / "folder" / "a").is_file()


def test_a_name_in_an_error_gives_a_terminal_no_orders(capfd):
    shared.tell("a\x1b[31m\rred\nline")
    assert capfd.readouterr().err == "nmc: a\\x1b[31m\\rred\nline\n"


def test_a_trace_that_cannot_be_written_leaves_the_old_one(here, monkeypatch, capfd):
    def simulate(*given, **settings):
        table = pd.DataFrame({"t_ms": [0.0]})
        table.attrs = {"origin": "sample", "invented": True}
        return table

    monkeypatch.setattr(nmc, "simulate_step", simulate)
    assert run(capfd, "simulate", M, "--trace", "trace.csv")[0] == 0
    assert (here / "trace.csv").read_text() == "t_ms,origin,invented\n0.0,sample,True\n"
    monkeypatch.setattr(pd.DataFrame, "to_csv", lambda *given, **how: "\udcff")
    with pytest.raises(UnicodeEncodeError):
        cli.main(["simulate", M, "--trace", "trace.csv"])
    assert (here / "trace.csv").read_text().startswith("t_ms")
