"""The portal's selector, live in a notebook: layer, m-type, e-type, instance → a model."""

from __future__ import annotations

import pandas as pd

from nmc import names, units

_SHOWN = (
    "morphology", "resting_membrane_potential_mV", "input_resistance_MOhm",
    "membrane_time_constant_ms", "axon_length_um", "basal_length_um", "soma_diameter_um",
)  # fmt: skip


def choose_model(models: pd.DataFrame, model: str = "L5_TTPC1_cADpyr232_1"):
    """Build menus that lead from a layer to one model.

    Parameters
    ----------
    models : pandas.DataFrame
        From `nmc.load_models`.
    model : str
        Chosen at first.

    Returns
    -------
    ipywidgets.VBox
        Its attribute ``model`` is the name of the model now chosen.

    Raises
    ------
    UnknownNameError
        When there is no model of that name.
    """
    import ipywidgets as widgets
    import traitlets

    first = names.parse_model(model)
    table = models.set_index("model")

    class Selector(widgets.VBox):
        """Four menus and a sheet."""

        model = traitlets.Unicode(first.name)

    layer = widgets.Dropdown(options=names.LAYERS, value=first.layer, description="layer")
    mtype = widgets.Dropdown(description="m-type")
    etype = widgets.Dropdown(description="e-type")
    instance = widgets.Dropdown(options=names.INSTANCES, value=first.instance, description="model")
    sheet = widgets.HTML()
    box = Selector([widgets.HBox([layer, mtype]), widgets.HBox([etype, instance]), sheet])

    def fill_mtypes(_=None) -> None:
        mtype.options = [name for name in names.MTYPES if names.layer_of(name) == layer.value]

    def fill_etypes(_=None) -> None:
        if mtype.value:
            etype.options = names.etypes_of(mtype.value)

    def show(_=None) -> None:
        if mtype.value and etype.value:
            box.model = names.Model(mtype.value, etype.value, instance.value).name
            sheet.value = _sheet(box.model, table.loc[box.model])

    fill_mtypes()
    mtype.value = first.mtype
    fill_etypes()
    etype.value = first.etype
    show()
    layer.observe(fill_mtypes, "value")
    mtype.observe(fill_etypes, "value")
    for menu in (mtype, etype, instance):
        menu.observe(show, "value")
    return box


def _sheet(model: str, row: pd.Series) -> str:
    lines = [
        f"<tr><td>{units.label(column)}</td><td><b>{_text(row[column])}</b></td></tr>"
        for column in _SHOWN
    ]
    return f"<h4>{model}</h4><table>{''.join(lines)}</table>"


def _text(value) -> str:
    return value if isinstance(value, str) else f"{value:,.6g}"
