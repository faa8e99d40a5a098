"""The kinetics of the sample's MOD files once more, in numpy, to know what a cell must do.

Written from the equations in the headers of ``mechanisms/*.mod``; a test compares both.
Voltages in mV, times in ms, at 34 degC.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tools.sample.packages import EK, ENA

CELSIUS = 34.0
E_H = -45.0
CA_OUT_mM, CA_REST_mM, SHELL_um = 2.0, 1e-4, 0.1
FARADAY, GAS = 96485.33212, 8.31446261815324  # C/mol, J/(K mol)
_QT = 2.3 ** ((34 - 21) / 10)
_Q_SHU = 2.3 ** ((34 - 22) / 10)
_Q_STOCH = 2.3 ** ((34 - 23) / 10)

Array = np.ndarray
Gate = Callable[[Array], tuple[Array, Array]]


@dataclass(frozen=True)
class Channel:
    """Current = density · scale · Π gate**power · (v - reversal); ``ca`` reverses at Nernst's."""

    parameter: str
    ion: str
    gates: tuple[tuple[Gate, int], ...]
    scale: float = 1.0

    @property
    def reversal(self) -> float:
        """Reversal potential in mV of a channel that does not carry calcium."""
        return {"na": ENA, "k": EK, "h": E_H}[self.ion]


def _linoid(x: Array, k: float) -> Array:
    ratio = np.where(np.abs(x / k) < 1e-6, 1e-6, x / k)
    return k * ratio / -np.expm1(-ratio)


def _from_rates(a: Array, b: Array, q: float = 1.0) -> tuple[Array, Array]:
    return a / (a + b), 1 / (a + b) / q


def _boltzmann(v: Array, half: float, k: float) -> Array:
    return 1 / (1 + np.exp(-(v - half) / k))


def _na_m(shift: float) -> Gate:
    def gate(v):
        x = v + 38 - shift
        return _from_rates(0.182 * _linoid(x, 6), 0.124 * _linoid(-x, 6), _QT)

    return gate


def _na_h(shift: float) -> Gate:
    def gate(v):
        x = v + 66 - shift
        return _from_rates(0.015 * _linoid(-x, 6), 0.015 * _linoid(x, 6), _QT)

    return gate


def _nap_m(v):
    return _boltzmann(v, -52.6, 4.6), 6 * _na_m(0)(v)[1]


def _nap_h(v):
    rate = 2.88e-6 * _linoid(-v - 17, 4.63) + 6.94e-6 * _linoid(v + 64.4, 2.63)
    return _boltzmann(v, -48.8, -10), 1 / rate / _QT


def _kv3(v):
    return _boltzmann(v, 18.7, 9.7), 4 / (1 + np.exp(-(v + 46.56) / 44.14))


def _kt_m(v):
    return _boltzmann(v, -10, 19), (0.34 + 0.92 * np.exp(-(((v + 81) / 59) ** 2))) / _QT


def _kt_h(v):
    return _boltzmann(v, -76, -10), (8 + 49 * np.exp(-(((v + 83) / 23) ** 2))) / _QT


def _kp_m(v):
    low, high = 175.03 * np.exp(0.026 * (v + 10)), 13 * np.exp(-0.026 * (v + 10))
    return _boltzmann(v, -11, 12), (1.25 + np.where(v < -60, low, high)) / _QT


def _kp_h(v):
    tau = 360 + (1010 + 24 * (v + 65)) * np.exp(-(((v + 85) / 48) ** 2))
    return _boltzmann(v, -64, -11), tau / _QT


def _im(v):
    return _from_rates(3.3e-3 * np.exp(0.1 * (v + 35)), 3.3e-3 * np.exp(-0.1 * (v + 35)), _QT)


def _ih(v):
    return _from_rates(0.00643 * _linoid(-v - 154.9, 11.9), 0.193 * np.exp(v / 33.1))


def _hva_m(v):
    return _from_rates(0.055 * _linoid(v + 27, 3.8), 0.94 * np.exp(-(v + 75) / 17))


def _hva_h(v):
    return _from_rates(0.000457 * np.exp(-(v + 13) / 50), 0.0065 / (1 + np.exp(-(v + 15) / 28)))


def _lva_m(v):
    return _boltzmann(v, -40, 6), (5 + 20 / (1 + np.exp((v + 35) / 5))) / _QT


def _lva_h(v):
    return _boltzmann(v, -90, -6.4), (20 + 50 / (1 + np.exp((v + 50) / 7))) / _QT


def _kd_m(v):
    return _boltzmann(v, -43, 8), 0.6 + 0 * v


def _kd_h(v):
    return _boltzmann(v, -67, -7.3), 1500 / _Q_SHU + 0 * v


def _stoch(v):
    return _from_rates(5e-4 * _linoid(v + 45, 3), 5e-4 * _linoid(-v - 45, 3), _Q_STOCH)


CHANNELS = (
    Channel("gNaTa_tbar_NaTa_t", "na", ((_na_m(0), 3), (_na_h(0), 1))),
    Channel("gNaTs2_tbar_NaTs2_t", "na", ((_na_m(6), 3), (_na_h(6), 1))),
    Channel("gNap_Et2bar_Nap_Et2", "na", ((_nap_m, 3), (_nap_h, 1))),
    Channel("gSKv3_1bar_SKv3_1", "k", ((_kv3, 1),)),
    Channel("gK_Tstbar_K_Tst", "k", ((_kt_m, 4), (_kt_h, 1))),
    Channel("gK_Pstbar_K_Pst", "k", ((_kp_m, 2), (_kp_h, 1))),
    Channel("gImbar_Im", "k", ((_im, 1),)),
    Channel("gIhbar_Ih", "h", ((_ih, 1),)),
    Channel("gkbar_KdShu2007", "k", ((_kd_m, 1), (_kd_h, 1))),
    Channel("gkbar_StochKv", "k", ((_stoch, 1),), scale=1e-4 * _Q_STOCH),  # density in pS/um2
    Channel("gCabar_Ca", "ca", ((_hva_m, 2), (_hva_h, 1))),
    Channel("gCa_HVAbar_Ca_HVA", "ca", ((_hva_m, 2), (_hva_h, 1))),
    Channel("gCa_LVAstbar_Ca_LVAst", "ca", ((_lva_m, 2), (_lva_h, 1))),
)


def open_fraction(channel: Channel, v: Array) -> Array:
    """Steady-state product of a channel's gates."""
    out = 1.0
    for gate, power in channel.gates:
        out = out * gate(v)[0] ** power
    return out


def calcium_reversal(calcium_mM: Array) -> Array:
    """Nernst potential of calcium in mV."""
    return 1e3 * GAS * (CELSIUS + 273.15) / (2 * FARADAY) * np.log(CA_OUT_mM / calcium_mM)


def sk_fraction(calcium_mM: Array) -> Array:
    """Steady state of the SK gate (Koehler et al. 1996)."""
    return 1 / (1 + (0.00043 / calcium_mM) ** 4.8)
