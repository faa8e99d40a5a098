"""Features of voltage traces, computed by eFEL (Van Geit et al. 2016)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from nmc.cells._efel import efel_values
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
        With ``t_ms`` and ``v_mV``, and with ``stim_start_ms`` and ``stim_end_ms`` in ``.attrs``,
        as `nmc.simulate_step` returns it.
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
        The trace does not say when its stimulus starts and ends.
    """
    try:
        start, end = trace.attrs["stim_start_ms"], trace.attrs["stim_end_ms"]
    except KeyError as error:
        raise FormatError(
            f"The trace has no {error} in .attrs; features need to know when the stimulus "
            "starts and ends."
        ) from error
    names = list(dict.fromkeys(features.values()))
    found = efel_values(trace, names, start, end, threshold_mV)
    values = {column: _mean(found[name]) for column, name in features.items()}
    return pd.Series(values, name=trace.attrs.get("model"), dtype=float)


def _mean(values: np.ndarray | None) -> float:
    return float(np.mean(values)) if values is not None and len(values) else np.nan
