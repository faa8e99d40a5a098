"""The whole mirror, cell by cell against readers that share nothing with the package's own."""

from __future__ import annotations

import csv
import json
import re
import zipfile

import nmc
import pandas as pd
import pytest
from nmc.data.registry import item
from nmc.factsheets import models as models_room
from nmc.factsheets.layers import load_layer_counts, load_layer_pages

pytestmark = pytest.mark.real

# Written down once more, so that a column that took another field's numbers is found.
ANATOMY = {
    "connection_probability": "connection_probability_percent",
    "number_of_convergent_neuron_mean": "convergence_mean",
    "number_of_convergent_neuron_std": "convergence_std",
    "number_of_divergent_neuron_mean": "divergence_mean",
    "number_of_divergent_neuron_std": "divergence_std",
    "mean_number_of_synapse_per_connection": "synapses_per_connection_mean",
    "number_of_synapse_per_connection_std": "synapses_per_connection_std",
    "total_synapse_count": "total_synapse_count",
    "common_neighbor_bias": "common_neighbour_bias",
}
PHYSIOLOGY = {
    "synapse_type": "synapse_type",
    "space_clamp_correction_factor": "space_clamp_correction_factor",
    **{
        f"{field}_{kind}": column.format(kind)
        for field, column in (
            ("gsyn", "gsyn_{}_nS"), ("u", "u_{}"), ("d", "d_{}_ms"), ("f", "f_{}_ms"),
            ("epsp", "psp_amplitude_{}_mV"), ("cv_psp_amplitude", "cv_psp_amplitude_{}"),
            ("risetime", "rise_time_{}_ms"), ("latency", "latency_{}_ms"),
            ("decay", "decay_{}_ms"), ("failures", "failures_{}_percent"),
        )
        for kind in ("mean", "std")
    },
}  # fmt: skip
LAYERS = {
    "no. of possible pathways": "possible_pathways",
    "number of possible pathways": "possible_pathways",
    "number of viable pathways": "viable_pathways",
    "number of excitatory pathways": "excitatory_pathways",
    "number of inhibitory pathways": "inhibitory_pathways",
    "number of intralaminar pathways": "intralaminar_pathways",
    "number of interlaminar pathways": "interlaminar_pathways",
    "total axonal length": "total_axonal_length_um",
    "total axonal volume": "total_axonal_volume_um3",
    "total dendritic length": "total_dendritic_length_um",
    "dendritic length": "dendritic_length_um",
    "total dendritic volume": "total_dendritic_volume_um3",
    "synapse density": "synapse_density_per_mm3",
}
MTYPE = {
    f"total {part} {size}": f"total_{column}_{size}_{unit}"
    for part, column in (("axon", "axonal"), ("dendritic", "dendritic"), ("apical", "apical"),
                         ("basal", "basal"))
    for size, unit in (("length", "um"), ("volume", "um3"))
}  # fmt: skip
CIRCUIT = {
    "Microcircuit volume": "volume_mm3",
    "No. of neurons": "neurons",
    "No. of layers": "layers",
    "No. of morphological types": "mtypes",
    "No. of electrical types": "etypes",
    "No. of morphoelectrical types": "metypes",
    "No. of s-types": "stypes",
    "No. of unique types of synaptic connections between m-types": "mtype_pathways",
    "No. of unique types of synaptic connections between me-types": "metype_pathways",
    "No. of intrinsic connections": "intrinsic_connections",
    "No. of intrinsic synapses": "intrinsic_synapses",
    "No. of extrinsic connections": "extrinsic_connections",
    "No. of extrinsic synapses": "extrinsic_synapses",
    "No. of neurons per layer": "neurons_per_layer",
    "Layer thicknesses": "thickness_um",
    "Neuron densities": "density_per_mm3",
}
PORTAL_NAME = {"L1_SLAC": "L1_SAC", "L1_DLAC": "L1_LAC"}


def number(text: str) -> float:
    return float(text.replace(",", ""))


def bars(text: str) -> dict[str, int]:
    found = re.findall(r'smwbar">([^<]+)</div>.*?smwbarvalue">([\d,]+)<', text, re.S)
    return {name: int(number(value)) for name, value in found}


def values_of(text: str) -> dict[str, float]:
    """Labels and single numbers of a page, by a plain search."""
    found = re.findall(
        r"<dt[^>]*>((?:(?!</dt>).)*)</dt>\s*<dd[^>]*factsheet-value[^>]*>\s*([-\d,.]+)", text, re.S
    )
    return {
        " ".join(re.sub(r"<sup.*?</sup>|<[^>]+>", "", label).split()): number(value)
        for label, value in found
    }


def test_every_pathway_value_is_that_of_the_json(real_source):
    table = nmc.load_pathways()
    assert len(table) == 1932
    anatomy = json.loads((real_source / item("sheet/pathways_anatomy").path).read_text())
    physiology = json.loads((real_source / item("sheet/pathways_physiology").path).read_text())
    rows = {f"{row['pre']}:{row['post']}": row for row in table.to_dict("records")}
    assert set(rows) == set(anatomy) == set(physiology)
    compared = 0
    for key, row in rows.items():
        for field, value in {**anatomy[key], **physiology[key]}.items():
            column = {**ANATOMY, **PHYSIOLOGY}[field]
            if field == "space_clamp_correction_factor" and isinstance(value, str):
                assert pd.isna(row[column]) and not row["conductance_measured"]
            else:
                assert row[column] == value, (key, field)
            compared += 1
    assert compared == 1932 * (9 + 22)
    assert table["conductance_measured"].sum() == 28
    counts = table["s_type"].value_counts()
    assert counts.to_dict() == {"I2": 1215, "E2": 527, "I1": 95, "E1": 44, "I3": 40, "E3": 11}


def test_every_layer_value_is_that_of_the_json(real_source):
    data = json.loads((real_source / item("sheet/layers").path).read_text())
    table = nmc.load_layers().set_index("layer")
    assert list(table.index) == ["L1", "L23", "L4", "L5", "L6"]
    counts = load_layer_counts().set_index(["layer", "kind", "type"])["n_neurons"]
    compared = 0
    for layer, sheet in data.items():
        for label, value in sheet.items():
            if isinstance(value, dict):
                kind = "mtype" if "morphological" in label else "etype"
                for name, neurons in value.items():
                    assert counts[layer, kind, name] == neurons
                    compared += 1
            else:
                assert table.loc[layer, LAYERS[label.lower()]] == value, (layer, label)
                compared += 1
    assert compared == len(counts) + sum(len(sheet) - 2 for sheet in data.values())
    assert table["n_neurons_listed"].tolist() == [338, 4109, 4656, 6114, 12651]
    assert table["n_neurons"].sum() == 31283


def test_every_layer_page_number_is_read(real_source):
    facts, counts = load_layer_pages()
    numbers = sorted([*facts["value"], *counts["n_neurons"].astype(float)])
    expected = []
    for layer in ("L1", "L23", "L4", "L5", "L6"):
        text = (real_source / item(f"page/layer/{layer}").path).read_text("utf-8")
        expected += [float(v) for v in bars_all(text)]
        expected += [number(v) for v in re.findall(r'factsheet-value">\s*([\d,.]+)', text)]
    assert numbers == sorted(expected)
    for layer in ("L1", "L4", "L5", "L6"):  # one list a page; L23 has one of each half, below
        text = (real_source / item(f"page/layer/{layer}").path).read_text("utf-8")
        own = facts[facts["layer"] == layer].set_index("quantity")["value"]
        assert own.to_dict() == {LAYERS[k.lower()]: v for k, v in values_of(text).items()}
    pyramidal = counts[counts["type"] == "L23_PC"].set_index("sublayer")["n_neurons"]
    assert pyramidal.to_dict() == {"L2": 2421, "L3": 3456}


def bars_all(text: str) -> list[float]:
    return [number(value) for value in re.findall(r'smwbarvalue">([\d,]+)<', text)]


def test_circuit_sheet_against_the_derived_facts(real_source):
    derived = json.loads((real_source / "derived" / "circuit_facts.json").read_text())["facts"]
    table = nmc.load_circuit()
    compared = 0
    for label, entry in derived.items():
        rows = table[table["quantity"] == CIRCUIT[label]]
        if isinstance(entry["value"], dict):
            by_layer = dict(zip(rows["layer"].astype(str), rows["value"], strict=True))
            assert by_layer == entry["value"]
        else:
            assert rows["value"].item() == entry["value"]
            assert rows["approximate"].item() == entry.get("approximate", False)
        compared += len(rows)
    assert compared == len(table) == 30


def test_mtypes_and_metypes_against_a_plain_search_of_the_pages(real_source):
    mtypes = nmc.load_mtypes().set_index("mtype")
    metypes = nmc.load_metypes().set_index("metype")["n_neurons"]
    assert len(mtypes) == 55 and len(metypes) == 207 and len(nmc.load_etypes()) == 11
    expected = {}
    for mtype in mtypes.index:
        text = (real_source / item(f"page/mtype/{mtype}").path).read_text("utf-8")
        counts = bars(text)
        assert mtypes.loc[mtype, "n_neurons"] == sum(counts.values())
        expected |= {k.replace(PORTAL_NAME.get(mtype, mtype), mtype): v for k, v in counts.items()}
        own = mtypes.loc[mtype].filter(like="total_").dropna()
        assert own.to_dict() == {MTYPE[k]: v for k, v in values_of(text).items()}
        assert len(own) == text.count("factsheet-value")
    assert metypes.to_dict() == expected and sum(expected.values()) == 31346


def test_models_against_the_derived_table(real_source):
    table = nmc.load_models(step_currents=False).set_index("model")
    with (real_source / "derived" / "metype_physiology.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(table) == len(rows) == 1035
    numeric = [field.column for field in models_room.FACTS.values()]
    for row in rows:
        assert table.loc[row["model"], "morphology"] == row["morphology"]
        for column in numeric:
            value = table.loc[row["model"], column]
            assert (pd.isna(value) and row[column] == "") or value == float(row[column])


def test_models_keep_every_number_of_the_pages(real_source):
    """The same, against the pages themselves: nothing printed is left out."""
    table = nmc.load_models(step_currents=False)
    numeric = [field.column for field in models_room.FACTS.values()]
    for metype, rows in table.groupby("metype", observed=True):
        text = (real_source / item(f"page/metype/{metype}").path).read_text("utf-8")
        printed = re.findall(r'factsheet-value">\s*([-\d,.]+)', text)
        read = rows[numeric].to_numpy(dtype=float).ravel()
        assert sorted(read[~pd.isna(read)]) == sorted(number(value) for value in printed)


def test_channel_densities_keep_every_equation(real_source):
    table = nmc.load_channel_densities()
    total = 0
    for metype, rows in table.groupby("metype", observed=True):
        text = (real_source / item(f"page/metype/{metype}").path).read_text("utf-8")
        equations = re.findall(
            r'data-equation="([^"]*)"[^>]*data-name="([^"]*)">([^<]*)</span>', text
        )
        read = rows.dropna(subset="parameter")
        assert list(
            zip(read["expression"], read["distribution"], read["parameter"], strict=True)
        ) == [(e, n, p.strip()) for e, n, p in equations]
        total += len(equations)
    assert total == 28040 + 1405
    uniform = table[table["distribution"] == "uniform"]
    assert (uniform["value"] == uniform["expression"].astype(float)).all()
    assert set(table["section"]) == {"axonal", "somatic", "dendritic", "basal", "apical"}


def test_step_currents_come_from_the_packages_at_hand(real_source):
    table = nmc.load_models().set_index("model")
    packages = sorted((real_source / item("model/L1_DAC_bNAC219_1").path).parent.glob("*.zip"))
    assert table["holding_current_nA"].notna().sum() == len(packages) > 100
    for package in packages[::10]:
        with zipfile.ZipFile(package) as archive:
            text = archive.read(f"{package.stem}/current_amps.dat").decode()
        assert table.loc[package.stem, list(models_room.CURRENTS)].tolist() == [
            float(word) for word in text.split()
        ]
