"""Names: every spelling of the portal leads to one, and a typo is met with a suggestion."""

import json

import pytest
from nmc import names
from nmc.data.registry import item, match
from nmc.errors import NMCError, UnknownNameError


def test_counts_are_those_of_the_paper():
    # Markram et al. 2015: 55 m-types, 11 e-types, 207 me-types; the portal: 5 models each.
    assert len(names.LAYERS) == 5
    assert len(names.MTYPES) == len(set(names.MTYPES)) == 55
    assert len(names.ETYPES) == len(set(names.ETYPES)) == 11
    assert len(names.METYPES) == len(set(names.METYPES)) == 207
    assert len(names.model_names()) == len(set(names.model_names())) == 1035


def test_mtypes_stand_in_the_alphabetical_order_of_the_connectome_files():
    assert list(names.MTYPES) == sorted(names.MTYPES)


@pytest.mark.parametrize(
    ("given", "expected"),
    [("L1_SAC", "L1_SLAC"), ("L1_LAC", "L1_DLAC"), ("L5_TTPC1", "L5_TTPC1")],
)
def test_mtype_aliases(given, expected):
    assert names.canonical_mtype(given) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [("cACint209", "cAC"), ("cACint", "cAC"), ("cADpyr232", "cADpyr"), ("L5PC", "cADpyr"),
     ("L23PC", "cADpyr"), ("bIR215", "bIR")],
)  # fmt: skip
def test_etype_aliases(given, expected):
    assert names.canonical_etype(given) == expected


def test_portal_spelling_comes_back():
    for mtype in names.MTYPES:
        assert names.canonical_mtype(names.portal_mtype(mtype)) == mtype
    for metype in names.METYPES:
        assert names.canonical_metype(names.portal_metype(metype)) == metype
    assert names.canonical_metype("L1_SAC:cACint") == "L1_SLAC_cAC"


def test_every_model_name_is_parsed_back_to_itself():
    for name in names.model_names():
        model = names.parse_model(name)
        assert model.name == name
        assert model.metype in names.METYPES
        assert name.startswith(model.layer + "_")


def test_model_of_the_portal_spelling_and_of_a_file_name():
    assert names.parse_model("L1_SAC_cACint209_3.zip").name == "L1_SLAC_cACint209_3"


@pytest.mark.parametrize(
    ("call", "wrong", "suggestion"),
    [
        (names.canonical_mtype, "L5_TTCP1", "L5_TTPC1"),
        (names.canonical_etype, "cadpyr", "cADpyr"),
        (names.canonical_metype, "L5_TTPC1_cNAC", "L5_TTPC1_cADpyr"),
        (names.parse_model, "L5_TTPC1_cADpyr231_1", "L5_TTPC1_cADpyr232_1"),
        (names.canonical_layer, "L7", "L"),
    ],
)
def test_a_typo_is_met_with_a_suggestion(call, wrong, suggestion):
    with pytest.raises(UnknownNameError, match="Did you mean") as caught:
        call(wrong)
    assert suggestion in str(caught.value)
    assert isinstance(caught.value, NMCError)


def test_pathways_are_written_pre_colon_post():
    assert names.pathway("L1_SAC", "L5_MC") == "L1_SLAC:L5_MC"
    assert names.parse_pathway("L4_SS:L23_PC") == ("L4_SS", "L23_PC")
    with pytest.raises(UnknownNameError, match="pre:post"):
        names.parse_pathway("L4_SS-L23_PC")


def test_excitatory_types_have_cadpyr_alone():
    excitatory = [m for m in names.MTYPES if names.is_excitatory(m)]
    assert all(names.etypes_of(m) == ("cADpyr",) for m in excitatory)
    assert {names.layer_of(m) for m in excitatory} == {"L23", "L4", "L5", "L6"}
    assert "cADpyr" not in {
        e for m in names.MTYPES if m not in excitatory for e in names.etypes_of(m)
    }


@pytest.mark.real
def test_names_are_those_of_the_portal_trees(mirror):
    listed = json.loads((mirror / item("tree/metypes").path).read_text())
    assert set(listed) == {names.portal_metype(m) for m in names.METYPES}

    def leaves(nodes):
        for node in nodes:
            yield from leaves(node["nodes"]) if "nodes" in node else [node["text"]]

    zips = set(leaves(json.loads((mirror / item("tree/download_tree").path).read_text())))
    assert zips == {f"{name}.zip" for name in names.model_names()}


@pytest.mark.real
def test_paths_of_the_registry_are_the_portals(mirror):
    pages = [f"metype/{metype}" for metype in names.METYPES]
    pages += [f"{kind}/{m}" for kind in ("mtype", "mtype_details", "synaptome")
              for m in names.MTYPES]  # fmt: skip
    for page in (*pages, *(f"layer/{layer}" for layer in names.LAYERS)):
        assert (mirror / item(f"page/{page}").path).is_file()
    text = (mirror / item("tree/connectome").path).read_text()
    instances = match([f"connectome/{kind}" for kind in ("average", "individual", "control")])
    assert len(instances) == 77
    for entry in instances:
        assert f"/{entry.path}" in text
