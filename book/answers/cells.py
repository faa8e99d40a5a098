"""Checks of Part III, cells."""

import nmc
import numpy as np
from nmc.exercises import exercise
from scipy.stats import linregress, spearmanr


@exercise("ex-morphology-ratio", "Add the basal and the apical dendrite, then divide.")
def _axon_over_dendrites(model: str = "L5_TTPC1_cADpyr232_1") -> float:
    lengths = _drawn_lengths(model)
    return lengths["axon"] / (lengths["basal dendrite"] + lengths.get("apical dendrite", 0.0))


@exercise("ex-morphology-stub", "The stub stays: take its 60 µm off before you divide.", share=True)
def _left_out(model: str = "L5_TTPC1_cADpyr232_1") -> float:
    lengths = _drawn_lengths(model)
    return (lengths["axon"] - 60) / lengths.sum()


@exercise(
    "ex-morphology-cones",
    "Both volumes stand in the table: cone_volume_um3, volume_um3.",
    share=True,
    digits=1,
)
def _cone_excess(model: str = "L5_TTPC1_cADpyr232_1") -> float:
    points = nmc.load_morphology(nmc.load_package(model)).query("neurite == 'basal dendrite'")
    cones = cylinders = 0.0
    for _, rows in points.groupby("section"):
        steps = np.linalg.norm(np.diff(rows[["x_um", "y_um", "z_um"]], axis=0), axis=1)
        r = rows["diameter_um"].to_numpy() / 2
        cones += steps @ (r[1:] ** 2 + r[1:] * r[:-1] + r[:-1] ** 2) / 3
        cylinders += steps @ ((r[1:] + r[:-1]) / 2) ** 2
    return cones / cylinders - 1


def _drawn_lengths(model: str):
    """Length of each kind of neurite, from the points of the reconstruction."""
    points = nmc.load_morphology(nmc.load_package(model)).query("neurite != 'soma'")
    steps = points.groupby("section")[["x_um", "y_um", "z_um"]].diff()
    return np.sqrt((steps**2).sum(axis=1)).groupby(points["neurite"]).sum()


@exercise("ex-neuroml-area", "Basal and apical area over all, from neuroml.morphology.", share=True)
def _dendritic_share(model: str = "L1_HAC_cNAC187_1") -> float:
    segments = nmc.load_neuroml(model, progress=False).segments
    dendrite = segments["group"].isin(["basal", "apical"])
    return segments.loc[dendrite, "area_um2"].sum() / segments["area_um2"].sum()


@exercise("ex-neuroml-by-hand", "alpha / (alpha + beta); mind the scale's sign.", share=True)
def _ih_steady_state() -> float:
    ih = nmc.load_neuroml("L1_HAC_cNAC187_1", progress=False).channel("Ih")
    return ih.kinetics(-80.0)["steady_state"].iloc[0]


@exercise(
    "ex-channels-window", "Cube m, times h, and take the voltage of the largest.", tolerance=0.02
)
def _window_voltage(model: str = "L5_TTPC1_cADpyr232_1") -> float:
    table = nmc.compute_channel_kinetics(model, ["NaTs2_t"])
    m, h = (table.loc[table["gate"] == g].set_index("v_mV")["steady_state"] for g in "mh")
    return float((m**3 * h).idxmax())


@exercise(
    "ex-channels-total",
    "Sum conductance_nS over the apical sections, channel by channel.",
    first_decides=True,
)
def _largest_apical(model: str = "L5_TTPC1_cADpyr232_1") -> dict:
    table = nmc.compute_channel_densities(model).query("part == 'apic'")
    total = {name: rows["conductance_nS"].sum() for name, rows in table.groupby("channel")}
    channel = max(total, key=total.__getitem__)
    return {"conductance_nS": total[channel], "channel": channel}


@exercise("ex-every-resistance", "Take the row of the largest input_resistance_MOhm.")
def _highest_resistance() -> str:
    rows = nmc.load_scoreboard(sheets=False).sort_values("input_resistance_MOhm", ascending=False)
    return rows["model"].iloc[0]


@exercise("ex-every-product", "Rank both columns first, then correlate the ranks.", digits=2)
def _rank_correlation() -> float:
    rows = nmc.load_scoreboard(sheets=False)
    names = ["input_resistance_MOhm", "membrane_time_constant_ms"]
    return float(spearmanr(*(rows[name] for name in names)).statistic)


@exercise("ex-steps-rheobase", "Divide the weakest step by 1.2.")
def _rheobase_nA(model: str = "L23_PC_cADpyr229_1") -> float:
    return nmc.load_package(model).steps_nA[1] / 1.3  # the second step is 130 % of it


@exercise("ex-steps-regular", "The most regular has the smallest coefficient of variation.")
def _most_regular() -> str:
    models = (
        "L23_PC_cADpyr229_1", "L1_NGC-DA_cACint209_1", "L5_MC_bAC217_1", "L1_HAC_cNAC187_1",
        "L5_NGC_bNAC219_1", "L4_ChC_dNAC222_1", "L1_NGC-DA_cSTUT189_1", "L5_DBC_bSTUT213_1",
        "L23_BP_dSTUT214_1", "L6_MC_cIR216_1", "L23_BP_bIR215_1",
    )  # fmt: skip
    variation = {
        nmc.parse_model(model).etype: nmc.compute_features(trace, {"isi_cv": "ISI_CV"})["isi_cv"]
        for model, trace in nmc.simulate_steps(models).items()
    }
    return min(variation, key=variation.get)


@exercise("ex-steps-slope", "Difference of the rates over difference of the amplitudes.")
def _gain_Hz_per_nA(model: str = "L1_HAC_cNAC187_1") -> float:
    weakest = nmc.load_package(model).steps_nA[0]
    table = nmc.simulate_fi(model, [1.6 * weakest, 2.0 * weakest])
    return table["rate_Hz"].diff().iloc[-1] / (0.4 * weakest)


@exercise("ex-input-one", "Count the synapses of each presynaptic m-type; which has the most?")
def _most_synapses(model: str = "L1_HAC_cNAC187_1") -> int:
    return int(nmc.load_package(model).synapses.groupby("pre_mtype").size().max())


@exercise("ex-drive-seed", "Read spike_count in the attrs of the run with seed 3.")
def _noise_spikes(model: str = "L1_HAC_cNAC187_1") -> int:
    noise = nmc.OUCurrent(0, 1000, mean_nA=0.1, sd_nA=0.1, tau_ms=5.0, seed=3)
    return nmc.simulate_currents(model, noise).attrs["spike_count"]


@exercise("ex-drive-outward", "Keep what is above zero of each recorded channel, and sum it.")
def _most_outward(model: str = "L1_HAC_cNAC187_1") -> str:
    record = nmc.record_channels(model)
    amplitude = 3 * nmc.simulate_threshold(model).attrs["rheobase_nA"]
    run = nmc.simulate_currents(model, nmc.Step(0, 100, amplitude), record=record, settle=True)
    return max(record, key=lambda channel: run[channel].clip(lower=0).sum())


@exercise("ex-hand-mechanisms", "Count the .mod files of the folder mechanisms.")
def _mechanisms(model: str = "L1_HAC_cNAC187_1") -> int:
    return len(nmc.load_package(model).mods)


@exercise("ex-hand-current", "Holding current and the second step add up.")
def _total_current_nA(model: str = "L1_HAC_cNAC187_1") -> float:
    package = nmc.load_package(model)
    return package.hold_nA + package.step_nA(2)


@exercise(
    "ex-integrator-interval",
    "Mean interval published over converged, less one.",
    share=True,
    digits=2,
)
def _interval_excess(model: str = "L1_HAC_cNAC187_1", step: int = 3) -> float:
    means = []
    for mode in ("published", "converged"):
        times = nmc.simulate_step(model, step, mode=mode).attrs["spike_times_ms"]
        means.append((times[-1] - times[0]) / (len(times) - 1))
    return means[0] / means[1] - 1


@exercise(
    "ex-rest-current", "Divide the larger input resistance by the smaller.", first_decides=True
)
def _deflection_ratio(model: str = "L1_HAC_cNAC187_1", other: str = "L23_PC_cADpyr229_1") -> dict:
    runs = {name: nmc.simulate_rest(name, mode="converged") for name in (model, other)}
    resistance = {name: run.attrs["input_resistance_MOhm"] for name, run in runs.items()}
    further = max(resistance, key=resistance.__getitem__)
    return {"factor": resistance[further] / min(resistance.values()), "model": further}


@exercise("ex-package-apical", "Divide the synapses on apic sections by all.", share=True)
def _apical_share(model: str = "L5_TTPC1_cADpyr232_1") -> float:
    return float(nmc.load_package(model).synapses["section"].str.startswith("apic").mean())


@exercise("ex-signals-speed", "Fit delay over distance; µm per ms are thousandths of m per s.")
def _speed_m_per_s(model: str = "L5_TTPC1_cADpyr232_1") -> float:
    near = nmc.simulate_bap(model).query("part == 'apic' and distance_um < 400")
    return 1 / linregress(near["distance_um"], near["delay_ms"]).slope / 1000


@exercise(
    "ex-own-synapses", "The column excitatory of the package's synapses is False.", share=True
)
def _inhibitory_share(model: str = "L5_TTPC1_cADpyr232_1") -> float:
    return 1 - float(nmc.load_package(model).synapses["excitatory"].mean())


def _resistances(etype: str):
    models = nmc.load_models(step_currents=False)
    return models[models["etype"] == etype].set_index("mtype")["input_resistance_MOhm"]


@exercise("ex-shape-fold", "Divide the largest by the smallest.")
def _fold(etype: str = "bAC") -> float:
    values = _resistances(etype).to_list()
    return max(values) / min(values)


@exercise("ex-shape-instances", "It is what the means of the m-types leave over.", share=True)
def _within(etype: str = "bAC") -> float:
    groups = np.log(_resistances(etype)).groupby(level=0, observed=True)
    five = np.array([rows.to_numpy() for _, rows in groups])
    return five.var(axis=1).mean() / five.var()


@exercise("ex-shape-stems", "Choose the bars whose start_um is 0.", share=True)
def _stem_share(model: str = "L23_BTC_bAC217_1") -> float:
    points = nmc.load_morphology(model)
    own = points[points["neurite"].isin(["basal dendrite", "apical dendrite"])]
    steps = np.sqrt((own.groupby("section")[["x_um", "y_um", "z_um"]].diff() ** 2).sum(axis=1))
    length = steps.groupby(own["section"]).sum()
    above = own.groupby("section")["parent"].first()
    ends, roots = {}, {}
    for section in length.index:  # a section comes after the one that it grows from
        parent = above[section]
        ends[section] = length[section] + ends.get(parent, 0.0)
        roots[section] = roots.get(parent, section)
    longest = {root: max(e for s, e in ends.items() if roots[s] == root)
               for root in set(roots.values())}  # fmt: skip
    return sum(longest.values()) / length.sum()


@exercise("ex-swap-threshold", "The strongest step is 140 % of it.")
def _threshold_pA(model: str = "L23_BTC_bAC217_1") -> float:
    return 1000 * nmc.load_package(model).steps_nA[2] / 1.4


@exercise("ex-outside-sigma", "The conductivity stands in the denominator.")
def _voltage_at_twice_the_conductivity() -> float:
    return 1 / 2


@exercise("ex-firing-guess", "Count the cells of each e-type; divide the most by all.", share=True)
def _most_frequent() -> float:
    models = nmc.load_scoreboard("step", mode="converged", sheets=False)["model"].unique()
    return sum("cADpyr" in model for model in models) / len(models)


@exercise("ex-firing-step", "Drop the columns that end in @2 and @3.", share=True)
def _right_by_one_step(seed: int = 0) -> float:
    true, named = _named(("@1",), seed)
    return float((true == named).mean())


@exercise("ex-firing-worst", "Take the mean of what is named right, by the true type.")
def _hardest(seed: int = 0) -> str:
    true, named = _named(("@1", "@2", "@3"), seed)
    return (true == named).groupby(true).mean().idxmin()


@exercise("ex-type-single", "Read the spread of the reconstructions, and take its largest.")
def _widest_feature(step: int = 2) -> str:
    table = nmc.compute_firing(nmc.load_scoreboard("step", mode="converged", sheets=False))
    values = table.filter(like=f"@{step}")
    groups = values.groupby(table["metype"])
    pooled = (groups.var() * (groups.count() - 1)).sum() / (len(table) - groups.ngroups)
    return (pooled / values.var()).idxmax().partition("@")[0]


@exercise("ex-type-recorded", "Divide half of the claim's tolerance by the .std() of the four.")
def _wider() -> float:
    rows = nmc.load_scoreboard("step", mode="converged", sheets=False).query("step == 1")
    return 3.1463 / rows.loc[rows["model"].str.contains("L5_TTPC"), "ap_height_mV"].std()


def _named(ends: tuple[str, ...], seed: int):
    """True and predicted e-types by scikit-learn's own cross-validation, me-types held out."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

    rows = nmc.load_scoreboard("step", mode="converged", sheets=False)
    table = nmc.compute_firing(rows)
    seen = [name for name in table if name.endswith(ends)]
    named = cross_val_predict(
        RandomForestClassifier(class_weight="balanced", random_state=seed),
        table[seen].to_numpy(), table["etype"], groups=table["metype"],
        cv=StratifiedGroupKFold(5, shuffle=True, random_state=seed),
    )  # fmt: skip
    return table["etype"], named
