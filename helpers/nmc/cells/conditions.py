"""What a synapse works in: calcium outside, magnesium, and factors on release and weight.

Release falls with the calcium outside.  The packages' utilisation U was measured at 2 mM; at
another concentration the simulators of the reconstruction multiply it by a Hill curve of exponent
4 that is 1 there (BlueCelluLab, ``Synapse.calc_u_scale_factor``; Neurodamus,
``SynapseParameters._constrained_hill``)::

    factor = (K⁴ + 2⁴) / 2⁴ · Ca⁴ / (K⁴ + Ca⁴)

K says how steeply: 2.79 mM (*steep*) among excitatory cells, and between them and cells that
target distal dendrites (MC, BTC, DBC, BP); 1.09 mM (*shallow*) between excitatory cells and basket
or chandelier cells (LBC, NBC, SBC, ChC); all other connections take the mean of the two factors
(*intermediate*).  K and classes are those that public scripts for that circuit use, O. Amsalem's
writer of its configurations and CxSystem's ``ChangeCalcium``, which names Rozov et al. (2001, J.
Physiology 531:807-826) and the supplement of Markram et al. (2015) as the source.  The two differ
for *intermediate*: CxSystem takes the mean of K, which is 0.24 instead of 0.40 at 1.2 mM.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypedDict, Unpack

import numpy as np
import pandas as pd

from nmc import names
from nmc.cells.settings import RANGES, check_setting
from nmc.errors import ProtocolError, UnknownNameError
from nmc.numbers import as_numbers

#: Where U was measured.
MEASURED_mM = 2.0
#: Class → the K whose factors are averaged, mM.
CLASSES = {"steep": (2.79,), "intermediate": (2.79, 1.09), "shallow": (1.09,)}
_KINDS = {"MC": "steep", "BTC": "steep", "DBC": "steep", "BP": "steep", "LBC": "shallow",
          "NBC": "shallow", "SBC": "shallow", "ChC": "shallow"}  # fmt: skip


class SynapseSettings(TypedDict, total=False):
    """What every call that uses a package's synapses takes, by name.

    Parameters
    ----------
    calcium_mM : float
        Calcium outside; 2.0, at which U was measured, unless given.
    release_scale, weight_scale : float
        Factors on the utilisation U, which never exceeds 1, and on the conductances; 1.
    mg_mM : float
        Magnesium outside, which blocks NMDA receptors; as the package sets it unless given.
    """

    calcium_mM: float
    release_scale: float
    weight_scale: float
    mg_mM: float | None


USUAL: SynapseSettings = {
    "calcium_mM": MEASURED_mM, "release_scale": 1.0, "weight_scale": 1.0, "mg_mM": None,
}  # fmt: skip


def calcium_class(pre_mtype: str, post_mtype: str) -> str:
    """Say how release between two m-types depends on calcium: steep, intermediate or shallow."""
    ends = [names.canonical_mtype(mtype) for mtype in (pre_mtype, post_mtype)]
    inhibitory = [mtype for mtype in ends if not names.is_excitatory(mtype)]
    if not inhibitory:
        return "steep"
    if len(inhibitory) == 2:
        return "intermediate"
    return _KINDS.get(inhibitory[0].partition("_")[2], "intermediate")


def compute_release_factor(pre_mtype: str, post_mtype: str, calcium_mM):
    """Say by which factor calcium outside changes the utilisation U of a connection.

    Parameters
    ----------
    pre_mtype, post_mtype : str
        The connection's two ends, which decide how steeply.
    calcium_mM : float or array, shape S
        From 0.01 to 10.

    Returns
    -------
    float array, shape S
        1 at 2 mM.

    Raises
    ------
    UnknownNameError, ProtocolError
        No such m-type; a concentration that cannot be.

    Examples
    --------
    >>> round(float(nmc.compute_release_factor("L5_TTPC1", "L5_TTPC1", 1.2)), 3)
    0.158
    """
    given, (low, high) = np.asarray(calcium_mM), RANGES["calcium_mM"]
    values = as_numbers(given.ravel().tolist(), where="calcium_mM", low=low, high=high,
                        error=ProtocolError).reshape(given.shape)  # fmt: skip
    K = np.array(CLASSES[calcium_class(pre_mtype, post_mtype)]) ** 4
    fixed, fourth = MEASURED_mM**4, values[..., None] ** 4
    return ((K + fixed) / fixed * fourth / (K + fourth)).mean(axis=-1)


def release_factors(
    mtypes: Iterable[str], post_mtype: str, calcium_mM: float, release_scale: float = 1.0
) -> dict[str, float]:
    """Return the factor on U by presynaptic m-type, of calcium and scale together."""
    return {
        mtype: release_scale * float(compute_release_factor(mtype, post_mtype, calcium_mM))
        for mtype in mtypes
    }


def scale_synapses(
    synapses: pd.DataFrame, post_mtype: str, **synaptic: Unpack[SynapseSettings]
) -> pd.DataFrame:
    """Return a package's synapses as they work under other conditions.

    Parameters
    ----------
    synapses : DataFrame
        Rows of `Package.synapses`.
    post_mtype : str
        The cell's own m-type.
    **synaptic
        See `SynapseSettings`.

    Returns
    -------
    pandas.DataFrame
        The same rows with other ``utilisation``, ``weight_nS`` and ``mg_mM``.

    Raises
    ------
    UnknownNameError, ProtocolError
        There is no such setting, or it cannot be.
    """
    found = check_synaptic(synaptic)
    scale = release_factors(
        synapses["pre_mtype"].unique(), post_mtype, found["calcium_mM"], found["release_scale"]
    )
    U = synapses["utilisation"] * synapses["pre_mtype"].map(scale).astype(float)
    scaled = synapses.assign(
        utilisation=U.clip(upper=1), weight_nS=synapses["weight_nS"] * found["weight_scale"]
    )
    if found["mg_mM"] is not None:
        scaled.loc[scaled["excitatory"], "mg_mM"] = found["mg_mM"]
    return scaled


def check_synaptic(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all of `SynapseSettings`, checked, the usual ones where none are given."""
    for name in given:
        if name not in USUAL:
            raise UnknownNameError.of("setting of synapses", name, USUAL)
    return {**USUAL, **{name: check_setting(name, value) for name, value in given.items()}}
