from __future__ import annotations

import re

import nmc
import pandas as pd
import pytest
from nmc import names


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
    text = nmc.view_table(models)._repr_html_()
    assert len(re.findall(r"<tr><td>", text)) == 1035
    assert all(f"<td>{name}</td>" in text for name in nmc.model_names())
    assert "input resistance (MΩ)" in text and "http" not in text and len(text) < 400_000


def test_the_table_escapes_what_it_shows():
    text = nmc.view_table(
        pd.DataFrame({"a": ["<script>alert(1)</script>"], "b": [None]})
    )._repr_html_()
    assert "<script>alert" not in text and "&lt;script&gt;" in text
