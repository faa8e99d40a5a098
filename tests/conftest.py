"""What every test shares: a cache of its own, the real data's place, and the rules of markers.

* Tests never touch the reader's own cache: ``NMC_CACHE`` is one temporary folder a session
  (or ``NMC_TEST_CACHE``, to keep compiled mechanisms between sessions while developing).
* ``real`` tests need a copy of the portal tree (``NMC_MIRROR``, or ``../shared/nmc-mirror``
  beside the project).  Without one they are skipped, and the summary says so; with one, a
  skipped ``real`` test is a failure.
* ``slow`` tests run only with ``--full`` (``make test-full``) or when selected by ``-m``.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
_NMC_SETTINGS = (
    "NMC_SOURCE", "NMC_OFFLINE", "NMC_ACCEPT_TERMS", "NMC_RESULTS", "NMC_FETCH_LOG",
)  # fmt: skip


def mirror_path() -> Path | None:
    """Return where the real portal tree lies, or None."""
    place = Path(os.environ.get("NMC_MIRROR") or ROOT.parent / "shared" / "nmc-mirror")
    return place.resolve() if place.is_dir() else None


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true", help="run the tests marked slow too")
    parser.addoption("--site", metavar="FOLDER", help="the built site that tests/site walks")


def pytest_ignore_collect(collection_path, config):
    """Leave the browser tests out unless a built site is given."""
    if collection_path == ROOT / "tests" / "site" and not config.getoption("--site"):
        return True
    return None


def pytest_configure(config):
    kept = os.environ.get("NMC_TEST_CACHE")
    if hasattr(config, "workerinput"):  # a worker of pytest-xdist shares the controller's folder
        kept = os.environ["NMC_CACHE"]
    folder = kept or tempfile.mkdtemp(prefix="nmc-tests-")
    config._nmc_temporary = None if kept else folder
    os.environ["NMC_CACHE"] = str(folder)
    os.environ.setdefault("MPLBACKEND", "Agg")
    for name in _NMC_SETTINGS:
        os.environ.pop(name, None)


def pytest_unconfigure(config):
    folder = getattr(config, "_nmc_temporary", None)
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--full") and "slow" not in (config.getoption("-m") or ""):
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not item.get_closest_marker("slow")]
    # A worker takes file after file: the longest ones first, so that none is left over at the end.
    long = Counter()
    for item in items:
        builds = "make_toy" in item.fixturenames  # runs and renders a book of two chapters
        long[item.path] += 20 if item.get_closest_marker("neuron") else 10 if builds else 1
    items.sort(key=lambda item: (-long[item.path], item.path))
    if mirror_path() is None:
        skip = pytest.mark.skip(reason="no copy of the real portal tree (NMC_MIRROR)")
        for item in items:
            if item.get_closest_marker("real"):
                item.add_marker(skip)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Where the real data are, a real test that is skipped has not done its work."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and item.get_closest_marker("real") and mirror_path() is not None:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: skipped although the real data are at hand"


def pytest_terminal_summary(terminalreporter):
    place = mirror_path()
    terminalreporter.write_line(
        f"real data: {place}"
        if place
        else "real data: none found (NMC_MIRROR, ../shared/nmc-mirror); those tests are skipped"
    )


@pytest.fixture(scope="session")
def mirror() -> Path:
    """Return the folder of the real portal tree (read-only); the test must be marked ``real``."""
    place = mirror_path()
    if place is None:
        pytest.skip("no copy of the real portal tree (NMC_MIRROR)")
    return place


@pytest.fixture
def memory_path(tmp_path) -> Path:
    """Return a folder that lies in memory where the machine has one: for thousands of files."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="nmc-tests-", dir="/dev/shm") as folder:
        yield Path(folder)


@pytest.fixture(params=[2_000, pytest.param(100_000, marks=pytest.mark.slow)])
def n_mutations(request) -> int:
    """Return how many damaged inputs a reader is given (see `mutations.assert_survives`)."""
    return request.param


@pytest.fixture(scope="module", autouse=True)
def own_provenance() -> None:
    """Let each file begin with an empty log: what other files fetched is not in its figures."""
    from nmc.data import registry

    registry._log.clear()


@pytest.fixture
def own_results(tmp_path, monkeypatch) -> None:
    """Keep a test's runs in a folder of its own: none is there yet, and it may clear them."""
    monkeypatch.setattr("nmc.cells.mechanisms.results_folder", lambda: tmp_path / "results")


@pytest.fixture(scope="session")
def sample_cache() -> Path:
    """Return the session's own cache folder."""
    return Path(os.environ["NMC_CACHE"])


@pytest.fixture
def own_tables(tmp_path, monkeypatch) -> Path:
    """A folder for recorded rows in place of the package's, empty at first."""
    from nmc import recomputed

    real = recomputed.table_file
    monkeypatch.setattr(recomputed, "table_file", lambda table: tmp_path / real(table).name)
    return tmp_path
