"""NeuroML2 versions: read, compared with their packages, and run."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import nmc
import numpy as np
import pytest
from lxml import etree
from mutations import assert_survives
from neuroml.loaders import NeuroMLLoader
from nmc import published
from nmc.cells.neuroml import cell, simulate
from nmc.cells.neuroml.elements import evaluate, is_known, quantity, read_channel
from nmc.cells.package import read_package
from nmc.data.registry import item
from nmc.errors import (
    FormatError,
    MissingFileError,
    MissingLibraryError,
    SimulationError,
    TrustError,
    UnknownNameError,
)

from tools.sample import NEUROML_MODELS
from tools.sample.neuroml import NETS

from .conftest import SMALL, STOCHASTIC

REAL_NETS = (
    "L1_HAC_cNAC187_1", "L23_PC_cADpyr229_1", "L23_NBC_cNAC187_1", "L5_TTPC1_cADpyr232_1",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return a folder with the sample's NeuroML2 files."""
    found = nmc.fetch_folder("neuroml/subset", source="sample")
    (cells,) = {path.parent for path in Path(found).rglob("*.cell.nml")}
    return Path(shutil.copytree(cells, tmp_path_factory.mktemp("neuroml") / "files"))


@pytest.fixture
def damaged(folder, tmp_path) -> Path:
    """Return a copy of the NeuroML2 versions that a test may damage."""
    return Path(shutil.copytree(folder, tmp_path / "twins"))


def twin_in(folder: Path, package) -> cell.NeuroMLCell:
    return cell.read_cell(folder / f"{package.template}_0_0.cell.nml", package.name)


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [("-85.0 mV", "mV", -85), ("6mV", None, 6e-3), ("1e-4 mM", None, 1e-4), ("34 degC", None, 34),
     ("0.18 per_ms", None, 180), ("2.0E-6 mol_per_cm3", "mM", 2), ("3 S_per_cm2", None, 3e4)],
)  # fmt: skip
def test_quantities_have_units(text, unit, value):
    assert quantity(text, unit) == pytest.approx(value)


def test_expressions_are_lems_and_nothing_else():
    v = np.array([-80.0, -40.0])
    assert evaluate("2^3 * exp(0) - V/40", {"V": v}) == pytest.approx([10, 9])
    assert evaluate("V .lt. ( -60 )", {"V": v}).tolist() == [True, False]
    assert evaluate("V .gt. -90 .and. V .lt. -60", {"V": v}).tolist() == [True, False]
    for bad in ("__import__('os')", "V.real", "[1]", "exp(1, 2)", "1 +", "W"):
        with pytest.raises(FormatError, match="NeuroML"):
            evaluate(bad, {"V": v})
    with pytest.raises(FormatError, match="furlong"):
        quantity("3 furlong")


def test_a_twin_is_found_by_its_package_and_agrees(small, folder):
    twin = twin_in(folder, small)
    assert twin.v_init_mV == -80 and twin.model == SMALL
    assert twin.morphology.loc["axonal", "length_um"] == pytest.approx(60, abs=1e-3)
    table = nmc.compare_densities(small, twin)
    alone = table[table["difference_percent"].isna()]
    assert alone["mechanism"].tolist() == ["synapses"]
    assert alone["package"].item() == len(small.synapses)
    assert table["difference_percent"].max() < 1e-6
    assert {"g", "e", "gamma", "decay", "cm", "Ra", "e of k"} <= set(table["parameter"])


def test_what_the_source_gives_says_where_it_comes_from(small):
    found = nmc.load_neuroml(SMALL)
    assert found.invented and found.origin == "sample" and "sample" in repr(found)
    assert nmc.load_neuroml(found.path).origin == cell.OWN
    assert nmc.load_neuroml(str(found.path)).segments.equals(found.segments)


def test_a_cell_is_read_as_libneuroml_reads_it(small, folder):
    """The field's own library reads the same file."""
    twin = twin_in(folder, small)
    (theirs,) = NeuroMLLoader.load(str(twin.path)).cells
    ends = [(s.distal.x, s.distal.y, s.distal.z, s.distal.diameter)
            for s in theirs.morphology.segments]  # fmt: skip
    assert np.array_equal(twin.segments[["x1_um", "y1_um", "z1_um", "d1_um"]], ends)
    membrane = theirs.biophysical_properties.membrane_properties
    listed = [
        (d.segment_groups, d.ion_channel, float(d.cond_density.split()[0]))
        for d in (*membrane.channel_densities, *membrane.channel_density_nernsts)
    ]
    ours = twin.densities.query("parameter == 'g'").dropna()
    assert listed == list(zip(ours["section_list"], ours["channel"], ours["value"], strict=True))
    for name in twin.channels:
        channel = twin.channel(name)
        (theirs,) = NeuroMLLoader.load(str(channel.path)).ion_channel
        assert channel.species == (theirs.species or "")
        gates = [(g.id, g.instances) for g in theirs.gates]
        assert gates == [(g.name, g.instances) for g in channel.gates]


def test_a_changed_density_is_found(small, damaged):
    path = damaged / f"{small.template}_0_0.cell.nml"
    was = 'id="somatic_gNaTs2_tbar_NaTs2_t" ionChannel="NaTs2_t" ion="na" condDensity="0.4 '
    text = path.read_text()
    assert was in text
    path.write_text(text.replace(was, was.replace("0.4", "0.5")))
    table = nmc.compare_densities(small, twin_in(damaged, small))
    off = table[table["difference_percent"] > 1e-6]
    assert off["section_list"].tolist() == ["somatic"] and off["mechanism"].tolist() == ["NaTs2_t"]
    assert off["difference_percent"].item() == pytest.approx(25)


def test_random_channels_have_a_deterministic_stand_in(sample_folder, folder):
    package = read_package(sample_folder / STOCHASTIC)
    table = nmc.compare_densities(package, twin_in(folder, package))
    rows = table.query("mechanism == 'StochKv' and parameter == 'g'")
    assert len(rows) and (rows["note"] == "StochKv_deterministic in its place").all()
    assert (rows["difference_percent"] < 1e-6).all()


@pytest.mark.neuron
@pytest.mark.parametrize("model", [SMALL, STOCHASTIC])
def test_kinetics_agree_with_the_compiled_mechanisms(model, sample_folder, folder):
    package = read_package(sample_folder / model)
    mod = nmc.compute_channel_kinetics(package)
    xml = nmc.compute_channel_kinetics(twin_in(folder, package))
    table = nmc.compare_kinetics(mod, xml)
    assert (table["note"] == "").all() and len(table) >= 15
    assert table["steady_state_difference"].max() < 1e-9
    assert table["tau_difference_percent"].max() < 1e-4
    known = table["power"].notna()
    assert (table["power"] == table["power_other"])[known].all()
    assert table.loc[~known, "channel"].tolist() in ([], ["StochKv"])


def test_missing_and_broken_files_are_named(small, damaged):
    twin = twin_in(damaged, small)
    (damaged / "Ih.channel.nml").unlink()
    with pytest.raises(MissingFileError, match=r"Ih\.channel\.nml"):
        twin.channel("Ih")
    path = damaged / f"{small.template}_0_0.cell.nml"
    path.write_text(path.read_text()[:2000])
    with pytest.raises(FormatError, match=path.name):
        twin_in(damaged, small)
    with pytest.raises(FormatError, match="0 cells"):
        cell.read_cell(damaged / "pas.channel.nml")
    with pytest.raises(FormatError, match="0 ion channels"):
        read_channel(damaged / "CaDynamics_E2_NML2.nml")
    with pytest.raises(MissingFileError, match=r"nothing\.nml"):
        read_channel(damaged / "nothing.nml")


def test_an_unknown_rate_law_is_named(damaged):
    path = damaged / "Ih.channel.nml"
    path.write_text(path.read_text().replace('"HHExpRate"', '"HHMagicRate"'))
    with pytest.raises(FormatError, match="HHMagicRate"):
        read_channel(path).kinetics(-70.0)


def test_a_pool_that_no_file_defines_is_named(small, damaged):
    (damaged / "CaDynamics_E2_NML2.nml").unlink()
    with pytest.raises(FormatError, match="CaDynamics_E2_NML2__cNAC187"):
        twin_in(damaged, small)


def test_names_that_do_not_exist(small, folder):
    with pytest.raises(UnknownNameError, match="Did you mean 'Ih'"):
        twin_in(folder, small).channel("Ihh")
    with pytest.raises(UnknownNameError):
        nmc.load_neuroml("L9_XX_cNAC187_1")
    with pytest.raises(MissingFileError, match="L1_DAC_bNAC219_1"):
        nmc.load_neuroml("L1_DAC_bNAC219_1")


@pytest.mark.real
def test_a_model_without_a_neuroml2_version_is_told_those_that_have_one(mirror, monkeypatch):
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    told = "no NeuroML2 version of L4_SS_cADpyr230_1.* it has .*cADpyr229_L23_PC"
    with pytest.raises(MissingFileError, match=told):
        nmc.load_neuroml("L4_SS_cADpyr230_1")


def test_the_sample_lists_its_twins():
    table = nmc.list_neuroml()
    assert len(table) == len(NEUROML_MODELS) and table["step_net"].sum() == len(NETS)
    assert table.loc[nmc.load_package(SMALL).template, "mtype"] == "L1_HAC"


def test_without_java_there_is_one_clear_sentence(small, folder, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    twin = twin_in(folder, small)
    with pytest.raises(MissingLibraryError, match="needs a Java runtime") as raised:
        nmc.simulate_neuroml(twin, tstop_ms=1.25)  # a length that nothing has kept
    assert "default-jre" in str(raised.value) and "\n" not in str(raised.value)


def test_without_the_extra_there_is_one_clear_sentence(small, folder, monkeypatch):
    monkeypatch.setattr(simulate.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingLibraryError, match=r"pip install 'nmc\[neuroml\]'"):
        nmc.simulate_neuroml(twin_in(folder, small))


@pytest.mark.parametrize("settings", [{"dt_ms": 0}, {"dt_ms": np.nan}, {"tstop_ms": -1},
                                      {"tstop_ms": np.inf}, {"threshold_mV": "high"}])  # fmt: skip
def test_settings_that_cannot_be_are_named_before_a_run(small, folder, settings):
    with pytest.raises(SimulationError, match=next(iter(settings))):
        nmc.simulate_neuroml(twin_in(folder, small), **settings)


def test_any_damage_to_a_cell(small, folder, memory_path, n_mutations):
    """A cell of a few segments: damage to a large file is rarely telling."""
    name = f"{small.template}_0_0.cell.nml"
    for path in folder.glob("*.nml"):
        shutil.copyfile(path, memory_path / path.name)
    tree = etree.parse(folder / name)
    for path in ("{*}segment", "{*}segmentGroup/{*}member", "{*}segmentGroup/{*}include"):
        for element in tree.findall(f"{{*}}cell/{{*}}morphology/{path}")[3:]:
            element.getparent().remove(element)
    (memory_path / name).write_bytes(etree.tostring(tree))

    def accept(found: cell.NeuroMLCell) -> bool:
        finite = np.isfinite(found.segments.select_dtypes("number").to_numpy()).all()
        return finite and not np.isinf(found.densities["value"]).any()

    counts = assert_survives(
        cell.read_cell,
        accept,
        [(memory_path / name).read_bytes()],
        n_mutations,
        memory_path / name,
    )
    assert min(counts.values()) > 0


def test_any_damage_to_a_channel(folder, memory_path, n_mutations):
    samples = [(folder / f"{name}.channel.nml").read_bytes() for name in ("Ih", "SK_E2", "NaTa_t")]

    def read(path: Path):
        return read_channel(path).kinetics(np.array([-80.0, 0.0]))

    counts = assert_survives(
        read, lambda table: None, samples, n_mutations, memory_path / "x.channel.nml"
    )
    assert min(counts.values()) > 0


@pytest.mark.parametrize("formula", ["-" * 5000 + "1", "(" * 3000, "1e999999", "x" * 9**6])
def test_formulas_without_end_are_refused_at_once(formula):
    with pytest.raises(FormatError, match="not understood|unknown name|not finite"):
        evaluate(formula, {})


def test_a_cell_without_a_net_and_a_net_without_its_cell(small, damaged):
    twin = twin_in(damaged, small)
    (damaged / "NaTa_t.channel.nml").unlink()
    with pytest.raises(MissingFileError, match=r"NaTa_t\.channel\.nml"):
        nmc.simulate_neuroml(twin)
    (damaged / f"LEMS_{SMALL}.xml").unlink()
    with pytest.raises(MissingFileError, match="no step-current net"):
        nmc.simulate_neuroml(twin)


@pytest.mark.neuron
def test_what_jneuroml_cannot_translate_is_an_error(small, damaged):
    path = damaged / "Ih.channel.nml"
    path.write_text(path.read_text().replace('type="HHExpRate"', 'type="HHMagicRate"'))
    with pytest.raises(nmc.errors.SimulationError, match="jNeuroML cannot translate"):
        nmc.simulate_neuroml(twin_in(damaged, small), trust=True)


def edit_net(folder: Path, old: str, new: str) -> None:
    path = folder / f"LEMS_{SMALL}.xml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.fixture
def ran(monkeypatch) -> list[str]:
    """What simulate_neuroml would have run; nothing is."""
    started: list[str] = []

    def run_child(task, params, **_):
        started.extend(sorted(p.name for p in Path(params["folder"]).iterdir()))
        raise SimulationError("started")

    monkeypatch.setattr(simulate.child, "run_child", run_child)
    monkeypatch.setattr(simulate.mechanisms, "load_result", lambda key: None)
    monkeypatch.setattr(simulate.shutil, "which", lambda name: name)
    return started


def test_files_of_a_known_archive_run_unasked_wherever_they_lie(small, damaged, ran):
    with pytest.raises(SimulationError, match="started"):
        nmc.simulate_neuroml(twin_in(damaged, small))
    assert f"LEMS_{SMALL}.xml" in ran and "Ih.channel.nml" in ran


@pytest.mark.parametrize("name", ["Ih.channel.nml", f"LEMS_{SMALL}.xml"])
def test_files_of_ones_own_run_only_where_trusted(small, damaged, ran, name):
    path = damaged / name
    path.write_text(path.read_text() + "<!-- mine -->")
    with pytest.raises(TrustError, match=rf"^{name} in .*trust=True"):
        nmc.simulate_neuroml(twin_in(damaged, small))
    assert not ran
    with pytest.raises(SimulationError, match="started"):
        nmc.simulate_neuroml(twin_in(damaged, small), trust=True)
    assert ran


def test_the_archive_of_all_runs_only_where_trusted(small, damaged, ran, tmp_path, monkeypatch):
    """Nobody knows its content: it is asked for as every other file is."""
    tree = tmp_path / "tree"
    for key in (f"model/{SMALL}", "neuroml/all"):
        (tree / item(key).path).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(nmc.fetch(f"model/{SMALL}", source="sample"), tree / item(f"model/{SMALL}").path)
    path = damaged / "Ih.channel.nml"
    path.write_text(path.read_text() + "<!-- another -->")
    with zipfile.ZipFile(tree / item("neuroml/all").path, "w") as archive:
        for path in damaged.iterdir():
            archive.write(path, f"NMC/NeuroML2/{path.name}")
    monkeypatch.setenv("NMC_SOURCE", str(tree))
    with pytest.raises(TrustError, match=r"^Ih.channel.nml in .*trust=True"):
        nmc.simulate_neuroml(SMALL)
    assert not ran
    with pytest.raises(SimulationError, match="started"):
        nmc.simulate_neuroml(SMALL, trust=True)
    assert ran


def test_only_neuroml_files_that_are_included_are_taken(small, damaged, ran):
    (damaged / "stdgui.hoc").write_text("print 1\n")
    edit_net(damaged, "<Lems>", '<Lems><!-- <Include file="stdgui.hoc"/> -->')
    with pytest.raises(SimulationError, match="started"):
        nmc.simulate_neuroml(twin_in(damaged, small), trust=True)
    assert ran and not [name for name in ran if name.endswith(".hoc")]
    ran.clear()
    edit_net(damaged, "<!-- <Include", "<Include")
    edit_net(damaged, "/> -->", "/>")
    with pytest.raises(FormatError, match=r"stdgui\.hoc"):
        nmc.simulate_neuroml(twin_in(damaged, small), trust=True)
    assert not ran


@pytest.mark.real
def test_the_list_of_the_public_conversion_is_its_archives(mirror):
    folder = nmc.fetch_folder("neuroml/subset", source=mirror)
    paths = [p for p in folder.rglob("*") if p.suffix in (".nml", ".xml")]
    contents = {p.name: p.read_bytes() for p in paths}
    assert is_known(contents) and len(contents) == len(paths) == 48
    assert not is_known(contents | {"Ih.channel.nml": contents["Im.channel.nml"]})


@pytest.mark.neuron
def test_a_twin_fires_as_its_package(small, folder, monkeypatch):
    twin = twin_in(folder, small)
    trace = nmc.simulate_neuroml(twin, tstop_ms=900)
    assert trace.attrs["v_init_mV"] == -80 and trace.attrs["celsius"] == 34
    assert trace.attrs["invented"] and trace.attrs["origin"] == cell.OWN  # by its text
    assert trace.attrs["hold_nA"] == pytest.approx(small.hold_nA, abs=1e-7)
    assert trace.attrs["amplitude_nA"] == pytest.approx(small.steps_nA[2], abs=1e-7)
    pulses = [nmc.Step(700, 200, small.steps_nA[2]), nmc.Step(0, 900, small.hold_nA)]
    step = nmc.simulate_currents(small, pulses, tstop_ms=900, v_init_mV=-80)
    early = nmc.compare_spikes(step, trace).dropna()
    assert len(early) == trace.attrs["spike_count"] > 3
    assert early["difference_ms"].abs().max() < 3
    before = trace.query("t_ms < 699")["v_mV"].to_numpy()
    assert np.abs(before - step["v_mV"].to_numpy()[: len(before)]).max() < 0.2
    monkeypatch.setattr(simulate.child, "run_child", None)  # would fail if it were called
    again = nmc.simulate_neuroml(twin, tstop_ms=900)
    assert again.equals(trace) and again.attrs == trace.attrs


def test_spikes_are_paired_first_with_first():
    import pandas as pd

    one, two = pd.DataFrame(), pd.DataFrame()
    one.attrs["spike_times_ms"] = [100.0, 200.0, 300.0]
    two.attrs["spike_times_ms"] = [101.0, 198.0]
    table = nmc.compare_spikes(one, two)
    assert table["difference_ms"].tolist()[:2] == [1.0, -2.0] and np.isnan(
        table.loc[3, "t_other_ms"]
    )
    assert table.attrs == {"largest_percent": 1.0, "spike_counts": (3, 2)}


@pytest.mark.real
def test_real_channels_agree_with_the_compiled_mechanisms(mirror, monkeypatch):
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    for model in ("L1_HAC_cNAC187_1", "L23_PC_cADpyr229_1", "L23_LBC_cSTUT189_1"):
        package, twin = nmc.load_package(model), nmc.load_neuroml(model)
        table = nmc.compare_kinetics(
            nmc.compute_channel_kinetics(package), nmc.compute_channel_kinetics(twin)
        ).set_index("channel")
        table_ms = table.drop(index="StochKv", errors="ignore")
        assert (table["note"] == "").all()
        assert table_ms["steady_state_difference"].max() < 1e-9
        assert table_ms["tau_difference_percent"].max() < 1e-4
        # StochKv looks its rates up in a table with 1.1 mV between entries
        assert table["steady_state_difference"].max() < 1e-3
        assert table["tau_difference_percent"].max() < 1


@pytest.mark.real
def test_real_densities_agree_and_the_differences_are_listed(mirror, monkeypatch):
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    for model in (*REAL_NETS, "L23_LBC_cSTUT189_1"):
        table = nmc.compare_densities(nmc.load_package(model), nmc.load_neuroml(model))
        alone = table[table["difference_percent"].isna()]
        assert alone["mechanism"].tolist() == ["synapses"]
        assert table["difference_percent"].max() < 1e-3
        stand_in = table["note"].str.contains("deterministic").sum()
        assert (stand_in > 0) == (model == "L23_LBC_cSTUT189_1")


@pytest.mark.real
def test_every_real_file_is_read(mirror, monkeypatch):
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    table = nmc.list_neuroml()
    folder = nmc.fetch_folder("neuroml/subset", source=mirror)
    assert len(table) == 13 and table["step_net"].sum() == 5
    for path in sorted(folder.rglob("*.cell.nml")):
        assert len(cell.read_cell(path).segments) > 0
    channels = [read_channel(p) for p in sorted(folder.rglob("*.channel.nml"))]
    assert len(channels) == 15
    for channel in channels:
        found = channel.kinetics(np.array([-80.0, 0.0]))
        assert channel.name == "pas" or found["steady_state"].between(0, 1).all()


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.neuron
@pytest.mark.parametrize("model", REAL_NETS)
def test_real_spike_times_within_the_published_tolerances(model, mirror, monkeypatch):
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    twin = nmc.simulate_neuroml(model, timeout_s=900)
    package = nmc.simulate_step(model, 3, v_init_mV=-80)
    table = nmc.compare_spikes(package, twin)
    assert len(set(table.attrs["spike_counts"])) == 1
    claim = published.claim(f"neuroml/spike_times_{model}")
    assert claim.allows(table.attrs["largest_percent"])


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.neuron
def test_real_deterministic_stutterer_has_the_published_spikes(mirror, monkeypatch):
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    trace = nmc.simulate_neuroml("L23_LBC_cSTUT189_1")
    assert published.claim("neuroml/spikes_L23_LBC_cSTUT189_1").allows(trace.attrs["spike_count"])
