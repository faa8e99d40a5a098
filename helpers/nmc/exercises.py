"""Checks for exercises: is this answer right, and if not, where to look?

The right answer is computed from the data of the source in use, never stored: a class on the
sample and a class on the real files are both told the truth.  A teacher adds an exercise with
`exercise`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from numbers import Real

from nmc.errors import NMCError, UnknownNameError

#: Answers are given after rounding by hand: this relative difference is forgiven.
TOLERANCE = 0.01


@dataclass(frozen=True)
class Exercise:
    """One exercise that can be checked: how its answer is computed, and a hint."""

    identifier: str
    answer: Callable[[], object]
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


def exercise(
    identifier: str, hint: str, *, tolerance: float = TOLERANCE
) -> Callable[[Callable[[], object]], Callable[[], object]]:
    """Register the decorated function as the one that computes an exercise's answer.

    Parameters
    ----------
    identifier : str
        The exercise's label in the book, such as ``"ex-analyse-means"``.
    hint : str
        One sentence for those whose answer is wrong.
    tolerance : float
        Relative difference that is forgiven in numbers.
    """

    def register(answer: Callable[[], object]) -> Callable[[], object]:
        _KNOWN[identifier] = Exercise(identifier, answer, hint, tolerance)
        return answer

    return register


def exercises() -> list[str]:
    """Return the identifiers of the exercises that `check` knows."""
    return sorted(_KNOWN)


def check(identifier: str, answer: object) -> Verdict:
    """Check the answer to an exercise against the data of the source in use.

    Parameters
    ----------
    identifier : str
        The exercise's label, as `nmc.exercises.exercises` lists them.
    answer : number, text, or a collection of these
        The student's answer; numbers may be rounded, letter case and order do not matter.

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
        known = _KNOWN[identifier]
    except KeyError:
        raise UnknownNameError.of("checkable exercise", identifier, _KNOWN) from None
    if answer is None or answer is Ellipsis:
        return Verdict(identifier, False, f"There is no answer yet. {known.hint}")
    try:
        right = _same(answer, known.answer(), known.tolerance)
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


# -- the short course --------------------------------------------------------------------------


@exercise("ex-fetch-largest", "Sort the catalogue's models by `size_bytes`; give the largest name.")
def _largest_package() -> str:
    import nmc

    catalogue = nmc.catalogue()
    models = catalogue[catalogue.index.str.startswith("model/")]
    return str(models["size_bytes"].astype(float).idxmax()).removeprefix("model/")


@exercise("ex-factsheets-warmup", "`nsmallest` on the column `n_neurons` of `load_mtypes()`.")
def _rarest_mtypes() -> str:
    import nmc

    mtypes = nmc.load_mtypes()
    return str(mtypes.loc[mtypes["n_neurons"].idxmin(), "mtype"])


@exercise(
    "ex-factsheets-inhibition",
    "Per cent of each layer's neurons whose `excitatory` is False: layer → per cent.",
)
def _inhibition() -> dict[str, float]:
    import nmc

    mtypes = nmc.load_mtypes()
    inhibitory = mtypes["n_neurons"].where(~mtypes["excitatory"].astype(bool), 0)
    layers = mtypes["layer"].astype(str)
    share = 100 * inhibitory.groupby(layers).sum() / mtypes["n_neurons"].groupby(layers).sum()
    return share.astype(float).to_dict()


@exercise("ex-analyse-means", "Every connection counts at both of its ends.")
def _mean_degree() -> float:
    import nmc

    connectome = nmc.default_connectome()
    return 2 * connectome.n_connections / connectome.n_neurons


@exercise(
    "ex-analyse-best", "`nlargest(10, 'in_degree')` of `compute_degrees`; give their m-types."
)
def _best_connected() -> list[str]:
    import nmc

    degrees = nmc.compute_degrees(nmc.default_connectome())
    return degrees.nlargest(10, "in_degree")["mtype"].astype(str).tolist()
