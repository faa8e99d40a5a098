"""Packages to test on: the sample's, written and unpacked once, and the real ones."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import nmc
import pytest
from nmc.cells.package import Package, read_package
from nmc.data.registry import item

PYRAMIDAL, STOCHASTIC, SMALL = "L5_TTPC1_cADpyr232_1", "L23_LBC_cSTUT189_1", "L1_HAC_cNAC187_1"


@pytest.fixture(scope="session")
def sample_folder(tmp_path_factory) -> Path:
    """Return a folder with three unpacked packages of the synthetic sample."""
    folder = tmp_path_factory.mktemp("packages")
    for model in (PYRAMIDAL, STOCHASTIC, SMALL):
        with zipfile.ZipFile(nmc.fetch(f"model/{model}", source="sample")) as archive:
            archive.extractall(folder)
    return folder


@pytest.fixture(scope="session")
def small(sample_folder) -> Package:
    """Return the sample's smallest cell."""
    return read_package(sample_folder / SMALL)


@pytest.fixture
def copy(sample_folder, tmp_path) -> Path:
    """Return a copy of the sample's smallest package that a test may damage."""
    return Path(shutil.copytree(sample_folder / SMALL, tmp_path / SMALL))


@pytest.fixture(scope="session")
def real(mirror, tmp_path_factory):
    """Return a function that gives a real package by its model name."""
    folder = tmp_path_factory.mktemp("real")

    def package(model: str) -> Package:
        if not (folder / model).exists():
            with zipfile.ZipFile(mirror / item(f"model/{model}").path) as archive:
                archive.extractall(folder)
        return read_package(folder / model)

    return package
