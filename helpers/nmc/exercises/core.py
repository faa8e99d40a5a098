"""How an answer is judged: the register of exercises, and what counts as the same answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from numbers import Real

from nmc.errors import NMCError, UnknownNameError

#: Answers are given after rounding by hand: this relative difference is forgiven.
TOLERANCE = 0.01


@dataclass(frozen=True)
class Exercise:
    """One exercise that can be checked: how its answer is computed, and a hint."""

    identifier: str
    answer: Callable[..., object]
    hint: str
    tolerance: float


@dataclass(frozen=True)
class Verdict:
    """What `check` found; true when the answer is right, so that it can be asserted.

    Attributes
    ----------
    exercise : str
        The exercise's identifier.
    correct : bool
        Whether the answer is right.
    message : str
        A sentence for the student, with a hint when the answer is wrong.
    """

    exercise: str
    correct: bool
    message: str

    def __bool__(self) -> bool:
        return self.correct

    def __str__(self) -> str:
        return self.message

    def _repr_markdown_(self) -> str:
        return f"**{'Right' if self.correct else 'Not yet'}:** {self.message}"


_KNOWN: dict[str, Exercise] = {}
#: One module of checks for each part of the book, named as its folder is.
PARTS = ("short_course", "data", "factsheets", "cells", "connectome", "circuit")


def _load_parts() -> None:
    for part in PARTS:
        import_module(f"nmc.exercises.{part}")


def exercise(
    identifier: str, hint: str, *, tolerance: float = TOLERANCE
) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Register the decorated function as the one that computes an exercise's answer.

    The function takes what `check` is given beside the answer (a parameter a reader may have
    changed), each with the chapter's own value as its default.

    Parameters
    ----------
    identifier : str
        The exercise's label in the book, such as ``"ex-analyse-means"``.
    hint : str
        One sentence for those whose answer is wrong.
    tolerance : float
        Relative difference that is forgiven in numbers.

    Raises
    ------
    ValueError
        If another function is registered for this exercise.
    """

    def register(answer: Callable[..., object]) -> Callable[..., object]:
        known = _KNOWN.get(identifier)
        if known and _place(known.answer) != _place(answer):
            raise ValueError(f"Exercise {identifier!r} is registered twice.")
        _KNOWN[identifier] = Exercise(identifier, answer, hint, tolerance)
        return answer

    return register


def _place(function: Callable) -> tuple[str, str]:
    return function.__module__, function.__qualname__


def exercises() -> list[str]:
    """Return the identifiers of the exercises that `check` knows."""
    _load_parts()
    return sorted(_KNOWN)


def check(identifier: str, answer: object, **given: object) -> Verdict:
    """Check the answer to an exercise against the data of the source in use.

    Parameters
    ----------
    identifier : str
        The exercise's label, as `nmc.exercises.exercises` lists them.
    answer : number, text, or a collection of these
        The student's answer; numbers may be rounded, letter case and order do not matter.
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
    _load_parts()
    try:
        known = _KNOWN[identifier]
    except KeyError:
        raise UnknownNameError.of("checkable exercise", identifier, _KNOWN) from None
    if answer is None or answer is Ellipsis:
        return Verdict(identifier, False, f"There is no answer yet. {known.hint}")
    try:
        right = _same(answer, known.answer(**given), known.tolerance)
    except NMCError as error:
        return Verdict(identifier, False, f"The answer cannot be checked here: {error}")
    if right:
        return Verdict(identifier, True, "that is what the data say.")
    return Verdict(identifier, False, f"that is not what the data say. {known.hint}")


def _same(given: object, wanted: object, tolerance: float) -> bool:
    if isinstance(wanted, str):
        return isinstance(given, str) and given.strip().casefold() == wanted.casefold()
    if isinstance(wanted, bool) or isinstance(given, bool):
        return given is wanted
    if isinstance(wanted, Real):
        try:
            return abs(float(given) - wanted) <= tolerance * abs(wanted) + 1e-12
        except (TypeError, ValueError):
            return False
    return _same_collections(given, wanted, tolerance)


def _same_collections(given: object, wanted: object, tolerance: float) -> bool:
    if isinstance(wanted, Mapping):
        given = dict(given) if isinstance(given, Mapping) else getattr(given, "to_dict", dict)()
        return given.keys() == wanted.keys() and all(
            _same(given[key], value, tolerance) for key, value in wanted.items()
        )
    if isinstance(given, str) or not isinstance(given, Iterable):
        return False
    left = list(given)
    for value in wanted:
        found = next((n for n, mine in enumerate(left) if _same(mine, value, tolerance)), None)
        if found is None:
            return False
        del left[found]
    return not left
