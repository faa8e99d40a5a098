"""Ranks of MPI, as a launcher starts them."""

import os
import shutil
import subprocess
import sys

import pytest

#: Containers run as root, and laptops have fewer cores than ranks: Open MPI must be told.
ALLOWED = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}


@pytest.fixture(scope="session")
def mpiexec():
    """Start ranks that simulate a folder's circuit."""
    if shutil.which("mpiexec") is None:
        pytest.skip("no mpiexec here")

    def start(ranks, folder, **environment):
        nmc = [sys.executable, "-P", "-m", "nmc", "circuit", "run", str(folder)]
        return subprocess.Popen(
            ["mpiexec", "-n", str(ranks), *nmc], env=os.environ | ALLOWED | environment,
            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    return start


@pytest.fixture(scope="session")
def run(mpiexec):
    """Run ranks to their end: exit code, and what they said."""

    def run(ranks, folder, **environment):
        process = mpiexec(ranks, folder, **environment)
        told, _ = process.communicate(timeout=300)
        return process.returncode, told

    return run
