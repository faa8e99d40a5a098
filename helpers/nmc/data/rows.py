"""The rows of the catalogue: every item of the Downloads page, and the pages themselves."""

from __future__ import annotations

from collections.abc import Iterator

from nmc import layout, names

PORTAL_TERMS = "NMC portal terms of use (non-commercial)"
PACKAGE_TERMS = (
    "CC BY-NC-SA 4.0 (the package's LICENSE; some channels under ModelDB's terms), "
    "and the NMC portal terms of use (non-commercial)"
)
PORTAL_CITE = ("markram2015", "ramaswamy2015", "reimann2015")
CONNECTOME_CITE = (*PORTAL_CITE, "gal2017", "reimann2017morphological")

_LOCAL = "not a portal file: real values in the portal's layout, found in some copies of the tree"
_GROUP = "a tar archive whatever its name says, of the zips of its models"


def all_rows() -> Iterator[dict]:
    """Yield the fields of every item of the catalogue, without sizes and hashes."""
    yield from _sheets()
    yield from _trees()
    yield from _pages()
    yield from _models()
    yield from _neuroml()
    yield from _connectomes()


def _row(key: str, path: str, title: str, format: str, reader: str, **more) -> dict:
    defaults = {"licence": PORTAL_TERMS, "cite": PORTAL_CITE}
    return {
        **defaults, "key": key, "path": path, "title": title, "format": format,
        "reader": reader, **more,
    }  # fmt: skip


def _sheets() -> Iterator[dict]:
    for name, path, title, reader in (
        ("circuit", layout.CIRCUIT_JSON, "Facts of the whole microcircuit", "nmc.load_circuit"),
        ("layers", layout.LAYERS_JSON, "Facts of the layers", "nmc.load_layers"),
        (
            "pathways_anatomy", layout.ANATOMY_JSON,
            "Anatomy of the 1,932 m-type pathways", "nmc.load_pathways",
        ),
        (
            "pathways_physiology", layout.PHYSIOLOGY_JSON,
            "Physiology of the 1,932 m-type pathways", "nmc.load_pathways",
        ),
        (
            "models", layout.MODELS_JSON,
            "Resting potential, input resistance and time constant of all models",
            "nmc.load_models",
        ),
    ):  # fmt: skip
        yield _row(f"sheet/{name}", path, title, "json", reader)


def _trees() -> Iterator[dict]:
    for name in (*layout.TREE_NAMES, "pathways_list_2"):
        title = f"Tree behind the portal's menus: {name}"
        yield _row(f"tree/{name}", layout.tree(name), title, "json", "json.load")


def _pages() -> Iterator[dict]:
    plain = (
        ("circuit", layout.CIRCUIT_PAGE, "Microcircuit fact sheet page", "nmc.load_circuit"),
        (
            "downloads",
            "downloads.html",
            "Downloads page, which holds the terms of use",
            "a browser",
        ),
        ("copyright", "copyright.html", "Copyright page", "a browser"),
        ("help", f"{layout.FACTS}/help.html", "Help text of the fact sheets", "a browser"),
    )
    for name, path, title, reader in plain:
        yield _row(f"page/{name}", path, title, "html", reader)
    for layer in names.LAYERS:
        yield _row(
            f"page/layer/{layer}", layout.layer_page(layer), f"Layer fact sheet of {layer}",
            "html", "nmc.load_layers",
        )  # fmt: skip
    for name in (*names.LAYERS, *names.MTYPES):
        portal = name if name in names.LAYERS else names.portal_mtype(name)
        for kind, folder, tail, title, reader in (
            ("mtype", "mtype", ".html", "M-type fact sheet", "nmc.load_mtypes"),
            ("mtype_details", "mtype", "/details/index.html", "M-type details", "nmc.load_mtypes"),
            (
                "synaptome", "synaptome", "/details/index.html",
                "Synaptome page (two pictures and a video, no numbers)", "a browser",
            ),
        ):  # fmt: skip
            path = f"{layout.FACTS}/{folder}/{portal}{tail}"
            yield _row(f"page/{kind}/{name}", path, f"{title} of {name}", "html", reader)
    for name in names.METYPES:
        yield _row(
            f"page/metype/{name}", layout.metype_page(name),
            f"Me-type fact sheet of {name}: its five models", "html", "nmc.load_models",
        )  # fmt: skip
    yield _row(
        "page/pathways", layout.PATHWAY_PAGES, "The pathway fact sheet pages", "tar",
        "nmc.load_pathways", on_portal=False,
        note="the portal kept each page as a file: from there the archive is put together",
    )  # fmt: skip


def _models() -> Iterator[dict]:
    packages = {"licence": PACKAGE_TERMS}
    for name in names.model_names():
        model = names.parse_model(name)
        folder = f"{names.portal_mtype(model.mtype)}_{model.etype}"
        yield _row(
            f"model/{name}", layout.package(model), f"Model package of {name}", "zip",
            "nmc.load_package", other_releases=True,
            also=(f"{layout.STATIC}/METypes/{folder}/{name}.zip",),
            note="release 1.0.10 or 1.0.11, which differ in run.py, run_py.sh, README, VERSION "
            "and CHANGELOG only",
            **packages,
        )  # fmt: skip
    yield _row(
        "models/all", layout.ALL_MODELS_TAR, "All 1,035 model packages (785 MB), release 1.0.10",
        "tar", "nmc.fetch_folder", **packages,
    )  # fmt: skip
    for key, text in _groups():
        yield _row(
            f"models/group/{key}", f"{layout.STATIC}/downloads-zip/{text}.zip",
            f"Model packages of {key}", "tar", "nmc.fetch_folder", note=_GROUP, **packages,
        )  # fmt: skip


def _groups() -> Iterator[tuple[str, str]]:
    for layer in names.LAYERS:
        yield layer, layer
    for mtype in names.MTYPES:
        yield mtype, names.portal_mtype(mtype)
    for metype in names.METYPES:
        mtype, _, etype = metype.rpartition("_")
        yield metype, f"{names.portal_mtype(mtype)}:{etype}"


def _neuroml() -> Iterator[dict]:
    yield _row(
        "neuroml/all", layout.NEUROML_ZIP, "NeuroML2 versions of the model packages", "zip",
        "nmc.fetch_folder", licence=PACKAGE_TERMS,
    )  # fmt: skip
    yield _row(
        "neuroml/subset", layout.NEUROML_SUBSET,
        "NeuroML2 versions of 13 cells and 15 channels", "zip", "nmc.fetch_folder",
        licence="MIT for the conversion; the models as the packages: " + PACKAGE_TERMS,
        on_portal=False, note=_LOCAL,
    )  # fmt: skip


def _connectomes() -> Iterator[dict]:
    def row(key: str, path: str, title: str, **more) -> dict:
        fields = {"reader": "nmc.load_connectome", "cite": CONNECTOME_CITE, "format": "tar", **more}
        return _row(f"connectome/{key}", path, title, **fields)

    for mc in layout.MICROCIRCUITS:
        yield row(f"average/mc{mc}", layout.average(mc), f"Connectome, average instance mc{mc}")
    for animal in layout.ANIMALS:
        for mc in layout.MICROCIRCUITS:
            title = f"Connectome from the measurements of animal {animal}, instance mc{mc}"
            yield row(f"individual/{animal}/mc{mc}", layout.individual(animal, mc), title)
    for mc in layout.MICROCIRCUITS:
        for n in layout.CONTROL_INSTANCES:
            title = f"Control connectome of mc{mc} (overlap of average morphologies), instance {n}"
            yield row(f"control/mc{mc}/{n}", layout.control(mc, n), title)
    several = {"reader": "nmc.fetch_folder"}
    for name in ("average", "individuals", "controls"):
        path = f"{layout.CONNECTOME}/{name}_full.tar"
        yield row(f"archive/{name}", path, f"All connectome instances of: {name}", **several)
    for animal in layout.ANIMALS:
        path = f"{layout.CONNECTOME}/individuals/pathways_{animal}_full.tar"
        yield row(f"archive/{animal}", path, f"The 7 connectomes of animal {animal}", **several)
    yield row(
        "connections_v2", "public/nmc-models/connections_v2.tar", "connections_v2.tar", **several,
        note="contents unknown: the Downloads page links it without a word on what it holds",
    )  # fmt: skip
    for mc, part, title in (
        ("mc2", "L5_TTPC2", "Every L5_TTPC2 neuron of mc2 and their connections"),
        ("mc2", "L6_LBC", "Every L6_LBC neuron of mc2 and their connections"),
        ("mc0", "5percent", "The first 5 % of each m-type of mc0 and their connections"),
        ("mc0", "L1_DAC", "Every L1_DAC neuron of mc0 and their connections"),
    ):
        yield row(
            f"extract/{mc}/{part}", f"derived/cons_locs_{part}_of_{mc}.h5", title, format="h5",
            on_portal=False, note=_LOCAL,
        )  # fmt: skip
    yield row(
        "motif_counts", "related/neuromotifs/motifs.csv.gz",
        "Counts of three-neuron motifs in mc2 and in null models (package neuromotifs)",
        format="gz", reader="pandas.read_csv", on_portal=False, note=_LOCAL,
    )  # fmt: skip
