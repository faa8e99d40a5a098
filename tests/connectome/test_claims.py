"""Printed numbers: the table says of each what can be said, and the real extracts agree."""

import math

import pytest
from connectome_files import write_file
from nmc import published
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
