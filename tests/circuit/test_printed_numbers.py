"""What *Compare every class*, *Record a pair* and *Watch a synapse tire* print, computed again.

Expected values are those that stand on the page.  They come from printed sheets, the packages'
lists of contacts and recorded runs: `nmc.load_pathway_scores`, and three tables beside this file,
of runs of two senders each, four trials a sender (``receivers.csv``, of all packages), one of
four trials (``interneurons.csv``) and two of three trials (``variants.csv``).
"""

from dataclasses import dataclass
from pathlib import Path

import nmc
import numpy as np
import pandas as pd
import pytest
from nmc import names
from nmc.cells.by_hand import copy_package
from nmc.cells.morphometrics import rounding
from nmc.circuit import scores as pathway_scores
from nmc.circuit.pairs import SHEET
from nmc.circuit.synaptome import choose_cells, contacts_of
from scipy.stats import spearmanr
from scipy.stats import t as student

pytestmark = pytest.mark.real
SHAPES = ("rise_time_ms", "latency_ms", "decay_ms")
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Portal:
    """The portal's sheets; recorded rows; of each its sheet and the package's U and weight."""

    sheets: pd.DataFrame
    rows: pd.DataFrame
    own_sheet: pd.DataFrame
    own: pd.DataFrame
    synapses: pd.DataFrame


@pytest.fixture(scope="module")
def portal(mirror):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NMC_SOURCE", str(mirror))
        rows, sheets = nmc.load_pathway_scores(), nmc.load_pathways()
        synapses = nmc.compare_synapses(rows["model"].unique(), min_senders=1)
    sheets = sheets.astype({"pre": str, "post": str, "s_type": str})
    sheets = sheets.set_index(sheets["pre"] + ":" + sheets["post"])
    keys = rows["pre"] + ":" + rows["post"]
    runs = pd.MultiIndex.from_arrays([keys, rows["model"]])
    own = synapses.set_index(["pathway", "model"]).reindex(runs).set_axis(rows.index)
    return Portal(sheets, rows, sheets.reindex(keys).set_axis(rows.index), own, synapses)


@pytest.fixture
def at_portal(mirror, monkeypatch):
    monkeypatch.setenv("NMC_SOURCE", str(mirror))


def column(table, name):
    return table[name].astype(float)


def told(rows, quantity):
    """The rows of a quantity that have an interval, so more than one sender and a sheet."""
    return rows[f"ratio_low_{quantity}"].notna()


def differ(rows, quantity):
    return (rows[f"ratio_low_{quantity}"] > 1) | (rows[f"ratio_high_{quantity}"] < 1)


def implied_by_failures(sheets):
    """Contacts n of which (1 − U)ⁿ fail; none where no failure is printed."""
    failing = column(sheets, "failures_mean_percent") / 100
    return np.log(failing.where(failing > 0)) / np.log(1 - column(sheets, "u_mean"))


def implied_by_variation(sheets):
    """Contacts n whose CV is √((1 − U) / n U)."""
    U, cv = column(sheets, "u_mean"), column(sheets, "cv_psp_amplitude_mean")
    return (1 - U) / (U * cv.where(cv > 0) ** 2)


# -- one pathway ---------------------------------------------------------------------------------


def test_the_pathway_of_two_chapters(portal, at_portal):
    """*Record a pair* and *Watch a synapse tire*: the sheet, the package, the recorded row."""
    sheet = portal.sheets.loc["L5_TTPC1:L5_TTPC1"]
    ends = {"psp_amplitude": "mV", "failures": "percent", "decay": "ms"}
    printed = {q: [float(sheet[f"{q}_{end}_{unit}"]) for end in ("mean", "std")]
               for q, unit in ends.items()}  # fmt: skip
    assert printed == {"psp_amplitude": [1.3, 0.41], "failures": [1.7, 2.2], "decay": [58, 4.9]}
    assert [float(sheet[c]) for c in ("u_mean", "d_mean_ms", "f_mean_ms")] == [0.5, 670, 17]
    row = portal.rows.set_index("pathway").loc["L5_TTPC1:L5_TTPC1_cADpyr232_1"]
    recorded = {q: [float(round(row[q + end], 2 if q == "amplitude_mV" else 1))
                    for end in ("", "_sd")]
                for q in ("amplitude_mV", "failures_percent", "decay_ms")}  # fmt: skip
    assert recorded == {"amplitude_mV": [0.94, 0.49], "failures_percent": [2.5, 3.2],
                        "decay_ms": [58.6, 2.8]}  # fmt: skip
    contacts = contacts_of(nmc.load_package(row["model"]), "L5_TTPC1")
    mean = contacts[["utilisation", "depression_ms", "facilitation_ms"]].mean()
    assert round(mean.iloc[0], 3) == 0.501 and mean.iloc[1:].round().tolist() == [672, 17]


# -- contacts ----------------------------------------------------------------------------------


def test_printed_and_implied_contacts(portal):
    ends = [portal.sheets[end].map(names.is_excitatory) for end in ("pre", "post")]
    printed = column(portal.sheets, "synapses_per_connection_mean")
    implied = implied_by_failures(portal.sheets)
    assert printed.groupby(ends).size()[True, True] == 161
    assert printed.groupby(ends).median()[True, True] == pytest.approx(2.8, abs=0.05)
    assert implied.groupby(ends).median()[True, True] == pytest.approx(5.5, abs=0.05)
    over = (implied / printed).groupby(ends).median().round(2)
    assert (over[False, True], over[False, False]) == (0.95, 0.88)
    thick = [f"{a}:{b}" for a in ("L5_TTPC1", "L5_TTPC2") for b in ("L5_TTPC1", "L5_TTPC2")]
    assert printed[thick].between(5.9, 6.3).all() and implied[thick].between(5.5, 6).all()


def test_the_deficit_of_amplitudes(portal):
    rows, ratio = portal.rows, portal.rows["ratio_amplitude_mV"].astype(float)
    excites = rows["kind"].str.startswith("E")
    assert (~excites).sum() == 19 and round(ratio[~excites].median(), 2) == 1.15
    implied, U = implied_by_variation(portal.own_sheet), column(portal.own_sheet, "u_mean")
    predicted = rows["contacts"] * portal.own["U"] / (implied * U)
    assert round(ratio[excites].median(), 2) == 0.59
    assert round((ratio / predicted)[excites].median(), 2) == 0.82
    among = rows["kind"].str.fullmatch(r"E\d onto E")
    by_contacts = ratio * implied / rows["contacts"]
    assert among.sum() == by_contacts[among].notna().sum() == 13
    assert round(ratio[among].median(), 2) == 0.55
    assert round(by_contacts[among].median(), 2) == 0.87


def test_contacts_and_U_go_with_what_is_recorded(portal):
    """Rank correlations of prediction and ratio, over pathways of more than one sender."""
    n, U = portal.rows["contacts"], portal.own["U"]
    sheet_U, by_cv = column(portal.own_sheet, "u_mean"), implied_by_variation(portal.own_sheet)
    by_failures = implied_by_failures(portal.own_sheet)
    scatter = np.sqrt((1 - U) / (n * U)) / np.sqrt((1 - sheet_U) / (by_failures * sheet_U))
    predicted = {
        "amplitude_mV": n * U / (by_cv * sheet_U),
        "cv": scatter,
        "failures_percent": (1 - U) ** n / (1 - sheet_U) ** by_cv,
    }
    found = {}
    for quantity, expected in predicted.items():
        some = told(portal.rows, quantity) & expected.notna()
        ratio = portal.rows[f"ratio_{quantity}"].astype(float)
        found[quantity] = round(spearmanr(expected[some], ratio[some])[0], 2)
    assert found == {"amplitude_mV": 0.73, "cv": 0.79, "failures_percent": 0.88}


def test_contacts_of_each_sender_explain_no_more(portal, at_portal):
    """Sums over the contacts of each recorded sender in place of means: 23 of 43 as well."""
    sheet_U, by_cv = column(portal.own_sheet, "u_mean"), implied_by_variation(portal.own_sheet)
    by_failures = implied_by_failures(portal.own_sheet)
    found = []
    for row in portal.rows.itertuples():
        contacts = contacts_of(nmc.load_package(row.model), row.pre)
        chosen = choose_cells(contacts, 8, np.random.default_rng(0))
        contacts = contacts[contacts["pre_cell"].isin(chosen)]
        groups = [U.to_numpy() for _, U in contacts.groupby("pre_cell")["utilisation"]]
        found.append(np.mean([(U.sum(), np.sqrt((U * (1 - U)).sum()) / U.sum(), (1 - U).prod())
                              for U in groups], axis=0))  # fmt: skip
    mean, scatter, silent = pd.DataFrame(found, portal.rows.index).to_numpy().T
    predicted = {
        "amplitude_mV": mean / (by_cv * sheet_U),
        "cv": scatter / np.sqrt((1 - sheet_U) / (by_failures * sheet_U)),
        "failures_percent": silent / (1 - sheet_U) ** by_cv,
    }
    told_by = 0
    for quantity, ratio in predicted.items():
        low, high = (portal.rows[f"ratio_{end}_{quantity}"] for end in ("low", "high"))
        told_by += (differ(portal.rows, quantity) & ratio.between(low, high)).sum()
    assert told_by == 23


def test_membrane_time_constants_give_as_few_decays_as_shuffled_ones(portal, at_portal):
    sheet = nmc.load_models().set_index("model")["membrane_time_constant_ms"].astype(float)
    mtype = pd.Series([names.parse_model(model).mtype for model in sheet.index], sheet.index)
    ratio = (sheet / sheet.groupby(mtype).transform("mean"))[portal.rows["model"]].to_numpy()
    rows = portal.rows[told(portal.rows, "decay_ms")]
    ratio = ratio[told(portal.rows, "decay_ms").to_numpy()]
    low, high = (rows[f"ratio_{end}_decay_ms"].to_numpy() for end in ("low", "high"))
    off, rng = differ(rows, "decay_ms").to_numpy(), np.random.default_rng(0)
    orders = [ratio, *(rng.permutation(ratio) for _ in range(2000))]
    counts = [(off & (low <= one) & (one <= high)).sum() for one in orders]
    assert off.sum() == 22 and counts[0] == 4 <= np.quantile(counts[1:], 0.975)


def test_the_sheets_conductances_go_with_no_amplitude(portal):
    some = told(portal.rows, "amplitude_mV")
    ratio = portal.rows["ratio_amplitude_mV"].astype(float)
    over = portal.own["weight_nS"] / column(portal.own_sheet, "gsyn_mean_nS")
    clamp = column(portal.own_sheet, "space_clamp_correction_factor").fillna(1)
    assert round(spearmanr(over[some], ratio[some])[0], 2) == -0.07
    assert round(spearmanr((over / clamp)[some], ratio[some])[0], 2) == -0.24


def test_variations_are_those_of_all_trials(portal):
    """Of n contacts, as failures tell it: the CV of all trials, and of those that did not fail."""
    sheets = portal.sheets
    n, U = implied_by_failures(sheets), column(sheets, "u_mean")
    cv, none = column(sheets, "cv_psp_amplitude_mean"), (1 - U) ** n
    mean, square = n * U / (1 - none), (n * U * (1 - U) + (n * U) ** 2) / (1 - none)
    answered = np.sqrt((square - mean**2).clip(lower=0)) / mean
    some = n.ge(1) & cv.gt(0)
    assert some.sum() == 1752
    assert round((cv / np.sqrt((1 - U) / (n * U)))[some].median(), 2) == 0.97
    assert round((cv / answered)[some].median(), 2) == 1.15


def test_sheets_of_two_kinds_of_receivers(portal):
    failing, spread = (column(portal.sheets, f"failures_{end}_percent") / 100
                       for end in ("mean", "std"))  # fmt: skip
    several = column(portal.sheets, "psp_amplitude_std_mV").ne(0)
    some = several & failing.between(0.2, 0.8) & portal.sheets["s_type"].eq("E2")
    mixture = np.sqrt(((failing - 0.02) * (0.9 - failing)).clip(lower=0))
    assert some.sum() == 148 and round((spread / mixture)[some].median(), 2) == 0.98


# -- noise of random channels --------------------------------------------------------------------


def foretold_failures(pre, model, cells=8):
    """Of each recorded sender the chance that none of its contacts releases, in per cent."""
    contacts = contacts_of(nmc.load_package(model), pre)
    chosen = choose_cells(contacts, cells, np.random.default_rng(0))
    silent = (1 - contacts["utilisation"]).groupby(contacts["pre_cell"]).prod()
    return 100 * silent[chosen]


def test_noise_alone_keeps_failures_below_what_contacts_foretell(portal, at_portal):
    """Only packages with random channels fail less often than their contacts alone would."""
    assert round(foretold_failures("L6_BPC", "L6_MC_cIR216_1").mean()) == 48
    hidden = {}
    for row in portal.rows.itertuples():
        p = foretold_failures(row.pre, row.model).to_numpy() / 100
        error = 100 * np.sqrt((p * (1 - p)).sum() / 15) / len(p)
        hidden[row.pathway] = (100 * p.mean() - row.failures_percent) / max(error, 100 / 15 / 8)
    noisy = {"L6_BPC:L6_MC_cIR216_1", "L23_LBC:L23_BP_bIR215_3"}
    assert {pathway for pathway, errors in hidden.items() if errors > 3} - noisy == set()
    assert hidden["L6_BPC:L6_MC_cIR216_1"] > 3
    random = {row.pathway for row in portal.rows.itertuples()
              if nmc.load_package(row.model).stochastic}  # fmt: skip
    assert random == noisy | {"L23_PC:L23_LBC_cSTUT189_1"}


@pytest.mark.neuron
def test_weak_random_channels_let_failures_be_seen(portal, at_portal, tmp_path):
    """Fewer trials than the page's: four senders, eight trials; three standard errors allowed."""
    pre, model, trials = "L6_BPC", "L6_MC_cIR216_1", 8
    copy = copy_package(model, tmp_path)
    channel = copy / "mechanisms" / "StochKv.mod"
    text = channel.read_text("latin-1")
    assert text.count("gamma  =  30 ") == 1  # pS of one channel; as many more make up for it
    channel.write_text(text.replace("gamma  =  30 ", "gamma  =  3e-5 "), "latin-1")
    how = {"cells": 4, "dt_ms": 0.1, "window_ms": 30.0, "progress": False}
    weak = nmc.simulate_pair(pre, copy, trials, trust=True, **how)
    p = foretold_failures(pre, model, cells=4) / 100
    reach = 3 * np.sqrt((p * (1 - p)).sum() / trials) / len(p)
    assert weak.cells.index.tolist() == p.index.tolist()
    assert abs(weak.trials["failure"].mean() - p.mean()) < reach
    recorded = portal.rows.set_index("pathway").loc[f"{pre}:{model}"]
    assert recorded["failures_percent"] / 100 < p.mean() - reach
    rest = np.vstack(list(weak.v_mV.values()))[:, weak.t_ms < 0]
    assert np.ptp(rest, axis=1).max() < 0.01  # mV: what counts as an answer


# -- rules beside shuffled sheets ------------------------------------------------------------------


def test_sheets_between_two_packages_are_no_more_than_shuffled_ones(portal):
    rows, rng = portal.rows, np.random.default_rng(0)
    trials = pd.read_csv(HERE / "trials.csv").query("cells == 8")
    trials["post"] = [names.parse_model(model).mtype for model in trials["model"]]
    both = pd.concat([trials, rows])
    both = both[~both.duplicated(["pre", "model"])]
    found, shuffled = 0, np.zeros(2000, int)
    for quantity in SHEET:
        given = both.dropna(subset=quantity).groupby(["pre", "post"])[quantity]
        some = rows[differ(rows, quantity)].join(given.agg(["size", "min", "max"]),
                                                 on=["pre", "post"])  # fmt: skip
        some = some[some["size"] > 1]
        low, high = some["min"].to_numpy(), some["max"].to_numpy()
        found += some[f"sheet_{quantity}"].between(low, high).sum()
        printed = column(rows[told(rows, quantity)], f"sheet_{quantity}").to_numpy()
        for k in range(len(shuffled)):
            other = rng.permutation(printed)[: len(some)]
            shuffled[k] += ((low <= other) & (other <= high)).sum()
    assert found == 7
    assert np.quantile(shuffled, [0.025, 0.975]) == pytest.approx([5, 12], abs=1)


def test_means_over_all_trials_agree_no_more_often(portal):
    """Rise, latency and decay with failures as 0: 45 of 81 would agree in place of 41."""
    answered = 1 - column(portal.rows, "sheet_failures_percent") / 100
    agree = both = of = 0
    for quantity in SHAPES:
        some = told(portal.rows, quantity)
        low, high = (portal.rows.loc[some, f"ratio_{end}_{quantity}"] for end in ("low", "high"))
        agree += ((low <= 1) & (high >= 1)).sum()
        both += ((low * answered[some] <= 1) & (high * answered[some] >= 1)).sum()
        of += some.sum()
    assert (agree, both, of) == (41, 45, 81)


def test_half_of_the_last_printed_place_brings_few(portal):
    near = {}
    for quantity in SHEET:
        sheet = column(portal.rows, f"sheet_{quantity}")
        half = sheet.where(sheet > 0).map(rounding, na_action="ignore")
        low, high = (portal.rows[f"ratio_{end}_{quantity}"] * sheet for end in ("low", "high"))
        near[quantity] = (differ(portal.rows, quantity)
                          & (low <= sheet + half) & (high >= sheet - half)).sum()  # fmt: skip
    assert list(near.values()) == [2, 0, 1, 1, 1, 0]


def test_delays_of_all_senders_bring_as_many_latencies_as_they_take(portal, at_portal):
    """Latencies moved by what the chosen senders' shortest delays lie off those of all senders."""
    rows = portal.rows
    moved = []
    for row in rows.itertuples():
        contacts = contacts_of(nmc.load_package(row.model), row.pre)
        chosen = choose_cells(contacts, 8, np.random.default_rng(0))
        shortest = contacts.groupby("pre_cell")["delay_ms"].min()
        moved.append(shortest.mean() - shortest[chosen].mean())
    part = 1 + np.array(moved) / rows["latency_ms"]
    low, high = (part * rows[f"ratio_{end}_latency_ms"] for end in ("low", "high"))
    agree = (low <= 1) & (high >= 1)
    reasons = pathway_scores.explain(rows, "latency_ms", portal.synapses)
    left = differ(rows, "latency_ms") & pd.Series(reasons, rows.index).str.startswith("not")
    assert left.sum() == 3 and agree[left].sum() == 1
    assert (told(rows, "latency_ms") & ~differ(rows, "latency_ms") & ~agree).sum() == 1


def test_rises_do_not_scatter_where_receivers_have_random_channels(portal, at_portal):
    shares, sheets = pathway_scores._shares(), portal.sheets
    random = shares[["bSTUT", "cSTUT", "dSTUT", "bIR", "cIR"]].sum(axis=1)
    excites, excited = (sheets[end].map(names.is_excitatory) for end in ("pre", "post"))
    several = ~excited & column(sheets, "psp_amplitude_std_mV").ne(0)
    odd = column(sheets, "rise_time_std_ms") >= column(sheets, "rise_time_mean_ms")
    found = {}
    for sign in (True, False):
        share = odd[several & (excites == sign)].groupby(sheets["post"]).mean()
        found[sign] = round(spearmanr(share, random.reindex(share.index))[0], 2)
    assert found == {True: -0.13, False: -0.35}


def test_mixtures_with_dnac_receivers_explain_no_more_than_shuffled_shares(portal, at_portal):
    """A share w of receivers that differ by T moves the mean by w T; its SD is T √(w (1 − w))."""
    shares, rows, rng = pathway_scores._shares()["dNAC"], portal.rows, np.random.default_rng(0)
    inhibitory = [m for m in set(portal.sheets["post"]) if not names.is_excitatory(m)]
    onto = rows["post"].isin(inhibitory) & ~rows["model"].str.contains("_dNAC")
    answered = 1 - column(rows, "sheet_failures_percent") / 100

    def explained(shares):
        w, told = rows["post"].map(shares), 0
        for quantity in SHAPES:
            moved = column(rows, f"sheet_{quantity}") - rows[quantity] * answered
            ratio = column(rows, f"sheet_sd_{quantity}") / (moved * ((1 - w) / w) ** 0.5)
            told += (onto & differ(rows, quantity) & ratio.between(0.75, 1 / 0.75)).sum()
        return told

    shuffled = []
    for _ in range(1000):
        mixed = shares.copy()
        mixed[inhibitory] = shares[rng.permutation(inhibitory)].to_numpy()
        shuffled.append(explained(mixed))
    found = explained(shares)
    assert (found, sum((onto & differ(rows, q)).sum() for q in SHAPES)) == (3, 13)
    assert np.quantile(shuffled, 0.975) == 3
    assert np.mean(np.array(shuffled) >= found) == pytest.approx(0.06, abs=0.02)


def test_how_many_of_the_unexplained_survive_a_correction(portal, at_portal):
    """Holm's correction in each class, with the error of the sheet's mean of 100 pairs."""
    lost, open_ = {}, {}
    for quantity in SHEET:
        some = portal.rows[told(portal.rows, quantity)]
        reasons = pathway_scores.explain(some, quantity, portal.synapses)
        free = some["cells"].astype(float) - 1
        error = np.hypot(some[f"{quantity}_sd"] / np.sqrt(free),
                         column(some, f"sheet_sd_{quantity}") / 10)  # fmt: skip
        away = (some[quantity] - column(some, f"sheet_{quantity}")).abs() / error
        p = pd.Series(2 * student.sf(away, free), some.index).sort_values()
        holm = np.maximum.accumulate(p * np.arange(len(p), 0, -1))
        left = differ(some, quantity) & pd.Series(reasons, some.index).str.startswith("not")
        open_[quantity] = left.sum()
        lost[quantity] = (holm.reindex(some.index)[left] > 0.05).sum()
    decays = open_.pop("decay_ms"), lost.pop("decay_ms")
    assert decays == (14, 4) and (sum(open_.values()), sum(lost.values())) == (14, 11)


def test_decays_are_off_alike_where_receiving_type_and_sign_are_the_same(portal):
    rows = portal.rows[told(portal.rows, "decay_ms")]
    kind = (rows["post"] + rows["kind"].str[0]).to_numpy()
    off, rng = np.log(column(rows, "ratio_decay_ms")).to_numpy(), np.random.default_rng(0)
    groups = [np.flatnonzero(kind == one) for one in np.unique(kind) if (kind == one).sum() > 1]

    def scatter(values):
        return sum(((values[group] - values[group].mean()) ** 2).sum() for group in groups)

    shuffled = [scatter(rng.permutation(off)) for _ in range(2000)]
    assert sum(map(len, groups)) == 7 and np.mean(np.array(shuffled) <= scatter(off)) < 0.001


# -- runs beside this file -------------------------------------------------------------------------


def test_decays_of_all_packages_lie_no_nearer_than_shuffled_sheets(portal):
    """143 decays of packages beyond the recorded ones, against the printed spread, by sign."""
    table = pd.read_csv(HERE / "receivers.csv")
    known = set(portal.rows["pre"] + ":" + portal.rows["model"])
    table = table[~(table["pre"] + ":" + table["model"]).isin(known)]
    post = [names.parse_model(model).mtype for model in table["model"]]
    sheet = portal.sheets.loc[table["pre"] + ":" + pd.Series(post, table.index)]
    mean, sd = (column(sheet, f"decay_{end}_ms").to_numpy() for end in ("mean", "std"))
    part = 1 - column(sheet, "failures_mean_percent").to_numpy() / 100
    value, within = (table[name].to_numpy() for name in ("decay_ms", "decay_ms_sd"))
    signs = [2 * names.is_excitatory(a) + names.is_excitatory(b)
             for a, b in zip(table["pre"], post, strict=True)]  # fmt: skip

    def near(k):
        own = (within * part[k]) ** 2
        variance = np.maximum(sd[k] ** 2 - own, 0) + sd[k] ** 2 / 100 + own
        return int((np.abs(value * part[k] - mean[k]) <= 1.96 * np.sqrt(variance)).sum())

    rng, order, counts = np.random.default_rng(0), np.arange(len(table)), []
    for _ in range(2000):
        mixed = order.copy()
        for sign in set(signs):
            where = np.flatnonzero(np.array(signs) == sign)
            mixed[where] = rng.permutation(where)
        counts.append(near(mixed))
    assert (len(table), table["model"].nunique(), near(order)) == (143, 89, 112)
    assert np.quantile(counts, 0.975) == 115


def test_decays_by_etype_of_packages(portal, at_portal):
    """Of packages of other m-types: rank correlations with the sheets, and how many lie near."""
    table = pd.read_csv(HERE / "interneurons.csv").query("highest_mV < -20").dropna()
    model = [names.parse_model(one) for one in table["model"]]
    table = table.assign(post=[one.mtype for one in model], etype=[one.etype for one in model],
                         excites=table["pre"].map(names.is_excitatory))  # fmt: skip
    of_cac = table[table["etype"] == "cAC"].groupby("excites")["decay_ms"].agg(["mean", "size"])
    assert of_cac["size"].to_dict() == {True: 7, False: 13}
    assert of_cac["mean"].round().to_dict() == {True: 116, False: 83}
    shares, sheets = pathway_scores._shares(), portal.sheets
    types = [one for one in shares.index if not names.is_excitatory(one)]
    slow = sheets["pre"].str.startswith("L1_") | sheets["pre"].str.contains("NGC")
    some = ~slow & column(sheets, "psp_amplitude_std_mV").ne(0)
    value = column(sheets, "decay_mean_ms")
    value = value / (1 - column(sheets, "failures_mean_percent") / 100).clip(lower=0.05)
    ends = [sheets["pre"].map(names.is_excitatory), sheets["post"]]
    printed = value[some].groupby(ends).median()
    rng, found, within = np.random.default_rng(0), {}, 0
    for excites in (True, False):
        typical = printed[excites].reindex(types).to_numpy()
        own = pd.DataFrame(
            [_of_others(table[table["excites"] == excites], one) for one in types], types
        ).reindex(columns=shares.columns)

        def expect(weights, own=own):
            there = own.notna().to_numpy()
            covered = (weights * there).sum(axis=1)
            mean = np.nansum(weights * own.to_numpy(), axis=1) / covered
            return np.where(covered >= 0.8, mean, np.nan)

        weights = shares.loc[types].fillna(0).to_numpy()
        orders = [np.arange(len(types)), *(rng.permutation(len(types)) for _ in range(500))]
        expected = np.array([expect(weights[order]) for order in orders])
        ranks = [spearmanr(one, typical, nan_policy="omit")[0] for one in expected]
        ratio = expected / typical
        near = ((ratio >= 0.75) & (ratio <= 1 / 0.75)).sum(axis=1)
        found[excites] = round(ranks[0], 2), np.isfinite(ratio[0]).sum()
        within += near
        assert ranks[0] > np.quantile(ranks[1:], 0.975)
    assert found == {True: (0.57, 41), False: (0.34, 41)}
    assert within[0] == 42 < np.quantile(within[1:], 0.975)


def _of_others(table, mtype):
    """Mean decay of each e-type that two packages of other m-types have."""
    groups = table[table["post"] != mtype].groupby("etype")["decay_ms"].agg(["mean", "size"])
    return groups.loc[groups["size"] >= 2, "mean"]


def test_what_variants_of_synapses_and_channels_give(portal):
    table = pd.read_csv(HERE / "variants.csv")
    own, table = table, table[table["model"] != "L23_NBC_dNAC222_5"].copy()
    table["pathway"] = table["pre"] + ":" + table["model"]
    by = {one: table.pivot(index="pathway", columns="varied", values=one)
          for one in ("decay_ms", "rise_time_ms", "amplitude_mV", "rest_mV")}  # fmt: skip
    decay = by["decay_ms"]
    printed = column(portal.rows.set_index("pathway"), "sheet_decay_ms").reindex(decay.index)
    excites = decay["NMDA 0"].notna()
    assert (excites.sum(), (~excites).sum()) == (6, 5)
    assert decay["NMDA 0"].agg(["min", "max"]).round().tolist() == [33, 46]
    assert decay["NMDA 1.2"].agg(["min", "max"]).round().tolist() == [60, 84]
    shares = (0, 0.4, 0.71, 1.2)
    needed = {
        row.name: float(np.interp(printed[row.name], row.to_numpy(float), shares))
        for _, row in decay.loc[excites, [f"NMDA {share:g}" for share in shares]].iterrows()
    }
    onto = {one: round(needed[key], 1) for one, key in {
        "L23_PC": "L23_PC:L23_PC_cADpyr229_1", "L6_BPC": "L6_IPC:L6_BPC_cADpyr231_1",
        "L6_TPC_L1": "L6_BPC:L6_TPC_L1_cADpyr231_3", "L4_SS": "L4_SS:L4_SS_cADpyr230_1",
        "L4_PC": "L4_PC:L4_PC_cADpyr230_5"}.items()}  # fmt: skip
    assert onto == {"L23_PC": 0.1, "L6_BPC": 0.1, "L6_TPC_L1": 0.5, "L4_SS": 0.6, "L4_PC": 0.9}
    assert round(needed["L4_SS:L23_PC_cADpyr229_1"], 1) == 0.2
    grown = (decay["half the magnesium"] - decay["nothing"])[excites]
    assert grown.agg(["min", "max"]).round().tolist() == [9, 18]
    assert (printed < decay["nothing"])[excites].sum() == 4
    assert (decay["sodium blocked"] - decay["nothing"]).abs().max() <= 0.3
    slower = decay["GABA-A twice as slow"][~excites]
    assert slower.agg(["min", "max"]).round().tolist() == [50, 64]
    assert decay.loc[~excites, [c for c in decay if c.startswith("GABA-B")]].isna().all(axis=None)
    assert printed[~excites].agg(["min", "max"]).tolist() == [48, 99]
    for quantity in ("amplitude_mV", "rise_time_ms"):
        grown = (by[quantity]["GABA-A twice as slow"] / by[quantity]["nothing"])[~excites]
        assert grown.agg(["min", "max"]).round(1).between(1.3, 1.7).all()
    slow = own[own["model"] == "L23_NBC_dNAC222_5"].set_index("varied")
    assert slow["rise_time_ms"].between(3, 5).all() and len(slow) == 4
    assert round(slow.loc["nothing", "decay_ms"]) == 29
    held = [one for one in decay if one.startswith("sodium blocked, held")]
    away = decay.sub(printed, axis=0).abs()[~excites]
    nearer = away[held].rsub(away["nothing"], axis=0)
    assert (nearer > 0).sum().sum() == 1 and nearer.max().max() == pytest.approx(2.2)
    assert by["rest_mV"][held[0]].min() > -58 and (by["rest_mV"][held[0]] > -57).sum() == 1
