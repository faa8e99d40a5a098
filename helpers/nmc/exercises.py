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

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from types import ModuleType
from typing import Any

from nmc.errors import MissingFileError, NMCError, UnknownNameError

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
    """Return the folder with the answers: ``NMC_ANSWERS``, or that of the checkout in use.

    Raises
    ------
    MissingFileError
        If there is none, as in an installation without the book.
    """
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
    _load()
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
    try:
        _load()
    except MissingFileError as error:
        return Verdict(identifier, None, str(error))
    known = _KNOWN.get(identifier)
    if known is None:
        raise UnknownNameError.of("checkable exercise", identifier, _KNOWN)
    if answer is None or answer is Ellipsis:
        return Verdict(identifier, False, f"There is no answer yet. {known.hint}")
    try:
        right = _same(answer, known.answer(**given), known.tolerance)
    except NMCError as error:
        return Verdict(identifier, None, f"the answer cannot be checked here: {error}")
    if right:
        return Verdict(identifier, True, "that is what the data say.")
    return Verdict(identifier, False, f"that is not what the data say. {known.hint}")


def _same(given: Any, wanted: Any, tolerance: float) -> bool:
    if isinstance(wanted, str):
        return isinstance(given, str) and given.strip().casefold() == wanted.casefold()
    if isinstance(wanted, bool) or isinstance(given, bool):
        return given is wanted
    if isinstance(wanted, Real):
        right = float(wanted)
        try:
            return abs(float(given) - right) <= tolerance * abs(right) + 1e-12
        except (TypeError, ValueError):
            return False
    return _same_collections(given, wanted, tolerance)


def _same_collections(given: Any, wanted: Any, tolerance: float) -> bool:
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
