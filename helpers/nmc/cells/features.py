"""Features of voltage traces, computed by eFEL (Van Geit et al. 2016)."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import numpy as np
import pandas as pd

from nmc.errors import FormatError

#: Column → eFEL feature.  A feature of every spike gives its mean.
FEATURES: Mapping[str, str] = {
    "spike_count": "spike_count_stimint",
    "mean_frequency_Hz": "mean_frequency",
    "time_to_first_spike_ms": "time_to_first_spike",
    "isi_cv": "ISI_CV",
    "adaptation_index": "adaptation_index2",
    "doublet_isi_ms": "doublet_ISI",
    "ap_height_mV": "AP_height",
    "ap_width_ms": "AP_width",
    "ahp_depth_mV": "AHP_depth_abs",
    "voltage_base_mV": "voltage_base",
}


def compute_features(
    trace: pd.DataFrame, features: Mapping[str, str] = FEATURES, *, threshold_mV: float = -20.0
) -> pd.Series:
    """Compute eFEL features of one trace.

    Parameters
    ----------
    trace : pandas.DataFrame
        With ``t_ms`` and ``v_mV``, as every protocol that gives a trace returns it.  Its
        ``.attrs`` say when the stimulus was on (``stim_start_ms``, ``stim_end_ms``); where they
        do not, as under synaptic input, features count over the whole trace.
    features : mapping of str to str
        Name in the result → name of an eFEL feature.
    threshold_mV : float
        Spikes are crossings of this voltage.

    Returns
    -------
    pandas.Series
        One value a feature; NaN where eFEL finds none (no spike, too few of them).

    Raises
    ------
    FormatError
        The table is no trace: it lacks ``t_ms`` or ``v_mV``, or has no rows.
    """
    if not {"t_ms", "v_mV"} <= set(trace.columns) or trace.empty:
        raise FormatError(
            "Features are computed from a trace with the columns t_ms and v_mV; this table has "
            f"{len(trace)} rows and the columns {', '.join(map(str, trace.columns))[:80]}."
        )
    start = trace.attrs.get("stim_start_ms", float(trace["t_ms"].iloc[0]))
    end = trace.attrs.get("stim_end_ms", float(trace["t_ms"].iloc[-1]))
    names = list(dict.fromkeys(features.values()))
    found = efel_values(trace, names, start, end, threshold_mV)
    values = {column: _mean(found[name]) for column, name in features.items()}
    return pd.Series(values, name=trace.attrs.get("model"), dtype=float)


def _mean(values: np.ndarray | None) -> float:
    return float(np.mean(values)) if values is not None and len(values) else np.nan


_ONE_AT_A_TIME = threading.Lock()


def efel_values(
    trace: pd.DataFrame, names: list[str], start_ms: float, end_ms: float, threshold_mV: float
) -> dict:
    """eFEL's values by feature, None where none; its state is global: a thread at a time."""
    import efel

    given = {
        "T": trace["t_ms"].to_numpy(float),
        "V": trace["v_mV"].to_numpy(float),
        "stim_start": [start_ms],
        "stim_end": [end_ms],
    }
    with _ONE_AT_A_TIME:
        efel.reset()
        efel.set_setting("Threshold", float(threshold_mV))
        return efel.get_feature_values([given], names, raise_warnings=False)[0]
