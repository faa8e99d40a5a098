from __future__ import annotations

import re

import nmc
import pandas as pd
import pytest
from nmc import names
from nmc.errors import UnknownNameError
from nmc.factsheets.table_view import view_table


@pytest.fixture
def models():
    """As `load_models` gives them, with a number that says which row it is."""
    parsed = [names.parse_model(name) for name in nmc.model_names()]
    table = pd.DataFrame({"model": nmc.model_names(), "etype": [m.etype for m in parsed]})
    for i, column in enumerate(
        ("resting_membrane_potential_mV", "input_resistance_MOhm", "membrane_time_constant_ms",
         "axon_length_um", "basal_length_um", "soma_diameter_um")
    ):  # fmt: skip
        table[column] = [float(row * 10 + i) for row in range(len(table))]
    return table.assign(morphology="cell")


def test_the_static_table_holds_every_model(models):
    text = nmc.view_models(models)._repr_html_()
    assert len(re.findall(r"<tr><td>", text)) == 1035
    assert all(f"<td>{name}</td>" in text for name in nmc.model_names())
    assert "input resistance (MΩ)" in text and "http" not in text and len(text) < 400_000


def test_the_table_escapes_what_it_shows():
    text = view_table(pd.DataFrame({"a": ["<script>alert(1)</script>"], "b": [None]}))._repr_html_()
    assert "<script>alert" not in text and "&lt;script&gt;" in text


def test_menus_lead_to_a_model(models):
    pytest.importorskip("ipywidgets")
    box = nmc.choose_model(models, "L23_MC_cNAC187_3")
    assert box.model == "L23_MC_cNAC187_3"
    layer, mtype = box.children[0].children
    etype, instance = box.children[1].children
    layer.value = "L1"
    assert set(mtype.options) == {name for name in names.MTYPES if name.startswith("L1_")}
    mtype.value = "L1_NGC-DA"
    etype.value, instance.value = "cAC", 5
    assert box.model == "L1_NGC-DA_cACint209_5"
    row = models.set_index("model").loc[box.model]
    assert f"{row['input_resistance_MOhm']:,.6g}" in box.children[2].value


def test_menus_refuse_an_unknown_model(models):
    pytest.importorskip("ipywidgets")
    with pytest.raises(UnknownNameError, match="Did you mean"):
        nmc.choose_model(models, "L23_MC_cNAC187_9")
