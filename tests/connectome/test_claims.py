"""Printed numbers: the table says of each what can be said, and the real extracts agree."""

import json
import math
import tarfile

import h5py
import numpy as np
import pytest
from connectome_files import write_file
from nmc import layout, names, published
from nmc.connectome.claims import CHECKS, check_connectome_claims
from nmc.errors import UnknownNameError


def test_every_check_has_a_claim_and_every_number_a_source():
    claims = {k: c for k, c in published.claims().items() if k.startswith("connectome/")}
    for name in CHECKS:
        assert f"connectome/{name}" in claims
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
    archive = tmp_path / "tree" / layout.average(2)
    archive.parent.mkdir(parents=True)
    with tarfile.open(archive, "w") as tar:
        tar.add(path, f"average/{path.name}")
    monkeypatch.setenv("NMC_RESULTS", str(tmp_path / "results"))
    table = check_connectome_claims(["l4_mc_to_l4_pc"], source=tmp_path / "tree")
    assert table[["recomputed", "verdict"]].to_numpy().tolist() == [[ones, verdict]]
    kept = [f.read_text() for f in (tmp_path / "results").iterdir()]
    assert json.loads(kept[0])["verdict"] == verdict


@pytest.mark.real
def test_the_real_extracts(mirror):
    table = check_connectome_claims(source=mirror)
    verdict = table["verdict"]
    checked = verdict[verdict.isin(["agrees", "differs"])]
    assert len(checked) == sum("/extract/" in key for key, _, _ in CHECKS.values())
    # The sheets' 100 µm probabilities are not reproduced to the printed digit, in both types.
    differing = set(checked[checked == "differs"].index)
    assert differing == {
        "connectome/l5_ttpc2_probability_100um",
        "connectome/l6_lbc_probability_100um",
    }
    assert verdict["connectome/mc6_simplices"].startswith("needs the full file")
