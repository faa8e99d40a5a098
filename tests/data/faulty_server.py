"""A real HTTP server on loopback that can be told to misbehave."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote


@dataclass
class Site:
    """What the server serves, and how; `faults` maps a path to a fault's name."""

    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    fault_times: int = 10**6  # how often a fault strikes before the server behaves
    ranges: bool = True
    etags: bool = True
    elsewhere: str = ""
    asked: Counter = field(default_factory=Counter)
    ranges_asked: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)  # sent with every answer
    users: list[str] = field(default_factory=list)  # what credentials were sent
    base: str = ""
    stop: threading.Event = field(default_factory=threading.Event)

    def struck(self, path: str) -> str:
        """Return the fault for this request, if it still strikes."""
        self.asked[path] += 1
        return self.faults.get(path, "") if self.asked[path] <= self.fault_times else ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def log_message(self, *args):
        pass

    def handle(self):
        """Serve until the client goes, which may be in the middle of an answer."""
        with suppress(BrokenPipeError, ConnectionResetError):
            super().handle()

    def do_HEAD(self):
        path = unquote(self.path).lstrip("/")
        body = self.site.files.get(path)
        fault = self.site.faults.get(path, "")
        if fault.isdigit():
            return self._status(int(fault))
        if fault == "no HEAD":
            return self._status(405)
        if fault == "redirect elsewhere":
            return self._redirect(f"{self.site.elsewhere}/{path}")
        if fault == "redirect nowhere":
            return self._status(302)
        if fault == "slow headers":
            return self._slow_headers()
        return self._status(200 if body is not None else 404, body or b"", send=False)

    def do_GET(self):
        site, path = self.site, unquote(self.path).lstrip("/")
        fault = site.struck(path)
        site.users.append(self.headers.get("Authorization", ""))
        body = site.files.get(path)
        if fault.isdigit():
            return self._status(int(fault))
        if fault == "redirect elsewhere":
            return self._redirect(f"{site.elsewhere}/{path}")
        if fault == "redirect nowhere":
            return self._status(302)
        if fault == "slow headers":
            return self._slow_headers()
        if fault.startswith("redirect to http"):
            return self._redirect(fault.removeprefix("redirect to "))
        if fault == "redirect to file":
            return self._redirect("file:///etc/hostname")
        if fault == "redirect here":
            return self._redirect(f"/moved/{path}")
        if fault == "redirect for ever":
            return self._redirect(f"/{path}")
        if path.startswith("moved/"):
            body = site.files.get(path.removeprefix("moved/"))
        if body is None:
            return self._status(404)
        if fault == "silent":
            site.stop.wait(20)
            self.close_connection = True
            return None
        self._send(body, fault)

    def _send(self, body: bytes, fault: str) -> None:
        start, status = 0, 200
        tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"' if self.site.etags else ""
        asked, only_if = self.headers.get("Range", ""), self.headers.get("If-Range", "")
        if asked:
            self.site.ranges_asked.append(asked)
        if asked and self.site.ranges and only_if in ("", tag):
            start, status = int(asked.removeprefix("bytes=").rstrip("-")), 206
        if asked and fault == "wrong range":
            start, status = 0, 206
        part = body[start:]
        self.send_response(status)
        if status == 206:
            shown = start if fault != "wrong range" else 0
            if fault.startswith("range "):
                self.send_header("Content-Range", fault.removeprefix("range "))
            else:
                self.send_header("Content-Range", f"bytes {shown}-{len(body) - 1}/{len(body)}")
        if tag:
            self.send_header("ETag", tag)
        for name, value in self.site.headers.items():
            self.send_header(name, value)
        if fault == "altered":
            part = bytes([part[0] ^ 1]) + part[1:]
        if fault == "claims too long":
            self.send_header("Content-Length", str(len(part) + 1000))
            self.close_connection = True
        elif fault == "claims too short":
            self.send_header("Content-Length", str(len(part) // 2))
        elif fault in ("no length, cut", "no length", "endless"):
            self.send_header("Connection", "close")
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self._body(part, fault)

    def _body(self, part: bytes, fault: str) -> None:
        if fault in ("cut", "no length, cut"):
            self.wfile.write(part[: len(part) // 2])
            self.close_connection = True
        elif fault == "stall":
            self.wfile.write(part[: len(part) // 2])
            self.wfile.flush()
            self.site.stop.wait(20)
            self.close_connection = True
        elif fault == "trickle":
            for byte in part:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                if self.site.stop.wait(0.05):
                    break
            self.close_connection = True
        elif fault == "endless":
            while not self.site.stop.is_set():
                self.wfile.write(b"x" * 65536)
        elif fault == "slow":
            for at in range(0, len(part), 4096):
                self.wfile.write(part[at : at + 4096])
                self.wfile.flush()
                time.sleep(0.002)
        else:
            self.wfile.write(part)

    def _status(self, status: int, body: bytes = b"", send: bool = True) -> None:
        self.send_response(status)
        for name, value in self.site.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if send and body:
            self.wfile.write(body)

    def _slow_headers(self) -> None:
        """Headers that never end, a byte at a time."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not self.site.stop.wait(0.05):
            try:
                self.wfile.write(b"x")
                self.wfile.flush()
            except OSError:
                break
        self.close_connection = True

    def _redirect(self, where: str) -> None:
        self.send_response(302)
        self.send_header("Location", where)
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def serve(site: Site):
    """Serve a site on a free port of loopback; sets ``site.base``."""
    handler = type("Handler", (_Handler,), {"site": site})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    site.base = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.stop.set()
        server.shutdown()
        server.server_close()
