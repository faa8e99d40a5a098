"""Code runs unasked only where the package is known by its content; nothing else does."""

from __future__ import annotations

import csv
import hashlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nmc
import pytest
from nmc.cells import by_hand, known, mechanisms
from nmc.cells.package import read_package
from nmc.data import registry
from nmc.data.registry import item
from nmc.errors import ChecksumError, TrustError

from .conftest import SMALL

REAL = pytest.mark.real


def first(text, code):
    return f"{code}\n{text}"


def before_biophys(text, code):
    return text.replace("proc biophys() {", f"{code}\nproc biophys() {{", 1)


def in_another_procedure(text, code):
    return text.replace("proc distribute(){", f"proc distribute(){{ {code}\n", 1)


def at_the_end(text, code):
    return f"{text}\n{code}\n"


#: file, where in it, what; %s is the marker that must not appear.
ATTACKS = {
    "system": ("template.hoc", first, '{system("touch %s")}'),
    "nrnpython": ("template.hoc", first, "{nrnpython(\"open('%s', 'w')\")}"),
    "before": ("biophysics.hoc", before_biophys, '{system("touch %s")}'),
    "procedure": ("biophysics.hoc", in_another_procedure, 'system("touch %s")'),
    "after": ("biophysics.hoc", at_the_end, '{system("touch %s")}'),
    "constants": ("constants.hoc", at_the_end, '{system("touch %s")}'),
    "morphology": ("morphology.hoc", at_the_end, '{system("touch %s")}'),
    "synapses": ("synapses/synapses.hoc", first, '{system("touch %s")}'),
    "mod": ("mechanisms/Ih.mod", at_the_end, "VERBATIM\n/* %s */\nENDVERBATIM"),
    "script": ("run_RmpRiTau.py", first, "open('%s', 'w')"),
    "added": ("synapses/more.hoc", at_the_end, '{system("touch %s")}'),
}


@pytest.fixture
def edited(real, tmp_path):
    """Return a function that edits a copy of a real package; and the marker it would leave."""
    marker = tmp_path / "marker"

    def edit(name: str) -> Path:
        folder = Path(shutil.copytree(real(SMALL).folder, tmp_path / SMALL))
        file, place, code = ATTACKS[name]
        path = folder / file
        text = path.read_text() if path.is_file() else ""
        changed = place(text, code % marker)
        assert changed != text
        path.write_text(changed)
        (folder / "VERSION").write_text("1.0.11\n2015/10/07\n")  # a release whose hash is unknown
        return folder

    yield edit
    assert not marker.exists()


@REAL
@pytest.mark.parametrize("name", ATTACKS)
def test_an_edited_package_is_read_and_not_run(edited, name):
    package = nmc.load_package(edited(name))
    assert (package.origin, package.trusted, package.invented) == ("own package", False, False)
    with pytest.raises(TrustError, match=f"{SMALL}.*not the known package.*trust=True"):
        nmc.simulate_step(package)


def run(package):
    return nmc.run_command(["python", "-c", "import run"], package.folder)


CALLS = {
    "step": nmc.simulate_step,
    "rest": nmc.simulate_rest,
    "fi": lambda package: nmc.simulate_fi(package, [0.1]),
    "bap": nmc.simulate_bap,
    "epsp": lambda package: nmc.simulate_epsp(package, "dend[0]"),
    "chirp": nmc.simulate_chirp,
    "bombardment": lambda package: nmc.simulate_bombardment(package, 1.0),
    "kinetics": nmc.compute_channel_kinetics,
    "densities": nmc.compute_channel_densities,
    "scaled": lambda package: nmc.simulate_step(nmc.scale_channels(package, {"Ih": 2})),
    "session": nmc.load_cell,
    "pair": lambda package: nmc.simulate_pair("L1_DAC", package, 1),
    "spec": lambda package: package.to_spec(),
    "compile": lambda package: mechanisms.libraries_of([package]),
    "by hand": run,
}


@REAL
@pytest.mark.parametrize("call", CALLS)
def test_no_call_runs_it(edited, call):
    with pytest.raises(TrustError, match="trust=True"):
        CALLS[call](nmc.load_package(edited("system")))


@REAL
def test_a_source_does_not_give_it_for_the_known_one(edited, monkeypatch, tmp_path):
    """The same package, zipped and served under the known one's name."""
    from nmc.cells.sweep import measure

    folder = edited("system")
    tree = tmp_path / "tree"
    (tree / item(f"model/{SMALL}").path).parent.mkdir(parents=True)
    with zipfile.ZipFile(tree / item(f"model/{SMALL}").path, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, f"{SMALL}/{path.relative_to(folder)}")
    monkeypatch.setenv("NMC_SOURCE", str(tree))
    told = dict.fromkeys(("model", "origin", "invented", "package_sha256"), "") | {"trusted": False}
    assert "ChecksumError" in measure(SMALL, "step", {}, told)["error"]
    with pytest.raises(ChecksumError, match="Load an edited package by its path"):
        nmc.simulate_step(SMALL)
    with pytest.raises(TrustError, match="a file that each package has of its own"):
        nmc.simulate_step(tree / item(f"model/{SMALL}").path)


@REAL
def test_the_command_line_refuses_it_in_one_line(edited):
    folder = edited("system")
    done = subprocess.run(
        [sys.executable, "-m", "nmc", "simulate", f"./{folder.name}"],
        cwd=folder.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1 and done.stdout == ""
    assert "--trust" in done.stderr and "Traceback" not in done.stderr


@REAL
@pytest.mark.neuron
def test_with_trust_it_runs_and_the_marker_appears(real, tmp_path):
    """So that the tests above can fail: the code that they refuse does what it says."""
    folder = Path(shutil.copytree(real(SMALL).folder, tmp_path / SMALL))
    text = (folder / "template.hoc").read_text()
    (folder / "template.hoc").write_text(f'{{system("touch {tmp_path}/marker")}}\n{text}')
    package = nmc.load_package(folder, trust=True)
    assert package.trusted and package.origin == "own package"
    nmc.compute_channel_densities(package)
    assert (tmp_path / "marker").exists()


@REAL
def test_the_refusal_names_what_differs(edited, mirror, monkeypatch):
    package = nmc.load_package(edited("constants"))
    (package.folder / "evil.py").write_text("")
    (package.folder / "current_amps.dat").write_text("0 1 2 3")
    package = nmc.load_package(package.folder)
    with pytest.raises(TrustError, match=r"differs in constants.hoc\. Its"):
        package.check_trusted()
    monkeypatch.setenv("NMC_SOURCE", str(mirror))  # where the known one is, file by file
    with pytest.raises(TrustError, match="in constants.hoc, current_amps.dat, adds evil.py"):
        package.check_trusted()


@REAL
def test_every_real_package_is_known_whatever_its_release(mirror, tmp_path):
    versions = set()
    for path in sorted((mirror / item(f"model/{SMALL}").path).parent.glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            hashes = {
                name.partition("/")[2]: hashlib.sha256(archive.read(name)).hexdigest()
                for name in archive.namelist()
                if not name.endswith("/") and "/." not in name
            }
            versions.add(archive.read(f"{path.stem}/VERSION")[:6])
        assert known.find(registry.content_digest(hashes)) == (path.stem, "NMC portal")
    assert versions == {b"1.0.10", b"1.0.11"}


def test_the_portal_s_packages_are_all_listed():
    models = [k.model for k in known.known_packages().values() if k.origin == "NMC portal"]
    assert set(models) == set(nmc.names.model_names())


def test_the_digest_is_that_of_sha256sum(tmp_path):
    """Two lines of sha256sum(1), hashed with it too; hidden and release files left out."""
    (tmp_path / "b").mkdir()
    (tmp_path / "b/x").write_text("x")
    (tmp_path / "a").write_text("")
    for other in (".hidden", "VERSION", "README"):
        (tmp_path / other).write_text(other)
    lines = (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a\n"
        "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881  b/x\n"
    )
    expected = hashlib.sha256(lines.encode()).hexdigest()
    assert registry.content_digest(registry.file_hashes(tmp_path)) == expected


def test_the_sample_s_packages_are_known_and_invented(small, copy):
    assert (small.origin, small.invented, small.trusted) == ("sample", True, True)
    assert small.to_spec()["content_sha256"] == small.content_sha256
    with (copy / "template.hoc").open("a") as file:
        file.write("// mine\n")
    own = read_package(copy)
    assert (own.origin, own.invented, own.trusted) == ("own package", True, False)


def test_a_variant_by_our_own_rule_stays_trusted_but_not_its_folder(small):
    variant = nmc.scale_channels(small, {"Ih": 0.5})
    assert variant.trusted and variant.origin == "sample, channels scaled" and variant.invented
    assert not read_package(variant.folder).trusted
    file = variant.folder / "template.hoc"
    file.write_text(file.read_text() + '{system("true")}\n')
    again = nmc.scale_channels(small, {"Ih": 0.5})  # written again, not taken as it lies
    assert again.content_sha256 == variant.content_sha256
    assert '{system("true")}' not in file.read_text()


@pytest.mark.neuron
def test_files_changed_after_loading_are_not_run(copy, monkeypatch):
    monkeypatch.setattr(
        mechanisms, "load_result", lambda *_, **__: None
    )  # one of the unchanged cell
    package = read_package(copy)
    file = copy / "template.hoc"
    file.write_text(file.read_text() + "\n// changed\n")
    with pytest.raises(nmc.errors.PackageError, match="changed after the package was loaded"):
        nmc.compute_channel_densities(package)


def test_a_command_runs_only_where_trusted(small, tmp_path):
    folder = nmc.copy_package(small, tmp_path)
    make = ["python", "-c", "open('made', 'w')"]
    for trust in (False, None, "no"):
        with pytest.raises(TrustError, match="trust=True"):
            by_hand.run_command(make, folder, trust=trust)
    assert not (folder / "made").exists()
    assert by_hand.run_command(make, folder, trust=True).returncode == 0
    assert (folder / "made").exists()


def test_known_files_are_facts_and_not_content():
    with (Path(known.__file__).parent / "known_files.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert all(len(row["sha256"]) == 64 for row in rows)
    assert sum(row["file"].startswith("mechanisms/") for row in rows) == 17
