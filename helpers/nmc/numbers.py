"""The one checked parser of numbers: finite, within bounds, whole where a count is asked for.

Every reader of JSON, tables, HOC, XML and pages calls it for each number it takes from outside,
so that infinity, NaN, ``1e400``, booleans and ``"1_000"`` are an error that names the place, and
never a value.  `where` is a text that names it: ``"layer_download.json: L23, 'synapse density'"``.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from math import floor, inf, isfinite, log10
from numbers import Integral
from typing import Any, NamedTuple, NoReturn

import numpy as np

from nmc.errors import FormatError

#: The largest whole number that a float64 tells from its neighbours.
MAX_COUNT = 2**53 - 1

_Error = type[Exception]
_LONGEST = 64  # characters of a number written out; no file needs more
_PLAIN = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,5})?")
_WHOLE = re.compile(r"[-+]?[0-9]+")
_PLAIN_CHARACTERS = re.compile(r"[-+.0-9eE\n]*")
_PRINTED = re.compile(
    r"(~?) ?(-?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,3})?)"
    r"(?: (thousand|million))?"
)
_SCALE = {None: 1, "thousand": 1_000, "million": 1_000_000}


def as_number(
    value: Any, *, where: str, low: float = -inf, high: float = inf, error: _Error = FormatError
) -> float:
    """Return a number, or the text of one, as a finite float within its bounds, both allowed.

    A text is a decimal number, with an exponent or not: no separators, no words.  `where` names
    file, key and field, first in the message; `error` is raised where the value is no number, not
    finite, or out of bounds.

    Examples
    --------
    >>> as_number("-70.135", where="a page")
    -70.135
    >>> as_number(float("inf"), where="sheet.json: L23, 'synapse density'")
    Traceback (most recent call last):
        ...
    nmc.errors.FormatError: sheet.json: L23, 'synapse density': inf is not a finite number.
    """
    number = _finite(_number(value), value, where, error)
    _check_bounds(number, value, where, low, high, error)
    return number


def as_count(
    value: Any, *, where: str, low: int = 0, high: int = MAX_COUNT, error: _Error = FormatError
) -> int:
    """Return a value as a whole number within its bounds; a fraction is never cut off.

    Otherwise as `as_number`; the default bounds keep to what a float64 holds exactly.

    Examples
    --------
    >>> as_count("57", where="a page"), as_count(57.0, where="a page")
    (57, 57)
    """
    number = _number(value)
    if number is None:
        _refuse(error, where, value, "is not a number")
    if isinstance(number, float):
        if not isfinite(number):
            _refuse(error, where, value, "is not a finite number")
        if not number.is_integer():
            _refuse(error, where, value, "is not a whole number")
    _check_bounds(number, value, where, low, high, error)
    return int(number)


def as_numbers(
    values: Sequence[Any] | np.ndarray,
    *,
    where: str | Callable[[int], str],
    low: float = -inf,
    high: float = inf,
    missing: bool = False,
    error: _Error = FormatError,
) -> np.ndarray:
    """Return a column of values as finite floats, shape (n,): `as_number` for many values at once.

    `where` names the column, or is a function that returns the place of the value at a position;
    an error names the first value that is wrong.  With `missing`, None is allowed, and is NaN.
    """
    numbers = _fast(values)
    if numbers is not None:
        if ((numbers >= low) & (numbers <= high) & np.isfinite(numbers)).all():
            return numbers
    return np.array(
        [
            math.nan
            if missing and value is None
            else as_number(value, where=_place(where, i), low=low, high=high, error=error)
            for i, value in enumerate(values)
        ],
        dtype=np.float64,
    )


def as_counts(
    values: Sequence[Any] | np.ndarray,
    *,
    where: str | Callable[[int], str],
    low: int = 0,
    high: int = MAX_COUNT,
    error: _Error = FormatError,
) -> np.ndarray:
    """Return a column of values as int64 of shape (n,): `as_count` for many values at once."""
    bounds = max(low, -MAX_COUNT), min(high, MAX_COUNT)
    numbers = as_numbers(values, where=where, low=bounds[0], high=bounds[1], error=error)
    for i in np.flatnonzero(numbers != np.floor(numbers)):
        _refuse(error, _place(where, int(i)), values[int(i)], "is not a whole number")
    return numbers.astype(np.int64)


def as_generator(rng: np.random.Generator | int, *, error: _Error) -> np.random.Generator:
    """Return the generator itself, or the one that a seed starts."""
    seed = isinstance(rng, Integral) and not isinstance(rng, bool) and int(rng) >= 0
    if seed or isinstance(rng, np.random.Generator):
        return np.random.default_rng(rng)
    raise error(f"rng is a numpy Generator or a seed, an integer from 0 on, not {rng!r}: rng=1.")


class Printed(NamedTuple):
    """A printed number: its value, and whether the sheet marks it as approximate."""

    value: float
    approximate: bool


def as_printed(
    value: Any, *, where: str, low: float = -inf, high: float = inf, error: _Error = FormatError
) -> Printed:
    """Return a number as the fact sheets print it: ``31,346``, ``~8.1 million``.

    Examples
    --------
    >>> as_printed("~8.1 million", where="a page")
    Printed(value=8100000, approximate=True)
    """
    if not isinstance(value, str):
        number = as_number(value, where=where, low=low, high=high, error=error)
        return Printed(int(value) if isinstance(value, (int, np.integer)) else number, False)
    match = _PRINTED.fullmatch(" ".join(value.split())) if len(value) <= _LONGEST else None
    if match is None:
        _refuse(error, where, value, "is not a number")
    # Decimal keeps 8.1 million exact: 8.1 * 1e6 in floats is 8099999.999…
    exact = Decimal(match[2].replace(",", "")) * _SCALE[match[3]]
    number = _finite(exact, value, where, error)
    _check_bounds(number, value, where, low, high, error)
    whole = exact == exact.to_integral_value()
    return Printed(int(exact) if whole else number, bool(match[1]))


def agrees(printed: float, value: Any) -> bool:
    """Whether a number printed on a page stands for `value`.

    The pages print five significant digits and at most three decimals; both cuts are seen
    in the pathway pages, whose full values the JSON files hold.
    """
    number = _number(value)
    if number is None or not isfinite(number):
        return False
    exponent = floor(log10(abs(number))) if number else 0
    step = max(1e-3, 10.0 ** (exponent - 4))
    return abs(printed - number) <= 0.5 * step * (1 + 1e-6)


def _number(value: Any) -> int | float | None:
    """`value` as an int or a float, or None when it is no number; infinity and NaN pass."""
    if isinstance(value, str):
        text = value.strip() if len(value) <= 2 * _LONGEST else ""
        if len(text) > _LONGEST or not _PLAIN.fullmatch(text):
            return None
        return int(text) if _WHOLE.fullmatch(text) else float(text)
    if isinstance(value, (bool, np.bool_)):
        return None
    if isinstance(value, (int, np.integer)):
        return int(value)
    return float(value) if isinstance(value, (float, np.floating)) else None


def _finite(number: int | float | Decimal | None, value: Any, where: str, error) -> float:
    if number is None:
        _refuse(error, where, value, "is not a number")
    try:
        number = float(number)
    except OverflowError:
        number = inf
    if not isfinite(number):
        _refuse(error, where, value, "is not a finite number")
    return number


def _fast(values: Sequence[Any] | np.ndarray) -> np.ndarray | None:
    """`values` as floats where that can be told without looking at each; else None."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "iuf":
        return values.astype(np.float64)
    try:
        joined = "\n".join(values)
        if _PLAIN_CHARACTERS.fullmatch(joined) and max(map(len, values)) <= _LONGEST:
            return np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        pass  # not all of them are texts of numbers: the slow way says which one
    return None


def _place(where: str | Callable[[int], str], position: int) -> str:
    return where(position) if callable(where) else f"{where}, value {position + 1}"


def _check_bounds(number, value, where: str, low: float, high: float, error) -> None:
    if low <= number <= high:
        return
    if high == inf or (low != -inf and number < low and high == MAX_COUNT):
        _refuse(error, where, value, f"is below {_short(low)}")
    if low == -inf or number > high == MAX_COUNT:
        _refuse(error, where, value, f"is above {_short(high)}")
    _refuse(error, where, value, f"is not between {_short(low)} and {_short(high)}")


def _short(bound: float) -> str:
    return f"{bound:g}" if abs(bound) < 1e6 else f"{bound:,}"


def shown(value: Any) -> str:
    """Return `value` as an error message has room for it."""
    try:
        plain = value.item() if isinstance(value, np.generic) else value
        text = repr(plain).replace("\n", " ")
    except ValueError:  # an integer too long to be written out
        text = "a number of thousands of digits"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 4]}…"


def _refuse(error: type[Exception], where: str, value: Any, why: str) -> NoReturn:
    if value is None:
        raise error(f"{where}: the value is missing.")
    raise error(f"{where}: {shown(value)} {why}.")


#: Characters of the longest formula that is read; those of the portal have a tenth of it.
_LONGEST_FORMULA = 2_000
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


def evaluate_formula(
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
    >>> float(evaluate_formula("2*exp(0) - d/4", {"d": 4.0}))
    1.0
    """
    place = f"{where}: " if where else ""
    try:
        if len(formula) > _LONGEST_FORMULA:
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
