"""LEMS values and expressions (Cannon et al. 2014, Front. Neuroinform. 8:79), in SI units.

Only what a dynamics needs: quantities such as ``6mV``, arithmetic, comparisons and a few
functions.  Nothing of an XML file is ever run as code.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

import numpy as np

from nmc.errors import FormatError

_QUANTITY = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([A-Za-z_]\w*)?\s*")
#: NeuroML's unit symbols → SI (NeuroMLCoreDimensions).
_UNITS = {
    None: 1.0, "s": 1.0, "ms": 1e-3, "per_s": 1.0, "per_ms": 1e3, "Hz": 1.0,
    "V": 1.0, "mV": 1e-3, "per_mV": 1e3, "per_V": 1.0,
    "A": 1.0, "uA": 1e-6, "nA": 1e-9, "pA": 1e-12,
    "S": 1.0, "mS": 1e-3, "uS": 1e-6, "nS": 1e-9, "pS": 1e-12,
    "S_per_m2": 1.0, "S_per_cm2": 1e4, "mS_per_cm2": 10.0,
    "F_per_m2": 1.0, "uF_per_cm2": 1e-2, "ohm_m": 1.0, "ohm_cm": 1e-2, "kohm_cm": 10.0,
    "m": 1.0, "cm": 1e-2, "um": 1e-6, "m2": 1.0, "cm2": 1e-4, "um2": 1e-12,
    "mol_per_m3": 1.0, "mol_per_cm3": 1e6, "mM": 1.0, "M": 1e3, "C_per_mol": 1.0, "K": 1.0,
}  # fmt: skip
_CELSIUS = ("degC",)


def quantity(text: str | float | None, unit: str | None = None) -> float:
    """Value of a LEMS quantity in a unit.

    Parameters
    ----------
    text : str
        E.g. ``"-85.0 mV"``, ``"1e-4 mM"`` or ``"34 degC"``.
    unit : str, optional
        Unit of the result; SI unless given. A temperature stays in degrees Celsius.

    Raises
    ------
    FormatError
        The text is no quantity, or its unit is unknown.
    """
    found = _QUANTITY.fullmatch(str(text)) if text is not None else None
    if not found or (found[2] not in _UNITS and found[2] not in _CELSIUS):
        raise FormatError(f"NeuroML: {text!r} is not a quantity with a known unit.")
    return float(found[1]) * _UNITS.get(found[2], 1.0) / _UNITS[unit]


_WORDS = {
    ".lt.": "<", ".gt.": ">", ".leq.": "<=", ".geq.": ">=", ".le.": "<=", ".ge.": ">=",
    ".eq.": "==", ".neq.": "!=", ".and.": "&", ".or.": "|", "^": "**",
}  # fmt: skip
_FUNCTIONS = {
    "exp": np.exp, "ln": np.log, "log": np.log, "sqrt": np.sqrt, "abs": np.abs,
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "tanh": np.tanh, "sinh": np.sinh,
    "cosh": np.cosh, "H": lambda x: np.where(np.asarray(x) >= 0, 1.0, 0.0),
}  # fmt: skip
_BINARY = {
    ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide,
    ast.Pow: np.power, ast.BitAnd: np.logical_and, ast.BitOr: np.logical_or,
}  # fmt: skip
_COMPARE = {
    ast.Lt: np.less, ast.Gt: np.greater, ast.LtE: np.less_equal, ast.GtE: np.greater_equal,
    ast.Eq: np.equal, ast.NotEq: np.not_equal,
}  # fmt: skip


def evaluate(expression: str, values: Mapping[str, object]) -> np.ndarray:
    """Value of a LEMS expression.

    Parameters
    ----------
    expression : str
        E.g. ``"1/(1+(4.3e-10/ca_conc)^4.8)"`` or ``"V .lt. (-60)"``.
    values : mapping of str to float or numpy.ndarray
        What its names stand for.

    Raises
    ------
    FormatError
        It holds anything but arithmetic, comparisons and LEMS's functions, or an unknown name.
    """
    text = str(expression)
    for word, sign in _WORDS.items():
        if sign in "&|":  # bind more loosely than comparisons, as in LEMS
            text = _loosely(text, word, sign)
        text = text.replace(word, sign)
    try:
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            return np.asarray(_value(ast.parse(text.strip(), mode="eval").body, values))
    except (SyntaxError, ValueError, TypeError) as error:
        raise FormatError(f"NeuroML: the expression {expression!r} is not understood.") from error
    except KeyError as error:
        raise FormatError(f"NeuroML: {expression!r} uses the unknown name {error}.") from error


def _loosely(text: str, word: str, sign: str) -> str:
    return sign.join(f"({part})" for part in text.split(word)) if word in text else text


def _value(node: ast.expr, values: Mapping[str, object]):
    match node:
        case ast.Constant(value=int() | float()):
            return float(node.value)
        case ast.Name():
            return values[node.id]
        case ast.UnaryOp(op=ast.USub()):
            return -_value(node.operand, values)
        case ast.UnaryOp(op=ast.UAdd()):
            return _value(node.operand, values)
        case ast.BinOp() if type(node.op) in _BINARY:
            return _BINARY[type(node.op)](_value(node.left, values), _value(node.right, values))
        case ast.Compare(ops=[op], comparators=[right]) if type(op) in _COMPARE:
            return _COMPARE[type(op)](_value(node.left, values), _value(right, values))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](_value(argument, values))
    raise ValueError(ast.dump(node))
