"""Names of layers, cell types and models, in the one spelling the package uses.

The canonical spelling is that of the model packages, the pathway JSON and the connectome
files (``L1_SLAC``, ``L1_DLAC``, e-type ``cAC``).  The portal's pages say ``L1_SAC`` and
``L1_LAC``, package names say ``cACint209``, and ``cellinfo.json`` calls cADpyr ``L5PC``:
all of them are understood.  The types and their combinations are those of Markram et al.
(2015), Cell 163:456-492, as listed by the portal.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from nmc.errors import UnknownNameError

LAYERS = ("L1", "L23", "L4", "L5", "L6")

# The number behind an e-type in a model's name is the id of its fitted electrical model.
_ETYPE_ID = {
    "cAC": 209, "bAC": 217, "cNAC": 187, "bNAC": 219, "dNAC": 222, "cSTUT": 189,
    "bSTUT": 213, "dSTUT": 214, "cIR": 216, "bIR": 215,
}  # fmt: skip
_CADPYR_ID = {"L23": 229, "L4": 230, "L6": 231, "L5": 232}

ETYPES = ("cADpyr", *_ETYPE_ID)

with Path(__file__).with_name("metypes.csv").open(encoding="utf-8") as _lines:
    _ETYPES_OF_MTYPE = {row["mtype"]: row["etypes"] for row in csv.DictReader(_lines)}

#: The 55 m-types, in the alphabetical order of the connectome files.
MTYPES = tuple(_ETYPES_OF_MTYPE)

#: The 207 me-types as ``<m-type>_<e-type>``, by m-type.
METYPES = tuple(f"{m}_{e}" for m, es in _ETYPES_OF_MTYPE.items() for e in es.split())

INSTANCES = (1, 2, 3, 4, 5)

_PORTAL_MTYPE = {"L1_SLAC": "L1_SAC", "L1_DLAC": "L1_LAC"}
_MTYPE_ALIASES = {page: name for name, page in _PORTAL_MTYPE.items()}
_LAYER_ALIASES = {"L2/3": "L23", "L2_3": "L23", "1": "L1", "23": "L23", "4": "L4", "5": "L5",
                  "6": "L6"}  # fmt: skip


@dataclass(frozen=True, order=True)
class Model:
    """One of the 1,035 models: an m-type, an e-type and an instance from 1 to 5."""

    mtype: str
    etype: str
    instance: int

    @property
    def etype_id(self) -> str:
        """E-type with its model id as package names spell it, e.g. ``cACint209``."""
        number = _CADPYR_ID[self.layer] if self.etype == "cADpyr" else _ETYPE_ID[self.etype]
        return f"{'cACint' if self.etype == 'cAC' else self.etype}{number}"

    @property
    def name(self) -> str:
        """Model name, e.g. ``L5_TTPC1_cADpyr232_1``."""
        return f"{self.mtype}_{self.etype_id}_{self.instance}"

    @property
    def metype(self) -> str:
        """Me-type, e.g. ``L5_TTPC1_cADpyr``."""
        return f"{self.mtype}_{self.etype}"

    @property
    def layer(self) -> str:
        """Layer of the soma, one of `LAYERS`."""
        return layer_of(self.mtype)

    def __str__(self) -> str:
        return self.name


def canonical_layer(name: str) -> str:
    """Return the layer in the package's spelling (``L2/3`` and ``23`` give ``L23``)."""
    name = _LAYER_ALIASES.get(str(name), str(name))
    if name not in LAYERS:
        raise UnknownNameError.of("layer", name, LAYERS)
    return name


def canonical_mtype(name: str) -> str:
    """Return the m-type in the package's spelling (``L1_SAC`` gives ``L1_SLAC``)."""
    name = _MTYPE_ALIASES.get(str(name), str(name))
    if name not in _ETYPES_OF_MTYPE:
        raise UnknownNameError.of("m-type", name, [*MTYPES, *_MTYPE_ALIASES])
    return name


def canonical_etype(name: str) -> str:
    """Return the e-type without its model id (``cACint209``: ``cAC``, ``L23PC``: ``cADpyr``)."""
    plain = re.sub(r"\d+$", "", str(name))
    plain = {"cACint": "cAC"}.get(plain, plain)
    if re.fullmatch(r"L(23|4|5|6)PC", str(name)):
        plain = "cADpyr"
    if plain not in ETYPES:
        raise UnknownNameError.of("e-type", name, ETYPES)
    return plain


def canonical_metype(name: str) -> str:
    """Return the me-type in the package's spelling (``L1_SAC_cACint`` gives ``L1_SLAC_cAC``)."""
    mtype, _, etype = str(name).replace(":", "_").rpartition("_")
    try:
        mtype = canonical_mtype(mtype)
        full = f"{mtype}_{canonical_etype(etype)}"
    except UnknownNameError:
        full = name
    if full not in METYPES:
        same_shape = [me for me in METYPES if me.rpartition("_")[0] == mtype]
        raise UnknownNameError.of("me-type", name, same_shape or METYPES)
    return full


def portal_mtype(name: str) -> str:
    """Return the m-type as the portal's pages spell it (``L1_SLAC`` gives ``L1_SAC``)."""
    name = canonical_mtype(name)
    return _PORTAL_MTYPE.get(name, name)


def portal_metype(name: str) -> str:
    """Return the me-type as the portal's pages spell it (``L1_SLAC_cAC`` → ``L1_SAC_cAC``)."""
    mtype, _, etype = canonical_metype(name).rpartition("_")
    return f"{portal_mtype(mtype)}_{etype}"


def layer_of(mtype: str) -> str:
    """Layer of an m-type's soma: ``L5`` for ``L5_TTPC1``."""
    return canonical_mtype(mtype).split("_", 1)[0]


def is_excitatory(mtype: str) -> bool:
    """Whether an m-type is excitatory: its only e-type is cADpyr."""
    return _ETYPES_OF_MTYPE[canonical_mtype(mtype)] == "cADpyr"


def etypes_of(mtype: str) -> tuple[str, ...]:
    """E-types that occur with an m-type, in the order of `ETYPES`."""
    present = _ETYPES_OF_MTYPE[canonical_mtype(mtype)].split()
    return tuple(e for e in ETYPES if e in present)


#: The Petilla scheme: how firing begins, and how it goes on.
ONSETS = {"c": "continuous", "b": "burst", "d": "delayed"}
PATTERNS = {
    "ADpyr": "adapting",
    "AC": "accommodating",
    "NAC": "non-accommodating",
    "STUT": "stuttering",
    "IR": "irregular",
}


def describe_etype(etype: str) -> tuple[str, str]:
    """Onset and steady state of an e-type in words: ``bNAC`` → burst, non-accommodating."""
    etype = canonical_etype(etype)
    return ONSETS[etype[0]], PATTERNS[etype[1:]]


@cache
def _models() -> dict[str, Model]:
    split = (me.rpartition("_") for me in METYPES)
    models = (Model(m, e, i) for m, _, e in split for i in INSTANCES)
    return {model.name: model for model in models}


def model_names() -> tuple[str, ...]:
    """Return the names of all 1,035 models, by m-type, e-type and instance."""
    return tuple(_models())


def parse_model(name: str | Model) -> Model:
    """Return the `Model` a name stands for.

    Parameters
    ----------
    name : str or Model
        ``L5_TTPC1_cADpyr232_1``; a trailing ``.zip`` and the portal's m-type spelling are
        understood.

    Raises
    ------
    UnknownNameError
        When no such model exists; the message suggests the nearest one.
    """
    if isinstance(name, Model):
        return name
    text = str(name).removesuffix(".zip")
    for page, own in _MTYPE_ALIASES.items():
        if text.startswith(page + "_"):
            text = own + text[len(page) :]
    try:
        return _models()[text]
    except KeyError:
        raise UnknownNameError.of("model", name, _models()) from None


def pathway(pre: str, post: str) -> str:
    """Key of a pathway as the fact sheets write it: ``pre:post``."""
    return f"{canonical_mtype(pre)}:{canonical_mtype(post)}"


def parse_pathway(name: str) -> tuple[str, str]:
    """Split ``pre:post`` into two canonical m-types."""
    pre, colon, post = str(name).partition(":")
    if not colon:
        raise UnknownNameError(
            f"A pathway is written 'pre:post', e.g. 'L5_TTPC1:L5_MC'; got {name!r}."
        )
    return canonical_mtype(pre), canonical_mtype(post)
