"""What waits for a client that does not take its answers."""

import logging
from collections import deque
from typing import Any, Deque, Dict, List, Set

import zmq

log = logging.getLogger(__name__)

# Messages in the socket for one client. An item may be 20 MB.
SEND_HIGH_WATER_MARK = 8
# Messages beyond that. Streams stop when there is one, so these are small: refusals, pongs, answers to calls.
MAX_WAITING = 10_000
CROWDED = 64


class Outbox:
    """Sends through a ROUTER socket without waiting, and without loss up to a bound."""

    def __init__(self, socket: "zmq.Socket[Any]") -> None:
        self._socket = socket
        self._waiting: Dict[bytes, Deque[List[Any]]] = {}
        self._gone: Set[bytes] = set()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def waits(self, client: bytes) -> bool:
        return client in self._waiting

    def is_crowded(self, client: bytes) -> bool:
        """Whether so much waits that no further request should be taken."""
        return len(self._waiting.get(client, ())) > CROWDED

    def send(self, client: bytes, parts: List[Any]) -> None:
        queue = self._waiting.get(client)
        if queue is None:
            if not self._put(client, parts):
                self._waiting[client] = deque([parts])
        elif len(queue) < MAX_WAITING:
            queue.append(parts)
        else:
            log.warning("a client leaves its answers untaken and is given up")
            self._gone.add(client)

    def flush(self) -> None:
        """Sends what there is room for."""
        for client, queue in list(self._waiting.items()):
            while queue and self._put(client, queue[0]):
                queue.popleft()
            if not queue:
                del self._waiting[client]

    def take_gone(self) -> Set[bytes]:
        """The clients that have gone away or were given up since the last time."""
        gone, self._gone = self._gone, set()
        return gone

    def forget(self, client: bytes) -> None:
        self._waiting.pop(client, None)

    def _put(self, client: bytes, parts: List[Any]) -> bool:
        """False when there is no room. What is for a client that is gone goes nowhere."""
        try:
            self._socket.send_multipart([client, *parts], zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            self._gone.add(client)
        return True
