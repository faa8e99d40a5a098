"""Porting and compiling: each rule, the cache, the compiler's own words."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from nmc.cells import mechanisms
from nmc.errors import CompilerError, MechanismError

CHANNEL = """NEURON { SUFFIX %s  RANGE g }
PARAMETER { g = 1e-5 (S/cm2) }
ASSIGNED { v (mV) }
BREAKPOINT { }
"""
REDECLARED = """VERBATIM
double nrn_random_pick(void* r);
void* nrn_random_arg(int argpos);
ENDVERBATIM
FUNCTION f() {
    f = scop_random(1)
}
"""


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NMC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def mod(folder, name, text=CHANNEL):
    path = folder / f"{name}.mod"
    path.write_text(text % name if "%s" in text else text)
    return path


def test_each_rule_removes_its_idiom_and_nothing_else():
    text, applied = mechanisms.port(REDECLARED)
    assert applied == ("redeclared random functions", "argument of scop_random")
    assert text == "VERBATIM\nENDVERBATIM\nFUNCTION f() {\n    f = scop_random()\n}\n"
    assert mechanisms.port(text) == (text, ())
    assert all(rule.reason for rule in mechanisms.RULES)


def test_a_use_of_the_random_functions_is_left_alone():
    use = "    value = nrn_random_pick(_p_rng);\n    *pv = nrn_random_arg(1);\n"
    assert mechanisms.port(use) == (use, ())


def test_rates_are_tabulated_where_they_depend_on_voltage_alone():
    text = """DERIVATIVE states { rates()  m' = (mInf-m)/mTau }
PROCEDURE rates() {
    LOCAL qt
    qt = 2
    if (v == -30) { v = v + 0.0001 }
    mInf = 1/(1+exp(v))
    mTau = qt
}
"""
    new = mechanisms.tabulate(text)
    assert "TABLE mInf, mTau FROM -150 TO 100" in new and "PROCEDURE rates(v (mV))" in new
    assert new.index("LOCAL qt") < new.index("TABLE") < new.index("qt = 2")
    assert "{ rates(v)  m'" in new
    assert mechanisms.tabulate(new) == new
    calcium = text.replace("rates()", "rates(cai)")
    assert mechanisms.tabulate(calcium) == calcium


def test_equal_names_must_have_equal_content(tmp_path, empty_cache):
    one = mod(tmp_path, "mine")
    (tmp_path / "b").mkdir()
    other = mod(tmp_path / "b", "mine", CHANNEL + "COMMENT\nother\nENDCOMMENT\n")
    with pytest.raises(MechanismError, match="Two different files"):
        mechanisms.library_for([one, other])


def test_no_compiler_is_said_plainly(tmp_path, empty_cache, monkeypatch):
    monkeypatch.setattr(mechanisms.shutil, "which", lambda *a, **k: None)
    with pytest.raises(CompilerError, match="nrnivmodl was not found"):
        mechanisms.library_for([mod(tmp_path, "mine")])


@pytest.mark.neuron
def test_a_failing_compiler_gives_its_own_lines_and_leaves_nothing(tmp_path, empty_cache):
    broken = mod(tmp_path, "broken", "NEURON { SUFFIX broken }\nBREAKPOINT { nonsense nonsense }\n")
    with pytest.raises(CompilerError, match="(?s)last lines.*broken.mod"):
        mechanisms.library_for([broken])
    assert [p.name for p in (empty_cache / "mechanisms").iterdir()] == ["lock"]


@pytest.mark.neuron
def test_a_damaged_library_is_compiled_again(tmp_path, empty_cache):
    own = mod(tmp_path, "mine")
    (library,) = mechanisms.library_for([own])
    library.unlink()
    library.mkdir()  # a folder where the file should be
    assert mechanisms.library_for([own]) == (library,) and library.is_file()


@pytest.mark.neuron
def test_two_at_once_compile_once_and_each_set_has_a_library_of_its_own(
    tmp_path, empty_cache, monkeypatch
):
    """What was compiled before decides neither the library of a run nor so the order in it."""
    a, b = mod(tmp_path, "chana"), mod(tmp_path, "chanb")
    compiled = []
    run = mechanisms._compile
    monkeypatch.setattr(mechanisms, "_compile", lambda *a: compiled.append(set(a[0])) or run(*a))
    with ThreadPoolExecutor(2) as pool:
        libraries = list(pool.map(lambda _: mechanisms.library_for([a]), range(2)))
    assert compiled == [{"chana"}] and libraries[0] == libraries[1]
    both = mechanisms.library_for([a, b])
    assert compiled[1:] == [{"chana", "chanb"}] and both != libraries[0] and len(both) == 1
    assert mechanisms.library_for([b, a]) == both and mechanisms.library_for([]) == ()
    changed = mod(tmp_path, "chanb", CHANNEL + "COMMENT\nother\nENDCOMMENT\n")
    assert mechanisms.library_for([changed]) not in (both, libraries[0])


@pytest.mark.real
@pytest.mark.neuron
def test_tabulated_rates_follow_the_exact_ones(real, tmp_path):
    """Steady states of a clamped gate, from the exact and from the tabulated library."""
    package = real("L1_HAC_cNAC187_1")
    values = {}
    for variant in ("exact", "tabulated"):
        libraries = mechanisms.library_for(package.needed_mods().values(), variant=variant)
        script = """
import sys
from neuron import h
for library in sys.argv[1:]:
    h.nrn_load_dll(library)
s = h.Section(name="s")
for name in ("NaTs2_t", "SKv3_1", "Ca_LVAst"):
    s.insert(name)
for v in range(-1000, 501, 7):
    h.finitialize(v / 10)
    seg = s(0.5)
    print(seg.NaTs2_t.m, seg.NaTs2_t.h, seg.SKv3_1.m, seg.Ca_LVAst.m, seg.Ca_LVAst.h)
"""
        done = subprocess.run(
            [sys.executable, "-c", script, *map(str, libraries)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        rows = [line.split() for line in done.stdout.splitlines()]
        values[variant] = np.array([row for row in rows if len(row) == 5], float)
    assert values["exact"].shape == values["tabulated"].shape and len(values["exact"]) == 215
    assert 0 < np.abs(values["exact"] - values["tabulated"]).max() < 1e-4


RELEASES = """
import sys
from neuron import h
for library in sys.argv[2:]:
    h.nrn_load_dll(library)
h.load_file("stdrun.hoc")
section = h.Section(name="s")
synapse = getattr(h, sys.argv[1])(section(0.5))
synapse.Use, synapse.Dep, synapse.Fac = 0.5, 10, 0
source = h.NetCon(None, synapse)
source.weight[0] = 1
h.finitialize(-65)
for k in range(40):
    source.event(10 + 400 * k)
released = 0
for k in range(40):
    h.continuerun(12 + 400 * k)
    released += synapse.g > 1e-5
print("released", released)
"""


@pytest.mark.real
@pytest.mark.neuron
@pytest.mark.parametrize("name", ["ProbAMPANMDA_EMS", "ProbGABAAB_EMS"])
def test_a_synapse_without_a_generator_releases_as_often_as_it_should(real, name):
    """40 spikes, each released with probability 0.5: 20 ± 3.2; three deviations either way.

    Unmended, the GABA synapse returned a variable that nothing had set, and released once.
    """
    libraries = mechanisms.library_for([real("L1_HAC_cNAC187_1").mods[name]])
    done = subprocess.run(
        [sys.executable, "-c", RELEASES, name, *map(str, libraries)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    released = int(done.stdout.split("released")[1])
    assert 10 <= released <= 30


def test_the_value_that_was_never_set_is_mended_once_and_the_other_synapse_left_alone():
    drawn = "    {0} = scop_random(1)\nVERBATIM\n    }}\nENDVERBATIM\n    urand = value\n"
    text, applied = mechanisms.port(drawn.format("urand"))
    assert "value that was never set" in applied
    assert text == mechanisms.port(drawn.format("value"))[0]
    assert mechanisms.port(text) == (text, ())


def test_a_mechanism_is_renamed_where_it_is_defined():
    text = "NEURON { SUFFIX Ca\n RANGE gCabar }\n: Ca is calcium\n"
    assert mechanisms.rename(text, "Ca", "Ca_1") == text.replace("SUFFIX Ca", "SUFFIX Ca_1")
    assert mechanisms.rename(text, "Ca_LVAst", "x") == text
