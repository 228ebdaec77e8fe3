"""A sacla server over HTTP: connections that are kept, for any number of threads, and after a fork."""

import http.client
import json
import os
import ssl
import sys
import threading
import time
from typing import Any, Dict, Iterator, List, Optional, Tuple
from urllib.parse import urlsplit

from . import wire
from .errors import SaclaError, Unreachable, error_of

# Node.js closes what has been idle for 5 s.
_IDLE_S = 4.0
_TIMEOUT_S = 120.0
# A stream is heard every 10 s even when it has no item.
_SILENCE_S = 30.0
# Seconds before each further try.
_PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0)
# Seconds from the first failure to the last try: a server that is started again is back by then, also on a computer
# that has much to do. Before the server has answered once, an address is taken to be wrong sooner.
_PATIENCE_S = 60.0
_FIRST_PATIENCE_S = 1.0
# Seconds after which whoever waits is told.
_TOLD_AFTER_S = 1.0


class _Waits:
    """The waits of one request after failures."""

    def __init__(self) -> None:
        self._failures = 0
        self._since = 0.0
        self._is_told = False

    def wait(self, error: Unreachable, patience_s: float) -> bool:
        """Waits before the next try; False, at once, when there is to be none."""
        now = time.monotonic()
        if self._failures == 0:
            self._since = now
        pause = error.details.get("retryAfterMs", 0) / 1000 or _PAUSES[min(self._failures, len(_PAUSES) - 1)]
        self._failures += 1
        left = self._since + patience_s - now
        if pause > left:
            return False
        if not self._is_told and now - self._since >= _TOLD_AFTER_S:
            self._is_told = True
            print(f"{error.message} Waits for the server: it is asked again for up to {left:.0f} s.", file=sys.stderr)
        time.sleep(pause)
        return True


class HttpClient:
    """Calls and streams of one server."""

    def __init__(self, url: str, token: Optional[str]) -> None:
        parts = urlsplit(url)
        if parts.hostname is None or parts.query or parts.username is not None:
            raise SaclaError("BAD_URL", "SACLA_URL must be the address of a server, such as http://127.0.0.1:5580.")
        self._secure = parts.scheme == "https"
        self._host, self._port, self._path = parts.hostname, parts.port, parts.path.rstrip("/")
        self.name = f"{parts.scheme}://{parts.netloc}{self._path}"
        self._token = token
        self._lock = threading.Lock()
        self._idle: List[Tuple[float, http.client.HTTPConnection]] = []
        self._process = os.getpid()
        self._answered = False

    def call(self, method: str, value: Dict[str, Any], key: Optional[str] = None, timeout_s: float = _TIMEOUT_S) -> Any:
        """The answer to one request. With a `key`, what changes something is done once however often it is sent."""
        waits = _Waits()
        while True:
            try:
                return self._call(method, value, key, timeout_s)
            except Unreachable as error:
                if error.code == "TIMEOUT" or not waits.wait(error, _PATIENCE_S if self._answered else _FIRST_PATIENCE_S):
                    raise

    def stream(self, method: str, value: Dict[str, Any], timeout_s: Optional[float] = None) -> Iterator[Any]:
        """The items of a stream; closing the iterator ends it. `timeout_s`: longest wait for an item."""
        connection, response = self._send("stream", method, value, None, timeout_s)
        done = False
        try:
            while True:
                message = self._next(response)
                if message is None:
                    raise Unreachable("UNREACHABLE", f"{self.name} broke off a stream.")
                if message["kind"] == "item":
                    yield message["value"]
                elif message["kind"] == "end":
                    response.read()
                    done = True
                    return
                elif message["kind"] == "error":
                    raise error_of(message["error"])
        finally:
            if done:
                self._keep(connection)
            else:
                connection.close()

    def _call(self, method: str, value: Dict[str, Any], key: Optional[str], timeout_s: float) -> Any:
        connection, response = self._send("call", method, value, key, timeout_s)
        try:
            message = self._next(response)
            response.read()
        except BaseException:
            connection.close()
            raise
        self._keep(connection)
        if message is None or message["kind"] != "result":
            raise SaclaError("BAD_MESSAGE", f"{self.name} gave no result for {method}.")
        return message["value"]

    def _send(
        self, kind: str, method: str, value: Dict[str, Any], key: Optional[str], timeout_s: Optional[float]
    ) -> Tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        message: Dict[str, Any] = {"kind": kind, "id": 0, "method": method, "value": value}
        headers = {"Content-Type": wire.PACKED_TYPE, "Accept": wire.PACKED_TYPE}
        if kind == "stream":
            message["credit"] = 1
        if timeout_s is not None:
            headers["Sacla-Timeout-Ms"] = str(int(1000 * timeout_s))
        if key is not None:
            headers["Idempotency-Key"] = key
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        body = wire.pack(wire.encode(message))
        path = f"{self._path}/v1/{method.replace('.', '/')}"
        while True:
            connection, is_new = self._connection((timeout_s or _SILENCE_S) + 5)
            try:
                connection.request("POST", path, body, headers)
                response = connection.getresponse()
                break
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                # The server may have closed a kept connection just now.
                if is_new:
                    raise self._unreachable(error) from error
        self._answered = True
        if response.status != 200:
            raise self._refusal(connection, response)
        return connection, response

    def _connection(self, timeout_s: float) -> Tuple[http.client.HTTPConnection, bool]:
        with self._lock:
            if self._process != os.getpid():
                # A fork: the connections are the other process's.
                self._idle, self._process = [], os.getpid()
            while self._idle:
                since, kept = self._idle.pop()
                if time.monotonic() - since < _IDLE_S:
                    if kept.sock is not None:
                        kept.sock.settimeout(timeout_s)
                    return kept, False
                kept.close()
        if self._secure:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(self._host, self._port, timeout=timeout_s, context=context), True
        return http.client.HTTPConnection(self._host, self._port, timeout=timeout_s), True

    def _keep(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if connection.sock is not None and self._process == os.getpid():
                self._idle.append((time.monotonic(), connection))

    def _next(self, response: http.client.HTTPResponse) -> Optional[Dict[str, Any]]:
        def fill(memory: memoryview) -> int:
            at = 0
            while at < len(memory):
                came = response.readinto(memory[at:])
                if not came:
                    break
                at += came
            return at

        try:
            message = wire.read(fill)
            while message is not None and message["kind"] == "pong":
                message = wire.read(fill)
            return message
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error

    def _refusal(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> SaclaError:
        try:
            if response.getheader("Content-Type", "").startswith(wire.PACKED_TYPE):
                message = self._next(response)
                response.read()
                self._keep(connection)
                if message is not None and message["kind"] == "error":
                    return error_of(message["error"])
            else:
                # A relay whose server does not answer, or a proxy.
                answer = json.loads(response.read(1_000_000).decode("utf-8"))
                connection.close()
                return error_of(answer["error"])
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
            pass
        connection.close()
        return SaclaError("BAD_MESSAGE", f"{self.name} answered with status {response.status}: is it a sacla server?")

    def _unreachable(self, error: BaseException) -> Unreachable:
        what = str(error) or type(error).__name__
        help_text = "" if self._answered else " Start one with: sacla serve sim:, or run: sacla python -- SCRIPT.py"
        return Unreachable("UNREACHABLE", f"{self.name} cannot be reached: {what}.{help_text}")
