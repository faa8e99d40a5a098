"""Any damage to a sheet: a table that is whole and finite, or the package's own error, in time."""

from __future__ import annotations

import json
import zipfile

import nmc
import numpy as np
import pandas as pd
import pytest
from mutations import assert_linear, assert_survives
from nmc import names
from nmc.data.registry import item
from nmc.factsheets import columns, layers, models, pathways
from nmc.factsheets.sheets import facts_of, open_page, read_facts, read_json
from pathway_rows import ANATOMY, PHYSIOLOGY
from test_refusals import bars, fact, layer_sheet, metype_page

KEY = "L5_TTPC1:L5_MC"


def is_sound(table: pd.DataFrame, rows: int | None = None, missing: tuple[str, ...] = ()) -> bool:
    """No infinity, no negative count, nothing missing but where it may be."""
    if rows is not None and len(table) != rows:
        return False
    numbers = table.select_dtypes("number")
    values = numbers.to_numpy(dtype=float, na_value=np.nan)
    lost = {column for column in table if table[column].isna().any()}
    return not np.isinf(values).any() and lost <= set(missing)


def circuit_sheet() -> dict:
    by_layer = dict.fromkeys(("L1", "L23", "L4", "L5", "L6"), 100)
    apart = dict.fromkeys(("L1", "L2", "L3", "L4", "L5", "L6"), 200.5)
    sheet = {label: 12 for label in layers.QUANTITIES}
    sheet["No. of intrinsic synapses"] = "~8.1 million"
    sheet["No. of neurons per layer"] = by_layer
    return {**sheet, "Layer thicknesses": apart, "Neuron densities": apart}


def test_circuit_files(memory_path, n_mutations):
    samples = [json.dumps(circuit_sheet()).encode()]

    def accept(table: pd.DataFrame) -> bool:
        return (table["value"] >= 0).all() and is_sound(table, missing=("layer",))

    counts = assert_survives(
        nmc.load_circuit, accept, samples, n_mutations, memory_path / "circuit.json"
    )
    assert min(counts.values()) > 0


def test_layer_files(memory_path, n_mutations):
    samples = [json.dumps(layer_sheet()).encode()]

    def accept(table: pd.DataFrame) -> bool:
        mtypes = table[table["kind"] == "mtype"]
        return set(mtypes["type"]) == set(names.MTYPES) and (table["n_neurons"] >= 0).all()

    counts = assert_survives(
        layers.load_layer_counts, accept, samples, n_mutations, memory_path / "layers.json"
    )
    assert min(counts.values()) > 0


def test_pathway_files(memory_path, n_mutations):
    keys = (KEY, "L1_SAC:L1_LAC")
    anatomy = json.dumps(dict.fromkeys(keys, ANATOMY)).encode()
    physiology = json.dumps(dict.fromkeys(keys, PHYSIOLOGY)).encode()
    sound = {"anatomy": memory_path / "sound-a.json", "physiology": memory_path / "sound-p.json"}
    sound["anatomy"].write_bytes(anatomy)
    sound["physiology"].write_bytes(physiology)

    def accept(table: pd.DataFrame) -> bool:
        known = table["u_mean"].between(0, 1) & table["connection_probability_percent"].le(100)
        return bool(known.all()) and is_sound(table, missing=("space_clamp_correction_factor",))

    for name, sample in (("anatomy", anatomy), ("physiology", physiology)):
        counts = assert_survives(
            lambda path, name=name: nmc.load_pathways(**{**sound, name: path}),
            accept, [sample], n_mutations, memory_path / f"{name}.json",
        )  # fmt: skip
        assert min(counts.values()) > 0


def test_model_summaries(memory_path, n_mutations):
    record = {"Rmp": "-70.1", "Rmp_Units": "mV", "Rin": 300.5, "Tau": "1e1"}
    samples = [json.dumps(dict.fromkeys(names.model_names()[:3], record)).encode()]
    # A file of all models is slow to damage: in one of three, the others are what is missing.
    counts = assert_survives(
        models.read_model_summary, lambda table: False, samples, n_mutations,
        memory_path / "summary.json",
    )  # fmt: skip
    assert counts["read"] == 0


def test_mtype_pages(memory_path, n_mutations):
    listed = bars("No. of cells per electrical types", L1_DAC_bNAC=3, L1_DAC_cNAC="1,055")
    page = fact("total axon length", "4,013", "µm") + fact("total basal volume", "7", "µm³")

    def accept(result: tuple[dict, dict]) -> bool:
        counts, amounts = result
        values = [*counts.values(), *amounts.values()]
        return set(counts) == {"L1_DAC_bNAC", "L1_DAC_cNAC"} and all(
            0 <= float(v) < np.inf for v in values
        )

    counts = assert_survives(
        lambda path: layers.read_mtype_page(path, "L1_DAC"), accept, [(page + listed).encode()],
        n_mutations, memory_path / "L1_DAC.html",
    )  # fmt: skip
    assert min(counts.values()) > 0


def test_metype_pages(memory_path, n_mutations):
    span = '<span data-equation="0.000012" data-name="uniform">gImbar</span> Im'
    table = (
        '<table class="table"><tr><td>somatic</td><td><a class="smw-equation">{}</a></td></tr>'
        "</table>"
    )
    page = metype_page(fact("input resistance", "369.1", "MOhm"), table.format(span)).encode()

    def read(path):
        model = "L1_DAC_bNAC219_1"
        return [
            (models.tab_facts(path, model, tab), list(models.tab_channels(path, model, tab)))
            for tab in models.read_metype_page(path)
        ]

    def accept(rows: list[tuple[dict, list[dict]]]) -> bool:
        numbers = [v for facts, channels in rows for v in facts.values()]
        numbers += [c["value"] for _, channels in rows for c in channels if c["value"] is not None]
        return len(rows) == 5 and not np.isinf(np.array(numbers, float)).any()

    counts = assert_survives(read, accept, [page], n_mutations, memory_path / "index.html")
    assert min(counts.values()) > 0


def test_pathway_pages(memory_path, n_mutations):
    page = fact("total synapse count", "1,200", "synapses") + fact("u (mean ± std)", "0.5 ± 0.02")
    page += fact("synapse type", "Excitatory, depressing")

    def accept(values: dict[str, str]) -> bool:
        return set(values) <= {*pathways.ANATOMY, *pathways.PHYSIOLOGY, "synapse_type"}

    counts = assert_survives(
        pathways.read_pathway_page, accept, [page.encode()], n_mutations, memory_path / "a-b.html"
    )
    assert min(counts.values()) > 0


def test_layer_pages(memory_path, n_mutations):
    good = nmc.fetch("page/layer/L1", source="sample").read_bytes()

    def accept(values: list) -> bool:
        return all(np.isfinite(value.value) for value in values)

    counts = assert_survives(
        lambda path: layers._values(path, "L1", read_facts(path)), accept, [good], n_mutations,
        memory_path / "L1.html",
    )  # fmt: skip
    assert min(counts.values()) > 0


@pytest.fixture
def own_menus(memory_path, monkeypatch):
    """A generated tree of menus alone, to be damaged where they lie."""
    (memory_path / item("tree/metypes").path).parent.mkdir(parents=True)
    (memory_path / "nmc-tree.json").write_text('{"origin": "course", "invented": true}')
    monkeypatch.setenv("NMC_SOURCE", str(memory_path))
    return memory_path


def test_flow_diagrams(own_menus, n_mutations):
    path = own_menus / item("tree/nb_connection").path
    links = [{"source": i, "target": 5 + j, "value": 10 * i + j} for i in range(5) for j in (0, 3)]
    good = json.dumps({"L_L": {"nodes": [], "links": links}}).encode()
    counts = assert_survives(
        lambda _: columns.flow("nb_connection"),
        lambda values: len(values) == 25 and np.isfinite([*values.values()]).all(),
        [good], n_mutations, path,
    )  # fmt: skip
    assert min(counts.values()) > 0


def test_menus_of_packages(own_menus, n_mutations):
    nodes = [{"text": "L1", "nodes": [{"text": "L1_DAC_bNAC219_1.zip", "file_id": 7}] * 3}]
    path = own_menus / item("tree/download_tree").path
    counts = assert_survives(
        lambda _: list(columns.leaves([columns.tree("download_tree")])),
        lambda found: all(isinstance(name, str) for name in found),
        [json.dumps(nodes).encode()], n_mutations, path,
    )  # fmt: skip
    assert min(counts.values()) > 0


def test_texts_of_packages(memory_path, n_mutations):
    """Damage to the texts inside a zip, and to the zip around them."""
    model = "L1_DAC_bNAC219_1"
    currents = b"-0.012 0.0301 0.0326 0.0352\n"
    hoc = b'distribute($o1.somatic,"gImbar_Im","(0*%g+1)*0.000012")\n' * 3
    path = memory_path / "package.zip"

    def pack(currents: bytes, hoc: bytes) -> bytes:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{model}/current_amps.dat", currents)
            archive.writestr(f"{model}/biophysics.hoc", hoc)
        return path.read_bytes()

    def read(file):
        return models.read_currents(file, model), models.read_densities(file, model)

    def accept(result) -> bool:
        return len(result[0]) == 4 and np.isfinite([*result[0], *result[1].values()]).all()

    counts = assert_survives(read, accept, [pack(currents, hoc)], n_mutations, path)
    assert min(counts.values()) > 0

    def read_packed(file):
        pack(file.read_bytes(), hoc)
        return read(path)

    assert_survives(read_packed, accept, [currents], n_mutations, memory_path / "currents")

    def read_hoc(file):
        pack(currents, file.read_bytes())
        return read(path)

    assert_survives(read_hoc, accept, [hoc], n_mutations, memory_path / "hoc")


@pytest.mark.parametrize(
    "text",
    [
        lambda n: json.dumps({f"k{i}": 1 for i in range(n)})[:-1] + ', "k0": 2}',
        lambda n: json.dumps({"a": ["1e999999"] * n}),
        lambda n: '{"a": ' + "[" * n + "]" * n + "}",
        lambda n: '{"a": ' + "1" * n + "}",
    ],
    ids=["a repeated key", "1e999999", "nested", "digits"],
)
def test_json_is_read_in_linear_time(text):
    def read(content: bytes) -> None:
        read_json("sheet.json", content)

    assert_linear(read, lambda n: text(n).encode(), 10_000)


@pytest.mark.parametrize(
    "text",
    [
        lambda n: fact("total axon length", "1", "µm") * n,
        lambda n: "<dt>" * n + fact("a", "1"),
        lambda n: "<dd class='factsheet-value'>" + " 1" * n,
        lambda n: "<div><h6>" * n,
    ],
    ids=["facts", "labels", "text", "nested"],
)
def test_pages_are_read_in_linear_time(text):
    def read(content: bytes) -> None:
        list(facts_of(open_page("page.html", content)))

    assert_linear(read, lambda n: text(n).encode(), 1_000)


def test_a_huge_text_in_a_package_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/current_amps.dat", b"0" * (200 << 20))
    with pytest.raises(nmc.errors.FormatError, match="more than its size allows"):
        models.read_currents(path, "m")


@pytest.mark.parametrize("way", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_ways_of_packing_are_refused(tmp_path, way):
    path = tmp_path / "other.zip"
    with zipfile.ZipFile(path, "w", way) as archive:
        archive.writestr("m/current_amps.dat", b"1 2 3 4")
    with pytest.raises(nmc.errors.FormatError, match="packed in a way"):
        models.read_currents(path, "m")
