from __future__ import annotations

import pytest
from nmc.errors import FormatError
from nmc.factsheets.sheets import read_facts

PAGE = """<div><h6>Anatomy</h6><dl>
<dt><span title="x">total axon length<sup class="smw-tooltip-hint">?</sup></span></dt>
<dd class="factsheet-value">332,020 <span class="factsheet-unit">µm</span></dd>
<dt>axon
 volume</dt><dd class="factsheet-value">7 <span class="factsheet-unit">µm³</span>
<dt>soma</dt><dd class="factsheet-value">17 <span class="factsheet-unit"></span>
</dl><h6>Physiology</h6><dl><dt>cells</dt><dd><table><tr><td><div class="smwbar">A</div></td>
<td><span class="smwbarvalue">1,039</span> <span class="factsheet-unit">neurons</span></td></tr>
</table></dd></dl></div>"""


def test_reads_labels_values_units_and_bars(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(PAGE, encoding="utf-8")
    facts = read_facts(page)
    assert [tuple(fact) for fact in facts] == [
        ("Anatomy", "total axon length", None, "332,020", "µm"),
        ("Anatomy", "axon volume", None, "7", "µm³"),
        ("Anatomy", "soma", None, "17", ""),
        ("Physiology", "cells", "A", "1,039", "neurons"),
    ]


@pytest.mark.parametrize("text", ["", "   \n"])
def test_an_empty_file_is_named(tmp_path, text):
    page = tmp_path / "empty.html"
    page.write_text(text)
    with pytest.raises(FormatError, match=r"empty\.html"):
        read_facts(page)
