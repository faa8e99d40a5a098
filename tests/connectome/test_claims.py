"""Printed numbers: the table says of each what can be said, and the real extracts agree."""

import json
import math
import tarfile
from types import SimpleNamespace

import h5py
import nmc
import numpy as np
import pytest
from connectome_files import write_file
from nmc import names, published
from nmc.connectome.claims import MEASURES, check_connectome_claims, checks
from nmc.connectome.export import to_networkx
from nmc.connectome.read import load_connectome
from nmc.data.registry import item
from nmc.errors import FormatError, UnknownNameError

CHECKS = {name: row["file"] for name, row in checks().items()}


def test_every_check_can_be_made_and_has_a_claim_and_every_number_a_source():
    claims = {k: c for k, c in published.claims().items() if k.startswith("connectome/")}
    assert len(CHECKS) == 32 and {f"connectome/{name}" for name in CHECKS} <= set(claims)
    assert {row["measure"] for row in checks().values()} == set(MEASURES)
    for claim in claims.values():
        absent = isinstance(claim.value, float) and math.isnan(claim.value)
        assert absent == (claim.status == "not available")
        assert claim.reason or not absent
        assert bool(claim.secondary) == (claim.status == "secondary")


def test_unknown_claim():
    with pytest.raises(UnknownNameError):
        check_connectome_claims(["no_such_claim"])


def test_a_source_without_the_files_says_what_it_needs(tmp_path):
    write_file(tmp_path / "unrelated.h5")
    table = check_connectome_claims(["mc6_simplices", "l6_lbc_bias", "gal_hubs"], source=tmp_path)
    assert table["verdict"].tolist() == [
        "needs the full file, connectome/average/mc6",
        "needs the extract, connectome/extract/mc2/L6_LBC",
        "number not available: the abstract states it without a number",
    ]
    assert table["recomputed"].isna().all()


def put(tree, place, path):
    """Put a connectome file into a tree as the portal's archives hold it."""
    archive = tree / place
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w") as tar:
        tar.add(path, f"instance/{path.name}")


@pytest.mark.parametrize(("ones", "verdict"), [(4381, "agrees"), (4380, "differs")])
def test_a_whole_instance_is_checked_by_itself(tmp_path, monkeypatch, ones, verdict):
    """A tree with a whole mc2 of the printed sizes: nothing is asked of the reader."""
    sizes = dict.fromkeys(names.MTYPES, 1) | {"L4_MC": 118, "L4_PC": 2674}
    path = tmp_path / "cons_locs_pathways_mc2_Column.h5"
    write_file(path, sizes, density=0)
    with h5py.File(path, "a") as file:
        block = np.zeros(118 * 2674, "u1")
        block[np.random.default_rng(1).permutation(block.size)[:ones]] = 1
        file["connectivity/L4_MC/L4_PC/cMat"][:] = block.reshape(118, 2674)
    put(tmp_path / "tree", item("connectome/average/mc2").path, path)
    monkeypatch.setenv("NMC_RESULTS", str(tmp_path / "results"))
    table = check_connectome_claims(["l4_mc_to_l4_pc"], source=tmp_path / "tree")
    assert table[["recomputed", "verdict"]].to_numpy().tolist() == [[ones, verdict]]
    kept = [f.read_text() for f in (tmp_path / "results").iterdir()]
    assert json.loads(kept[0])["verdict"] == verdict


def test_every_check_of_a_whole_instance_runs_once_its_file_is_there(tmp_path):
    """Small files of all m-types in the places of mc2, mc6 and a control: all are computed."""
    whole = [name for name, key in CHECKS.items() if "/extract/" not in key]
    before = check_connectome_claims(whole, source=tmp_path)["verdict"]
    assert before.str.startswith("needs the full file").all() and len(before) >= 12
    places = [
        item("connectome/average/mc2").path,
        item("connectome/average/mc6").path,
        item("connectome/control/mc0/0").path,
    ]
    for seed, place in enumerate(places):
        path = tmp_path / f"instance{seed}.h5"
        write_file(path, dict.fromkeys(names.MTYPES, 3), seed=seed)
        put(tmp_path / "tree", place, path)
    table = check_connectome_claims(whole, source=tmp_path / "tree")
    assert (table["verdict"] == "differs").all()
    size = table.loc["connectome/mc2_within_l5_mc", "recomputed"]
    connectome = load_connectome(tmp_path / "instance0.h5").subset(mtype="L5_MC")
    assert size == (3, connectome.n_connections)
    graph = to_networkx(load_connectome(tmp_path / "instance1.h5"))
    found = table.loc["connectome/mc6_simplices", "recomputed"]
    assert found[:2] == (165, graph.number_of_edges())
    part = table.loc["connectome/mc6_l5_excitatory_simplices", "recomputed"]
    assert part[0] == 4 * 3  # four excitatory types in layer 5


@pytest.mark.real
def test_the_real_extracts(mirror):
    table = check_connectome_claims(source=mirror)
    verdict = table["verdict"]
    checked = verdict[verdict.isin(["agrees", "differs"])]
    assert len(checked) == sum("/extract/" in key for key in CHECKS.values())
    # The sheets' 100 µm probabilities are not reproduced to the printed digit, in both types.
    differing = set(checked[checked == "differs"].index)
    assert differing == {
        "connectome/l5_ttpc2_probability_100um",
        "connectome/l6_lbc_probability_100um",
    }
    assert verdict["connectome/mc6_simplices"].startswith("needs the full file")


@pytest.mark.parametrize(
    "instance, verdict",
    [
        ("mc2", "agrees"),
        ("mc0", "another instance: mc0, not mc2"),
        ("", "another instance: not known, not mc2"),
    ],
)
def test_a_number_of_another_instance_is_not_compared(instance, verdict):
    of = SimpleNamespace(instance=instance)
    row = nmc.compare({"connectome/l5_ttpc2_connections": 102732}, invented=False, of=of)
    assert row["verdict"].tolist() == [verdict]
    with pytest.raises(FormatError, match="instance mc2.*of=connectome"):
        nmc.compare({"connectome/l5_ttpc2_connections": 102732}, invented=False)


def test_a_connectome_says_which_instance_it_is_of():
    instance = nmc.load_connectome("connectome/average/mc0")
    part = instance.subset(layer="L4")
    assert (instance.instance, part.instance) == ("mc0", "mc0")
    assert nmc.make_erdos_renyi(part, rng=1).instance == ""
    assert nmc.load_connectome("connectome/control/mc0/0").instance == "control/mc0/0"


def test_every_claim_about_an_instance_names_it():
    for name, key in CHECKS.items():
        of = published.claim(f"connectome/{name}").instance
        general = name in ("gal_neurons", "mean_path")  # of the reconstruction, not of a file
        assert general or of in key.split("/") or f"connectome/{of}" == key
