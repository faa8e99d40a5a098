"""Checks of Part I, the data."""

import nmc
from nmc import names
from nmc.exercises import exercise


@exercise("ex-meet-name", "The name without the id behind the e-type and without the instance.")
def _metype_of_a_name() -> str:
    return "L23_LBC_cSTUT"


@exercise("ex-meet-layer", "Group `load_mtypes()` by `layer` and count: layer → m-types.")
def _mtypes_of_layers() -> dict[str, int]:
    layers = [names.layer_of(mtype) for mtype in names.MTYPES]
    return {layer: layers.count(layer) for layer in names.LAYERS}


@exercise(
    "ex-choose-resistance", "`idxmax` and `idxmin` of `input_resistance_MOhm`.", first_decides=True
)
def _most_resistive() -> dict[str, str]:
    models = nmc.load_models(step_currents=False).dropna(subset="input_resistance_MOhm")
    ranked = models.sort_values("input_resistance_MOhm")["model"]
    return {"largest": ranked.iloc[-1], "smallest": ranked.iloc[0]}


@exercise("ex-choose-shared", "`nunique` counts each name in the column `morphology` once.")
def _n_morphologies() -> int:
    return len(set(nmc.load_models(step_currents=False)["morphology"]))


@exercise("ex-offline-independent", "`hashlib.sha256` of the bytes, then `.hexdigest()[:8]`.")
def _first_digits() -> str:
    nmc.fetch("sheet/layers")
    return str(nmc.provenance().loc["sheet/layers", "sha256"])[:8]
