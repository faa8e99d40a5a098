"""What the tests of the connectome share."""

import pytest


@pytest.fixture
def path(tmp_path):
    return tmp_path / "connectome.h5"
