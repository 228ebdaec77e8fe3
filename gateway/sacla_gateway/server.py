"""The ROUTER socket clients talk to: takes requests, gives the work to the reading processes, sends the answers."""

import contextlib
import logging
import socket as sockets
import time
from typing import Any, Dict, List, Optional

import zmq

from . import __version__
from .errors import BadMessage, GatewayError
from .methods import CALLS, DESCRIBE, LIVE_SHOTS, STREAMS, check_params
from .outbox import SEND_HIGH_WATER_MARK, Outbox
from .pool import Pool
from .requests import Call, Key, LiveStream, Open, Stream
from .wire import Request, decode_request, encode_value, header_around

log = logging.getLogger(__name__)

MAX_REQUEST_BYTES = 16 * 2**20
MAX_OPEN_BYTES = 256 * 2**20
MAX_OPEN_PER_CLIENT = 256
SILENCE_S = 30.0
_TICK_MS = 100
# While something waits to be sent, or to be looked for.
_SHORT_MS = 5


class Server:
    """Binds and answers until `stop()`; `addresses` are the real ones, with the port that was found."""

    def __init__(self, context: "zmq.Context[Any]", pool: Pool, ahead: int, silence_s: float = SILENCE_S) -> None:
        self._pool = pool
        self._ahead = ahead
        self._silence_s = silence_s
        self._open: Dict[Key, Open] = {}
        self._open_bytes = 0
        self._heard: Dict[bytes, float] = {}
        self.socket = context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.LINGER, 500)
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.socket.setsockopt(zmq.SNDHWM, SEND_HIGH_WATER_MARK)
        self.socket.setsockopt(zmq.MAXMSGSIZE, 4 * MAX_REQUEST_BYTES)
        # A client whose machine went away does not keep its connection.
        self.socket.setsockopt(zmq.HEARTBEAT_IVL, 10_000)
        self.socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, int(1000 * SILENCE_S))
        self._outbox = Outbox(self.socket)
        self._wake, self._woken = sockets.socketpair()
        for end in (self._wake, self._woken):
            end.setblocking(False)
        self._stopping = False
        self.addresses: List[str] = []

    def bind(self, address: str) -> None:
        self.socket.setsockopt(zmq.IPV6, 1 if "[" in address else 0)
        self.socket.bind(address)
        self.addresses.append(self.socket.getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0").decode("utf-8"))

    def stop(self) -> None:
        """May be called from a signal handler or another thread."""
        self._stopping = True
        with contextlib.suppress(OSError):
            self._wake.send(b"x")

    def run(self) -> None:
        poller = zmq.Poller()
        for readable in (self.socket, self._pool.socket, self._woken.fileno()):
            poller.register(readable, zmq.POLLIN)
        next_tick = 0.0
        while not self._stopping:
            live = [request for request in self._open.values() if isinstance(request, LiveStream)]
            found = dict(poller.poll(_SHORT_MS if live or self._outbox else _TICK_MS))
            try:
                if self._pool.socket in found:
                    self._pool.receive()
                if self.socket in found:
                    self._take_requests()
                self._flush()
                for stream in live:
                    stream.advance()
                now = time.monotonic()
                if now >= next_tick:
                    next_tick = now + _TICK_MS / 1000
                    self._tick(now)
            except Exception:
                # Whatever one client or one process brought about, the others are still to be answered.
                log.exception("a fault in the server")
        self._close()

    def _close(self) -> None:
        error = GatewayError("CLOSED", "The gateway is being stopped.")
        for request in list(self._open.values()):
            request.fail(error)
        self._outbox.flush()
        self.socket.close()
        self._wake.close()
        self._woken.close()

    def _take_requests(self) -> None:
        # Not for ever: answers have to go out between the messages of a client that floods.
        for _ in range(100):
            try:
                client, *parts = self.socket.recv_multipart(zmq.NOBLOCK, copy=True)
            except zmq.Again:
                return
            self._handle(client, parts)

    def _handle(self, client: bytes, parts: List[bytes]) -> None:
        request: Optional[Request] = None
        try:
            size = sum(len(part) for part in parts)
            if size > MAX_REQUEST_BYTES:
                message = f"A request of {size} bytes is too large; at most {MAX_REQUEST_BYTES} are taken."
                raise GatewayError("TOO_LARGE", message, {"bytes": size, "limit": MAX_REQUEST_BYTES})
            request = decode_request(parts)
            self._heard[client] = time.monotonic()
            self._serve(client, request, size)
        except BadMessage as error:
            self._fail(client, error.request_id, error)
        except GatewayError as error:
            self._fail(client, None if request is None else request.id, error)
        except Exception as error:
            log.exception("a request failed in the server")
            failure = GatewayError("INTERNAL", f"The gateway failed: {type(error).__name__}: {error}")
            self._fail(client, None if request is None else request.id, failure)

    def _serve(self, client: bytes, request: Request, size: int) -> None:
        key = (client, request.id)
        known = self._open.get(key)
        if request.kind == "ping":
            self._outbox.send(client, [header_around("pong", request.id, b"")])
        elif request.kind == "cancel":
            if known is not None:
                known.end()
        elif request.kind == "credit":
            # Credit for a stream that has just ended is no mistake.
            if isinstance(known, Stream):
                known.grant(request.credit)
        elif known is not None:
            raise BadMessage(f"The id {request.id} belongs to a request that is still open.")
        else:
            self._begin(key, request, size)

    def _begin(self, key: Key, request: Request, size: int) -> None:
        if request.kind == "call" and request.method == DESCRIBE:
            if request.value != {}:
                raise GatewayError("BAD_ARGUMENT", f"{DESCRIBE} has no parameters.")
            self._outbox.send(key[0], [header_around("result", key[1], self._description())])
            return
        table = CALLS if request.kind == "call" else STREAMS
        params = check_params(table, request.method, request.value)
        if request.method not in self._pool.methods:
            message = (
                f"The Python modules of this machine cannot answer {request.method}; {DESCRIBE} lists what they can."
            )
            raise GatewayError("UNSUPPORTED", message, {"method": request.method, "modules": self._pool.modules})
        self._check_room(key[0], size)
        self._open_bytes += size
        if request.kind == "call":
            call = Call(key, size, self._pool, self._outbox, self._ended)
            self._open[key] = call
            call.begin(request.method, params, request.timeout_s)
        else:
            kind = LiveStream if request.method == LIVE_SHOTS else Stream
            stream = kind(key, size, self._pool, self._outbox, self._ended)
            self._open[key] = stream
            stream.begin(request.method, params, request.credit, request.timeout_s, self._ahead)

    def _check_room(self, client: bytes, size: int) -> None:
        mine = sum(1 for owner, _ in self._open if owner == client)
        if mine >= MAX_OPEN_PER_CLIENT or self._outbox.is_crowded(client) or self._open_bytes + size > MAX_OPEN_BYTES:
            message = f"{mine} requests of this client are open or its answers are not taken; wait for some to end."
            raise GatewayError("TOO_MANY_REQUESTS", message, {"open": mine, "limit": MAX_OPEN_PER_CLIENT})

    def _description(self) -> bytes:
        modules = ", ".join(f"{name} {version}" for name, version in self._pool.modules.items())
        return encode_value(
            {"name": f"sacla-gateway {__version__} ({modules})", "methods": [DESCRIBE, *self._pool.methods]}
        )[0]

    def _ended(self, key: Key) -> None:
        request = self._open.pop(key, None)
        if request is not None:
            self._open_bytes -= request.size

    def _fail(self, client: bytes, request_id: Optional[int], error: GatewayError) -> None:
        self._outbox.send(client, [header_around("error", request_id, encode_value(error.to_wire())[0])])

    def _flush(self) -> None:
        if self._outbox:
            self._outbox.flush()
            for request in list(self._open.values()):
                if isinstance(request, Stream):
                    request.advance()
        for client in self._outbox.take_gone():
            self._end_all(client)

    def _tick(self, now: float) -> None:
        self._pool.tick(now)
        for request in list(self._open.values()):
            if request.expired(now):
                request.fail(GatewayError("TIMEOUT", "The time the client allowed has passed."))
        for client, heard in list(self._heard.items()):
            if now - heard <= self._silence_s:
                continue
            self._end_all(client)
            del self._heard[client]

    def _end_all(self, client: bytes) -> None:
        mine = [request for (owner, _), request in self._open.items() if owner == client]
        for request in mine:
            request.end()
        if mine:
            log.warning("a client fell silent or went away with %d requests open", len(mine))
        self._outbox.forget(client)
