"""The command line as a newcomer uses it, in processes of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from nmc import cli, errors
from nmc.cli import group
from nmc.cli.shared import exit_code
from nmc.data import files, registry


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A small tree of our own, a cache of the test's own."""
    tree = tmp_path / "tree"
    place = tree / "assets/documents/static/Download"
    place.mkdir(parents=True)
    (place / "circuit_download.json").write_text('{"a stand-in of the tests": 1}')
    (place / "RmpRiTau_summary.json").write_text('{"a stand-in of the tests": 2}')
    files.write_sums(tree)
    monkeypatch.setenv("NMC_SOURCE", str(tree))
    monkeypatch.setenv("NMC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(registry, "_log", {})
    return tree


def run(*args: str, stdout=subprocess.PIPE, encoding="utf-8", **env) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", "from nmc.cli import main; main()", *args]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, encoding=encoding,
                          timeout=60, check=False, env={**os.environ, **env})  # fmt: skip


def call(*args: str):
    return CliRunner().invoke(group, args, prog_name="nmc")


def test_help_teaches():
    shown = call("--help").output
    for name, command in group.commands.items():
        assert name in shown and command.get_short_help_str(limit=55) in shown
        assert not command.get_short_help_str(limit=55).endswith("..."), "a line says it all"
    assert "NMC_SOURCE" in shown and "Exit codes" in shown


@pytest.mark.parametrize("name", group.commands)
def test_every_command_explains_itself(name):
    shown = call(name, "--help")
    assert shown.exit_code == 0 and len(shown.output.splitlines()) > 6
    assert "nmc " + name in shown.output


def test_a_mistyped_command_is_guessed():
    shown = call("fetsch")
    assert shown.exit_code == 2 and "Did you mean 'fetch'?" in shown.output


def test_list(shop):
    shown = call("list", "sheet").output
    assert "sheet/circuit" in shown and "tree" in shown
    rows = json.loads(call("list", "sheet", "--json").stdout)
    assert [row["key"] for row in rows][0] == "sheet/circuit"
    assert {row["key"]: row["at_hand"] for row in rows}["sheet/layers"] == ""
    families = call("list").output
    assert "1035" in families and "connectome" in families
    here = json.loads(call("list", "--here", "--json").stdout)
    assert {row["key"] for row in here} == {"sheet/circuit", "sheet/models"}


def test_fetch_prints_paths_and_only_paths_on_stdout(shop):
    done = run("fetch", "sheet/circuit", "sheet/models")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 2 and all(os.path.isfile(line) for line in lines)


def test_exit_codes(shop):
    missing = run("fetch", "sheet/layers")
    assert missing.returncode == 3 and "Traceback" not in missing.stderr
    assert "layer_download.json" in missing.stderr
    unknown = run("fetch", "sheet/layer")
    assert unknown.returncode == 2 and "'sheet/layers'" in unknown.stderr
    terms = run("fetch", "sheet/layers", "--source", "portal")
    assert terms.returncode == 6 and "nmc terms" in terms.stderr
    (shop / "assets/documents/static/Download/circuit_download.json").write_text("{")
    damaged = run("fetch", "sheet/circuit")
    assert damaged.returncode == 5 and "circuit_download.json" in damaged.stderr
    assert run("verify", "--source", str(shop)).returncode == 5


def test_every_error_has_an_exit_code():
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.NMCError)
    ]
    codes = {kind.__name__: exit_code(kind("x")) for kind in kinds}
    assert codes["OfflineError"] == 4 and codes["SourceError"] == 1 and codes["PackageError"] == 5
    assert set(codes.values()) == {1, 2, 3, 4, 5, 6}


def test_terms_are_shown_and_accepted(shop):
    shown = call("terms").output
    assert "Swiss law" in shown and "Not accepted" in shown
    assert "Accepted for this cache" in call("terms", "--accept").output
    assert json.loads(call("terms", "--json").stdout)["accepted"]["how"] == "nmc terms --accept"


def test_cite(shop):
    assert call("cite").output.count("https://doi.org/") == 5
    assert call("cite", "sheet").output.count("https://doi.org/") == 3
    assert call("cite", "--format", "bibtex", "sheet/layers").output.count("@article{") == 3


def test_export_and_verify(shop, tmp_path):
    out = tmp_path / "for-my-class"
    done = call("export", str(out), "--quiet")
    assert done.exit_code == 0 and "2 files exported" in done.output
    assert (out / "SHA256SUMS").is_file() and (out / "README.txt").is_file()
    assert call("verify", "--source", str(out), "--quiet").exit_code == 0
    again = CliRunner().invoke(group, ["export", str(out)])
    assert isinstance(again.exception, errors.SourceError)


def test_completion_knows_keys(monkeypatch):
    env = {**os.environ, "_NMC_COMPLETE": "bash_complete", "COMP_WORDS": "nmc fetch sheet/l"}
    env["COMP_CWORD"] = "2"
    command = [
        sys.executable,
        "-c",
        "import sys; sys.argv[0]='nmc'; from nmc.cli import main; main()",
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, check=False)
    assert "sheet/layers" in done.stdout


def test_the_group_imports_nothing_heavy():
    code = (
        "import sys, nmc.cli;"
        "heavy = {'pandas', 'numpy', 'neuron', 'requests', 'pooch', 'matplotlib'};"
        "sys.exit(bool(heavy & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


FULL = Path("/dev/full")


@pytest.mark.parametrize("command", [("cite",), ("list", "sheet", "--json"), ("--help",)])
@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_one_line(shop, command):
    with FULL.open("w") as full:
        done = run(*command, stdout=full)
    assert (done.returncode, done.stderr) == (1, "nmc: No space left on device\n")


def test_a_reader_that_goes_away_ends_the_command_quietly(shop):
    command = [sys.executable, "-c", "from nmc.cli import main; main()", "list", "model", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as done:
        assert done.stdout.read(1) == b"["
        done.stdout.close()
        said = done.stderr.read()
    assert said == b"" and done.returncode in (0, 1)


def test_a_terminal_in_latin_1_gets_every_citation(shop):
    done = run("cite", PYTHONIOENCODING="latin-1", encoding="latin-1")
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.count("https://doi.org/") == 5
    assert run("cite", PYTHONIOENCODING="ascii").returncode == 0


@pytest.mark.parametrize(
    "command, said",
    [
        (("simulate", "no-such-model", "--trace", "{dir}/none/x.csv"), "none is no folder"),
        (("simulate", "no-such-model", "--trace", "{dir}"), "is a directory"),
        (("explorer", "{file}/pages"), "{file}"),
        (("export", "{file}/copy"), "{file}"),
    ],
)
def test_a_target_that_cannot_be_written_is_one_clear_line(shop, tmp_path, command, said):
    file = tmp_path / "file"
    file.write_text("no folder")
    words = [word.format(dir=tmp_path, file=file) for word in command]
    done = run(*words)
    assert done.returncode in (1, 2), done.stderr
    assert "Traceback" not in done.stderr and said.format(file=file) in done.stderr
    assert file.read_text() == "no folder"


def test_a_sweep_over_a_type_takes_the_packages_that_the_source_has(tmp_path):
    none = run("sweep", "L1_DAC", "--folder", str(tmp_path / "none"))
    assert none.returncode == 2 and "no package of L1_DAC" in none.stderr
    some = run("sweep", "L1_HAC", "--folder", str(tmp_path / "some"), "--workers", "1")
    assert some.returncode == 0 and "1 of 1 models done" in some.stdout
    assert "L1_HAC: the source has 1 of " in some.stderr
    absent = run("sweep", "L1_HAC_bNAC219_1", "--folder", str(tmp_path / "absent"))
    assert absent.returncode == 3 and "L1_HAC_bNAC219_1" in absent.stderr
    (tmp_path / "file").write_text("no folder")
    unwritable = run("sweep", "L1_HAC", "--folder", str(tmp_path / "file" / "rows"))
    assert unwritable.returncode in (1, 2) and str(tmp_path / "file") in unwritable.stderr
    assert "Traceback" not in unwritable.stderr


@pytest.mark.parametrize(
    "command",
    ["fetch {}", "list {}", "cite {}", "import {}", "verify --source {}", "sweep {} --folder {}",
     "simulate {}", "scoreboard {}", "circuit run {}", "list --source {}"],
)  # fmt: skip
def test_a_path_that_does_not_exist_is_said(tmp_path, command):
    done = run(*command.replace("{}", str(tmp_path / "missing")).split())
    assert done.returncode and "Traceback" not in done.stderr and not done.stdout
    assert re.search(r"nor does that path|does not exist|no package at|that exists", done.stderr)
    assert "missing" in done.stderr and not (tmp_path / "missing").exists()


def test_a_scheduler_that_does_not_answer_is_one_line(tmp_path):
    pytest.importorskip("distributed")
    address = ["--folder", str(tmp_path / "rows"), "--scheduler", "tcp://127.0.0.1:9"]
    done = run("sweep", "L1_HAC_cNAC187_1", *address,
               DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT="2s")  # fmt: skip
    assert done.returncode == 1
    assert "127.0.0.1:9" in done.stderr and "Traceback" not in done.stderr


def test_an_interrupt_is_one_word(monkeypatch, capsys):
    def interrupted(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.group, "main", interrupted)
    with pytest.raises(SystemExit) as stopped:
        cli.main([])
    assert stopped.value.code == 130 and capsys.readouterr().err == "nmc: interrupted\n"
