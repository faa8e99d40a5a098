"""Figures of synapses: trains, releases, paired recordings, and where synapses sit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import cycle
from pathlib import Path

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from nmc import style
from nmc.cells.package import AnyModel, as_package, read_package
from nmc.cells.plots_morphology import plot_morphology
from nmc.cells.settings import MEASURED_mM, compute_release_factor
from nmc.circuit.pairs import SHEET, PairedRecording
from nmc.circuit.synapses import compute_response, load_synapse_parameters, train_times
from nmc.circuit.synaptome import ZONES, cut_dendrite
from nmc.data.figures import framed
from nmc.errors import SynapseError
from nmc.factsheets import pathways
from nmc.factsheets.plots import S_TYPE_COLOURS
from nmc.numbers import as_numbers
from nmc.recomputed import recorded_items
from nmc.viewer3d import View3D, view_3d

#: For m-types of one sign: neither the colour of excitation nor that of inhibition.
_TYPES = (style.GREEN, style.ORANGE, style.PURPLE, style.INK, style.YELLOW)
_ZONE_COLOURS = {"near": style.VERMILION, "rest": style.GREY, "tuft": style.BLUE}
_LABELS = {
    "amplitude_mV": "amplitude", "cv": "CV", "failures_percent": "failures",
    "rise_time_ms": "rise", "latency_ms": "latency", "decay_ms": "decay",
}  # fmt: skip
_S_TYPES = list(pathways.S_TYPES.values())


@framed(height=3.6)
def plot_trains(trains: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the responses to a train, relative to the first, one line a pathway.

    Parameters
    ----------
    trains : DataFrame
        From `nmc.compute_train`.
    """
    groups = trains.groupby("pathway", sort=False)
    for marker, (pathway, rows) in zip(cycle("osD^vP*X"), groups, strict=False):
        ax.plot(rows["t_ms"], rows["relative"], f"-{marker}", ms=5, label=pathway)
    ax.axhline(1, color=style.GREY, lw=0.8, ls=":")
    ax.set(xlabel="time of the spike (ms)", ylabel="response ÷ first response", ylim=(0, None))
    if len(groups) <= 8:
        ax.legend()
    return ax


@framed(height=3.4)
def plot_rate_dependence(
    synapses: str | Mapping | pd.DataFrame | Iterable[str],
    rates_Hz: Iterable[float],
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw how the response to the 20th spike of a train depends on the train's rate.

    Parameters
    ----------
    synapses
        As for `nmc.load_synapse_parameters`.
    rates_Hz : array
        Rates of the trains.
    """
    rates_Hz = as_numbers(list(rates_Hz), where="rates_Hz", error=SynapseError)
    table = load_synapse_parameters(synapses)
    U, D, F = table.to_numpy().T
    trains = [compute_response(U, D, F, train_times(r, 20, None)) for r in rates_Hz]
    late = [u[:, -1] * R[:, -1] / u[:, 0] for u, R in trains]
    ax.semilogx(rates_Hz, late, label=list(table.index))
    ax.set(xlabel="rate (Hz)", ylabel="response 20 ÷ first response", ylim=(0, None))
    ax.legend()
    return ax


@framed(height=3.4)
def plot_release_factors(
    pathways: Mapping[str, tuple[str, str]], calcium_mM: Iterable[float], *, ax: Axes | None = None
) -> Axes:
    """Draw the factor on U against the calcium outside, a line a pathway.

    Parameters
    ----------
    pathways : mapping of str to (str, str)
        Label → presynaptic and postsynaptic m-type.
    calcium_mM : array
        Concentrations.
    """
    calcium = np.asarray(list(calcium_mM), float)
    for (label, ends), line in zip(pathways.items(), cycle(["-", "--", "-."]), strict=False):
        ax.plot(calcium, compute_release_factor(*ends, calcium), line, lw=2, label=label)
    ax.axvline(MEASURED_mM, color=style.GREY, lw=0.8, ls=":")
    ax.set(xlabel="calcium outside (mM)", ylabel=f"U ÷ U at {MEASURED_mM:g} mM", ylim=(0, None))
    ax.legend()
    return ax


@framed(height=3.6)
def plot_releases(
    released: np.ndarray, times_ms, response: np.ndarray | None = None, *, ax: Axes | None = None
) -> Axes:
    """Draw single trials, their mean and the deterministic response.

    Parameters
    ----------
    released : bool array, (trials, contacts, n)
        From `nmc.simulate_release`.
    times_ms, response : array, (n,)
        Spike times; the deterministic response u·R, if it is to be drawn.
    """
    share = released.mean(axis=1)
    for trial in share[:12]:
        ax.plot(times_ms, trial, color=style.GREY, lw=0.6, alpha=0.6)
    label = f"mean of {len(share)} trials"
    ax.plot(times_ms, share.mean(axis=0), "o-", color=style.BLUE, label=label)
    if response is not None:
        ax.plot(times_ms, response, "x--", color=style.VERMILION, ms=8, label="deterministic u·R")
    ax.set(xlabel="time of the spike (ms)", ylabel="contacts that release", ylim=(-0.03, 1.03))
    ax.legend()
    return ax


@framed(width=5.4, height=4.6)
def plot_recovered_types(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how many pathways of each labelled type fall into each recovered one.

    Parameters
    ----------
    table : DataFrame
        From `nmc.classify_pathways`.
    """
    counts = pd.crosstab(table["label"], table["recovered"])
    counts = counts.reindex(index=_S_TYPES, columns=_S_TYPES, fill_value=0)
    share = counts.div(counts.sum(axis=1).clip(lower=1), axis=0)
    sns.heatmap(share, vmin=0, vmax=1, cmap=style.SEQUENTIAL, mask=counts == 0, annot=counts,
                fmt=",", cbar=False, square=True, ax=ax)  # fmt: skip
    ax.tick_params(axis="y", labelrotation=0)
    ax.set(xlabel="recovered from U, D and F", ylabel="the sheet's label")
    return ax


@framed(height=3.4)
def plot_fit(times_ms, amplitudes, fit: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw measured responses and the fitted synapse.

    Parameters
    ----------
    times_ms, amplitudes : array, (n,)
        What was fitted.
    fit : DataFrame
        From `nmc.fit_tsodyks_markram`.
    """
    U, D, F, A = fit["estimate"]
    u, R = compute_response(U, D, F, times_ms)
    ax.plot(times_ms, amplitudes, "o", color=style.BLUE, label="measured")
    ax.plot(times_ms, A * u * R, "x-", color=style.VERMILION, label="fitted")
    ax.set(xlabel="time of the spike (ms)", ylabel="response", ylim=(0, None))
    ax.legend()
    return ax


@framed(height=3.6)
def plot_pair(recording: PairedRecording, *, ax: Axes | None = None) -> Axes:
    """Draw every trial of the first presynaptic cell, and their mean.

    Parameters
    ----------
    recording : PairedRecording
        From `nmc.simulate_pair`.
    """
    chosen, traces = next(iter(recording.v_mV.items()))
    traces = traces - traces[:, recording.t_ms < 0].mean(axis=1, keepdims=True)
    ax.plot(recording.t_ms, traces.T, color=style.GREY, lw=0.5, alpha=0.5)
    ax.plot(recording.t_ms, traces.mean(axis=0), color=style.BLUE, lw=2, label="mean")
    contacts = int(recording.cells.loc[chosen, "contacts"])
    ax.set(xlabel="time after the presynaptic spike (ms)", ylabel="deflection of the soma (mV)",
           title=f"{recording.pre_mtype} → {recording.model}: {contacts} contacts")  # fmt: skip
    ax.legend()
    return ax


@framed(height=3.8)
def plot_pair_summary(
    recordings: PairedRecording | Iterable[PairedRecording], *, ax: Axes | None = None
) -> Axes:
    """Draw the six quantities over their sheet values; grey is the sheet's own deviation.

    Parameters
    ----------
    recordings : PairedRecording, or several
        From `nmc.simulate_pair`.
    """
    several = [recordings] if isinstance(recordings, PairedRecording) else list(recordings)
    if not several or not all(isinstance(one, PairedRecording) for one in several):
        raise SynapseError("recordings: give one of nmc.simulate_pair at least.")
    width = 0.8 / len(several)
    for k, recording in enumerate(several):
        table = recording.compare()
        x = np.arange(len(table)) + (k - (len(several) - 1) / 2) * width
        scale = table["sheet"]
        ax.bar(x, 2 * table["sheet_sd"] / scale, width * 0.9, bottom=1 - table["sheet_sd"] / scale,
               color=style.GREY, alpha=0.25, lw=0)  # fmt: skip
        ax.errorbar(x, table["simulated"] / scale, table["simulated_sd"] / scale, fmt="o", ms=5,
                    color=f"C{k}", label=f"{recording.pre_mtype} → {recording.model}",
        )  # fmt: skip
    ax.axhline(1, color=style.INK, lw=0.8)
    ax.set_xticks(range(len(SHEET)), [_LABELS[c] for c in SHEET])
    ax.set(ylabel="simulated ÷ sheet", ylim=(0, None))
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1))  # above: points lie anywhere
    return ax


@framed(width=4.6, height=5.0)
def plot_zones(model: AnyModel, *, ax: Axes | None = None) -> Axes:
    """Draw a cell's dendrites from the side, coloured by zone (see `nmc.locate_synapses`).

    Parameters
    ----------
    model : str, Model, path or Package
        The cell.
    """
    package = as_package(model)
    ends, pieces = cut_dendrite(package)
    for zone, colour in _ZONE_COLOURS.items():
        own = (pieces["zone"] == zone).to_numpy()
        length = pieces.loc[own, "length_um"].sum() * 1e-3
        if own.any():
            ax.add_collection(LineCollection(ends[own][:, :, :2], colors=colour, lw=1.1,
                                             label=f"{zone} ({length:.1f} mm)"))  # fmt: skip
    ax.plot(0, 0, "o", ms=9, color=style.INK, label="soma")
    ax.autoscale_view()
    ax.set(xlabel="x (µm)", ylabel="height above the soma (µm)", title=package.name)
    ax.set_aspect("equal")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return ax


@framed(width=6.4, height=5.6)
def plot_innervation(
    table: pd.DataFrame, *, difference: bool = False, ax: Axes | None = None
) -> Axes:
    """Draw which share of its contacts each kind of sender makes in each zone, in per cent.

    Kinds with fewer than 30 contacts are left out.

    Parameters
    ----------
    table : DataFrame
        From `nmc.compute_innervation`; a kind is an m-type without its layer.
    difference : bool
        What is more or less than the null model expects, in percentage points.
    """
    kinds = table["pre_mtype"].str.partition("_")[2]
    sums = table.groupby([~table["excitatory"], kinds, "zone"])[["synapses", "expected"]].sum()
    found, null = (sums[name].unstack()[list(ZONES)] for name in ("synapses", "expected"))
    kept = found.sum(axis=1) >= 30
    found, null = (100 * part[kept].div(part[kept].sum(axis=1), axis=0) for part in (found, null))
    shown = (found - null).round() + 0.0 if difference else found  # no "-0"
    counts = sums["synapses"].groupby(level=[0, 1]).sum()[kept]
    labels = [f"{kind} ({count:,})" for (_, kind), count in counts.items()]
    limits = {"center": 0, "vmin": -25, "vmax": 25} if difference else {"vmin": 0, "vmax": 100}
    sns.heatmap(shown, cmap=style.DIVERGING if difference else style.SEQUENTIAL, annot=True,
                fmt="+.0f" if difference else ".0f", annot_kws={"size": style.SMALL}, cbar=False,
                yticklabels=labels, ax=ax, linewidths=0.5, **limits)  # fmt: skip
    senders = (~found.index.get_level_values(0).to_numpy(bool)).sum()
    ax.axhline(senders, color=style.INK, lw=2)  # excitatory kinds above
    ax.set(xlabel="zone of the receiving cell", ylabel="kind of sender (contacts)")
    ax.tick_params(axis="both", length=0)
    return ax


@framed(width=5.0, height=4.8)
def plot_synaptome(
    places: pd.DataFrame, *, mtypes: Iterable[str] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw a cell from the side with its synapses, one colour a presynaptic m-type.

    Parameters
    ----------
    places : DataFrame
        From `nmc.locate_synapses`.
    mtypes : iterable of str, optional
        Which presynaptic m-types; unless given, synapses are only told apart by sign.
    """
    ax = plot_morphology(read_package(Path(places.attrs["folder"])), axon=False, ax=ax)
    for line in ax.collections:
        line.set_color(style.GREY)
    if mtypes is None:
        groups = [(style.EXCITATORY, "excitatory", places[places["excitatory"]]),
                  (style.INHIBITORY, "inhibitory", places[~places["excitatory"]])]  # fmt: skip
    else:
        groups = [(colour, mtype, places[places["pre_mtype"] == mtype])
                  for colour, mtype in zip(cycle(_TYPES), mtypes, strict=False)]  # fmt: skip
    drawn = []
    for colour, label, rows in groups:
        ax.scatter([], [], s=5, color=colour, lw=0, label=f"{label} ({len(rows):,})")
        drawn.append(rows[["x_um", "y_um"]].assign(colour=colour))
    # In random order: one kind on top would hide the other where both are dense.
    every = pd.concat(drawn).sample(frac=1, random_state=0)
    ax.scatter(every["x_um"], every["y_um"], s=5, c=every["colour"], lw=0, alpha=0.8, zorder=4)
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1), markerscale=2)
    return ax


def view_synaptome(places: pd.DataFrame) -> View3D:
    """Show a cell and its synapses in space; turns under the mouse, also on a static page.

    Parameters
    ----------
    places : DataFrame
        From `nmc.locate_synapses`.
    """
    package = read_package(Path(places.attrs["folder"]))
    segments, _ = cut_dendrite(package)
    colours = {"dendrite": style.GREY, "excitatory synapse": style.EXCITATORY,
               "inhibitory synapse": style.INHIBITORY}  # fmt: skip
    return view_3d(
        places[["x_um", "y_um", "z_um"]].to_numpy(float),
        np.where(places["excitatory"], "excitatory synapse", "inhibitory synapse").tolist(),
        lines=segments,
        line_groups=["dendrite"] * len(segments),
        colours=colours,
        point_size=1.5,
        alt=f"The dendrites of {package.name} with its synapses as coloured points.",
    )


@framed(height=4.2)
def plot_pathway_scores(
    scores: pd.DataFrame, quantity: str = "amplitude_mV", *, ax: Axes | None = None
) -> Axes:
    """Draw what the recorded pairs gave, a point a pathway, by class.

    A filled point agreed with its sheet when the verdicts were recorded
    (`nmc.recomputed`), an open one did not; a small one has no verdict that stands.

    Parameters
    ----------
    scores : DataFrame
        From `nmc.load_pathway_scores`.
    quantity : str
        One of `nmc.circuit.pairs.SHEET`.
    """
    rows = scores[scores[quantity].gt(0)].reset_index(drop=True)
    verdicts = recorded_items(f"pathways/{quantity}")["verdict"].reindex(rows["pathway"]).to_numpy()
    kinds = sorted(rows["kind"].unique())
    x = rows["kind"].map(kinds.index) + np.random.default_rng(0).uniform(-0.3, 0.3, len(rows))
    for kind in kinds:
        own, colour = rows["kind"] == kind, S_TYPE_COLOURS[kind[:2]]
        for face, size, chosen in (
            (colour, 6, verdicts == "agrees"),
            ("white", 6, verdicts == "differs"),
            (colour, 2, ~np.isin(verdicts.astype(str), ["agrees", "differs"])),
        ):
            part = rows[own & chosen]
            error = np.minimum(part[f"{quantity}_sd"], 0.95 * part[quantity])
            ax.errorbar(x[part.index], part[quantity], yerr=error, fmt="o", ms=size, mfc=face,
                        color=colour, elinewidth=0.7)  # fmt: skip
    unit = SHEET[quantity][1].replace("percent", "%")
    ax.set(yscale="log", ylabel=f"simulated {_LABELS[quantity]} ({unit})")
    ax.set_xticks(range(len(kinds)), kinds, rotation=30, ha="right")
    return ax
