"""The Connectome itself: its parts, its coverage, and what it refuses."""

import numpy as np
import pytest
from nmc.connectome import plots
from nmc.connectome.graph import Connectome, Coverage, canonical
from nmc.connectome.read import default_key
from nmc.errors import MissingFileError, UnknownNameError
from scipy import sparse
from test_nulls import make_connectome


@pytest.fixture
def connectome():
    return make_connectome(3, n=60, density=0.2, n_types=5)


@pytest.mark.parametrize(
    ("how", "keeps"),
    [
        ({"layer": "L5"}, lambda t: t["layer"] == "L5"),
        ({"layer": ["L2/3", "L6"]}, lambda t: t["layer"].isin(["L23", "L6"])),
        ({"mtype": "L23_PC"}, lambda t: t["mtype"] == "L23_PC"),
        ({"excitatory": False}, lambda t: ~t["excitatory"]),
        ({"excitatory": True, "layer": "L5"}, lambda t: t["excitatory"] & (t["layer"] == "L5")),
        (
            {"within_um": 120, "of": (0, 0, 0)},
            lambda t: (t["x_um"] ** 2 + t["y_um"] ** 2 + t["z_um"] ** 2) <= 120**2,
        ),
        (
            {"within_um": 90, "of": (50, 0, 50), "horizontal": True},
            lambda t: np.hypot(t["x_um"] - 50, t["z_um"] - 50) <= 90,
        ),
    ],
    ids=["layer", "layers", "mtype", "inhibitory", "both", "sphere", "cylinder"],
)
def test_subset_keeps_neurons_and_the_connections_among_them(connectome, how, keeps):
    part = connectome.subset(**how)
    keep = keeps(connectome.neurons).to_numpy()
    dense = connectome.adjacency.toarray()[np.ix_(keep, keep)]
    assert 0 < part.n_neurons == keep.sum() < connectome.n_neurons
    assert (part.adjacency.toarray() == dense).all() and part.adjacency.has_canonical_format
    assert part.neurons["x_um"].tolist() == connectome.neurons.loc[keep, "x_um"].tolist()
    assert part.coverage.part_of == connectome.name and not part.coverage.whole
    assert set(part.mtypes) == set(part.neurons["mtype"].astype(str))


def test_a_name_that_is_not_there(connectome):
    with pytest.raises(UnknownNameError, match="Did you mean"):
        connectome.subset(mtype="L23_PX")
    with pytest.raises(UnknownNameError, match="There is no layer"):
        make_connectome(1, n_types=1).subset(layer="L6")


def test_canonical_takes_what_people_have():
    matrix = sparse.coo_array(([2.0, 0.0, 1.0], ([0, 1, 0], [2, 0, 1])), (3, 3))
    graph = canonical(matrix)
    assert graph.dtype == bool and graph.nnz == 2 and graph.indices.tolist() == [1, 2]


def test_a_matrix_of_another_size_is_refused(connectome):
    with pytest.raises(ValueError, match="60 neurons"):
        Connectome(connectome.neurons, canonical(np.eye(3)), Coverage(connectome.mtypes))


def test_the_column_shows_no_more_than_a_page_can_hold(connectome, monkeypatch):
    whole = plots.view_column(connectome)
    assert all(m in whole.html for m in connectome.mtypes)
    monkeypatch.setattr(plots, "MOST_SHOWN", 20)
    monkeypatch.setattr(plots, "MOST_LINKS", 50)
    assert len(plots.view_column(connectome).html) < len(whole.html)


def test_default_key_takes_what_a_source_has(tmp_path):
    with pytest.raises(MissingFileError, match="no connectome"):
        default_key(source=tmp_path)


@pytest.mark.real
def test_default_key_of_the_real_tree(mirror):
    assert default_key(source=mirror) == "connectome/extract/mc2/L5_TTPC2"
    assert default_key(source=mirror, min_mtypes=2) == "connectome/extract/mc0/5percent"
