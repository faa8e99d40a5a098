"""One file over HTTP, on pooch: retried, resumed where that is safe, never longer than it may be.

pooch makes the attempts; `_Downloader` is what it downloads with.
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from urllib.parse import urljoin, urlsplit, urlunsplit

from nmc.data.files import progress_bar, redact

if TYPE_CHECKING:
    import requests

_Accepted = TypeVar("_Accepted")
_ABSENT = {401, 403, 404, 410}  # a bucket that may not be listed says 403 for what it lacks
_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "nmc (a reader of open data)"}
_TLS_SETTINGS = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_DOWN_S = 60.0
_down: dict[str, float] = {}  # hosts that did not answer → when; asked again after a while
_SETTINGS = (*_TLS_SETTINGS, *_PROXIES, *map(str.lower, _PROXIES))


class Policy(NamedTuple):
    """How patient a transfer is, and what is known of the file before it is fetched."""

    attempts: int = 3
    connect_s: float = 8.0
    silence_s: float = 30.0  # with `connect_s`, also all that the headers may take
    slow_bytes_per_s: float = 256.0
    slow_s: float = 60.0  # a server that is slower than that for so long counts as stalled
    redirects: int = 5
    max_bytes: int = 1 << 36
    #: Whether a known hash tells a true copy: then a redirection to another host is followed,
    #: and a transfer resumed from a server that does not say which version it serves.
    hash_decides: bool = False


class Failed(Exception):
    """The file could not be had from this address.

    `status` is what a server answered that does not have it, or does not give it (401, 403);
    `is_down`: the host did not answer.
    """

    def __init__(self, why: str, *, status: int = 0, is_down: bool = False):
        super().__init__(why)
        self.status = status
        self.is_down = is_down


class _Again(Failed, ValueError):
    """An attempt that failed in a way another may not: the kind of error that pooch retries."""


def download(
    address: str,
    target: Path,
    policy: Policy,
    accept: Callable[[Path], _Accepted],
    *,
    progress: bool = False,
) -> _Accepted:
    """Write what an address serves to a file, completely or not at all; Failed where it cannot be.

    `accept` looks at the file first, and raises or says what it is.
    """
    from pooch.core import stream_download

    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix=f".{target.name[:40]}.", dir=target.parent) as room,
        _session(address) as session,
    ):
        title = target.name.split(".")[0] if progress else ""
        downloader = _Downloader(session, Path(room, "part"), policy, title)
        got = Path(room, "complete")
        stream_download(address, got, None, downloader, None, policy.attempts - 1)
        accepted = accept(got)
        os.replace(got, target)
        return accepted


def exists(address: str, policy: Policy) -> bool:
    """Whether an address serves a file; False also where the server could not be asked."""
    with suppress(Failed), _session(address) as session:
        for method in ("HEAD", "GET"):  # some servers know the second only
            with _open(session, method, address, {}, policy) as answer:
                if answer.status_code not in (405, 501):
                    return 200 <= answer.status_code < 300
    return False


@contextmanager
def _session(address: str) -> Iterator[requests.Session]:
    """Open a session; a host that did not answer is not waited for again at once."""
    import requests  # here, since it looks at the network when it is imported

    host = urlsplit(address).netloc
    if time.monotonic() - _down.get(host, -_DOWN_S) < _DOWN_S:
        raise Failed("its host did not answer a moment ago")
    try:
        with requests.Session() as session:
            yield session
    except Failed as exc:
        if exc.is_down:
            _down[host] = time.monotonic()
        raise


class _Downloader:
    """Downloads for pooch; what an attempt got is kept for the next one."""

    def __init__(self, session, part: Path, policy: Policy, title: str):
        self._session, self._part, self._policy = session, part, policy
        self._title = title  # of the progress bar; none without
        self._validator = ""  # an ETag or a date: which version the part is of
        part.touch()

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        """Make one attempt, as pooch asks its downloaders to."""
        have = self._part.stat().st_size
        if not (self._validator or self._policy.hash_decides):
            have = 0  # it may be another version by now, and nobody could tell
        headers = {"Range": f"bytes={have}-"} if have else {}
        if have and self._validator:
            headers["If-Range"] = self._validator
        with _open(self._session, "GET", url, headers, self._policy) as answer:
            self._read(answer, have)
        os.replace(self._part, output_file)

    def _read(self, answer: requests.Response, have: int) -> None:
        status, validator = answer.status_code, _validator(answer)
        if status in _ABSENT:
            refused = status in (401, 403)
            raise Failed(f"HTTP {status}, {'refused' if refused else 'not there'}", status=status)
        if status == 416 or (
            status == 206 and not (_goes_on(answer, have) and validator == self._validator)
        ):
            self._part.write_bytes(b"")  # what is at hand does not fit: begin again
            raise _Again(f"HTTP {status}, an answer that does not fit the range asked for")
        if status in _AGAIN:
            raise _Again(f"HTTP {status}")
        if status not in (200, 206):
            raise Failed(f"HTTP {status}")
        self._validator = validator
        have = have if status == 206 else 0
        length = answer.headers.get("content-length", "")
        announced = have + int(length) if re.fullmatch("[0-9]{1,18}", length) else None
        have = self._copy(answer, have, announced)
        if announced is not None and have != announced:
            raise _Again(f"was cut short after {have:,} of {announced:,} bytes")

    def _copy(self, answer: requests.Response, have: int, announced: int | None) -> int:
        policy = self._policy
        most = min(policy.max_bytes, announced or policy.max_bytes)
        shown = bool(self._title) and (announced is None or announced >= 1_000_000)
        bar = progress_bar(self._title, total=announced, shown=shown)
        since, counted = time.monotonic(), 0
        with self._part.open("r+b") as out, bar:
            bar.n = have
            out.truncate(have)
            out.seek(have)
            while chunk := _next_chunk(answer):
                have += len(chunk)
                if have > most:
                    raise Failed(f"serves more than the {most:,} bytes it should have")
                out.write(chunk)
                bar.update(len(chunk))
                counted, passed = counted + len(chunk), time.monotonic() - since
                if passed > policy.slow_s:  # a connection kept alive with a trickle
                    if counted < policy.slow_bytes_per_s * passed:
                        raise _Again(f"stalled: {counted:,} bytes in {passed:.0f} s")
                    since, counted = time.monotonic(), 0
        return have


def _open(
    session: requests.Session, method: str, address: str, headers: dict, policy: Policy
) -> requests.Response:
    """Send a request and follow redirections, as far as they may be followed."""
    verify = _certificates()
    for _ in range(policy.redirects + 1):
        send = partial(
            session.request, method, address, headers=_HEADERS | headers, stream=True,
            allow_redirects=False, timeout=(policy.connect_s, policy.silence_s), verify=verify,
        )  # fmt: skip
        try:
            answer = _within(policy.connect_s + policy.silence_s, send)
        except Exception as exc:
            raise _explained(exc) from exc
        if not 300 <= answer.status_code < 400:
            return answer
        answer.close()
        address = _following(address, answer, policy)
    raise Failed(f"redirects more than {policy.redirects} times")


def _following(address: str, answer: requests.Response, policy: Policy) -> str:
    where = answer.headers.get("location", "")
    if not where:
        raise Failed(f"HTTP {answer.status_code}, which does not say where the file is")
    old = urlsplit(address)
    try:
        new = urlsplit(urljoin(address, where))
        same_host = (new.hostname, new.port) == (old.hostname, old.port)
    except ValueError as exc:
        raise Failed(f"redirects to {redact(where)!r}, which is no address") from exc
    if new.scheme not in ("http", "https") or (old.scheme, new.scheme) == ("https", "http"):
        raise Failed(f"redirects to {redact(urlunsplit(new))}, which is not safe")
    if not same_host and not policy.hash_decides:
        raise Failed(f"redirects to another host, {new.hostname}, and no hash is known to trust")
    return urlunsplit(new._replace(netloc=old.netloc) if same_host else new)


def _within(seconds: float, call: Callable[[], requests.Response]) -> requests.Response:
    """Bound what a call takes in total: a server may send its headers a byte at a time."""
    done: Future = Future()

    def run() -> None:
        try:
            done.set_result(call())
        except BaseException as exc:
            done.set_exception(exc)

    threading.Thread(target=run, daemon=True).start()
    try:
        return done.result(seconds)
    except TimeoutError:
        if done.done():
            raise
        raise _Again(f"timed out: no complete answer within {seconds:g} s") from None


def _next_chunk(answer: requests.Response) -> bytes:
    try:
        return answer.raw.read1(1 << 16, decode_content=False)
    except Exception as exc:
        raise _explained(exc) from exc


def _explained(exc: Exception) -> Exception:
    """Return an error of this module for one of the network; any other as it is."""
    import requests
    import urllib3

    if isinstance(exc, Failed):
        return exc
    text = redact(exc)
    if in_force := [name for name in _SETTINGS if os.environ.get(name)]:
        text += f" (settings in force: {', '.join(in_force)}; a SOCKS proxy needs PySocks)"
    if isinstance(exc, ValueError):
        return Failed(f"its address, or one that it redirects to, is not valid: {text}")
    reason = getattr(exc.args[0], "reason", exc.args[0]) if exc.args else None
    unanswered = urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError
    if isinstance(exc, requests.ConnectTimeout) or isinstance(reason, unanswered):
        return _Again(f"did not answer ({text})", is_down=True)
    is_of_the_network = isinstance(exc, OSError | urllib3.exceptions.HTTPError)
    return _Again(f"broke off ({text})") if is_of_the_network else exc


def _certificates() -> str | bool:
    """Return the file of certificates that a setting names; True for the usual ones."""
    for name in _TLS_SETTINGS:
        if path := os.environ.get(name):
            if not os.path.exists(path):
                raise Failed(f"{name} is {path!r}, and there is no such file: mend or unset it")
            return path
    return True


def _validator(answer: requests.Response) -> str:
    """Return what tells one version of the file from another: a strong ETag, else its date."""
    tag = answer.headers.get("etag", "")
    return tag if tag.startswith('"') else answer.headers.get("last-modified", "")


def _goes_on(answer: requests.Response, have: int) -> bool:
    """Whether the part of a file that is served begins where ours ends, and ends with the file."""
    served = answer.headers.get("content-range", "").strip()
    found = re.fullmatch(rf"bytes {have}-([0-9]{{1,18}})/([0-9]{{1,18}}|\*)", served)
    return found is not None and found[2] in ("*", str(int(found[1]) + 1))
