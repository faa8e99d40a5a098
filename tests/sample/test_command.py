"""``nmc sample`` writes a tree that serves as a source, whole or not at all."""

import nmc
import pytest
from click.testing import CliRunner
from nmc import layout
from nmc.cli import group, main
from nmc.sample import tree


def call(*args: str):
    """Run ``nmc`` in this process."""
    return CliRunner().invoke(group, ["sample", *args], prog_name="nmc")


def test_written_tree_is_a_source(tmp_path, monkeypatch):
    target = tmp_path / "deep" / "tree"
    result = call(str(target), "--neurons", "150", "--seed", "7", "--model", "L1_DAC_bNAC219_1")
    assert result.exit_code == 0 and result.output.strip().endswith(str(target))
    assert [p.name for p in target.parent.iterdir()] == ["tree"]
    packages = sorted(p.name for p in (target / layout.STATIC / "downloads-zip").iterdir())
    assert packages == ["L1_DAC_bNAC219_1.zip"]
    monkeypatch.setenv("NMC_SOURCE", str(target))
    sheet = nmc.load_circuit().set_index("quantity")["value"]
    assert sheet["neurons"] == 150
    assert nmc.load_connectome("connectome/average/mc2").n_neurons == 150
    assert nmc.data.provenance.invented()


def test_a_full_folder_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    result = call(str(tmp_path))
    assert result.exit_code == 2 and "no empty folder" in result.output
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_an_unknown_model_is_named_before_anything_is_written(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["sample", str(tmp_path / "tree"), "--model", "L5_TTPC1_cADpyr229_1"])
    assert stopped.value.code == 2
    assert "L5_TTPC1_cADpyr232_1" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_failure_leaves_nothing(tmp_path, monkeypatch):
    def fail(folder, **_):
        folder.mkdir()
        (folder / "half").write_text("half")
        raise OSError("no space left on device")

    monkeypatch.setattr(tree, "write_tree", fail)
    result = call(str(tmp_path / "tree"))
    assert isinstance(result.exception, OSError)
    assert not list(tmp_path.iterdir())


def test_too_few_neurons(tmp_path):
    result = call(str(tmp_path / "tree"), "--neurons", "50")
    assert result.exit_code == 2 and "110" in result.output
