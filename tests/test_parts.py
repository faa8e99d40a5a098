"""Results in parts: complete, or an error that names the part."""

import json

import numpy as np
import pytest
from nmc.errors import PartsError
from nmc.parts import open_run, read_parts, start_run

FROM = {"plan": "p" * 64, "source": "sample"}
PARTS = {"0": [0, 2], "1": [1, 3]}


def finish(run, names=None):
    for name in names or run.parts:
        run.write_part(name, {"cells": run.parts[name]}, {"t": np.array(run.parts[name], float)})
    return run


def test_all_parts_come_back(tmp_path):
    finish(start_run(tmp_path, PARTS, FROM))
    run, parts = read_parts(tmp_path, {"plan": FROM["plan"]})
    assert run.made_from == FROM and list(parts) == ["0", "1"]
    meta, arrays = parts["1"]
    assert (
        meta == {"cells": [1, 3]} and arrays["t"].tolist() == [1.0, 3.0] and "_part" not in arrays
    )


def test_parts_keep_the_order_they_were_given_in(tmp_path):
    finish(start_run(tmp_path, dict.fromkeys("cab", [0]), FROM))
    assert list(read_parts(tmp_path)[1]) == list(open_run(tmp_path).parts) == ["c", "a", "b"]


def test_a_missing_part_is_named_with_what_it_covers(tmp_path):
    finish(start_run(tmp_path, PARTS, FROM), ["0"])
    with pytest.raises(PartsError, match=r"Part 1 \(2 of 2; it covers 1, 3\) is missing"):
        read_parts(tmp_path)


def test_a_run_of_fewer_parts_replaces_the_old_ones(tmp_path):
    finish(start_run(tmp_path, {str(k): [k] for k in range(4)}, FROM))
    finish(start_run(tmp_path, PARTS, FROM))
    assert list(read_parts(tmp_path)[1]) == ["0", "1"]
    assert len(list(tmp_path.glob("part-*"))) == 2


def test_what_an_earlier_run_left_is_an_error(tmp_path):
    old = finish(start_run(tmp_path / "old", {str(k): [k] for k in range(3)}, FROM))
    new = finish(start_run(tmp_path / "new", PARTS, FROM))
    old.path("2").rename(new.path("2"))  # one more than the run has
    with pytest.raises(PartsError, match=r"part-2\.npz is no part of the run"):
        read_parts(new.folder)
    new.path("2").unlink()
    old.path("0").replace(new.path("0"))
    with pytest.raises(PartsError, match="Part 0 .*left over from another run"):
        read_parts(new.folder)


def test_other_data_are_named(tmp_path):
    run = finish(start_run(tmp_path, PARTS, FROM))
    with pytest.raises(
        PartsError, match="made from something else: plan is pppppppppppp… and not q"
    ):
        read_parts(tmp_path, {"plan": "q"})
    told = json.loads((tmp_path / "run.json").read_text())
    told["made_from"]["source"] = "portal"
    (tmp_path / "run.json").write_text(json.dumps(told))
    with pytest.raises(PartsError, match="Part 0 .*source is sample and not portal"):
        read_parts(tmp_path)
    told["made_from"]["source"], told["parts"]["0"] = "sample", [0]
    (tmp_path / "run.json").write_text(json.dumps(told))
    with pytest.raises(PartsError, match="Part 0 .*covers something else"):
        read_parts(tmp_path)
    assert run.run_id == open_run(tmp_path).run_id


@pytest.mark.parametrize("keep", [0, 10, 200])
def test_a_damaged_part_is_named(tmp_path, keep):
    run = finish(start_run(tmp_path, PARTS, FROM))
    run.path("1").write_bytes(run.path("1").read_bytes()[:keep])
    with pytest.raises(PartsError, match="Part 1 .*is damaged"):
        read_parts(tmp_path)


def test_no_run_and_a_damaged_run_file(tmp_path):
    with pytest.raises(PartsError, match=r"it has no run\.json"):
        read_parts(tmp_path)
    finish(start_run(tmp_path, PARTS, FROM))
    text = (tmp_path / "run.json").read_text()
    for bad in (text[:40], "[]", "{}", text.replace('"format": 1', '"format": 2')):
        (tmp_path / "run.json").write_text(bad)
        with pytest.raises(PartsError, match=r"run\.json is damaged"):
            open_run(tmp_path)


def test_two_runs_in_one_folder_do_not_mix(tmp_path):
    first = start_run(tmp_path, PARTS, FROM)
    second = start_run(tmp_path, PARTS, FROM)
    with pytest.raises(PartsError, match="Another run was started"):
        finish(first)
    finish(second)
    assert read_parts(tmp_path)[0].run_id == second.run_id


def test_a_resumed_run_keeps_what_stands_and_redoes_what_changed(tmp_path):
    digests = {"0": {"package": "a"}, "1": {"package": "b"}}
    first = finish(start_run(tmp_path, PARTS, FROM, part_made_from=digests))
    more = {**PARTS, "2": [4]}
    changed = {**digests, "1": {"package": "c"}}
    again = start_run(tmp_path, more, FROM, part_made_from=changed, resume=True)
    assert again.run_id == first.run_id and again.unfinished() == ["1", "2"]
    with pytest.raises(PartsError, match="Part 1 .*package is b and not c"):
        read_parts(tmp_path)
    finish(again, ["1", "2"])
    assert list(read_parts(tmp_path)[1]) == ["0", "1", "2"]
    other = start_run(tmp_path, more, {**FROM, "source": "portal"}, resume=True)
    assert other.run_id != first.run_id and other.unfinished() == ["0", "1", "2"]


def test_names_that_no_file_can_have(tmp_path):
    for bad in ({}, {"": [1]}, {"../x": [1]}, {".": [1]}):
        with pytest.raises(PartsError, match="at least one part"):
            start_run(tmp_path / "x", bad, FROM)
    with pytest.raises(PartsError, match="no part '9'"):
        start_run(tmp_path, PARTS, FROM).write_part("9")


def test_a_moved_folder_is_read_where_it_is(tmp_path):
    finish(start_run(tmp_path / "here", PARTS, FROM))
    (tmp_path / "here").rename(tmp_path / "there")
    assert len(read_parts(tmp_path / "there")[1]) == 2


@pytest.mark.parametrize("flag", [0x01, 0x20, 0x40])
def test_a_part_that_says_it_is_encrypted_or_patched_is_damaged(tmp_path, flag):
    path = finish(start_run(tmp_path, PARTS, FROM)).path("0")
    content = bytearray(path.read_bytes())
    for sign, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(sign)
        while at >= 0:
            content[at + place] |= flag
            at = content.find(sign, at + 1)
    path.write_bytes(content)
    with pytest.raises(PartsError, match="is damaged"):
        read_parts(tmp_path)
