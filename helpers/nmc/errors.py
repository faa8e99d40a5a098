"""Exceptions: one clear sentence each, naming the thing and the way out."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from difflib import get_close_matches
from functools import wraps
from numbers import Integral, Real
from types import UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin

# So many names can stand in one sentence, and so many characters of one that is none.
_FEW = 12
_LONGEST = 100

_Explained = TypeVar("_Explained", bound=Callable)

_SAID = {"NoneType": "None", "Real": "number", "Integral": "whole number"}


class NMCError(Exception):
    """Base of every error this package raises on purpose."""


class UnknownNameError(NMCError, ValueError):
    """A name (layer, type, model, key) that does not exist; the message suggests the nearest."""

    @classmethod
    def of(cls, kind: str, name: object, known: Iterable[str]) -> UnknownNameError:
        """Build the error for a `name` of a `kind`, such as ``"m-type"``.

        The way out is the closest of the `known` names, or a short list of all.
        """
        by_fold = {k.casefold(): k for k in known}
        given, shown = str(name).casefold(), repr(name)
        if re.match(r"~|\.{0,2}[/\\]", str(name)):  # ./missing, ../a, /data, ~/a
            is_there = os.path.exists(os.path.expanduser(str(name)))
            why = ": this is a path, not a name" if is_there else ", nor does that path exist"
            return cls(f"There is no {kind} {shown[:_LONGEST]}{why}.")
        if len(shown) > _LONGEST:  # no name at all: nothing is near, and the search would be long
            return cls(f"There is no {kind} {shown[:_LONGEST]}….")
        longer = [k for k in by_fold if given and k.startswith(given)]
        near = longer or get_close_matches(given, list(by_fold), n=1, cutoff=0.5)
        if near:
            hint = f" Did you mean {by_fold[near[0]]!r}?"
        elif 0 < len(by_fold) <= _FEW:
            hint = f" Choose one of {', '.join(map(repr, by_fold.values()))}."
        else:
            hint = ""
        return cls(f"There is no {kind} {shown}.{hint}")

    @classmethod
    def check(cls, kind: str, given: Iterable[object], known: Iterable[str]) -> None:
        """Raise the error for the first of some `given` names that is none of the `known` ones."""
        known = list(known)
        for name in given:
            if name not in known:
                raise cls.of(kind, name, known)


class ArgumentError(NMCError, TypeError):
    """A call that was given another kind of thing than its signature says; names both."""


class SourceError(NMCError):
    """A source that cannot be understood or used."""


class MissingFileError(NMCError, FileNotFoundError):
    """No tree of the source holds the file; the message names each address and why it failed."""


class DownloadError(NMCError):
    """Every mirror failed; the message names each address and why."""


class OfflineError(DownloadError):
    """The file is not in the cache and the network is switched off."""


class ChecksumError(NMCError):
    """A file whose size or sha256 is not the expected one."""


class CacheError(NMCError):
    """The cache folder cannot be written: full, read-only, or not ours."""


class TermsError(NMCError):
    """The data terms have not been accepted for this cache."""


class ArchiveError(NMCError):
    """An archive that is damaged or tries to write where it must not."""


class FormatError(NMCError):
    """A file whose content is not what its format promises; names file, key and value."""


class PackageError(FormatError):
    """A me-type package that lacks a file or holds a wrong one."""


class TrustError(NMCError):
    """Code of a package that is not known, which runs only where the caller says trust=True."""


class ChangedCodeError(NMCError):
    """The package was changed on disk while a process uses it; names the module."""


class MechanismError(NMCError):
    """A MOD file that cannot be ported or loaded."""


class CompilerError(MechanismError):
    """The mechanism compiler is missing or failed; carries its own last lines."""


class SimulationError(NMCError):
    """A NEURON run that failed, crashed, or gave values that are not finite."""


class SimulationTimeout(SimulationError, TimeoutError):
    """A NEURON run that passed its time limit."""


class ProtocolError(NMCError, ValueError):
    """A stimulus or setting of a simulation that cannot be; names it, its value and its range."""


class PartsError(NMCError):
    """A result of several processes of which a part is missing, old, damaged or foreign."""


class MissingLibraryError(NMCError, ImportError):
    """An optional library that is not installed; the message says how to get it."""


class SynapseError(NMCError, ValueError):
    """A synapse, spike train or pair of cells that cannot be; names the value and the range."""


class CircuitError(NMCError, ValueError):
    """A circuit that cannot be built as asked; names the cells or the setting."""


class ConnectomeError(NMCError, ValueError):
    """What a connectome, or something asked of one, cannot be; names the value and the way out."""


class FigureError(NMCError, ValueError):
    """What cannot be drawn or shown as asked; names the number and the way out."""


@contextmanager
def optional(what: str, how: str) -> Iterator[None]:
    """Say how to get a library that the block imports, where it is not installed."""
    try:
        yield
    except ImportError as error:
        raise MissingLibraryError(f"{what}: pip install {how}.") from error


#: What no argument's kind brings about: files and addresses are named in these already.
_ELSEWHERE = (
    MissingFileError, DownloadError, PermissionError, ConnectionError, ImportError, MemoryError,
)  # fmt: skip


def explained(call: _Explained) -> _Explained:
    """Let a call that fails inside say which argument is of another kind than it takes.

    Of a class all public methods do.  A fault inside that no argument explains, or whose cause lies
    elsewhere (a file, the network, the machine), stays what it is.
    """
    if isinstance(call, type):
        for name, method in list(vars(call).items()):
            if inspect.isfunction(method) and not name.startswith("_"):
                setattr(call, name, explained(method))
        return call

    @wraps(call)
    def answered(*args, **options):
        try:
            return call(*args, **options)
        except _ELSEWHERE:
            raise
        except Exception as error:
            if isinstance(error, NMCError) and "\n" not in str(error):
                raise
            if why := misfit(call, args, options, error):
                raise ArgumentError(f"{call.__qualname__}: {why}.") from error
            raise

    return cast(_Explained, answered)


def misfit(call: Callable, args: tuple, options: Mapping[str, Any], error: Exception) -> str:
    """Say which argument is of another kind than its annotation, lacks a column or holds nothing.

    Tables in a mapping, such as title → table, are looked at, too.  Empty where nothing is wrong.
    """
    try:
        given = inspect.signature(call).bind(*args, **options).arguments
    except TypeError:  # an argument too few or too many: Python says it well
        return ""
    scope, lacking = inspect.unwrap(call).__globals__, ""
    named = re.findall(r"'(\w+)'", str(error)) if isinstance(error, KeyError) else []
    for name, value in given.items():
        one = inspect.signature(call).parameters[name]
        several: Mapping[Any, Iterable] = {one.VAR_POSITIONAL: value, one.VAR_KEYWORD: ()}
        for part in several.get(one.kind, [value]):
            kinds = _kinds(str(one.annotation), scope, type(part))
            text = isinstance(part, str) and not kinds & {str, object}  # its letters are no list
            if text or not isinstance(part, tuple(kinds)):
                return f"{name} takes {_either(kinds)}, not {type(part).__name__}"
            members = list(part.values()) if isinstance(part, Mapping) else []
            for member in members:
                inner = _kinds(str(one.annotation), scope, type(member), members=True)
                if inner and not isinstance(member, tuple(inner)):
                    return f"{name} holds {type(member).__name__} where {_either(inner)} belongs"
            for table in (part, *members):
                if none := [n for n in named if n not in getattr(table, "columns", named)]:
                    lacking = f"{name} has no {', '.join(map(repr, none))}"
            if isinstance(part, Sized) and not len(part) and not isinstance(part, str):
                lacking = lacking or f"{name} holds nothing"
    return lacking


def _either(kinds: set[type]) -> str:
    return " or ".join(sorted(_SAID.get(kind.__name__, kind.__name__) for kind in kinds))


def _kinds(
    annotation: Any, scope: dict[str, Any], given: type, *, members: bool = False
) -> set[type]:
    """Return the classes that an annotation allows, or a mapping's `members`.

    Numbers of NumPy are numbers.
    """
    if isinstance(annotation, str):
        try:
            annotation = eval(annotation, scope)
        except SyntaxError:  # there is none
            annotation = object
        except NameError:  # of a module that is loaded on use: told by its name
            last = annotation.rpartition(".")[2]
            return {kind for kind in given.__mro__ if kind.__name__ == last} or {type(last, (), {})}
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        each = (_kinds(one, scope, given, members=members) for one in get_args(annotation))
        return set().union(*each)
    if members:
        is_mapping = isinstance(origin, type) and issubclass(origin, Mapping)
        return _kinds(get_args(annotation)[-1], scope, given) if is_mapping else set()
    kind = {int: Integral, float: Real, Any: object}.get(annotation, origin or annotation)
    return {kind if isinstance(kind, type) else object}
