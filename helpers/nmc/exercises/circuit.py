"""Checks of Part V, circuits."""

from __future__ import annotations

from nmc.exercises.core import exercise


@exercise("ex-tire-second", "What is left, 1 − U, and how much of the gap U recovers.")
def _second_over_first(U: float, D: float, interval: float = 50.0) -> float:
    import nmc

    used, ready = nmc.compute_response(U, D, 0.0, [0.0, interval])
    return float(used[1] * ready[1] / (used[0] * ready[0]))


@exercise("ex-pair-count", "Sum the column failure of the recording's trials.")
def _silent_trials(pair) -> int:
    amplitudes = pair.trials.groupby(["pre_cell", "trial"])["failure"].max()
    return int(len(amplitudes) - (~amplitudes).sum())


@exercise("ex-synaptome-weight", "Sum weight_nS of the synapses whose excitatory is False.")
def _inhibitory_weight_percent(model: str = "L5_TTPC1_cADpyr232_1") -> float:
    import nmc

    synapses = nmc.load_package(model).synapses
    excitatory = synapses.loc[synapses["excitatory"], "weight_nS"].sum()
    return 100 - 100 * excitatory / synapses["weight_nS"].sum()


@exercise("ex-circuit-delay", "Distance over velocity: 300 µm in a millisecond.")
def _conduction_ms(plan) -> float:
    from nmc.circuit.plan import SYNAPTIC_DELAY_ms

    return plan.connections["delay_ms"].max() - SYNAPTIC_DELAY_ms


@exercise("ex-shuffle-keep", "Kept pathways or kept out-degrees fix how many leave each cell.")
def _changing_nulls() -> list[str]:
    return ["erdos_renyi"]  # it keeps the number of connections alone: no data are needed
