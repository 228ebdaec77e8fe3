"""A sacla server or gateway over ZeroMQ; needs pyzmq."""

import itertools
import os
import threading
import time
from typing import Any, Dict, Iterator, Optional

import numpy as np

from . import wire
from .curve import CurveKeys
from .errors import SaclaError, Unreachable, error_of

_PING_S = 5.0
_MOST_PINGS = 3
_CALL_S = 120.0
_CREDIT = 4


class ZmqClient:
    """Calls and streams of one server; a socket for each thread, and for each stream."""

    def __init__(self, url: str, key_file: Optional[str]) -> None:
        try:
            import zmq
        except ImportError as error:
            raise SaclaError(
                "NO_ZEROMQ", f"{url} needs pyzmq: python3 -m pip install pyzmq. Or use an http:// address."
            ) from error
        self._zmq = zmq
        self.name = url
        self._keys = None if key_file is None else CurveKeys(key_file)
        self._own = threading.local()
        self._ids = itertools.count()

    def call(self, method: str, value: Dict[str, Any], key: Optional[str] = None, timeout_s: float = _CALL_S) -> Any:
        """The answer to one request."""
        request = next(self._ids)
        message = {"kind": "call", "id": request, "method": method, "value": value, "timeoutMs": int(1000 * timeout_s)}
        socket = self._socket()
        if key is not None:
            message["key"] = key
            proof = None if self._keys is None else self._keys.proof(socket, key)
            if proof is not None:
                message["proof"] = proof
        try:
            self._send(socket, message)
            answer = self._receive(socket, request, timeout_s + 5)
        except BaseException:
            self._drop()
            raise
        if answer["kind"] == "error":
            raise error_of(answer["error"])
        return answer["value"]

    def stream(self, method: str, value: Dict[str, Any], timeout_s: Optional[float] = None) -> Iterator[Any]:
        """The items of a stream; closing the iterator ends it."""
        request = next(self._ids)
        message = {"kind": "stream", "id": request, "method": method, "value": value, "credit": _CREDIT}
        if timeout_s is not None:
            message["timeoutMs"] = int(1000 * timeout_s)
        socket = self._open()
        try:
            self._send(socket, message)
            while True:
                answer = self._receive(socket, request, None)
                if answer["kind"] == "error":
                    raise error_of(answer["error"])
                if answer["kind"] == "end":
                    return
                yield answer["value"]
                self._send(socket, {"kind": "credit", "id": request, "credit": 1})
        finally:
            try:
                self._send(socket, {"kind": "cancel", "id": request})
            finally:
                socket.close(linger=200)

    def _socket(self) -> Any:
        """This thread's, and this process's: sockets do not go with a fork."""
        kept = getattr(self._own, "kept", None)
        if kept is None or kept.process != os.getpid():
            self._own.kept = kept = _Kept(self._open())
        return kept.socket

    def _drop(self) -> None:
        self._own.kept = None

    def _open(self) -> Any:
        zmq = self._zmq
        socket = zmq.Context.instance().socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 0)
        if self._keys is not None:
            self._keys.use(socket)
        socket.connect(self.name)
        return socket

    def _send(self, socket: Any, message: Dict[str, Any]) -> None:
        socket.send_multipart(wire.encode(message))

    def _receive(self, socket: Any, request: int, timeout_s: Optional[float]) -> Dict[str, Any]:
        """The next answer to a request. A ping is sent while nothing comes; a server that answers none is lost."""
        end = None if timeout_s is None else time.monotonic() + timeout_s
        silent = 0
        while True:
            if not socket.poll(1000 * _PING_S):
                silent += 1
                if silent > _MOST_PINGS or (end is not None and time.monotonic() > end):
                    raise Unreachable("UNREACHABLE", f"{self.name} does not answer: is a server or gateway there?")
                self._send(socket, {"kind": "ping", "id": request})
                continue
            silent = 0
            parts = socket.recv_multipart(copy=False)
            frames = [np.frombuffer(part.buffer, np.uint8) for part in parts[1:]]
            answer = wire.decode(parts[0].bytes, frames)
            if answer.get("id") in (request, None) and answer["kind"] != "pong":
                return answer


class _Kept:
    """A socket that is closed with its thread, but not by a process that only inherited it."""

    def __init__(self, socket: Any) -> None:
        self.socket, self.process = socket, os.getpid()

    def __del__(self) -> None:
        if self.process == os.getpid():
            self.socket.close(linger=0)
