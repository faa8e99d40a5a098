"""Where the portal kept each file, below its base address.

Only paths, no bytes: the sample writes to these paths and the catalogue fetches from them,
so that a synthetic tree and a copy of the portal are read the same way.
"""

from __future__ import annotations

from nmc import names

STATIC = "assets/documents/static"
DOWNLOAD = f"{STATIC}/Download"
TREES = "assets/documents/10184/21773"
FACTS = "widget/microcircuit/-/smw-facts"
CONNECTOME = "public/nmc-models/pathways_stripped_prod"

CIRCUIT_JSON = f"{DOWNLOAD}/circuit_download.json"
LAYERS_JSON = f"{DOWNLOAD}/layer_download.json"
ANATOMY_JSON = f"{DOWNLOAD}/pathways_anatomy_factsheets_simplified.json"
PHYSIOLOGY_JSON = f"{DOWNLOAD}/pathways_physiology_factsheets_simplified.json"
MODELS_JSON = f"{DOWNLOAD}/RmpRiTau_summary.json"
ALL_MODELS_TAR = f"{DOWNLOAD}/hoc_combos_syn.1_0_10.allzips.tar"
NEUROML_ZIP = f"{DOWNLOAD}/NMC.NeuronML2.v1.zip"  # the portal's own spelling
#: The public conversion of 13 cells; the portal's own tree never held it.
NEUROML_SUBSET = "related/NMC.NeuroML2.osb-subset.zip"

CIRCUIT_PAGE = "microcircuit.html"
PATHWAY_PAGES = f"{FACTS}/pathway.tar.gz"

TREE_NAMES = (
    "download_tree", "connectome", "main", "metypes",
    "nb_connection", "pathway_count", "total_synapse", "pathways_list",
)  # fmt: skip

MICROCIRCUITS = tuple(range(7))  # mc0 … mc6
ANIMALS = ("P14-13", "P14-14", "P14-15", "P14-16", "P14-17")
CONTROL_INSTANCES = tuple(range(5))


def tree(name: str) -> str:
    """Path of one of the JSON trees behind the portal's menus."""
    return f"{TREES}/{name}.json"


def package(model: str | names.Model) -> str:
    """Path of a me-type package."""
    return f"{STATIC}/downloads-zip/{names.parse_model(model).name}.zip"


def layer_page(layer: str) -> str:
    """Path of a layer's fact sheet page."""
    return f"{FACTS}/layer/{names.canonical_layer(layer)}.html"


def mtype_page(mtype: str, details: bool = False) -> str:
    """Path of an m-type's fact sheet page (its summary, or its details)."""
    name = names.portal_mtype(mtype)
    return f"{FACTS}/mtype/{name}/details/index.html" if details else f"{FACTS}/mtype/{name}.html"


def metype_page(metype: str) -> str:
    """Path of a me-type's fact sheet page, which holds its five models as tabs."""
    return f"{FACTS}/metype/{names.portal_metype(metype)}/details/index.html"


def synaptome_page(mtype: str) -> str:
    """Path of an m-type's synaptome page."""
    return f"{FACTS}/synaptome/{names.portal_mtype(mtype)}/details/index.html"


def average(mc: int) -> str:
    """Path of one of the seven average connectome instances."""
    return f"{CONNECTOME}/average/cons_locs_pathways_mc{mc}_Column.tar"


def individual(animal: str, mc: int) -> str:
    """Path of a connectome instance built from one animal's measurements."""
    return f"{CONNECTOME}/individuals/pathways_{animal}/pathways_mc{mc}_Column.tar"


def control(mc: int, instance: int) -> str:
    """Path of a control connectome instance (average morphologies' overlap)."""
    return f"{CONNECTOME}/controls/cons_locs_pathways_mc{mc}_Column_rnd_instance{instance}.tar"
