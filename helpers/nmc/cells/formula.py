"""Formulas that files hold, evaluated as arithmetic and never as code: HOC's and LEMS's."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nmc.errors import FormatError
from nmc.numbers import shown

#: Characters of the longest formula that is read; those of the portal have a tenth of it.
_LONGEST = 2_000
_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
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


def evaluate(
    formula: str,
    values: Mapping[str, Any],
    *,
    where: str = "",
    error: type[Exception] = FormatError,
) -> np.ndarray:
    """Return the value of a formula.

    Parameters
    ----------
    formula : str
        Arithmetic, comparisons and a few functions, in Python's signs; ``&`` and ``|`` for and, or.
    values : mapping of str to float or numpy.ndarray
        What its names stand for.
    where : str
        Names its place; stands first in the message.
    error : type
        Class of the exception raised.

    Raises
    ------
    FormatError
        Or `error`, when it holds anything else, an unknown name, or a number that is not finite.

    Examples
    --------
    >>> float(evaluate("2*exp(0) - d/4", {"d": 4.0}))
    1.0
    """
    place = f"{where}: " if where else ""
    try:
        if len(formula) > _LONGEST:
            raise ValueError("it is too long")
        with np.errstate(all="ignore"):
            return np.asarray(_value(ast.parse(formula.strip(), mode="eval").body, values))
    except KeyError as missing:
        raise error(f"{place}{shown(formula)} uses the unknown name {missing}.") from missing
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError, OverflowError) as why:
        raise error(f"{place}the formula {shown(formula)} is not understood.") from why


def _value(node: ast.expr, values: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            if not np.isfinite(float(number)):
                raise ValueError("a number is not finite")
            return float(number)
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
