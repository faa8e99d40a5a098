from __future__ import annotations

import re

import nmc
import pandas as pd
import pytest
from nmc import names
from nmc.errors import UnknownNameError
from nmc.factsheets.tables import view_table


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


def test_a_search_leads_to_a_model(models):
    pytest.importorskip("ipywidgets")
    box = nmc.choose_model(models)
    assert len(box.found.options) == 1035 and box.found.value == box.model
    box.search.value = "ss L4"
    assert set(box.found.options) == {f"L4_SS_cADpyr230_{n}" for n in range(1, 6)}
    assert box.model == "L5_TTPC1_cADpyr232_1"  # a search chooses nothing by itself
    box.found.value = "L4_SS_cADpyr230_4"
    assert box.model == "L4_SS_cADpyr230_4"
    layer, mtype = box.children[0].children
    etype, instance = box.children[1].children
    shown = (layer.value, mtype.value, etype.value, instance.value)
    assert shown == ("L4", "L4_SS", "cADpyr", 4)
    box.search.value = "no such cell"
    assert not box.found.options and box.model == "L4_SS_cADpyr230_4"


_IN_A_KERNEL = """
import nmc
selector = nmc.choose_model(nmc.load_models(step_currents=False))
print(selector.search.comm.comm_id, selector.found.comm.comm_id)
"""


def test_a_reader_types_into_the_box_of_a_real_kernel():
    """The messages a browser would send, to the kernel a notebook would start."""
    pytest.importorskip("ipywidgets")
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3", startup_timeout=120)
    try:

        def ask(code: str) -> str:
            said = []
            client.execute_interactive(code, timeout=180, output_hook=said.append)
            printed = (m["content"] for m in said if m["msg_type"] == "stream")
            return "".join(part["text"] for part in printed if part["name"] == "stdout")

        def types(comm: str, **state) -> None:
            data = {"method": "update", "state": state, "buffer_paths": []}
            client.shell_channel.send(
                client.session.msg("comm_msg", {"comm_id": comm, "data": data})
            )

        search, found = ask(_IN_A_KERNEL).split()
        types(search, value="hac L1 cnac")
        hits = ask("print(*selector.found.options)").split()
        assert hits == [f"L1_HAC_cNAC187_{n}" for n in range(1, 6)]
        types(found, index=2)
        assert ask("print(selector.model)").strip() == "L1_HAC_cNAC187_3"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_menus_refuse_an_unknown_model(models):
    pytest.importorskip("ipywidgets")
    with pytest.raises(UnknownNameError, match="Did you mean"):
        nmc.choose_model(models, "L23_MC_cNAC187_9")
