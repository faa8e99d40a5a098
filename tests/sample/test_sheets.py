"""The sample's files agree with its wiring, measured here a second time and by other means."""

import json

import numpy as np
import pytest
from nmc import names
from nmc.data.registry import item

from tools.sample import column
from tools.sample import sheets as planted


@pytest.fixture(scope="module")
def anatomy(tree):
    return json.loads((tree / item("sheet/pathways_anatomy").path).read_text())


@pytest.fixture(scope="module")
def dynamics(tree):
    return json.loads((tree / item("sheet/pathways_physiology").path).read_text())


@pytest.fixture(scope="module")
def layer_file(tree):
    return json.loads((tree / item("sheet/layers").path).read_text())


@pytest.fixture(scope="module")
def circuit(tree):
    return json.loads((tree / item("sheet/circuit").path).read_text())


def _two_digits(value: float) -> float:
    return float(f"{value:.2g}")


def test_pathways_are_those_with_connections(anatomy, dynamics, mc2):
    connected = {f"{a}:{b}" for a in mc2.mtypes for b in mc2.mtypes if mc2.block(a, b).any()}
    assert set(anatomy) == set(dynamics) == connected
    assert len(connected) == 1932


def test_convergence_and_divergence(anatomy, mc2):
    for key, entry in anatomy.items():
        block = mc2.block(*key.split(":"))
        found = [block.sum(0).mean(), block.sum(0).std(), block.sum(1).mean(), block.sum(1).std()]
        printed = [
            entry[f"number_of_{way}_neuron_{stat}"]
            for way in ("convergent", "divergent")
            for stat in ("mean", "std")
        ]
        assert printed == pytest.approx([_two_digits(v) for v in found], abs=1e-12), key


def test_probability_is_that_of_near_pairs(anatomy, mc2):
    apart = np.linalg.norm(mc2.places[:, None] - mc2.places[None], axis=-1)
    np.fill_diagonal(apart, np.inf)
    for key, entry in anatomy.items():
        i, j = (mc2.code == mc2.mtypes.index(m) for m in key.split(":"))
        near = apart[np.ix_(i, j)] < 100.0
        share = mc2.matrix[np.ix_(i, j)][near].mean() if near.any() else 0.0
        assert entry["connection_probability"] == pytest.approx(100 * _two_digits(share)), key


@pytest.mark.parametrize("key", ["L23_PC:L23_PC", "L6_IPC:L6_IPC"])
def test_common_neighbour_bias(anatomy, mc2, key):
    """Counted pair by pair with sets, as the portal counts within a type."""
    members = np.flatnonzero(mc2.code == mc2.mtypes.index(key.split(":")[0]))
    into = {k: set(np.flatnonzero(mc2.matrix[:, k])) for k in members}
    out = {k: set(np.flatnonzero(mc2.matrix[k])) for k in members}
    common = {True: [], False: []}
    for i in members:
        for j in members:
            if i != j:
                linked = bool(mc2.matrix[i, j] or mc2.matrix[j, i])
                common[linked].append(len(into[i] & into[j]) + len(out[i] & out[j]))
    bias = np.mean(common[True]) / np.mean(common[False])
    assert anatomy[key]["common_neighbor_bias"] == pytest.approx(_two_digits(bias))


def test_synapse_counts_add_up_to_the_populations(anatomy, mc2):
    """Σ over presynaptic types of the total synapse count = Σ nSynAff of the postsynaptic type."""
    for post in mc2.mtypes:
        total = sum(v["total_synapse_count"] for k, v in anatomy.items() if k.endswith(f":{post}"))
        mine = mc2.code == mc2.mtypes.index(post)
        assert total == mc2.counts["nSynAff"][mine].sum()


def test_populations_count_partners_outside(mc2):
    assert (mc2.counts["nCellAff"] >= mc2.matrix.sum(0)).all()
    assert (mc2.counts["nCellEff"] >= mc2.matrix.sum(1)).all()
    assert mc2.counts["nCellAff"].sum() > 1.2 * mc2.matrix.sum()
    for way in ("Aff", "Eff"):
        assert (mc2.counts[f"nSyn{way}"] >= mc2.counts[f"nCell{way}"]).all()


def test_rim_has_more_partners_outside(mc2):
    """Mean squared radius is 5/12 of the side's square; beyond it a cell misses more inputs."""
    centre = mc2.places[:, [0, 2]].mean(0)
    r = np.hypot(*(mc2.places[:, [0, 2]] - centre).T)
    share = 1 - mc2.matrix.sum(0) / np.maximum(mc2.counts["nCellAff"], 1)
    far = r > np.median(r)
    assert share[far].mean() > 1.1 * share[~far].mean()


def test_mtype_counts_agree_but_for_the_planted_one(layer_file, mc2):
    counts = dict(zip(mc2.mtypes, np.bincount(mc2.code).tolist(), strict=True))
    for layer in ("L1", "L4", "L5", "L6"):
        for mtype, count in layer_file[layer]["No. of neurons per morphological types"].items():
            if mtype == "L6_BP":
                assert count == planted.wrong_l6_bp(counts[mtype]) != counts[mtype]
            else:
                assert count == counts[mtype]


def test_l23_holds_the_lower_half_under_odd_keys(layer_file, mc2):
    sheet = layer_file["L23"]
    border = column.borders_um()["L2"][0]
    for mtype, count in sheet["No. of neurons per morphological types"].items():
        mine = mc2.places[mc2.code == mc2.mtypes.index(mtype), 1]
        assert count == (mine < border).sum() < len(mine)
    assert "No. of possible pathways" not in sheet
    assert {"number of possible pathways", "dendritic length", "total dendritic length"} <= set(
        sheet
    )


def test_pathway_numbers_of_the_layers(layer_file, anatomy):
    for layer, sheet in layer_file.items():
        mine = [k for k in anatomy if k.startswith(f"{layer}_")]
        excitatory = [k for k in mine if names.is_excitatory(k.split(":")[0])]
        within = [k for k in mine if f":{layer}_" in k]
        assert sheet["number of viable pathways"] == len(mine)
        assert sheet["number of excitatory pathways"] == len(excitatory)
        assert sheet["number of intralaminar pathways"] == len(within)
        assert sheet["number of interlaminar pathways"] == len(mine) - len(within)


def test_circuit_agrees_but_for_the_planted_ones(circuit, mc2, anatomy):
    assert circuit["No. of neurons"] == len(mc2.code) == 4000
    short = sum(circuit["No. of neurons per layer"].values())
    bp = int((mc2.code == mc2.mtypes.index("L6_BP")).sum())
    assert circuit["No. of neurons"] - short == bp - planted.wrong_l6_bp(bp) > 0
    key = "No. of unique types of synaptic connections between m-types"
    assert circuit[key] == len(anatomy) + 9
    assert circuit["Microcircuit volume"] == pytest.approx(0.29, rel=0.05)
    about = f"~{float(f'{mc2.matrix.sum() / 1000:.2g}'):g} thousand"
    assert circuit["No. of intrinsic connections"] == about


def test_densities_are_those_of_the_placed_cells(circuit, mc2):
    area = column.footprint_mm2()
    for layer, (low, high) in column.borders_um().items():
        inside = (mc2.places[:, 1] >= low) & (mc2.places[:, 1] < high)
        density = inside.sum() / (area * (high - low) * 1e-3)
        assert circuit["Neuron densities"][layer] == pytest.approx(density, rel=1e-3)


def test_space_clamp_factor_is_a_number_or_a_sentence(dynamics):
    values = [v["space_clamp_correction_factor"] for v in dynamics.values()]
    numbers = [v for v in values if not isinstance(v, str)]
    assert len(numbers) == 28  # as many as in the portal's file
    assert {v for v in values if isinstance(v, str)} == {column.NOT_MEASURED}


def test_six_classes_are_found_again_from_the_parameters(dynamics):
    """Nearest class centre in log U, D, F: every pathway falls into its own."""
    kinds = list(column.CLASSES)
    centres = np.log(np.array(list(column.CLASSES.values())))
    for key, entry in dynamics.items():
        point = np.log([entry["u_mean"], entry["d_mean"], entry["f_mean"]])
        nearest = kinds[int(np.argmin(((centres - point) ** 2).sum(1)))]
        assert nearest == entry["synapse_type"], key
    assert {v["synapse_type"] for v in dynamics.values()} == set(kinds)


def test_class_follows_the_sign_of_the_presynaptic_type(dynamics):
    for key, entry in dynamics.items():
        excitatory = names.is_excitatory(key.split(":")[0])
        assert entry["synapse_type"].startswith("Excitatory" if excitatory else "Inhibitory")


def test_failures_fall_with_release_probability_and_contacts(dynamics, anatomy):
    failures = np.array([v["failures_mean"] for v in dynamics.values()])
    u = np.array([v["u_mean"] for v in dynamics.values()])
    cv = np.array([v["cv_psp_amplitude_mean"] for v in dynamics.values()])
    assert (failures >= 0).all() and (failures <= 100).all()
    assert np.median(failures[u < 0.15]) > 5 * np.median(failures[u > 0.45])
    assert np.corrcoef(np.log(failures + 1), np.log(cv))[0, 1] > 0.7
