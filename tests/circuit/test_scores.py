"""The kept pathways: recorded anew where missing, beside the sheets of the source in use."""

import json
from pathlib import Path

import nmc
import numpy as np
import pandas as pd
import pytest
from nmc import names, recomputed
from nmc.circuit import scores as pathway_scores
from nmc.circuit.pairs import SHEET
from nmc.circuit.scores import load_list
from nmc.errors import SourceError
from scipy.optimize import nnls


def test_the_list_holds_every_class_and_its_signs():
    listed = load_list()
    assert len(listed) >= 20 and not listed.duplicated(["pre", "model"]).any()
    for row in listed.itertuples():
        assert row.kind[0] == ("E" if names.is_excitatory(row.pre) else "I")
        post = names.parse_model(row.model).mtype
        assert row.kind[-1] == ("E" if names.is_excitatory(post) else "I")


@pytest.mark.real
def test_the_classes_are_the_sheets(mirror, monkeypatch):
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    sheet = nmc.load_pathways().set_index(["pre", "post"])["s_type"].astype(str)
    for row in load_list().itertuples():
        assert sheet[row.pre, names.parse_model(row.model).mtype] == row.kind[:2], row


def test_kept_rows_hold_no_sheet_value_and_are_joined_at_reading():
    kept = recomputed.load_kept("pathways")
    assert len(kept) >= 20 and kept["error"].isna().all()
    assert not [c for c in kept if "sheet" in c or "publish" in c]
    scores = nmc.load_pathway_scores()
    assert len(scores) == len(kept)
    sheet = nmc.load_pathways()
    row = scores.iloc[0]
    own = sheet[(sheet["pre"] == row["pre"]) & (sheet["post"] == row["post"])].iloc[0]
    assert row["sheet_amplitude_mV"] == pytest.approx(float(own["psp_amplitude_mean_mV"]))
    assert row["ratio_amplitude_mV"] == pytest.approx(
        row["amplitude_mV"] / row["sheet_amplitude_mV"], rel=1e-4
    )
    counts = pathway_scores.summarise(scores)
    assert (counts["agree"] + counts["differ"] <= counts["pathways"]).all()


@pytest.mark.real
def test_the_kept_rows_were_made_from_what_stands(mirror, monkeypatch):
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    code = recomputed.load_kept("pathways")["code_sha256"].iloc[0]
    made = pathway_scores.makings() | {"code_sha256": code}  # `nmc scoreboard --verify` sees to it
    monkeypatch.setattr(pathway_scores, "makings", lambda: made)
    scores = nmc.load_pathway_scores()
    assert set(scores["stale_because"]) == {""}
    assert set(scores["package"]) == {"unchanged"}
    by_pathway = scores.set_index("pathway")
    row = by_pathway.loc["L5_TTPC1:L5_TTPC1_cADpyr232_1"]
    assert (row[[f"verdict_{quantity}" for quantity in SHEET]] == "agrees").sum() >= 5
    # what Record a pair says of the two definitions, without the pathway they were compared on
    others = by_pathway.drop(index=row.name)
    sheet, allowed = others["sheet_decay_ms"], others["sheet_sd_decay_ms"]
    near = [((others[c] - sheet).abs() <= allowed).sum() for c in ("decay_ms", "decay_fit_ms")]
    assert near[0] > near[1]


@pytest.mark.neuron
def test_a_second_run_records_only_what_is_missing(own_tables, monkeypatch):
    """The sample's package stands for the portal's, which alone are kept."""
    monkeypatch.setattr(recomputed, "refuse_invented", lambda model: None)
    monkeypatch.setattr(
        pathway_scores, "SETTINGS", {"trials": 3, "cells": 1, "dt_ms": 0.1, "window_ms": 60.0}
    )
    path = own_tables / "pathways.parquet"
    package = nmc.load_package("L1_HAC_cNAC187_1")
    pre = package.synapses["pre_mtype"].value_counts().index[0]
    wanted = [(pre, package.name)]
    first = pathway_scores.run_pathways(wanted, progress=False)
    assert len(first) == 1 and first["error"].isna().all() and first["amplitude_mV"].gt(0).all()
    monkeypatch.setattr(pathway_scores, "measure", lambda *_: pytest.fail("recorded again"))
    pathway_scores.run_pathways(wanted, progress=False)
    rows = pd.read_parquet(path).assign(code_sha256="other")
    rows.to_parquet(path, index=False)
    assert pathway_scores.load_pathway_scores()["stale"].all()


def test_a_row_is_compared_by_the_values_that_it_keeps(own_tables):
    kept = pd.read_parquet(Path(recomputed.__file__).with_name("pathways.parquet"))
    values = [0.4, 0.6, 0.7, 0.9, 1.1, 1.3, 1.4, 1.6]
    row = kept[kept["cells"] == 8].iloc[[0]].assign(amplitude_mV_cells=json.dumps(values))
    row.to_parquet(own_tables / "pathways.parquet")
    ((_, found),) = nmc.load_pathway_scores().iterrows()
    sheet = found["sheet_amplitude_mV"]
    assert found["ratio_amplitude_mV"] == pytest.approx(1 / sheet)
    reach = 2.3646 * np.std(values) / np.sqrt(7)  # Student's t, 7 degrees of freedom
    assert found["ratio_high_amplitude_mV"] * sheet == pytest.approx(1 + reach, abs=0.05)


def test_invented_packages_are_refused():
    with pytest.raises(SourceError, match="portal's packages only"):
        pathway_scores.run_pathways([("L5_TTPC1", "L5_TTPC1_cADpyr232_1")], progress=False)


def test_a_sheet_is_a_mixture_of_other_packages_or_it_is_not():
    """Half of one and half of another class is one; a U of the mean with an F of neither is not."""
    steady, tired = [0.5, 670.0, 17.0], [0.02, 194.0, 507.0]
    mean = [0.26, 432.0, 262.0]
    rows = [
        ("L4_PC:L4_SBC", steady, steady), ("L4_PC:L4_NBC", tired, tired),
        ("L4_PC:L4_LBC", tired, mean), ("L4_PC:L4_BP", steady, [0.26, 432.0, 17.0]),
        ("L4_MC:L4_PC", steady, mean),  # nobody else receives from such senders
    ]  # fmt: skip
    names_of = [f"{side}{name}" for side in ("", "sheet_") for name in ("U", "D_ms", "F_ms")]
    table = pd.DataFrame([[p, False, *own, *sheet] for p, own, sheet in rows],
                         columns=["pathway", "excitatory", *names_of])  # fmt: skip
    assert pathway_scores.find_mixtures(table).tolist() == [True, True, True, False, False]
    alone = table.assign(pathway="L4_PC:L4_SBC")  # a m-type's own packages are no evidence
    assert not pathway_scores.find_mixtures(alone).any()


def test_a_reason_fits_what_follows_from_it_alone(monkeypatch):
    """Eight contacts of U ½ fail in 1 of 256 and vary by √⅛; recorded were four of a U of 0.1."""
    row = {"pre": ["L4_PC"], "post": ["L4_SBC"], "u_mean": [0.5], "failures_std_percent": [1.0],
           "failures_mean_percent": [100 / 256], "cv_psp_amplitude_mean": [8**-0.5]}  # fmt: skip
    synapses = pd.DataFrame({"pathway": ["L4_PC:L4_SBC"], "model": ["m"], "U": [0.1]})
    likely = {}
    monkeypatch.setattr(pathway_scores, "expect_by_etypes", lambda quantity: pd.Series(likely))

    def reason(quantity, ratio, sheet_sd=0.0, cells=8, own_sd=0.0, **other):
        sheet = pd.DataFrame({name: other.get(name, value) for name, value in row.items()})
        monkeypatch.setattr(pathway_scores, "load_pathways", lambda: sheet)
        ends = {"": ratio, "low_": 0.95 * ratio, "high_": 1.05 * ratio}
        numbers = {f"ratio_{end}{quantity}": value for end, value in ends.items()}
        numbers |= {f"sheet_{quantity}": 1.0, f"sheet_sd_{quantity}": sheet_sd}
        numbers |= {quantity: ratio, f"{quantity}_sd": own_sd}
        row_of = {"pre": "L4_PC", "post": "L4_SBC", "model": "m", "cells": cells, "contacts": 4.0}
        row_of["pathway"] = "L4_PC:m"
        scores = pd.DataFrame([row_of | numbers])
        (found,) = pathway_scores.explain(scores, quantity, synapses)
        return " ".join(found.split()[:2]).removesuffix(":")

    ratios = {"amplitude_mV": 0.4 / 4, "cv": (2.25 * 8) ** 0.5, "failures_percent": 0.9**4 * 256}
    own = {"cv": "cv_psp_amplitude_mean", "failures_percent": "failures_mean_percent"}
    for quantity, ratio in ratios.items():
        assert reason(quantity, ratio) == "follows from"
        assert reason(quantity, 1.2 * ratio) == "not explained"
        if quantity in own:  # what is asked for is no evidence of itself
            assert reason(quantity, ratio, **{own[quantity]: [0.9]}) == "follows from"
    ratio = ratios["amplitude_mV"]
    assert reason("amplitude_mV", ratio, cv_psp_amplitude_mean=[0.9]) == "not explained"
    for quantity in ("rise_time_ms", "latency_ms", "decay_ms"):  # half of the trials count as 0
        assert reason(quantity, 2.0, failures_mean_percent=[50.0]) == "follows from"
        assert reason(quantity, 2.0) == "not explained"
        # 0.2 lies within √(0.06² + (0.196 SD)²) of the printed 1 where the SD is 1, not 0.9
        assert reason(quantity, 1.2, sheet_sd=1.0) == "lies within"
        assert reason(quantity, 1.2, sheet_sd=0.9) == "not explained"
    likely[True, "L4_SBC"] = 1.3
    for quantity in ("rise_time_ms", "decay_ms"):  # 1.3 is likely and 1 printed: within a third
        assert reason(quantity, 0.7) == reason(quantity, 1.4) == "the sheet"
        assert reason(quantity, 0.8) == "not explained"  # nearer than what is likely
        assert reason(quantity, 0.7, failures_mean_percent=[45.0]) == "not explained"
    assert reason("latency_ms", 0.7) == "not explained"
    # 1.5 lies within 1.96 SD if receivers vary by 0.3; not if senders onto one vary as much
    assert reason("amplitude_mV", 1.5, sheet_sd=0.3) == "lies within"
    assert reason("amplitude_mV", 1.5, sheet_sd=0.3, own_sd=0.3) == "not explained"
    assert reason("amplitude_mV", 1.5, sheet_sd=0.2) == "not explained"
    assert reason("amplitude_mV", 1.5, sheet_sd=1.0) == "not explained"
    # half of the receivers at 2 %, half at 90 %: 46 ± 44; or all about 46 %
    two = {"failures_mean_percent": [46.0], "failures_std_percent": [44.0]}
    assert reason("cv", 0.1, **two) == "the sheet"
    assert reason("cv", 0.1, **two | {"failures_std_percent": [17.0]}) == "not explained"
    # at 3 % 0.97¹²⁰ = 2.6 % of recordings of 8 × 15 trials have no failure, at 4 % 0.7 %
    assert reason("failures_percent", 0.0, failures_mean_percent=[3.0]) == "no trial"
    assert reason("failures_percent", 0.0, failures_mean_percent=[4.0]) == "not explained"
    assert reason("failures_percent", 0.0, cells=4, failures_mean_percent=[4.0]) == "no trial"


def test_what_is_likely_follows_from_other_sheets_and_the_shares(monkeypatch):
    """A and B of one e-type each decay in 20 and 60 ms; half of each makes 40 likely of C."""
    rows = [("L4_PC", "L4_SBC", 20.0, 0.0), ("L4_PC", "L4_NBC", 30.0, 50.0),
            ("L4_SS", "L4_LBC", 999.0, 0.0), ("L4_NGC", "L4_LBC", 1.0, 0.0)]  # fmt: skip
    sheets = pd.DataFrame(rows, columns=["pre", "post", "decay_mean_ms", "failures_mean_percent"])
    neurons = [("L4_SBC", "cAC", 7), ("L4_NBC", "bAC", 5), ("L4_LBC", "cAC", 3),
               ("L4_LBC", "bAC", 3)]  # fmt: skip
    neurons = pd.DataFrame(neurons, columns=["mtype", "etype", "n_neurons"])
    monkeypatch.setattr(pathway_scores, "load_pathways", lambda: sheets.assign(decay_std_ms=1.0))
    monkeypatch.setattr(pathway_scores, "load_metypes", lambda: neurons)
    likely = pathway_scores.expect_by_etypes("decay_ms")
    assert likely[True, "L4_LBC"] == pytest.approx(40.0) and len(likely) == 3
    monkeypatch.setattr(pathway_scores, "load_pathways", lambda: sheets.assign(decay_std_ms=0.0))
    assert pathway_scores.expect_by_etypes("decay_ms").empty  # sheets of one pair say nothing


@pytest.fixture
def printed(mirror, monkeypatch):
    """The portal's pathway sheets: failures as shares, and whether they are of one pair."""
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    table = nmc.load_pathways()
    mean, spread = (table[f"failures_{end}_percent"].astype(float) for end in ("mean", "std"))
    one = table["psp_amplitude_std_mV"].eq(0)
    return table.assign(failing=mean / 100, spread=spread / 100, one=one)


@pytest.mark.real
def test_sheets_are_of_thirty_trials_in_a_hundred_pairs_at_most(printed):
    """All failures of one pair are thirtieths; rare ones of many pairs fit a hundred of them."""
    thirtieths = {float(f"{k / 0.3:.2g}") for k in range(31)}
    seen = 100 * printed["failing"]
    alone = seen[printed["one"] & (seen > 0)]
    assert len(alone) == 255 and alone.round(9).isin(thirtieths).all()
    assert seen[~printed["one"]].round(9).isin(thirtieths).mean() < 0.5  # chance hits few
    receivers = printed["post"].astype(str).map(nmc.load_mtypes().set_index("mtype")["n_neurons"])
    many = printed["convergence_mean"].astype(float) * receivers.astype(float) > 1000
    rare = printed[many & printed["failing"].between(1e-9, 0.01, inclusive="left")]

    def fit(pairs):
        """How many sheets can be of so many pairs, some with 1, 2 … failures in 30 trials."""
        return sum(_can_print(100 * row.failing, 100 * row.spread, pairs)
                   for row in rare.itertuples())  # fmt: skip

    assert fit(100) == len(rare) == 21 and max(map(fit, (98, 99, 101, 102))) < 11


def _can_print(mean, spread, pairs):
    """Whether k failures in all, of which the squares by pair sum to q, print mean and SD."""
    last = [10.0 ** (np.floor(np.log10(x)) - 1) / 2 * 1.0001 for x in (mean, spread)]
    for k in range(1, 2 * pairs):
        q = np.arange(k, k * k + 1, 2)  # k² ≡ k, and so their sums, modulo 2
        spreads = 100 / 30 * np.sqrt(np.maximum(q / pairs - (k / pairs) ** 2, 0))
        if abs(k / pairs * 100 / 30 - mean) <= last[0] and (abs(spreads - spread) <= last[1]).any():
            return True
    return False


@pytest.mark.real
def test_a_failure_counts_as_zero_in_the_sheets_of_shapes(printed):
    """Within receivers and signs of senders, rise, latency and decay go with 1 − failures."""
    table = printed[printed["failing"].between(0, 0.95, inclusive="neither")]
    pre, sender = table["pre"].astype(str), table["pre"].astype(str).map(names.is_excitatory)
    slow = pre.str.startswith("L1_") | pre.str.contains("NGC")
    groups = [table["one"], table["post"].astype(str), sender, slow]
    answered = np.log(1 - table["failing"])
    answered -= answered.groupby(groups).transform("mean")
    # what the chapter prints, of sheets of one pair and of others: 0 if failures were left out
    told = {"rise_time": [1.1, 1.4], "latency": [0.9, 0.8], "decay": [0.8, 1.1]}
    for quantity, slopes in told.items():
        value = np.log(table[f"{quantity}_mean_ms"].astype(float))
        value -= value.groupby(groups).transform("mean")
        for some, slope in zip((table["one"], ~table["one"]), slopes, strict=True):
            found = (answered * value)[some].sum() / (answered[some] ** 2).sum()
            assert round(found, 1) == slope, quantity


@pytest.mark.real
def test_failures_of_depressing_synapses_onto_interneurons_are_of_two_kinds(printed):
    """The SD of a mixture of 2 and 90 %; facilitating ones, about half of which fail, have none."""
    kinds = printed[printed["failing"].between(0.2, 0.8) & ~printed["one"]]
    predicted = np.sqrt((kinds["failing"] - 0.02) * (0.9 - kinds["failing"]))
    found = (kinds["spread"] / predicted).groupby(kinds["s_type"].astype(str)).median()
    assert found["E2"] == pytest.approx(1, abs=0.05) and found["E1"] < 0.5 > found["I2"]


def _differ(scores, quantity):
    """Whether the sheet's mean lies outside the interval, stale or not."""
    return (scores[f"ratio_low_{quantity}"] > 1) | (scores[f"ratio_high_{quantity}"] < 1)


@pytest.mark.real
@pytest.mark.parametrize(
    ("quantities", "number", "share"),
    [(["amplitude_mV", "cv", "failures_percent"], 23, 0.0),
     (["rise_time_ms", "latency_ms", "decay_ms"], 9, 0.025)],
)  # fmt: skip
def test_a_rule_explains_more_rows_than_ratios_of_other_pathways(
    mirror, monkeypatch, quantities, number, share
):
    """Ratios shuffled among pathways follow from the predictions less often."""
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    scores = nmc.load_pathway_scores()
    synapses = nmc.compare_synapses(scores["model"].unique(), min_senders=1)
    sheets = nmc.load_pathways()
    shares = pathway_scores._shares()
    monkeypatch.setattr(pathway_scores, "load_pathways", lambda: sheets)
    monkeypatch.setattr(pathway_scores, "_shares", lambda: shares)
    # this rule comes after the one that is asked for, and takes long
    monkeypatch.setattr(pathway_scores, "expect_by_etypes", lambda quantity: pd.Series())

    def explained(rows):
        told = [pd.Series(pathway_scores.explain(rows, q, synapses)).str.startswith("follows")
                & _differ(rows, q) for q in quantities]  # fmt: skip
        return int(np.sum(told))

    measured = [c for c in scores if c.startswith("ratio_")]
    rng = np.random.default_rng(0)
    shuffled = []
    for _ in range(200):
        mixed = scores.copy()
        mixed[measured] = scores[measured].to_numpy()[rng.permutation(len(scores))]
        shuffled.append(explained(mixed))
    assert explained(scores) == number and np.mean(np.array(shuffled) >= number) <= share


@pytest.mark.real
def test_other_receivers_and_more_senders_give_what_the_chapter_says(mirror, monkeypatch):
    """`trials.csv`: other packages of the receivers' types, and other numbers of senders."""
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    trials = pd.read_csv(Path(__file__).with_name("trials.csv"))
    scores = nmc.load_pathway_scores()
    trials["pathway"] = trials["pre"] + ":" + trials["model"]
    more = trials[trials["cells"] > 8].set_index("pathway")["amplitude_mV"]
    printed = scores.set_index("pathway").loc[more.index, "sheet_amplitude_mV"].astype(float)
    assert sorted((more / printed).round(2)) == [0.28, 0.39, 0.46, 0.73, 0.81]
    ends = ["pre", "post"]
    trials["post"] = [names.parse_model(model).mtype for model in trials["model"]]
    both = pd.concat([trials[trials["cells"] == 8], scores])
    both = both[~both.duplicated(["pre", "model"])]
    compared = between = 0
    for quantity in SHEET:
        given = both.dropna(subset=quantity).groupby(ends)[quantity].agg(["size", "min", "max"])
        rows = scores[_differ(scores, quantity)].join(given, on=ends)
        rows = rows[rows["size"] > 1]
        compared += len(rows)
        between += rows[f"sheet_{quantity}"].between(rows["min"], rows["max"]).sum()
    assert (between, compared) == (7, 48)


@pytest.mark.real
def test_receivers_of_a_type_of_many_explain_more_amplitudes_than_shuffled_sheets(
    mirror, monkeypatch
):
    """Sheets are shuffled among senders of one sign; counted is the share of rows that differ."""
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    scores, rng = nmc.load_pathway_scores(), np.random.default_rng(0)
    scores = scores[scores["ratio_low_amplitude_mV"].notna()]
    ends, ratios = ["sheet_amplitude_mV", "sheet_sd_amplitude_mV"], ["", "low_", "high_"]

    def explained(rows):
        some = rows[rows[ends[1]] < rows[ends[0]]]
        differ = _differ(some, "amplitude_mV")
        told = differ & pathway_scores._of_one_receiver(some, "amplitude_mV")
        return told.sum(), differ.sum()

    shares, sign = [], scores["kind"].str[0]
    for _ in range(1000):
        mixed = scores.copy()
        for one in "EI":
            where = np.flatnonzero(sign == one)
            drawn = scores[ends].iloc[rng.permutation(where)].to_numpy()
            mixed.loc[mixed.index[where], ends] = drawn
        for end in ratios:
            name = f"ratio_{end}amplitude_mV"
            mixed[name] = scores[name] * scores[ends[0]] / mixed[ends[0]]
        some, of = explained(mixed)
        shares.append(some / of)
    some, of = explained(scores)
    assert (some, of) == (12, 17) and np.mean(np.array(shares) >= some / of) <= 0.005


@pytest.mark.real
def test_rises_scatter_where_receivers_are_partly_dnac(printed):
    """By receiving type: sheets whose rise has an SD of its mean or more, and dNAC neurons."""
    neurons = nmc.load_metypes().pivot_table("n_neurons", "mtype", "etype", "sum", observed=True)
    share = (neurons["dNAC"] / neurons.sum(axis=1)).fillna(0)
    ends = [printed[end].astype(str) for end in ("pre", "post")]
    excites, excited = (end.map(names.is_excitatory) for end in ends)
    rise, spread = (printed[f"rise_time_{end}_ms"].astype(float) for end in ("mean", "std"))
    post, several = ends[1], ~printed["one"] & ~excited
    odd = (spread >= rise)[several & ~excites].groupby(post).mean()
    found = odd.corr(share.reindex(odd.index), method="spearman")
    assert len(odd) == 42 and round(found, 2) == 0.92
    # few of the excited Martinotti cells are dNAC; from mean and SD few receivers rise in 0.35 s
    few = several & excites & post.str.endswith("_MC") & (spread > 2 * rise)
    moved = rise - 1.8 * (1 - printed["failing"])  # 1.8 ms is usual where nothing is odd
    found = moved**2 / (moved**2 + spread**2)
    slow = (rise + spread**2 / moved)[few]
    assert few.sum() == 27 and slow.quantile([0.25, 0.75]).between(300, 400).all()
    for name in ("L23_MC", "L4_MC", "L5_MC"):
        assert found[few & (post == name)].median() == pytest.approx(share[name], abs=0.015)


@pytest.mark.real
def test_etypes_of_receivers_tell_decays_and_rises_of_other_types(printed, monkeypatch):
    """Each of 42 receiving types left out in turn; the shares shuffled among them all."""
    inhibitory = [m for m in nmc.load_mtypes()["mtype"].astype(str) if not names.is_excitatory(m)]
    shares, rng = pathway_scores._shares(), np.random.default_rng(0)
    monkeypatch.setattr(pathway_scores, "load_pathways", lambda: printed)
    pre, post = printed["pre"].astype(str), printed["post"].astype(str)
    fast = ~(pre.str.startswith("L1_") | pre.str.contains("NGC") | printed["one"])
    ends = [pre.map(names.is_excitatory), post]
    answered = (1 - printed["failing"]).clip(lower=0.05)
    for quantity, told in (("decay_ms", 60), ("rise_time_ms", 56)):
        value = printed[quantity.replace("_ms", "_mean_ms")].astype(float) / answered
        sheets = value[fast & post.isin(inhibitory)].groupby(ends).median()

        def near(of_types, quantity=quantity, sheets=sheets):
            monkeypatch.setattr(pathway_scores, "_shares", lambda: of_types)
            ratio = pathway_scores.expect_by_etypes(quantity) / sheets
            return int(ratio.between(0.75, 1 / 0.75).sum())

        assert near(shares) == told
        if quantity == "decay_ms":  # receivers of an e-type, by the sign of the senders
            for etype, excites, decay in (("cAC", True, 117), ("cAC", False, 84),
                                          ("dNAC", False, 189)):  # fmt: skip
                ours = sheets[excites]
                relative = shares.loc[ours.index].fillna(0).div(ours, axis=0)
                fitted = nnls(relative.to_numpy(), np.ones(len(relative)))[0]
                assert round(fitted[shares.columns.get_loc(etype)]) == decay
        mixed = [near(shares.rename(index=dict(zip(inhibitory, rng.permutation(inhibitory),
                                                   strict=True)))) for _ in range(100)]  # fmt: skip
        assert max(mixed) < told


@pytest.mark.real
def test_all_receivers_of_a_type_explain_no_quantity(mirror, monkeypatch):
    """Between receivers lies what the sheet's variance over pairs leaves to ours within one."""
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    rng, scores = np.random.default_rng(0), nmc.load_pathway_scores()
    trials = pd.read_csv(Path(__file__).with_name("trials.csv")).query("cells == 8")
    trials["post"] = [names.parse_model(model).mtype for model in trials["model"]]
    both = pd.concat([trials, scores])
    both = both[~both.duplicated(["pre", "model"])]
    answered = 1 - scores["sheet_failures_percent"].astype(float) / 100
    found = {}
    for quantity in SHEET:
        rows = scores[scores["cells"].gt(1) & scores[f"ratio_low_{quantity}"].notna()]
        sheet, spread = (rows[f"sheet_{end}{quantity}"].to_numpy(float) for end in ("", "sd_"))
        some = (0 < spread) & (spread < sheet)
        rows, sheet, spread = rows[some], sheet[some], spread[some]
        shape = quantity in ("rise_time_ms", "latency_ms", "decay_ms")
        share = answered[rows.index].to_numpy() if shape else np.ones(len(rows))
        ends = [rows[f"ratio_{end}_{quantity}"].to_numpy(float) * sheet for end in ("low", "high")]
        reach, n = (ends[1] - ends[0]) / 2, rows["cells"].to_numpy(float)
        within = rows[f"{quantity}_sd"].to_numpy(float) ** 2 * n / (n - 1)
        given = (
            both.dropna(subset=quantity).groupby(["pre", "post"])[quantity].agg(["mean", "size"])
        )
        mean, packages = given.loc[list(zip(rows["pre"], rows["post"], strict=True))].to_numpy().T

        def explained(order, mean=mean, packages=packages, sheet=sheet, spread=spread,
                      share=share, within=within, reach=reach, ends=ends):  # fmt: skip
            printed, sd, part = sheet[order], spread[order], share[order]
            differ = (printed < ends[0]) | (printed > ends[1])
            between = np.maximum(sd**2 - within * part**2, 0) / packages
            variance = 1.96**2 * (between + sd**2 / 100) + (reach * part) ** 2 / packages
            near = np.abs(mean * part - printed) <= np.sqrt(variance)
            return (differ & near).sum(), differ.sum()

        told, of = explained(np.arange(len(rows)))
        sign, shares = rows["kind"].str[0].to_numpy(), []
        for _ in range(1000):  # sheets shuffled among senders of one sign
            order = np.arange(len(rows))
            for one in "EI":
                order[sign == one] = rng.permutation(order[sign == one])
            some, others = explained(order)
            shares.append(some / others)
        found[quantity] = (told, of, np.mean(np.array(shares) >= told / of))
    assert found["amplitude_mV"][:2] == (8, 17)
    assert found["amplitude_mV"][2] == pytest.approx(0.016, abs=0.01)
    assert all(p > 0.05 / 6 for _, _, p in found.values())  # as asked before the look
