"""Damaged inputs by the thousand: a seeded mutator, and the one rule that every reader keeps.

A reader given a damaged file either returns a value that the test's `accept` agrees with, or
raises one of the package's own errors, within two seconds.  Any test folder may import this::

    from mutations import assert_survives

    def test_any_damage(memory_path, n_mutations):
        assert_survives(read, accept, [good_bytes], n_mutations, memory_path / "sheet.json")
"""

from __future__ import annotations

import multiprocessing
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nmc.errors import NMCError

SECONDS = 2.0
#: What stands where a number was.
NUMBERS = (
    b"NaN", b"-Infinity", b"Infinity", b"inf", b"1e400", b"-1e400", b"1e999999", b"1e30", b"-1",
    b"-0.0", b"0", b"1.5", b"9007199254740993", b"1_000", b"0x10", b"true", b"null", b'"1"',
    b'"12"', b"[]", b"{}", b"", b"1" * 5000, b"1e-400", b"2 3", b"\xd9\xa3", b"-" * 400,
)  # fmt: skip
#: What is put anywhere.
PIECES = (
    b"\x00", b"\xff\xfe", b"\r\n", b"\n" * 50, b" " * 50, b'"', b"'", b"\\", b"{", b"}", b"[" * 300,
    b"(" * 300, b"<" * 40, b"</", b"&#0;", b"&amp;", b"<!--", b"-->", b"/*", b"*/", b"//", b"%s",
    b"\xe2\x80\xae", b"\xf0\x9f\x92\xa5", b"\xed\xa0\x80", b"../", b",", b";", b":", b"\t", b"nan",
)  # fmt: skip

_NUMBER = re.compile(rb"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_WORD = re.compile(rb"[A-Za-z_][\w.-]*")


def mutations(samples: Sequence[bytes], n: int, *, seed: int = 0) -> Iterator[bytes]:
    """Yield `n` damaged versions of the samples, the same ones for the same seed.

    Parameters
    ----------
    samples : sequence of bytes
        Sound files, text or binary, small ones (damage to a large file is rarely telling).
    n : int
        How many.
    seed : int
        Seed of the generator.
    """
    rng = random.Random(seed)
    for _ in range(n):
        data = rng.choice(samples)
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            data = rng.choice(_KINDS)(data, rng, samples)
        yield data


def assert_survives(
    read: Callable[[Path], Any],
    accept: Callable[[Any], Any],
    samples: Sequence[bytes],
    n: int,
    path: Path,
    *,
    seed: int = 0,
    errors: tuple[type[Exception], ...] = (NMCError,),
) -> dict[str, int]:
    """Read `n` damaged versions of the samples and hold the reader to the rule.

    Parameters
    ----------
    read : callable
        Reads the file at `path`.
    accept : callable
        Looks at what came back: raises, or returns False, when the reader let damage through.
    samples, n, seed
        As for `mutations`.
    path : pathlib.Path
        Where each version is written before it is read.
    errors : tuple of exception types
        What may be raised; a message has at least ten characters.

    Returns
    -------
    dict
        How many were ``"read"`` and ``"refused"``, for a test that wants both to happen.
    """
    counts = {"read": 0, "refused": 0}
    for i, data in enumerate(mutations(samples, n, seed=seed)):
        path.write_bytes(data)
        start = time.process_time()
        told = f"mutation {i} of seed {seed}, {data[:300]!r}"
        try:
            result = read(path)
        except errors as error:
            assert len(str(error)) >= 10, f"no message: {told}"
            counts["refused"] += 1
        except Exception as error:
            raise AssertionError(f"{type(error).__name__}: {error}: {told}") from error
        else:
            counts["read"] += 1
            assert accept(result) is not False, f"accepted: {told}"
        took = time.process_time() - start
        assert took <= SECONDS, f"{took:.1f} s: {told}"
    return counts


@contextmanager
def in_child(read: Callable[[Path], Any], crash: Exception) -> Iterator[Callable[[Path], Any]]:
    """Let a process of its own read file after file, for parsers that damage can end.

    What the reader returns or raises comes back; where the process died instead, `crash` is
    raised, and the next file is read by a new one.
    """
    context = multiprocessing.get_context("fork")
    running: list = []

    def serve(ours) -> None:
        while path := ours.recv():
            start = time.process_time()
            try:
                told = read(path)
            except Exception as error:
                told = error
            ours.send((told, time.process_time() - start))

    def ask(path: Path) -> Any:
        if not running:
            theirs, ours = context.Pipe()
            process = context.Process(target=serve, args=(ours,), daemon=True)
            process.start()
            ours.close()
            running[:] = theirs, process
        theirs, process = running
        try:
            theirs.send(path)
            assert theirs.poll(60), "the reader hangs"
            told, took = theirs.recv()
        except (EOFError, ConnectionError):
            process.join()
            running.clear()
            raise crash from None
        assert took <= SECONDS, f"{took:.1f} s"
        if isinstance(told, Exception):
            raise told
        return told

    try:
        yield ask
    finally:
        for process in running[1:]:
            process.kill()


def assert_linear(
    read: Callable[[Any], Any], make: Callable[[int], Any], smallest: int, *, doublings: int = 3
) -> None:
    """Hold a reader to linear time, measured on inputs of doubling size.

    Parameters
    ----------
    read : callable
        Reads what `make` returned; may raise one of the package's errors.
    make : callable
        Makes an input of a size: a text, or a path to a file of it.
    smallest : int
        Size of the first input, large enough to take some milliseconds.
    doublings : int
        How often it is doubled.

    Notes
    -----
    The whole way counts, since one noisy ratio says nothing: over three doublings a linear reader
    takes 8 times as long and a quadratic one 64 times; 32 are allowed. Best of five, CPU time.
    """
    sizes = [smallest << i for i in range(doublings + 1)]
    inputs = [make(size) for size in sizes]
    # Below two milliseconds the clock decides.
    taken = [max(2e-3, min(_timed(read, one) for _ in range(5))) for one in inputs]
    allowed = 32 ** (doublings / 3)
    assert taken[-1] / taken[0] <= allowed, f"CPU seconds {taken} at sizes {sizes}"


def _timed(read: Callable[[Any], Any], given: Any) -> float:
    start = time.process_time()
    try:
        read(given)
    except NMCError:
        pass
    return time.process_time() - start


def _spot(data: bytes, rng: random.Random) -> tuple[int, int]:
    """A random slice, short more often than long."""
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + int(rng.expovariate(1 / 12)))


def _replace_match(pattern: re.Pattern, pieces: Sequence[bytes] | None) -> Callable:
    def mutate(data: bytes, rng: random.Random, samples: Sequence[bytes]) -> bytes:
        found = list(pattern.finditer(data))
        if not found:
            return data
        match = rng.choice(found)
        piece = rng.choice(pieces) if pieces else rng.choice(found)[0]
        return data[: match.start()] + piece + data[match.end() :]

    return mutate


def _flip(data: bytes, rng: random.Random, samples: Sequence[bytes]) -> bytes:
    if not data:
        return data
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def _delete(data: bytes, rng: random.Random, samples: Sequence[bytes]) -> bytes:
    start, end = _spot(data, rng)
    return data[:start] + data[end:]


def _insert(data: bytes, rng: random.Random, samples: Sequence[bytes]) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(PIECES) + data[at:]


def _repeat(data: bytes, rng: random.Random, samples: Sequence[bytes]) -> bytes:
    start, end = _spot(data, rng)
    return data[:end] + data[start:end] * rng.choice((1, 2, 40)) + data[end:]


def _cut(data: bytes, rng: random.Random, samples: Sequence[bytes]) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _splice(data: bytes, rng: random.Random, samples: Sequence[bytes]) -> bytes:
    other = rng.choice(samples)
    start, end = _spot(other, rng)
    at = rng.randrange(len(data) + 1)
    return data[:at] + other[start : end + 100] + data[at:]


def _line(data: bytes, rng: random.Random, samples: Sequence[bytes]) -> bytes:
    """Drop, double or move a line."""
    lines = data.splitlines(keepends=True) or [b""]
    line = lines.pop(rng.randrange(len(lines)))
    for _ in range(rng.choice((0, 1, 2))):
        lines.insert(rng.randrange(len(lines) + 1), line)
    return b"".join(lines)


_KINDS = (
    _replace_match(_NUMBER, NUMBERS), _replace_match(_NUMBER, NUMBERS),
    _replace_match(_NUMBER, None), _replace_match(_WORD, None), _replace_match(_WORD, NUMBERS),
    _flip, _delete, _insert, _repeat, _cut, _splice, _line,
)  # fmt: skip
