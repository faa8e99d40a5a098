"""Real files from packages of PyPI: found without importing, checked, reshaped, named.

The packages need not be installed: a site folder is laid out as theirs is, from the same bytes.
"""

from __future__ import annotations

import shutil
import sys
import zipfile

import nmc
import numpy as np
import pandas as pd
import pytest
from nmc.data import provenance, sources
from nmc.errors import MissingFileError, TermsError

KEYS: dict[str, list[str]] = {}
for _key, _told in sources.providers().items():
    KEYS.setdefault(_told["package"], []).append(_key)
MODELS = tuple(key.removeprefix("model/") for key in KEYS["MEArec"])
_ZIPS = "assets/documents/static/downloads-zip"


@pytest.fixture
def site_folder(tmp_path, monkeypatch, cache):
    """A folder on Python's path, empty of packages, hiding those that may be installed."""
    root = tmp_path / "site"
    root.mkdir()
    hidden = {"MEArec", "netsci", "neuromotifs"}
    monkeypatch.setattr(sources, "folder_of", lambda name: _find(root, name))
    monkeypatch.setattr(sources, "version_of", lambda name: "0.0.0-test")
    assert not hidden & set(sys.modules)
    return root


def _find(root, name):
    return root / name if (root / name).is_dir() else None


def install_mearec(root, mirror, models=MODELS):
    """Lay models out as MEArec does: unpacked, release 1.0.11, without the hidden file."""
    with zipfile.ZipFile(mirror / _ZIPS / "L5_BTC_bAC217_1.zip") as later:
        version = later.read("L5_BTC_bAC217_1/VERSION")
    for model in models:
        target = root / "MEArec/cell_models/bbp" / model
        with zipfile.ZipFile(mirror / _ZIPS / f"{model}.zip") as package:
            for name in package.namelist():
                inside = name.partition("/")[2]
                if inside and not name.endswith("/") and not inside.startswith("."):
                    (target / inside).parent.mkdir(parents=True, exist_ok=True)
                    content = version if inside == "VERSION" else package.read(name)
                    (target / inside).write_bytes(content)


def install_netsci(root, mirror):
    shutil.copytree(mirror / "related/netsci", root / "netsci/resources/datasets")


def test_without_the_packages_the_way_out_is_named(site_folder):
    assert not nmc.available("model/L5_TTPC1_cADpyr232_1", "extracts")
    with pytest.raises(MissingFileError, match=r"pip install nmc\[extracts\]"):
        nmc.fetch("model/L5_TTPC1_cADpyr232_1", source="extracts", accept_terms=True)
    with pytest.raises(MissingFileError, match="no package on PyPI"):
        nmc.fetch("sheet/layers", source="extracts", accept_terms=True)


@pytest.mark.real
def test_terms_are_needed(site_folder, mirror):
    install_netsci(site_folder, mirror)
    with pytest.raises(TermsError):
        nmc.fetch("connectome/extract/mc2/L6_LBC", source="extracts")


@pytest.mark.real
def test_models_are_packed_as_the_portal_packed_them(site_folder, mirror):
    install_mearec(site_folder, mirror)
    for model in MODELS:
        key = f"model/{model}"
        assert nmc.available(key, "extracts")
        own = nmc.fetch_folder(key, source="extracts", accept_terms=True)
        with zipfile.ZipFile(mirror / _ZIPS / f"{model}.zip") as package:
            for name in package.namelist():
                if not name.endswith(("/", "/VERSION", "/.provenance.json")):
                    assert (own.parent / name).read_bytes() == package.read(name), name
    entry = nmc.provenance().iloc[0]
    assert entry["origin"].startswith("MEArec") and not entry["invented"]
    assert "MEArec" in provenance.note()


@pytest.mark.real
@pytest.mark.parametrize("name", ["template.hoc", "mechanisms/Ih.mod", "synapses/synapses.tsv"])
def test_an_altered_model_is_not_offered(site_folder, mirror, name):
    model = "L5_TTPC1_cADpyr232_1"
    install_mearec(site_folder, mirror, [model])
    path = site_folder / "MEArec/cell_models/bbp" / model / name
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))
    assert not nmc.available(f"model/{model}", "extracts")
    with pytest.raises(MissingFileError, match=f"changed {model}"):
        nmc.fetch(f"model/{model}", source="extracts", accept_terms=True)


@pytest.mark.real
def test_a_model_that_lacks_a_file_is_not_offered(site_folder, mirror):
    model = "L5_TTPC1_cADpyr232_1"
    install_mearec(site_folder, mirror, [model])
    (site_folder / "MEArec/cell_models/bbp" / model / "mechanisms/Ih.mod").unlink()
    with pytest.raises(MissingFileError, match=f"changed {model}"):
        nmc.fetch(f"model/{model}", source="extracts", accept_terms=True)


@pytest.mark.real
@pytest.mark.parametrize(("mtype", "neurons", "connections"),
                         [("L5_TTPC2", 2003, 102_732), ("L6_LBC", 463, 1480)])  # fmt: skip
def test_wiring_is_that_of_the_independent_copy(site_folder, mirror, mtype, neurons, connections):
    import h5py

    install_netsci(site_folder, mirror)
    key = f"connectome/extract/mc2/{mtype}"
    own = nmc.fetch(key, source="extracts", accept_terms=True)
    with h5py.File(own) as a, h5py.File(nmc.fetch(key, source=mirror)) as b:
        for name in (f"populations/{mtype}/locations", f"connectivity/{mtype}/{mtype}/cMat"):
            assert np.array_equal(a[name][()], b[name][()])
        assert a[f"populations/{mtype}/locations"].shape == (neurons, 3)
        assert a[f"connectivity/{mtype}/{mtype}/cMat"][()].sum() == connections
    name = mtype.replace("TTPC2", "TTPC")
    listed = pd.read_csv(mirror / f"related/netsci/connectome.{name}.synapses.csv.gz")
    loaded = nmc.load_connectome(key, source="extracts")
    assert sorted(loaded.weights) == sorted(listed["contacts"])


@pytest.mark.real
def test_altered_wiring_is_not_offered(site_folder, mirror):
    install_netsci(site_folder, mirror)
    path = next((site_folder / "netsci").rglob("*L6_LBC.neurons*"))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(MissingFileError, match="changed connectome.L6_LBC.neurons"):
        nmc.fetch("connectome/extract/mc2/L6_LBC", source="extracts", accept_terms=True)


@pytest.mark.real
def test_extracts_stand_in_order_with_other_trees(site_folder, mirror, tmp_path):
    install_netsci(site_folder, mirror)
    source = ["extracts", mirror]
    nmc.fetch("connectome/extract/mc2/L6_LBC", source=source, accept_terms=True)
    nmc.fetch("sheet/layers", source=source)
    assert list(nmc.provenance()["origin"]) == ["netsci 0.0.0-test (PyPI)", mirror.name]


@pytest.mark.parametrize("provider", KEYS)
def test_an_installed_package_ships_what_it_should(provider):
    """Runs where the extra is installed: every offered key is offered unaltered."""
    if not sources.folder_of(provider):
        pytest.skip(f"{provider} is not installed (pip install nmc[extracts])")
    assert all(nmc.available(key, "extracts") for key in KEYS[provider])


@pytest.mark.slow
@pytest.mark.neuron
@pytest.mark.parametrize("model", MODELS)
def test_every_model_of_mearec_runs_as_the_portals_own(model, monkeypatch, request):
    """Step 1 of the package as MEArec ships it, and of the portal's package where it is at hand."""
    if not sources.folder_of("MEArec"):
        pytest.skip("MEArec is not installed (pip install nmc[extracts])")
    monkeypatch.setenv("NMC_ACCEPT_TERMS", "1")
    monkeypatch.setenv("NMC_SOURCE", "extracts")
    own = nmc.simulate_step(model, 1, mode="converged", progress=False)
    assert np.isfinite(own["v_mV"]).all() and own.attrs["spike_count"] > 0
    try:
        mirror = request.getfixturevalue("mirror")
    except pytest.skip.Exception:
        return  # no copy of the portal's own packages to compare with
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    theirs = nmc.simulate_step(model, 1, mode="converged", progress=False)
    assert np.array_equal(own.attrs["spike_times_ms"], theirs.attrs["spike_times_ms"])
