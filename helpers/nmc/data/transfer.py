"""One file over HTTP: retried, resumed where the server allows, and never longer than it may be."""

from __future__ import annotations

import random
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

if TYPE_CHECKING:
    import httpx

_ABSENT = {401, 403, 404, 410}  # a bucket that may not be listed says 403 for what it lacks
_AGAIN = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Policy:
    """How patient a transfer is.

    Attributes
    ----------
    attempts : int
        How often an address is tried.
    connect_s, silence_s : float
        How long a connection, and how long a silent server, is waited for.
    backoff_s : float
        Wait before the second attempt; doubled (with jitter) before each further one.
    slow_bytes_per_s, slow_s : float
        A server slower than this for so long counts as stalled.
    redirects : int
        How many redirections are followed.
    """

    attempts: int = 3
    connect_s: float = 8.0
    silence_s: float = 30.0
    backoff_s: float = 0.5
    slow_bytes_per_s: float = 256.0
    slow_s: float = 60.0
    redirects: int = 5


class Absent(Exception):
    """The server answered, and does not have the file, or does not give it (401, 403)."""

    def __init__(self, why: str, *, refused: bool = False):
        super().__init__(why)
        self.refused = refused


class Failed(Exception):
    """The file could not be had from this address."""


class Unreachable(Failed):
    """The host did not answer at all."""


@dataclass(frozen=True)
class Wanted:
    """What is known of a file before it is fetched.

    Attributes
    ----------
    sizes : tuple of int
        Sizes it may have; empty when none is known.
    max_bytes : int
        More than this is refused when no size is known.
    other_hosts : bool
        Whether a redirection to another host is followed: only where a hash decides.
    """

    sizes: tuple[int, ...] = ()
    max_bytes: int = 1 << 36
    other_hosts: bool = False


def download(
    address: str,
    target: Path,
    wanted: Wanted,
    policy: Policy,
    *,
    progress: bool = False,
) -> None:
    """Write what an address serves to a file that exists and is empty.

    Raises
    ------
    Absent
        When the server says that it does not have the file; not retried.
    Failed
        When every attempt failed; the message says why the last one did.
    """
    with _client(policy) as client, _Bar(target, progress) as bar:
        for attempt in range(policy.attempts):
            try:
                _attempt(client, address, target, wanted, policy, bar)
                return
            except _Again as exc:
                if attempt + 1 == policy.attempts:
                    kind = Unreachable if exc.unreachable else Failed
                    raise kind(f"{exc} ({policy.attempts} attempts)") from exc
                pause = policy.backoff_s * 2**attempt * random.uniform(0.75, 1.25)
                time.sleep(max(pause, min(exc.wait_s, 10.0)))


def exists(address: str, policy: Policy) -> bool:
    """Ask whether an address serves a file, without fetching it.

    Raises
    ------
    Failed
        When the server could not be asked.
    """
    import httpx

    with _client(policy) as client:
        try:
            answer = client.head(address, follow_redirects=True)
            if answer.status_code in (405, 501):
                with client.stream("GET", address, follow_redirects=True) as answer:
                    return answer.is_success
        except httpx.HTTPError as exc:
            raise Unreachable(_say(exc)) from exc
    if answer.status_code in _AGAIN:
        raise Failed(f"HTTP {answer.status_code}")
    return answer.is_success


class _Again(Exception):
    """An attempt that failed in a way another attempt may not."""

    def __init__(self, why: str, *, wait_s: float = 0.0, unreachable: bool = False):
        super().__init__(why)
        self.wait_s = wait_s
        self.unreachable = unreachable


def _client(policy: Policy) -> httpx.Client:
    import httpx

    timeout = httpx.Timeout(policy.silence_s, connect=policy.connect_s)
    headers = {"Accept-Encoding": "identity", "User-Agent": "nmc (a reader of open data)"}
    return httpx.Client(timeout=timeout, headers=headers, follow_redirects=False)


def _attempt(client, address, target, wanted, policy, bar) -> None:
    import httpx

    have = target.stat().st_size
    headers = {"Range": f"bytes={have}-"} if have else {}
    try:
        with _open(client, address, headers, wanted, policy) as answer:
            _read(answer, target, have, wanted, policy, bar)
    except (httpx.ConnectError, httpx.ConnectTimeout) as exc:
        raise _Again(_say(exc), unreachable=True) from exc
    except (httpx.TransportError, httpx.StreamError) as exc:
        raise _Again(_say(exc)) from exc
    except (httpx.InvalidURL, httpx.HTTPError) as exc:
        raise Failed(_say(exc)) from exc


def _open(client, address, headers, wanted, policy):
    """Send the request and follow redirections, as far as they may be followed."""
    for _ in range(policy.redirects + 1):
        request = client.build_request("GET", address, headers=headers)
        answer = client.send(request, stream=True)
        if not answer.is_redirect:
            return _Closing(answer)
        answer.close()
        following = urljoin(address, answer.headers["location"])
        old, new = urlsplit(address), urlsplit(following)
        if new.scheme not in ("http", "https") or (old.scheme, new.scheme) == ("https", "http"):
            raise Failed(f"redirects to {following}, which is not safe")
        if new.netloc != old.netloc and not wanted.other_hosts:
            raise Failed(f"redirects to another host, {new.netloc}, and no hash is known to trust")
        address = following
    raise Failed(f"redirects more than {policy.redirects} times")


class _Closing:
    def __init__(self, answer):
        self._answer = answer

    def __enter__(self):
        return self._answer

    def __exit__(self, *_):
        self._answer.close()


def _read(answer, target, have, wanted, policy, bar) -> None:
    status = answer.status_code
    if status in _ABSENT:
        refused = status in (401, 403)
        raise Absent(f"HTTP {status}, {'refused' if refused else 'not there'}", refused=refused)
    if status == 416 or (status == 206 and _range_start(answer) != have):
        target.write_bytes(b"")  # what is at hand does not fit: begin again
        raise _Again(f"HTTP {status}, an answer that does not fit the range asked for")
    if status in _AGAIN:
        raise _Again(f"HTTP {status}", wait_s=_retry_after(answer))
    if status not in (200, 206):
        raise Failed(f"HTTP {status}")
    have = have if status == 206 else 0
    announced = _announced(answer, have)
    _refuse_length(announced, wanted, target)
    bar.begin(announced, have)
    most = max(wanted.sizes) if wanted.sizes else min(wanted.max_bytes, announced or 1 << 62)
    with target.open("r+b") as out:
        out.truncate(have)
        out.seek(have)
        watch = _Watch(policy)
        for chunk in answer.iter_raw():
            have += len(chunk)
            if have > most:
                raise Failed(f"serves more than the {most:,} bytes it should have")
            out.write(chunk)
            bar.update(len(chunk))
            watch.saw(len(chunk))
    if announced is not None and have != announced:
        raise _Again(f"was cut short after {have:,} of {announced:,} bytes")
    if wanted.sizes and have not in wanted.sizes:
        target.write_bytes(b"")
        raise _Again(f"served {have:,} bytes, not the {_or(wanted.sizes)} it should have")


def _range_start(answer) -> int:
    unit, _, rest = answer.headers.get("content-range", "").partition(" ")
    start = rest.partition("-")[0]
    return int(start) if unit == "bytes" and start.isdigit() else -1


def _announced(answer, have: int) -> int | None:
    length = answer.headers.get("content-length", "")
    return have + int(length) if length.isdigit() else None


def _refuse_length(announced: int | None, wanted: Wanted, target: Path) -> None:
    if announced is None:
        return
    if wanted.sizes and announced not in wanted.sizes:
        raise Failed(f"announces {announced:,} bytes, not the {_or(wanted.sizes)} it should have")
    if announced > wanted.max_bytes:
        raise Failed(f"announces {announced:,} bytes, more than any file of the portal")
    free = shutil.disk_usage(target.parent).free + target.stat().st_size
    if announced > free:
        raise Failed(f"has {announced:,} bytes, the disk of {target.parent} only {free:,} free")


def _retry_after(answer) -> float:
    value = answer.headers.get("retry-after", "")
    return float(value) if value.isdigit() else 0.0


def _or(sizes: tuple[int, ...]) -> str:
    return " or ".join(f"{size:,}" for size in sizes)


def _say(exc: Exception) -> str:
    name = type(exc).__name__
    words = {
        "ConnectTimeout": "did not answer in time",
        "ReadTimeout": "fell silent",
        "RemoteProtocolError": "broke off",
        "ReadError": "broke off",
    }
    return f"{words[name]} ({exc})" if name in words else f"{name}: {exc}"


class _Watch:
    """Notices a server that keeps a connection alive with a trickle."""

    def __init__(self, policy: Policy):
        self._policy, self._since, self._bytes = policy, time.monotonic(), 0

    def saw(self, count: int) -> None:
        self._bytes += count
        passed = time.monotonic() - self._since
        if passed < self._policy.slow_s:
            return
        if self._bytes < self._policy.slow_bytes_per_s * passed:
            raise _Again(f"stalled: {self._bytes:,} bytes in {passed:.0f} s")
        self._since, self._bytes = time.monotonic(), 0


class _Bar:
    """A progress bar on stderr for a file that is large, or of unknown size."""

    def __init__(self, target: Path, wanted: bool):
        self._name, self._wanted, self._bar = target.name.lstrip(".").split(".")[0], wanted, None

    def begin(self, total: int | None, have: int) -> None:
        if not self._wanted or (total is not None and total < 1_000_000):
            return
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(desc=self._name, total=total, unit="B", unit_scale=True, leave=False)
        self._bar.n = have

    def update(self, count: int) -> None:
        if self._bar is not None:
            self._bar.update(count)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._bar is not None:
            self._bar.close()
