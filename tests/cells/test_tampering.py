"""A folder that is changed around or after loading: what it holds then neither runs nor counts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nmc
import pytest
from nmc.cells import by_hand, mechanisms
from nmc.cells.package import read_package
from nmc.circuit.network import with_continuous_synapses
from nmc.errors import PackageError


def append(path: Path, text: str = "\n: changed\n") -> None:
    path.write_text(path.read_text() + text)


def folder_link(folder: Path, name: str) -> None:
    (folder.parent / "elsewhere").mkdir()
    (folder.parent / "elsewhere/__init__.py").write_text("")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(folder.parent / "elsewhere")


def pipe(folder: Path, name: str) -> None:
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)


def file_link(folder: Path, name: str) -> None:
    (folder / name).rename(folder.parent / "moved")
    (folder / name).symlink_to(folder.parent / "moved")


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (folder_link, "numpy"), (folder_link, "x86_64"), (folder_link, "run.py"),
        (pipe, "run.py"), (pipe, "more.hoc"), (file_link, "README"), (file_link, "template.hoc"),
    ],
)  # fmt: skip
def test_a_package_with_a_link_or_a_pipe_is_not_read(copy, change, name):
    change(copy, name)
    with pytest.raises(PackageError, match=f"{name} is a link, or no file"):
        read_package(copy, trust=True)


def test_a_mod_file_changed_after_loading_is_not_compiled(copy, monkeypatch):
    monkeypatch.setattr(mechanisms, "library_of", lambda *a: pytest.fail("would be compiled"))
    package = read_package(copy)
    for name in ("Ih", "ProbAMPANMDA_EMS"):
        path = package.mods[name]
        kept = path.read_text()
        append(path)
        for call in (
            lambda: mechanisms.libraries_of([package], synapses=True),
            lambda: mechanisms.rename_clashes([package]),
            lambda: with_continuous_synapses(package),
        ):
            with pytest.raises(PackageError, match=rf"{name}\.mod .*changed after .* was loaded"):
                call()
        path.write_text(kept)
    package.mods["Ih"].unlink()
    with pytest.raises(PackageError, match="changed after"):
        mechanisms.libraries_of([package])


def test_rewritten_synapses_are_what_is_compiled(small, monkeypatch):
    monkeypatch.setattr(mechanisms, "library_of", lambda texts, *_: texts)
    own = mechanisms.libraries_of([small], synapses=True)
    texts = mechanisms.libraries_of([with_continuous_synapses(small)], synapses=True)
    changed = {name for name in own if own[name] != texts[name]}
    assert changed == {"ProbAMPANMDA_EMS", "ProbGABAAB_EMS"}
    assert all("METHOD cnexp" in texts[name] for name in changed)


@pytest.mark.parametrize("file", ["morphology.hoc", "biophysics.hoc", "mechanisms/Ih.mod"])
def test_scaling_does_not_trust_what_was_changed_after_loading(copy, file):
    package = read_package(copy)
    append(copy / file)
    with pytest.raises(PackageError, match="changed after the package was loaded"):
        nmc.scale_channels(package, {"Ih": 1.25})


@pytest.mark.neuron
def test_a_cell_is_built_from_the_files_that_were_checked(copy):
    """NEURON reads morphology and synapses anew for each cell: a copy, not what lies there now."""
    package = read_package(copy)
    code = f"""
import json
from pathlib import Path
import nmc
from nmc.cells.build import build_cell
package = nmc.load_package({str(copy)!r})
cells = [nmc.load_cell(package, synapses=True)]
for file in ({str(package.morphology)!r}, {str(copy / "synapses/synapses.tsv")!r}):
    Path(file).write_text("not what was checked")
spec = package.to_spec()
cells.append(build_cell(spec, synapses=True))
try:
    build_cell(spec)
except nmc.errors.PackageError as error:
    told = str(error)
counts = [[len(c.sections), len(c.hoc.synapses.netcon_list)] for c in cells]
print(json.dumps([counts, told]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=500
    )
    [one, two], told = json.loads(done.stdout.splitlines()[-1])
    assert one == two and one[0] > 5 and one[1] == len(package.synapses)
    assert "changed after the package was loaded" in told


def test_tables_say_that_their_package_is_invented(copy):
    (copy / "python_recordings").mkdir(exist_ok=True)
    (copy / "python_recordings/soma_voltage_step1.dat").write_text("0 -70\n0.1 10\n")
    for table in (
        nmc.compute_morphometrics(copy),
        nmc.compute_sholl(copy),
        by_hand.read_recording(copy),
    ):
        assert table.attrs["invented"] and table.attrs["origin"] in {"sample", "own package"}
