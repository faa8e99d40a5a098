"""Printed numbers: which may stand, how they are held against ours, and what is then said."""

from __future__ import annotations

import json
import math
import re
from itertools import permutations
from pathlib import Path
from types import SimpleNamespace

import nmc
import pytest
from nmc.data import registry
from nmc.errors import FormatError, UnknownNameError
from nmc.published import Claim, claim, claims

ROOT = Path(__file__).resolve().parents[2]
EVERY = pytest.mark.parametrize("known", claims().values(), ids=lambda known: known.key)


def one(value, **rest) -> Claim:
    return Claim("room/one", "one", value, "a2000", "table 1", "sheet", **rest)


# -- tolerances, by hand ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "known, recomputed, allowed",
    [
        (one(55), 55, True),
        (one(55), 55.0, True),
        (one(55), 56, False),
        (one(0.29, tolerance=0.01), 0.30, True),
        (one(0.29, tolerance=0.01), 0.301, False),
        (one(0.29, tolerance=0.01), 0.28, True),
        (one(200.0, relative=0.05), 210, True),
        (one(200.0, relative=0.05), 210.1, False),
        (one(-200.0, relative=0.05), -190, True),
        (one(-200.0, relative=0.05), -189.9, False),
        (one(0.0, relative=0.05), 0.0, True),
        (one(0.0, relative=0.05), 1e-6, False),
        # The wider of the two counts: 1 % of 1,000 is 10.
        (one(1000.0, relative=0.01, tolerance=5), 1009, True),
        (one(10.0, relative=0.01, tolerance=5), 15, True),
        # Each element has to agree.
        (one((51.0, 25.0), tolerance=0.5), (51.29, 25.38), True),
        (one((51.0, 25.0), tolerance=0.5), (51.29, 25.51), False),
        (one((51.0, 25.0), tolerance=0.5), (51.0, 25.0, 0.0), False),
        (one((51.0, 25.0), tolerance=0.5), 51.0, False),
        (one(51.0, tolerance=0.5), (51.0,), True),
        (one(55), math.nan, False),
        (one(math.nan), 55, False),
        (one(math.nan), math.nan, False),
    ],
)
def test_what_a_tolerance_allows(known, recomputed, allowed):
    assert known.allows(recomputed) is allowed


# -- verdicts -----------------------------------------------------------------------------------


@pytest.fixture
def fetched(monkeypatch, tmp_path):
    """Let this session have fetched nothing yet; returns how to add a file."""
    monkeypatch.setattr(registry, "_log", {})

    def add(key: str, origin: str, invented: bool) -> None:
        entry = registry.Record(
            key, origin, "0" * 64, 1, invented, "", "first use", tmp_path / "file"
        )
        registry.remember(entry)

    return add


def test_agreement_and_difference_on_real_files(fetched):
    fetched("sheet/circuit", "copy", invented=False)
    table = nmc.compare({"circuit/mtypes": 55, "circuit/etypes": 12, "circuit/volume": 0.2886})
    assert table["verdict"].to_dict() == {
        "circuit/mtypes": "agrees",
        "circuit/etypes": "differs",
        "circuit/volume": "agrees",
    }
    assert table["published"].tolist() == [55, 11, 0.29]
    assert table["tolerance"].tolist() == ["exact", "exact", "±0.01"]
    assert set(table["source"]) == {"Data: copy, NMC portal, non-commercial terms"}


@pytest.mark.parametrize("value", [55, 12], ids=["the printed number", "another number"])
def test_one_invented_file_is_enough_to_refuse_a_verdict(fetched, value):
    fetched("sheet/layers", "copy", invented=False)
    fetched("sheet/circuit", "sample", invented=True)
    table = nmc.compare({"circuit/mtypes": value})
    assert table["verdict"].tolist() == ["invented data"]
    assert "invented" in table["source"].iloc[0]


def test_a_vector_is_compared_element_by_element(fetched):
    fetched("sheet/circuit", "copy", invented=False)
    mc2 = SimpleNamespace(instance="mc2")
    right = nmc.compare({"connectome/l5_ttpc2_convergence": iter([51.29, 25.38])}, of=mc2)
    wrong = nmc.compare({"connectome/l5_ttpc2_convergence": [51.29, 26.0]}, of=mc2)
    assert (right["verdict"].item(), wrong["verdict"].item()) == ("agrees", "differs")


def test_a_count_of_printed_numbers_is_a_row_with_its_reason(fetched):
    told = {
        "claim": "resting potentials", "tolerance": "±0.1 mV each", "citation": "ramaswamy2015",
        "where": "fact sheets",
    }  # fmt: skip
    fetched("sheet/models", "copy", invented=False)
    some = nmc.published.compare_many("many/rest", agreeing=9, of=10, reason="one fires", **told)
    every = nmc.published.compare_many("many/rest", agreeing=10, of=10, reason="none", **told)
    assert (some["verdict"].item(), every["verdict"].item()) == ("differs: one fires", "agrees")
    assert (some["published"].item(), some["recomputed"].item()) == (10, 9)
    with pytest.raises(FormatError, match="circuit/mtypes"):
        nmc.published.compare_many("circuit/mtypes", agreeing=1, of=1, **told)
    fetched("page/metype/L1_DAC_bNAC", "sample", invented=True)
    none = nmc.published.compare_many("many/rest", agreeing=9, of=10, **told)
    assert none["verdict"].item() == "invented data"


def test_a_comparison_is_kept_for_the_last_chapter_only_where_asked(fetched, tmp_path, monkeypatch):
    fetched("sheet/circuit", "copy", invented=False)
    nmc.compare({"circuit/mtypes": 55})
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("NMC_RESULTS", str(tmp_path / "kept"))
    nmc.compare({"circuit/mtypes": 55})
    nmc.compare({"circuit/etypes": 12})
    lines = next((tmp_path / "kept").glob("*.jsonl")).read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert [(row["key"], row["recomputed"], row["verdict"]) for row in rows] == [
        ("circuit/mtypes", 55, "agrees"),
        ("circuit/etypes", 12, "differs"),
    ]


def test_an_unknown_claim_suggests_the_nearest_and_keeps_nothing(fetched, tmp_path, monkeypatch):
    monkeypatch.setenv("NMC_RESULTS", str(tmp_path / "kept"))
    with pytest.raises(UnknownNameError, match="circuit/mtypes"):
        nmc.compare({"circuit/mtype": 55})
    assert not (tmp_path / "kept").exists()


def test_a_claim_with_a_slip_in_its_fields_is_named(tmp_path, monkeypatch):
    from nmc import published

    (tmp_path / "room.toml").write_text("[slip]\nclaim = 'x'\nvalue = 1\ntolerence = 2\n")
    monkeypatch.setattr(published, "files", lambda package: tmp_path)
    with pytest.raises(FormatError, match=r"room\.toml: claim \[slip\]"):
        claims.__wrapped__()


# -- which numbers may stand --------------------------------------------------------------------


@EVERY
def test_a_claim_says_what_kind_of_evidence_it_is(known):
    """Printed in a primary source, in an abstract, read through others, or without a number."""
    numbers = known.value if isinstance(known.value, tuple) else (known.value,)
    without = any(math.isnan(number) for number in numbers)
    assert known.status in {"printed", "abstract", "secondary", "not available"}
    assert (known.status == "secondary") == bool(known.secondary), "name who was read instead"
    assert (known.status == "not available") == without
    if known.status != "not available":
        assert (known.status == "abstract") == known.where.startswith("abstract")
    else:
        assert known.reason, "say why there is no number"
    assert known.needs in {"sheet", "package", "extract", "instance"}
    assert known.claim and known.where
    assert known.tolerance >= 0 and known.relative >= 0
    assert re.search(rf"^@\w+{{{known.citation},", (ROOT / "book/references.bib").read_text(), re.M)


#: Numbers often told of this circuit whose page in a paper was not read: shares of excitatory and
#: inhibitory neurons, synapses a connection by kind of sender.
UNREAD = (86, 14, 3.6, 13.9)


def test_no_number_from_memory_is_a_claim():
    printed = [known for known in claims().values() if known.status != "secondary"]
    shares = [known for known in printed if "share" in known.claim or "ratio" in known.claim]
    contacts = [known for known in printed if "synapses per connection" in known.claim]
    assert not [known.key for known in shares + contacts if known.value in UNREAD]


@pytest.mark.parametrize(
    "key, value",
    [
        # Read on the portal's circuit sheet.
        ("circuit/neurons", 31346),
        ("circuit/mtypes", 55),
        ("circuit/etypes", 11),
        ("circuit/metypes", 207),
        ("circuit/models", 1035),
        ("pathways/mtype_pathways", 1941),
        ("pathways/file_pathways", 1941),
    ],
)
def test_what_the_sheet_prints(key, value):
    assert claim(key).value == value


def test_the_triangles_follow_from_the_triad_counts():
    """A class holds as many directed triangles as orders of its neurons have all three arrows."""
    from nmc.connectome.motifs import TRIADS

    total = 0
    for picture, count in zip(
        TRIADS.values(), claim("connectome/l5_ttpc2_triads").value, strict=True
    ):
        arrows = set(picture.split())
        orders = sum(
            {f"{a}>{b}", f"{b}>{c}", f"{a}>{c}"} <= arrows for a, b, c in permutations("ABC")
        )
        total += orders * count
    assert total == claim("connectome/l5_ttpc2_triangles").value
