"""Archives of many models hold the same packages as single ones."""

import tarfile

import pytest
from nmc import names, sample
from nmc.errors import UnknownNameError
from nmc.sample.groups import models_of


def test_groups_hold_the_models_of_their_name():
    assert len(models_of("all")) == 1035
    assert len(models_of("L1_DAC_bNAC")) == 5
    assert len(models_of("L1_DAC")) == 5 * len(names.etypes_of("L1_DAC"))
    assert sum(len(models_of(layer)) for layer in names.LAYERS) == 1035


def test_unknown_group_is_named():
    with pytest.raises(UnknownNameError, match="L5_TTPC[12]"):
        models_of("L5_TTPC3")


def test_archive_is_a_tar_of_the_packages(tmp_path):
    target = sample.write_group(tmp_path / "L1_DAC:bNAC.zip", "L1_DAC_bNAC")
    single = sample.write_package(tmp_path / "one", "L1_DAC_bNAC219_3")
    with tarfile.open(target) as tar:
        assert tar.getnames() == [f"L1_DAC:bNAC/L1_DAC_bNAC219_{k}.zip" for k in names.INSTANCES]
        assert tar.extractfile("L1_DAC:bNAC/L1_DAC_bNAC219_3.zip").read() == single.read_bytes()
    again = sample.write_group(tmp_path / "again" / target.name, "L1_DAC_bNAC")
    assert again.read_bytes() == target.read_bytes()
