from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from nmc.cli.models import explorer_command, sheets_command


@pytest.mark.real
def test_check_lists_findings_as_json(real_source):
    done = CliRunner().invoke(sheets_command, ["--json"])
    assert done.exit_code == 0, done.output
    rows = {(row["file"], row["item"]): row for row in json.loads(done.stdout)}
    lost = rows["sheet/layers", "L6_BP"]
    assert (lost["found"], lost["expected"]) == (7, 70)


def test_explorer_refuses_a_folder_of_something_else(tmp_path):
    (tmp_path / "thesis.tex").write_text("do not replace me")
    done = CliRunner().invoke(explorer_command, [str(tmp_path)])
    assert done.exit_code == 2 and "something else" in done.output
    assert (tmp_path / "thesis.tex").is_file()
