"""Sheets and packages of the sample speak of the same cells and synapses."""

import io
import re

import numpy as np
import pytest
from lxml import html
from nmc import names
from nmc.data.registry import item

from tools.sample import sheets as planted
from tools.sample.column import dynamics

MODELS = ("L5_TTPC1_cADpyr232_1", "L23_LBC_cSTUT189_1")


@pytest.fixture(scope="module", params=MODELS)
def package(request, members):
    """A model's name and the text of its package's files."""
    return request.param, members(request.param)


def _tab(tree, model: str):
    page = html.fromstring(
        (tree / item(f"page/metype/{names.parse_model(model).metype}").path).read_bytes(),
        parser=html.HTMLParser(encoding="utf-8"),
    )
    tabs = [t for t in page.find_class("smw-tab") if t.tag == "div"]
    return tabs[names.parse_model(model).instance - 1]


def _fact(tab, label: str) -> float:
    (value,) = tab.xpath(f".//dt[normalize-space()='{label}']/following-sibling::dd[1]")
    return float(value.text.replace(",", ""))


def test_lengths_of_the_morphology_file(tree, package, tmp_path):
    """Sum of the segments of the package's own .asc, read by MorphIO."""
    import morphio

    model, files = package
    path = tmp_path / "cell.asc"
    path.write_text(next(text for name, text in files.items() if name.endswith(".asc")))
    tab = _tab(tree, model)
    for label, kind in (("axon length", morphio.SectionType.axon),
                        ("basal length", morphio.SectionType.basal_dendrite)):  # fmt: skip
        total = sum(
            np.linalg.norm(np.diff(s.points, axis=0), axis=1).sum()
            for s in morphio.Morphology(path).iter()
            if s.type == kind
        )
        assert _fact(tab, label) == pytest.approx(float(f"{total:.2g}"), rel=1e-6), label


def test_channel_densities_of_the_template(tree, package):
    """Uniform values of the page are the package's, but for the planted ones."""
    model, files = package
    hoc = files["biophysics.hoc"]
    found = {
        (section, name): float(value)
        for section, name, value in re.findall(
            r'distribute\(\$o1\.(\w+),"(\w+)","\(0\.0 \* %g \+ 1\.0\)\*([-\d.e]+)"\)', hoc
        )
    }
    wrong_metype, wrong = planted.WRONG_DENSITIES
    compared = 0
    for row in _tab(tree, model).xpath(".//table//tr[td]"):
        section = row.xpath("string(td[1])").strip()
        for link in row.find_class("smw-equation"):
            mechanism = link.xpath("string(.)").split()[-1]
            for span in link.iter("span"):
                if span.get("data-name") != "uniform":
                    continue
                key = f"{span.text}_{mechanism}"
                factor = wrong.get(section, {}).get(key, 1.0)
                factor = factor if names.parse_model(model).metype == wrong_metype else 1.0
                place = "basal" if section == "dendrite" else section
                value = found[place, key] * factor
                assert float(span.get("data-equation")) == pytest.approx(value, abs=5.1e-7)
                compared += 1
    assert compared > 15


def test_synapses_are_drawn_from_the_pathways(package):
    model, files = package
    table = np.loadtxt(io.StringIO(files["synapses/synapses.tsv"]), skiprows=1)
    kinds = dict(line.split() for line in files["synapses/mtype_map.tsv"].splitlines())
    pathways = dynamics()
    post = names.parse_model(model).mtype
    pre = np.array([kinds[str(int(k))] for k in table[:, 2]])
    assert {f"{m}:{post}" for m in set(pre)} <= set(pathways.index)
    for mtype in set(pre):
        row, mine = pathways.loc[f"{mtype}:{post}"], table[pre == mtype]
        if len(mine) < 100:
            continue
        assert mine[:, 9].mean() == pytest.approx(row["u_mean"], rel=0.1)
        assert mine[:, 7].mean() == pytest.approx(row["d_mean"], rel=0.1)
        assert mine[:, 8].mean() == pytest.approx(row["f_mean"], rel=0.1)
        contacts = len(mine) / len(np.unique(mine[:, 1]))
        assert contacts == pytest.approx(row["contacts"], rel=0.25)


def test_rest_of_the_page_is_that_of_the_summary_but_for_the_planted_one(tree):
    import json

    summary = json.loads((tree / item("sheet/models").path).read_text())
    wrong, factor = planted.WRONG_RIN
    for metype in ("L4_SS_cADpyr", "L1_SLAC_cAC", "L6_LBC_bIR"):
        mtype, _, etype = metype.rpartition("_")
        for instance in names.INSTANCES:
            model = names.Model(mtype, etype, instance).name
            printed = _fact(_tab(tree, model), "input resistance")
            expected = float(summary[model]["Rin"]) / (factor if model == wrong else 1.0)
            assert printed == pytest.approx(expected, rel=1e-4), model
