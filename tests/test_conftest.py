"""The rules of the markers hold: where the real data are, a skipped real test is a failure."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

TESTS = """
import pytest

@pytest.mark.real
def test_real_and_skipped():
    pytest.skip("no reason")

@pytest.mark.real
@pytest.mark.skipif(True, reason="never")
def test_real_and_skipped_by_a_mark():
    pass

@pytest.mark.real
def test_real(mirror):
    assert mirror.is_dir()

def test_other_and_skipped():
    pytest.skip("no reason")

@pytest.mark.slow
def test_slow():
    pass
"""
MARKERS = "[pytest]\nmarkers =\n  real: real\n  slow: slow\n  neuron: neuron\n"


@pytest.fixture
def run(pytester, monkeypatch):
    """Return a function that runs the tests above under this project's rules."""
    rules = Path(__file__).with_name("conftest.py").read_text("utf-8")
    # In a folder of their own, the rules find no mirror beside it unless NMC_MIRROR names one.
    home = pytester.mkdir("tests")
    (home / "conftest.py").write_text(rules, "utf-8")
    (home / "test_some.py").write_text(TESTS, "utf-8")
    pytester.makeini(MARKERS)
    monkeypatch.delenv("NMC_MIRROR", raising=False)
    monkeypatch.setenv("NMC_TEST_CACHE", str(pytester.path / "cache"))

    def run_them(*arguments, mirror: Path | None = None):
        if mirror is not None:
            monkeypatch.setenv("NMC_MIRROR", str(mirror))
        return pytester.runpytest_subprocess("tests", "-p", "no:cacheprovider", *arguments)

    return run_them


def test_with_the_real_data_a_skipped_real_test_fails(run, tmp_path):
    done = run(mirror=tmp_path)
    done.assert_outcomes(passed=1, failed=1, errors=1, skipped=1, deselected=1)
    done.stdout.fnmatch_lines(["*test_real_and_skipped*skipped although the real data are at hand"])
    done.stdout.fnmatch_lines([f"real data: {tmp_path}"])
    assert done.ret != 0


def test_without_the_real_data_they_are_skipped_and_a_line_says_so(run):
    done = run("-rs")
    done.assert_outcomes(passed=0, failed=0, skipped=4, deselected=1)
    done.stdout.fnmatch_lines(["*no copy of the real portal tree (NMC_MIRROR)*"])
    done.stdout.fnmatch_lines(["real data: none found (NMC_MIRROR, *); those tests are skipped"])
    assert done.ret == 0


@pytest.mark.parametrize("how", [("--full",), ("-m", "slow")])
def test_slow_tests_run_when_asked_for(run, how):
    done = run(*how, "-k", "slow")
    done.assert_outcomes(passed=1, deselected=4)
