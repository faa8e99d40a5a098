"""The one code hash: whatever a cached result depends on changes its key."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nmc
import pytest
from nmc.code_hash import code_hash, modules_behind
from nmc.errors import UnknownNameError

#: Kind of kept result → a call that gives its key, and modules that it depends on from afar.
KINDS = {
    "run": ("nmc.cells.mechanisms.result_key('nmc.cells._run:run', {}, {})",
            ["nmc.cells.build", "nmc.cells.mechanisms", "nmc.child"]),
    "table of a call": (
        "nmc.cells.mechanisms.result_key('nmc.cells.stimulation:simulate_bap', {}, {})",
        ["nmc.cells.stimulation", "nmc.cells.protocols", "nmc.cells.settings", "nmc.cells._run"],
    ),
    "attenuation": (
        "nmc.cells.mechanisms.result_key('nmc.circuit._neuron:run_attenuation', {}, {})",
        ["nmc.cells._run", "nmc.cells.build"],
    ),
    "pair": ("nmc.cells.mechanisms.result_key('nmc.circuit._neuron:run_pair', {}, {})",
             ["nmc.circuit._neuron", "nmc.cells.mechanisms"]),
    "network": ("nmc.cells.mechanisms.result_key('nmc.circuit._neuron:run_circuit', {}, {})",
                ["nmc.circuit._neuron", "nmc.cells.build"]),
    "row of a sweep": ("nmc.cells.sweep.makings('step')['code_sha256']",
                       ["nmc.cells.protocols", "nmc.cells.settings", "nmc.cells._run"]),
    "row of the scoreboard": ("nmc.cells.sweep.makings('rest')['code_sha256']",
                              ["nmc.cells.protocols", "nmc.cells.measures", "nmc.child"]),
    "row of a pathway": ("nmc.circuit.scores.makings()['code_sha256']",
                         ["nmc.circuit.pairs", "nmc.circuit.synaptome", "nmc.circuit._neuron"]),
    "opened connectome": ("nmc.connectome.read.compact_name('0')", ["nmc.connectome.hdf5"]),
    "row of an ensemble": ("nmc.code_hash.code_hash('nmc.connectome.ensembles')",
                           ["nmc.parts", "nmc.connectome.kernels.simplices"]),
}  # fmt: skip

#: Runs in a copy of the package: prints the keys as they are, and after each change.
_SCRIPT = """
import importlib, json, pathlib, sys
import nmc, nmc.code_hash
kinds = json.loads(sys.argv[1])
root = pathlib.Path(nmc.__file__).parent
for call in {c.rpartition("(")[0] for c, _ in kinds.values()}:
    importlib.import_module(call.split("(")[0].rpartition(".")[0])

def keys(names):
    importlib.reload(nmc.code_hash)  # as another process
    return {name: eval(kinds[name][0]) for name in names}

before, same = keys(kinds), []
for module in sorted({m for _, modules in kinds.values() for m in modules}):
    path = root.joinpath(*module.split(".")[1:]).with_suffix(".py")
    text = path.read_text()
    names = [n for n, (_, modules) in kinds.items() if module in modules]
    path.write_text(text + "\\n_ANOTHER = 1\\n")
    same += [[n, module] for n, key in keys(names).items() if key == before[n]]
    path.write_text(text + "\\n# a comment\\n\\n\\n")
    same += [[n, module, "comment"] for n, key in keys(names).items() if key != before[n]]
    path.write_text(text)
print(json.dumps(same))
"""


#: Runs in a copy of the package: a session in which a module is changed under its feet.
_OUTLIVED = """
import pathlib, sys
import nmc.data, nmc.cells.mechanisms as results
from nmc.code_hash import code_hash
from nmc.errors import ChangedCodeError
key = lambda: results.result_key("nmc.cells._run:run", {}, {})
if sys.argv[1] == "asked before":
    first = key()
path = pathlib.Path(nmc.__file__).parent / "cells" / "build.py"
text = path.read_bytes()
path.write_bytes(text + b"\\n_ANOTHER = 1\\n")
try:
    sys.exit(f"a key was given: {key()}")
except ChangedCodeError as error:
    assert "nmc.cells.build" in str(error) and "restart" in str(error)
code_hash("nmc.names")  # does not depend on it
path.unlink()
try:
    sys.exit(f"a key was given: {key()}")
except nmc.errors.NMCError:
    pass
path.write_bytes(text)  # touched, and the same
assert len(key()) >= 16
if sys.argv[1] == "asked before":
    assert key() == first
"""


@pytest.fixture(scope="module")
def copy_of_the_package(tmp_path_factory):
    folder = tmp_path_factory.mktemp("package")
    shutil.copytree(Path(nmc.__file__).parent, folder / "nmc",
                    ignore=shutil.ignore_patterns("sample", "__pycache__"))  # fmt: skip
    return folder


def run_in(folder: Path, script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, *arguments],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.neuron
def test_a_constant_changed_anywhere_below_a_result_changes_its_key(copy_of_the_package):
    assert json.loads(run_in(copy_of_the_package, _SCRIPT, json.dumps(KINDS))) == []


@pytest.mark.parametrize("when", ["asked before", "asked first now"])
def test_a_session_that_outlives_an_upgrade_stamps_nothing(copy_of_the_package, when):
    run_in(copy_of_the_package, _OUTLIVED, when)


def write(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text)


def test_comments_docstrings_layout_and_types_do_not_count_and_code_does(tmp_path, monkeypatch):
    from nmc import code_hash as room

    write(
        tmp_path,
        one='"""One."""\ndef f(x):\n    """Add."""\n    return x + 1\n',
        two='"""Two,\nlonger."""\n\n\ndef f(x):  # why\n    return (x\n        + 1)\n',
        three="def f(x):\n    return x + 2\n",
    )
    monkeypatch.setattr(room, "_path", lambda name: tmp_path / f"{name}.py")
    one, two, three = (room._read.__wrapped__(name)[0] for name in ("one", "two", "three"))
    assert one == two != three


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import nmc.cells.build", {"nmc.cells.build"}),
        ("def f():\n    from nmc.cells import build", {"nmc.cells.build"}),
        ("from nmc.published import compare", {"nmc.published"}),
        ("TASK = 'nmc.cells._run:run'", {"nmc.cells._run"}),
        ("import nmc\nx = nmc.load_layers", {"nmc.factsheets.layers"}),
        ("from nmc import names, load_layers", {"nmc.names", "nmc.factsheets.layers"}),
        ("from nmc.data import fetch", set()),  # each file's content is in the key instead
        ("if TYPE_CHECKING:\n    from nmc.cells import build", set()),
        ("import numpy\nx = 'nmc.cells._run:run and more'", set()),
    ],
)
def test_imports_are_followed_in_every_form(tmp_path, monkeypatch, text, found):
    from nmc import code_hash as room

    real = room._path
    (tmp_path / "own.py").write_text(text + "\n")
    monkeypatch.setattr(room, "_path", lambda n: tmp_path / "own.py" if n == "own" else real(n))
    assert set(room._read.__wrapped__("own")[1]) == found


def test_a_table_beside_a_module_is_part_of_it(tmp_path, monkeypatch):
    from nmc import code_hash as room

    write(tmp_path, one="def f():\n    return open(beside('facts.csv'))\n", two="x = 1\n")
    monkeypatch.setattr(room, "_path", lambda name: tmp_path / f"{name}.py")
    (tmp_path / "facts.csv").write_text("low\n0\n")
    one, two = (room._read.__wrapped__(name)[0] for name in ("one", "two"))
    (tmp_path / "facts.csv").write_text("low\n1\n")
    assert room._read.__wrapped__("one")[0] != one
    assert room._read.__wrapped__("two")[0] == two


def test_nothing_is_followed_twice_and_all_that_is_reached_exists():
    behind = modules_behind("nmc.cells.measures")
    assert behind == sorted(set(behind)) and "nmc.cells._run" in behind
    assert code_hash("nmc.names", "nmc.errors") == code_hash("nmc.errors", "nmc.names", "nmc.names")
    assert code_hash("nmc.names") != code_hash("nmc.errors")
    with pytest.raises(UnknownNameError, match=r"nmc\.four"):
        code_hash("nmc.four")
