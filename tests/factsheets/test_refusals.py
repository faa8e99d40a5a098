"""What each reader says to a file that is not as it should be: file, key and value."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nmc
import nmc.names
import pytest
from nmc.data.registry import item
from nmc.errors import FormatError, MissingFileError
from nmc.factsheets import layers, sheets
from nmc.factsheets.layers import load_layer_counts, load_layer_pages
from nmc.factsheets.models import read_model_summary


def fact(label: str, value: str, unit: str = "") -> str:
    return (
        f'<dt><span>{label}</span></dt><dd class="factsheet-value">{value} '
        f'<span class="factsheet-unit">{unit}</span></dd>'
    )


def bars(label: str, **counts: object) -> str:
    rows = "".join(
        f'<tr><td><div class="smwbar">{name}</div></td><td><span class="smwbarvalue">{count}'
        f'</span> <span class="factsheet-unit"></span></td></tr>'
        for name, count in counts.items()
    )
    return f"<dt>{label}</dt><dd><table>{rows}</table></dd>"


def says(call, *words: str) -> None:
    with pytest.raises(FormatError) as caught:
        call()
    for word in words:
        assert word in str(caught.value), f"{word!r} is not in: {caught.value}"
    assert not re.search(r"Traceback|0x[0-9a-f]{6}", str(caught.value))


MTYPES = "No. of neurons per morphological types"
ETYPES = "No. of neurons per electrical types"


def layer_sheet(**changes) -> dict:
    """A sheet of each layer; what `changes` holds replaces facts of L1."""
    scalars = {field: 330 for field in layers.FACTS if "number of possible" not in field}
    sheets = {}
    for layer in nmc.names.LAYERS:
        own = [name for name in nmc.names.MTYPES if nmc.names.layer_of(name) == layer]
        sheets[layer] = {**scalars, MTYPES: dict.fromkeys(own, 58), ETYPES: {"cNAC": 58}}
    sheets["L1"].update(changes)
    return sheets


def own_counts(**changes) -> dict:
    mtypes = [name for name in nmc.names.MTYPES if name.startswith("L1_")]
    return {MTYPES: {**dict.fromkeys(mtypes, 58), **changes}}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"L1": {}}, ["layer_download.json", "L23"]),
        ({**layer_sheet(), "L7": {}}, ["layer_download.json", "L7"]),
        ({**layer_sheet(), "L4": 3}, ["L4", "3"]),
        (layer_sheet(**own_counts(L1_XX=3)), ["L1", "L1_XX"]),
        (layer_sheet(**own_counts(L4_PC=3)), ["L1", "L4_PC"]),
        (layer_sheet(**own_counts(L1_DAC=-3)), ["L1_DAC", "-3"]),
        (layer_sheet(**own_counts(L1_DAC=1.5)), ["L1_DAC", "1.5", "whole"]),
        (layer_sheet(**own_counts(L1_DAC=2**63)), ["L1_DAC", "9223372036854775808"]),
        (layer_sheet(**own_counts(L1_DAC=True)), ["L1_DAC", "True"]),
        (layer_sheet(**{MTYPES: {"L1_DAC": 58}}), ["L1", "lacks the m-type", "L1_DLAC"]),
        (layer_sheet(**{"No. of neurons per electrical types": {"cNAC": "x"}}), ["cNAC", "x"]),
        (layer_sheet(**{"No. of neurons per electrical types": 7}), ["L1", "electrical types"]),
    ],
)
def test_layer_counts(small_tree, data, words):
    small_tree(item("sheet/layers").path, data)
    says(load_layer_counts, *words)


def test_an_unknown_or_doubled_fact_of_a_layer(small_tree):
    small_tree(item("sheet/layers").path, layer_sheet(**{"number of dragons": 1}))
    says(nmc.load_layers, "layer_download.json", "L1", "number of dragons", "1")
    small_tree(item("sheet/layers").path, layer_sheet(**{"number of possible pathways": 330}))
    says(nmc.load_layers, "L1", "number of possible pathways", "also under 'No. of possible")


def test_a_layer_page_in_another_unit(small_tree):
    small_tree(item("page/layer/L1").path, fact("total axonal length", "4,013", "mm"))
    says(load_layer_pages, "L1.html", "total axonal length", "mm", "µm")


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (fact("No. of dragons", "3"), ["No. of dragons", "3"]),
        (fact("No. of neurons", "many"), ["No. of neurons", "many"]),
        (fact("Microcircuit volume", "0.29", "cm³"), ["Microcircuit volume", "cm³", "mm³"]),
        (bars("No. of neurons per layer", L9=3), ["No. of neurons per layer", "L9"]),
        (fact("No. of neurons", "31,346"), ["is missing"]),
        ("<p>moved</p>", ["is missing"]),
    ],
)
def test_circuit_page(small_tree, page, words):
    small_tree(item("page/circuit").path, page)
    says(nmc.load_circuit, "microcircuit.html", *words)


def test_a_byte_order_mark_is_no_part_of_a_sheet(small_tree):
    sheet = json.dumps(layer_sheet())
    small_tree(item("sheet/layers").path, sheet)
    plain = sheets.read_json(nmc.fetch("sheet/layers"))
    small_tree(item("sheet/layers").path, "\ufeff" + sheet)
    assert nmc.fetch("sheet/layers").read_bytes()[:3] == b"\xef\xbb\xbf"
    assert sheets.read_json(nmc.fetch("sheet/layers")) == plain


def test_circuit_json(small_tree):
    small_tree(item("sheet/circuit").path, {"No. of neurons": "~8.1 billion"})
    says(nmc.load_circuit, "circuit_download.json", "No. of neurons", "billion")


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (fact("total axon length", "3", "µm"), ["No. of cells per electrical types"]),
        (bars("No. of cells per electrical types", L1_DAC_cXX=3), ["L1_DAC_cXX"]),
        (bars("No. of cells per electrical types", L1_DAC_cNAC="?"), ["?"]),
        (
            bars("No. of cells per electrical types", L1_DAC_cNAC=3) + fact("total axon mass", "1"),
            ["total axon mass"],
        ),
        (
            bars("No. of cells per electrical types", L1_DAC_cNAC=3)
            + fact("total axon length", "1", "mm"),
            ["total axon length", "mm", "µm"],
        ),
    ],
)
def test_mtype_page(small_tree, page, words):
    small_tree(item("page/mtype/L1_DAC").path, page)
    says(nmc.load_mtypes, "L1_DAC.html", *words)


def metype_page(first: str, channels: str = "") -> str:
    titles = "".join('<li class="smw-tab-selector" title="m"></li>' for _ in range(5))
    tabs = "".join(
        f'<div class="smw-tab"><h6>Anatomy</h6><dl>{first if i == 1 else ""}</dl>{channels}'
        f'<a href="./x/L1_DAC_bNAC219_{i}.zip">get</a></div>'
        for i in range(1, 6)
    )
    return f"<ul>{titles}</ul>{tabs}"


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("<p>empty</p>", ["0 tabs"]),
        (metype_page(fact("axon colour", "red")), ["L1_DAC_bNAC219_1", "axon colour", "red"]),
        (metype_page(fact("input resistance", "369", "GOhm")), ["input resistance", "GOhm"]),
        (metype_page(fact("input resistance", "high", "MOhm")), ["input resistance", "high"]),
        (metype_page("").replace("bNAC219_3", "bNAC219_4"), ["L1_DAC_bNAC219_3"]),
    ],
)
def test_metype_page(small_tree, page, words):
    small_tree(item("page/metype/L1_DAC_bNAC").path, page)
    says(lambda: nmc.load_models(step_currents=False), "L1_DAC_bNAC", *words)


def test_channels_of_a_metype_page(small_tree):
    def table(section: str, equation: str, name: str) -> str:
        span = f'<span data-equation="{equation}" data-name="{name}">gImbar</span> Im'
        return (
            f'<table class="table"><tr><td>{section}</td><td><a class="smw-equation">{span}</a>'
            "</td></tr></table>"
        )

    path = item("page/metype/L1_DAC_bNAC").path
    for section, equation, name, words in (
        ("tail", "1", "uniform", ["tail"]),
        ("somatic", "much", "uniform", ["gImbar", "much"]),
        ("somatic", "x**2", "parabolic", ["gImbar", "parabolic"]),
    ):
        small_tree(path, metype_page("", table(section, equation, name)))
        says(lambda: nmc.load_channel_densities(["L1_DAC_bNAC"]), "L1_DAC_bNAC219_1", *words)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"L9_XX_1": {}}, ["L9_XX_1"]),
        ({"L1_DAC_bNAC219_1": {"Rmp": "-70"}}, ["L1_DAC_bNAC219_1", "Rin"]),
        ({"L1_DAC_bNAC219_1": {"Rmp": "-70", "Rin": "x", "Tau": "3"}}, ["Rin", "x"]),
        (
            {"L1_DAC_bNAC219_1": {"Rmp": "-70", "Rmp_Units": "V", "Rin": "3", "Tau": "3"}},
            ["'Rmp'", "unit", "'V'", "'mV'"],
        ),
        ({"L1_DAC_bNAC219_1": {"Rmp": "-70", "Rin": "3", "Tau": "3"}}, ["lacks the model", "1034"]),
    ],
)
def test_model_summary(small_tree, data, words):
    small_tree(item("sheet/models").path, data)
    says(read_model_summary, "RmpRiTau_summary.json", *words)


def test_an_absent_file_names_where_it_was_looked_for(small_tree, tmp_path):
    with pytest.raises(MissingFileError, match="pathways_anatomy"):
        nmc.load_pathways()


CASES = Path(__file__).parents[3] / "shared" / "cases"


@pytest.mark.real
@pytest.mark.parametrize(
    ("case", "load", "words"),
    [
        ("layers-infinity.json", load_layer_counts, ["L", "finite"]),
        ("layer-counts-1e30.json", load_layer_counts, ["L6_TPC_L1", "9223372036854775808"]),
        ("circuit-overflow.json", nmc.load_circuit, ["intrinsic connections", "'1e999'"]),
        ("circuit-decimal-overflow.json", nmc.load_circuit, ["'L5'", "'1e9999999'"]),
        ("circuit-missing-layer.json", nmc.load_circuit, ["Layer thicknesses", "-1"]),
    ],
)
def test_sheets_that_went_wrong(case, load, words):
    says(lambda: load(CASES / case), case, *words)


@pytest.mark.real
def test_a_count_that_is_no_number(mirror):
    case = CASES / "pathways-anatomy-nan-count.json"
    says(
        lambda: nmc.load_pathways(case, mirror / item("sheet/pathways_physiology").path),
        case.name,
        "nan",
    )


@pytest.mark.real
def test_a_page_that_lost_rows_is_named(tmp_path, mirror):
    for name in nmc.names.MTYPES:
        page = mirror / item(f"page/mtype/{name}").path
        content = page.read_bytes()
        if name == "L5_MC":
            content = (CASES / "mtype-page-rows-lost.html").read_bytes()
        (tmp_path / page.name).write_bytes(content)
    says(lambda: nmc.load_metypes(tmp_path), "L5_MC.html")


def test_lost_rows_are_named(small_tree):
    label = "No. of cells per electrical types"
    small_tree(item("page/mtype/L1_DAC").path, bars(label, L1_DAC_cNAC=3))
    says(nmc.load_metypes, "L1_DAC.html", label, "L1_DAC_bNAC")
    small_tree(
        item("page/mtype/L1_DAC").path, bars(label, L1_DAC_cNAC=3, L1_DAC_bNAC=2, L1_HAC_bNAC=1)
    )
    says(nmc.load_metypes, "L1_DAC.html", "L1_HAC_bNAC")
    small_tree(item("sheet/circuit").path, {"No. of neurons per layer": {"L1": 3}})
    says(nmc.load_circuit, "circuit_download.json")


def test_a_value_out_of_bounds_names_its_page():
    fields = {"v": sheets.Field("v_mV", low=-120, high=0)}
    facts = [sheets.Fact("", "v", None, "30.0", None)]
    says(lambda: sheets.numbers_of("b.html: 'b'", facts, fields), "b.html", "'b'", "'v'", "30.0")
