"""Checks for exercises: is this answer right, and if not, where to look?

The right answer is computed from the data of the source in use, never stored: a class on the
sample and a class on the real files are both told the truth.

How each answer is computed stands beside the chapters, in ``book/answers`` of the book's
repository, one file for each part.  To add one, write a function there, by another road than the
solution where there is one, and end the solution in the chapter with the check::

    @exercise("ex-rest-current", "Ohm's law: divide the change of voltage by the current.")
    def _current(model="L5_TTPC1_cADpyr232_1"):
        return answer

    nmc.check("ex-rest-current", answer, model=model)
"""

from __future__ import annotations

import inspect
import os
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from math import isnan
from numbers import Integral
from pathlib import Path
from types import ModuleType
from typing import Any

from nmc.errors import MissingFileError, NMCError, UnknownNameError

#: Answers are given after rounding by hand: this relative difference is forgiven, in counts none.
TOLERANCE = 0.01
#: An answer that is off by one of these factors has the right digits in another unit.
_UNITS = (100, 1_000, 1_000_000, 1_000_000_000)
_WORDS = {"yes": True, "true": True, "no": False, "false": False}


@dataclass(frozen=True)
class Exercise:
    """One exercise that can be checked: a hint, its answer, and how to judge what is given."""

    hint: str  #: one sentence for those whose answer is wrong
    answer: Callable[..., object]  #: what computes its answer
    tolerance: float = TOLERANCE  #: relative difference that is forgiven where nothing is counted
    share: bool = False  #: it returns fractions, which may be answered in per cent as well
    digits: int | None = None  #: decimals to which it may be rounded (of a share: of its per cent)
    first_decides: bool = False  #: the first of several labelled parts alone is answer enough


@dataclass(frozen=True)
class Verdict:
    """What `check` found; true when the answer is right, so that it can be asserted.

    Attributes
    ----------
    exercise : str
        The exercise's identifier.
    correct : bool or None
        Whether the answer is right; None where it cannot be checked.
    message : str
        A sentence for the student, with a hint when the answer is wrong.
    """

    exercise: str
    correct: bool | None
    message: str

    def __bool__(self) -> bool:
        return bool(self.correct)

    def __str__(self) -> str:
        return self.message

    def _repr_markdown_(self) -> str:
        head = {True: "Right", False: "Not yet", None: "Not checked"}[self.correct]
        return f"**{head}:** {self.message}"


_KNOWN: dict[str, Exercise] = {}
#: The folder of answers whose modules are loaded.
_loaded: Path | None = None


def answers_folder() -> Path:
    """Return the folder with the answers: ``NMC_ANSWERS``, or that of the checkout in use."""
    named = os.environ.get("NMC_ANSWERS")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "book" / "answers"
    if any(folder.glob("*.py")):
        return folder.resolve()
    raise MissingFileError(
        f"There are no answers in {folder}: they stand beside the chapters, in book/answers of "
        "the book's repository. Set NMC_ANSWERS to that folder of a copy of it."
    )


def _load() -> None:
    """Run the modules of answers once; each registers its exercises."""
    global _loaded
    folder = answers_folder()
    if folder == _loaded:
        return
    for path in sorted(folder.glob("*.py")):
        module = ModuleType(f"nmc_answers_{path.stem}")
        exec(compile(path.read_text("utf-8"), str(path), "exec"), module.__dict__)
    _loaded = folder


def exercise(
    identifier: str, hint: str, **judging: Any
) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Register the decorated function as the one that computes an exercise's answer.

    It takes what `check` is given beside the answer, with the chapter's values as defaults, and
    returns a name, a number, a bool (which "yes", "no" and zero answer, too), a list in any order,
    or labelled parts in the question's order.
    """

    def register(answer: Callable[..., object]) -> Callable[..., object]:
        known = _KNOWN.get(identifier)
        if known and _place(known.answer) != _place(answer):
            raise ValueError(f"Exercise {identifier!r} is registered twice.")
        _KNOWN[identifier] = Exercise(hint, answer, **judging)
        return answer

    return register


def _place(function: Callable) -> tuple[str, str]:
    return function.__module__, function.__qualname__


def exercises() -> list[str]:
    """Return the identifiers of the exercises that `check` knows."""
    _load()
    return sorted(_KNOWN)


def check(identifier: str, answer: object, **given: object) -> Verdict:
    """Check the answer to an exercise against the data of the source in use.

    Parameters
    ----------
    identifier : str
        The exercise's label, as `nmc.exercises.exercises` lists them.
    answer : number, text, or a collection of these
        The student's answer, in any natural form: shares in per cent or as fractions, one name
        or a list of it, a list, tuple, array, Series or dictionary of several; numbers may be
        rounded, spelling matters by letters and digits alone.
    **given : object
        Parameters of the chapter that the answer depends on, where the exercise says so.

    Returns
    -------
    Verdict
        True or false in an ``if`` or ``assert``; shows a message in a notebook.

    Raises
    ------
    UnknownNameError
        If no such exercise can be checked.
    """
    try:
        _load()
    except MissingFileError as error:
        return Verdict(identifier, None, str(error))
    known = _KNOWN.get(identifier)
    if known is None:
        raise UnknownNameError.of("checkable exercise", identifier, _KNOWN)
    if answer is None or answer is Ellipsis:
        return Verdict(identifier, False, f"There is no answer yet. {known.hint}")
    asked = inspect.signature(known.answer)
    try:
        asked.bind(**given)
    except TypeError:
        more = ", ".join(f"{name}={name}" for name in asked.parameters)
        line = f'nmc.check("{identifier}", answer, {more})'
        return Verdict(identifier, None, f"the answer depends on more: {line}.")
    try:
        wanted = known.answer(**given)
    except NMCError as error:
        return Verdict(identifier, None, f"the answer cannot be checked here: {error}")
    right, note = _judge(answer, wanted, known)
    if right:
        return Verdict(identifier, True, f"that is what the data say{note}.")
    return Verdict(identifier, False, f"{note or 'that is not what the data say.'} {known.hint}")


def _judge(given: Any, wanted: Any, known: Exercise) -> tuple[bool, str]:
    """Return whether an answer is right, and a word about its form, or why it is nearly right."""
    given = _plain(given)
    for scale in (1, 100) if known.share else (1,):
        if _same(given, wanted, known, scale):
            return True, _other_form(_number(given), scale) if known.share else ""
    return False, _nearly(given, wanted, known)


def _plain(given: Any) -> Any:
    """Turn what NumPy and pandas wrap, and a collection of one, into what is in it."""
    if hasattr(given, "squeeze"):
        given = given.squeeze()
    if hasattr(given, "tolist") and not hasattr(given, "to_dict"):
        given = given.tolist()
    if _is_several(given) and not hasattr(given, "items"):
        given = list(given)
    return _plain(_values(given)[0]) if _is_several(given) and len(given) == 1 else given


def _is_several(given: Any) -> bool:
    return isinstance(given, Iterable) and not isinstance(given, str)


def _values(given: Any) -> list:
    """Return what a collection holds; of anything else, itself."""
    if isinstance(given, Mapping):
        return list(given.values())
    return list(given) if _is_several(given) else [given]


def _number(given: Any) -> float | None:
    """Read a number however it is written: 1,234 or 12 % or a plain one."""
    if isinstance(given, str):
        given = given.strip().rstrip("% ").replace(",", "").replace("−", "-")
    try:
        number = float(given)
    except (TypeError, ValueError):
        return None
    return None if isinstance(given, bool) or isnan(number) else number


def _letters(name: object) -> str:
    """Return the letters and digits of a name: accents, case, spaces and hyphens do not matter."""
    text = unicodedata.normalize("NFKD", str(name)).casefold()
    return "".join(one for one in text if one.isalnum())


def _same(given: Any, wanted: Any, known: Exercise, scale: float = 1) -> bool:
    if isinstance(wanted, Mapping):
        return _same_parts(given, wanted, known, scale)
    if isinstance(wanted, list | tuple | set):
        return _same_list(given, list(wanted), known, scale)
    if isinstance(wanted, str):
        return isinstance(given, str) and _letters(given) == _letters(wanted)
    number = _number(given)
    if isinstance(wanted, bool):
        told = _WORDS.get(_letters(given), number)
        return told is not None and bool(told) == wanted
    if isinstance(wanted, Integral):  # counts are exact
        allowed = 1e-9
    else:
        allowed = known.tolerance * scale * abs(wanted) + 1e-12
        if known.digits is not None:
            percent = 100 if known.share and scale == 1 else 1
            allowed = max(allowed, 0.5 * 10.0**-known.digits / percent)
    return number is not None and abs(number - scale * float(wanted)) <= allowed


def _same_list(given: Any, wanted: list, known: Exercise, scale: float) -> bool:
    """Compare without order; names that repeat may be given once."""
    left = _values(given)
    if len(left) < len(wanted) and all(isinstance(name, str) for name in wanted):
        wanted = list(dict.fromkeys(wanted))
    for value in wanted:
        found = next((n for n, mine in enumerate(left) if _same(mine, value, known, scale)), None)
        if found is None:
            return False
        del left[found]
    return not left


def _same_parts(given: Any, wanted: Mapping, known: Exercise, scale: float) -> bool:
    """Compare by label where the labels are known, else in the question's order."""
    values, right = _values(given), list(wanted.values())
    if hasattr(given, "items"):
        named = {_letters(label): value for label, value in given.items()}
        if all(_letters(label) in named for label in wanted):
            values = [named[_letters(label)] for label in wanted]
    same = partial(_same, known=known, scale=scale)
    if known.first_decides:  # what is given beside it must be right all the same
        values.sort(key=lambda value: not same(value, right[0]))
        others = (any(same(value, part) for part in right[1:]) for value in values[1:])
        return bool(values) and same(values[0], right[0]) and all(others)
    return len(values) == len(right) and all(map(same, values, right))


def _other_form(number: float | None, scale: float) -> str:
    """Tell a share in the form that was not given."""
    if number is None:
        return ""
    if scale == 100:
        return f"; as a fraction it is {number / 100:.3g}"
    return f", {100 * number:.3g} %"


def _nearly(given: Any, wanted: Any, known: Exercise) -> str:
    """Say what is right about a wrong answer: its digits, its values, a part of it."""
    if isinstance(wanted, Mapping):
        values, labels = _values(given), ", ".join(map(str, wanted))
        if _same_list(values, list(wanted.values()), known, 1):
            return f"the values are right, in another order than the question's: {labels}."
        right = (_same(mine, value, known) for mine in values for value in wanted.values())
        if len(values) < len(wanted) and any(right):
            return f"right as far as it goes; the question asks for {labels}."
    if isinstance(wanted, Iterable):  # a name, or a list
        return ""
    number = _number(given)
    if number is None:
        return "the answer is a number." if isinstance(given, str) else ""
    for factor in _UNITS:
        if any(_same(number * f, wanted, known) for f in (factor, 1 / factor)):
            return f"the digits are right, but not the unit: it is {factor:,} times off."
    return "the number is right but for its sign." if _same(-number, wanted, known) else ""
