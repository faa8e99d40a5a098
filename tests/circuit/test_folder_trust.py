"""Nothing that lies in a circuit's folder runs unless nmc knows it or the caller trusts it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import nmc
import pytest
from nmc.circuit import ranks
from nmc.errors import CircuitError, PartsError

ATTACK = 'system("touch %s")\n'


@pytest.fixture(scope="module")
def plan():
    connectome = nmc.default_connectome()
    neurons = nmc.choose_neurons(connectome, {"L5_MC": 2}, rng=2)
    return nmc.plan_circuit(connectome, neurons, drive=1.6, seed=4, missing="skip")


@pytest.fixture
def folder(plan, tmp_path):
    return nmc.write_circuit(plan, tmp_path / "circuit", tstop_ms=2.0, record=[0])


@pytest.fixture
def marker(tmp_path):
    """Return the file that foreign code would leave."""
    yield tmp_path / "marker"
    assert not (tmp_path / "marker").exists()


def edit(folder, change, *, forged=True):
    """Change what circuit.json says to simulate; forged, its hashes fit."""
    path = folder / "circuit.json"
    told = json.loads(path.read_text())
    change(told["params"])
    if forged:
        cells = [{k: v for k, v in c.items() if k != "folder"} for c in told["params"]["cells"]]
        text = json.dumps(told["params"] | {"cells": cells}, sort_keys=True)
        told["made_from"]["params"] = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(json.dumps(told))


def run(folder, *options, cwd=None):
    command = [sys.executable, "-P", "-m", "nmc", "circuit", "run", str(folder), *options]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def infect(folder, marker):
    """Let each package of the folder leave the marker when it is run."""
    for path in (folder / "packages").glob("*/morphology.hoc"):
        path.write_text(ATTACK % marker + path.read_text())


@pytest.mark.neuron
def test_libraries_that_a_file_names_are_not_loaded(plan, folder):
    edit(folder, lambda params: params.update(libraries=["evil.so"]))
    status, told = run(folder)
    assert status == 0, told
    with pytest.raises(PartsError, match="made from something else"):
        nmc.read_circuit(plan, folder)


def test_writing_a_circuit_removes_libraries_that_lay_there(plan, folder):
    (folder / "mechanisms").mkdir(exist_ok=True)
    (folder / "mechanisms" / "evil.so").write_text("")
    nmc.write_circuit(plan, folder, tstop_ms=2.0)
    assert not (folder / "mechanisms").exists()


def test_a_changed_setting_is_refused_before_anything_runs(folder):
    edit(folder, lambda params: params["drive_nA"].__setitem__(0, 0.5), forged=False)
    told = json.loads((folder / "circuit.json").read_text())
    with pytest.raises(CircuitError, match=r"circuit\.json is not as it was written"):
        ranks._prepare(folder, told, False)


@pytest.mark.neuron
def test_a_changed_setting_is_not_read_as_the_plan_s(plan, folder):
    edit(folder, lambda params: params["drive_nA"].__setitem__(0, 0.5), forged=False)
    status, told = run(folder)
    assert status == 1 and "circuit.json is not as it was written" in told
    edit(folder, lambda params: None)
    assert run(folder)[0] == 0
    with pytest.raises(PartsError, match="made from something else: params is"):
        nmc.read_circuit(plan, folder)


@pytest.mark.neuron
def test_libraries_that_lie_in_the_folder_are_not_loaded(plan, folder):
    """Their names can be foreseen; NEURON would end at one that is no library."""
    assert run(folder)[0] == 0
    libraries = list((folder / "mechanisms").iterdir())
    for library in libraries:
        library.unlink()
        library.write_text("evil")
    status, told = run(folder)
    assert status == 0 and libraries, told
    assert all(library.read_bytes()[:4] != b"evil" for library in libraries)
    assert nmc.read_circuit(plan, folder).attrs["cells"] == 2


@pytest.mark.neuron
def test_names_in_the_file_are_not_put_into_code(plan, folder, marker):
    evil = {"begintemplate": ATTACK % marker + "begintemplate"}
    edit(folder, lambda params: [cell.update(renamed=evil) for cell in params["cells"]])
    assert run(folder)[0] == 0 and not marker.exists()


@pytest.mark.neuron
def test_an_unknown_package_does_not_run_by_what_the_file_says(folder, marker):
    infect(folder, marker)
    digests = {p.name: nmc.load_package(p).content_sha256 for p in (folder / "packages").iterdir()}
    path = folder / "circuit.json"
    told = json.loads(path.read_text())
    told["made_from"] |= {f"package {name}": digest for name, digest in digests.items()}
    path.write_text(json.dumps(told))
    status, said = run(folder)
    assert status != 0 and "trust" in said and not marker.exists()
    assert run(folder, "--trust")[0] == 0 and marker.exists()
    marker.unlink()


@pytest.mark.neuron
@pytest.mark.parametrize("name", ["stdrun.hoc", "import3d.hoc", "libnrnmech.so"])
def test_neuron_loads_nothing_from_where_it_is_started(folder, marker, name):
    lay(folder, name, marker)
    status, told = run(".", cwd=folder)
    assert status == 0, told
    assert "evil" not in told


def lay(folder, name, marker):
    """Put a file where NEURON looks for one of that name."""
    if name.endswith(".hoc"):
        (folder / name).write_text(ATTACK % marker + 'print "evil"\n')
        return
    source = folder.parent / "evil.c"
    source.write_text(
        "#include <stdio.h>\n"
        f'__attribute__((constructor)) static void f(void) {{ fopen("{marker}", "w"); }}\n'
        "void modl_reg(void) {}\n"
    )
    for machine in ("x86_64", "aarch64", "arm64"):
        (folder / machine).mkdir()
        command = ["cc", "-shared", "-fPIC", str(source), "-o", str(folder / machine / name)]
        subprocess.run(command, check=True)


@pytest.mark.neuron
@pytest.mark.parametrize("name", ["stdrun.hoc", "import3d.hoc", "libnrnmech.so"])
def test_a_session_s_cell_loads_nothing_from_the_working_folder(plan, tmp_path, marker, name):
    place = tmp_path / "elsewhere"
    place.mkdir()
    lay(place, name, marker)
    package = next(iter(plan.packages.values()))
    code = f"import nmc, os\nnmc.load_cell({str(package.folder)!r})\nprint(os.getcwd())"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=place, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "evil" not in done.stdout and Path(done.stdout.splitlines()[-1]) == place.resolve()


@pytest.mark.parametrize("name", ['x" system("touch marker")', "x\ny", "a b"])
def test_names_that_hoc_code_cannot_hold_are_refused(plan, tmp_path, name):
    from nmc.cells.build import _define
    from nmc.errors import PackageError

    files = {"template.hoc": b"begintemplate a\n"}
    for renamed in ({"Ih": name}, {name: "Ih"}):
        with pytest.raises(PackageError, match="HOC code cannot hold such names"):
            _define(None, files, tmp_path, "abc", False, {"renamed": renamed})
    with pytest.raises(PackageError, match="HOC code cannot hold such names"):
        _define(None, files, Path('/tmp/x" system("y'), "abc", False, {"renamed": {}})
