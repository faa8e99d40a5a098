"""eFEL's own values of a trace; apart from `features`, because kept results depend on them."""

from __future__ import annotations

import threading

import pandas as pd

_ONE_AT_A_TIME = threading.Lock()


def efel_values(
    trace: pd.DataFrame, names: list[str], start_ms: float, end_ms: float, threshold_mV: float
) -> dict:
    """eFEL's own values of a trace, by feature name; None where it finds none.

    eFEL keeps its settings and its trace in one global place, so one thread at a time.
    """
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
