"""Every file of a package damaged by the thousand: a table that can be, or one of our errors."""

from __future__ import annotations

import shutil
from functools import partial

import numpy as np
import pandas as pd
import pytest
from mutations import assert_survives, in_child
from nmc import names
from nmc.cells import package_files
from nmc.cells.package_files import SECTION_ARRAYS, Files
from nmc.cells.reconstruction import read_reconstruction
from nmc.errors import PackageError

from .test_morphometrics import BY_HAND

SECTIONS = {"soma": 1, "dend": 200, "apic": 200, "axon": 2}


def finite(*values) -> bool:
    return all(np.isfinite(value) for value in values)


def accept_constants(found) -> bool:
    celsius, dt_ms = found
    return finite(celsius, dt_ms) and 0 <= celsius <= 60 and 0 < dt_ms <= 10


def accept_biophysics(found) -> bool:
    mechanisms, table = found
    for formula in table.get("formula", ()):
        assert np.isfinite(package_files.evaluate(formula, [0.0, 500.0])).all()
    return all(name.isidentifier() for names in mechanisms.values() for name in names)


def accept_synapses(table: pd.DataFrame) -> bool:
    numbers = table.select_dtypes("number")
    settings = [column for column, _, _ in package_files.SYNCONF.values() if column in table]
    return (
        np.isfinite(numbers.drop(columns=settings)).all(axis=None)
        and not np.isinf(numbers).any(axis=None)
        and table["x"].between(0, 1).all()
        and table["section"].str.fullmatch(rf"({'|'.join(SECTION_ARRAYS)})\[\d+\]").all()
        and table["pre_cell"].between(0, 2**53).all()
        and table["pre_mtype"].isin(names.MTYPES).all()
    )


READERS = {
    "template.hoc": (package_files.read_template, str.isidentifier),
    "constants.hoc": (package_files.read_constants, accept_constants),
    "biophysics.hoc": (package_files.read_biophysics, accept_biophysics),
    "current_amps.dat": (
        package_files.read_currents, lambda found: finite(found[0], *found[1]) and len(found) == 2
    ),
    "cellinfo.json": (package_files.read_gid, lambda gid: isinstance(gid, int) and gid >= 0),
    "morphology.hoc": (package_files.read_morphology_path, lambda path: path.is_file()),
    "synapses/mtype_map.tsv": (
        package_files.read_mtype_map, lambda found: set(found.values()) <= set(names.MTYPES)
    ),
}  # fmt: skip


@pytest.mark.parametrize("file", READERS)
def test_any_damage_is_an_error_or_harmless(small, memory_path, n_mutations, file):
    read, accept = READERS[file]
    folder = memory_path / "package"
    shutil.copytree(small.folder, folder)
    (folder / "synapses/synapses.tsv").unlink()  # not asked for here
    sound = (folder / file).read_bytes()
    assert_survives(
        lambda _: read(Files("own", folder)), accept, [sound], n_mutations, folder / file
    )


@pytest.mark.parametrize("file", ["synapses/synapses.tsv", "synapses/synconf.txt"])
def test_damaged_synapses_are_an_error_or_can_be(small, memory_path, n_mutations, file):
    """A small table: a header, a few rows, and the settings of their synapses."""
    folder = memory_path / "package"
    (folder / "synapses").mkdir(parents=True)
    rows = (small.folder / "synapses/synapses.tsv").read_text().splitlines()[1:9]
    (folder / "synapses/synapses.tsv").write_text("\n".join([f"{len(rows)} 13", *rows]))
    settings = "%s.mg = 1.0 %s.Use *= 0.5\n0 1 2 -1e+15\n%s.e_GABAA = -80.0\n3 4 -1e15\n"
    (folder / "synapses/synconf.txt").write_text(settings)
    mtypes = dict(small.mtype_map)
    assert_survives(
        lambda _: package_files.read_synapses(Files("own", folder), mtypes, SECTIONS),
        accept_synapses, [(folder / file).read_bytes()], n_mutations, folder / file,
    )  # fmt: skip


def accept_tree(tree) -> bool:
    return (
        len(tree.points) == len(tree.diameters) == tree.starts[-1]
        and len(tree.parents) == len(tree.types) == len(tree.starts) - 1
        and (tree.parents < np.arange(len(tree.parents))).all()
        and all(np.isfinite(part).all() for part in (tree.soma, tree.points, tree.diameters))
    )


def test_a_damaged_morphology_is_an_error_or_a_tree(small, memory_path, n_mutations):
    """Where damage ends the parser's process, a known package's would be this one."""
    samples = [small.morphology.read_bytes(), BY_HAND.encode()]
    read = partial(read_reconstruction, model="own", known=True)
    with in_child(read, PackageError("the process crashed")) as reader:
        counts = assert_survives(
            reader, accept_tree, samples, n_mutations, memory_path / "cell.asc"
        )
    assert min(counts.values()) > 0


def test_what_ends_the_parser_does_not_end_this_process(small, memory_path):
    """The package's own way: a child process a file, so a few only."""
    assert_survives(
        partial(read_reconstruction, model="own", known=False), accept_tree,
        [small.morphology.read_bytes()], 12, memory_path / "cell.asc",
    )  # fmt: skip


def test_a_number_stands_for_one_mtype(small, tmp_path):
    folder = tmp_path / "package"
    shutil.copytree(small.folder, folder)
    table = folder / "synapses" / "mtype_map.tsv"
    number, mtype = next(iter(small.mtype_map.items()))
    table.write_text(f"{table.read_text()}\n{number}\t{mtype}\n")
    assert package_files.read_mtype_map(Files("own", folder)) == dict(small.mtype_map)
    other = next(name for name in names.MTYPES if name != mtype)
    table.write_text(f"{table.read_text()}{number}\t{other}\n")
    with pytest.raises(PackageError, match=f"number {number} is {mtype} already"):
        package_files.read_mtype_map(Files("own", folder))
