"""What clients have open: calls, and streams with their credit."""

import json
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from .errors import GatewayError
from .methods import Params
from .outbox import Outbox
from .pool import Pool, Task
from .wire import encode_value, header_around

# The time for a call that names none, and the longest one may name.
MAX_CALL_S = 600.0
# Items that may be on their way, whatever credit a client gives.
MAX_CREDIT = 64

Key = Tuple[bytes, int]


class Open:
    """A request that is not answered yet. Ends by calling `ended(key)` once."""

    def __init__(self, key: Key, size: int, pool: Pool, outbox: Outbox, ended: Callable[[Key], None]) -> None:
        self.key = key
        self.size = size
        self.room = ""
        self._pool = pool
        self._outbox = outbox
        self._ended = ended
        self._tasks: List[Task] = []
        self.is_open = True

    def expired(self, now: float) -> bool:
        raise NotImplementedError

    def end(self, last: Optional[List[Any]] = None) -> None:
        """Gives up what is under way, and sends the `last` message if there is one."""
        if not self.is_open:
            return
        self.is_open = False
        for task in self._tasks:
            self._pool.abandon(task)
        self._tasks.clear()
        self._ended(self.key)
        if last is not None:
            self._outbox.send(self.key[0], last)

    def fail(self, error: GatewayError) -> None:
        self.end(self._message("error", encode_value(error.to_wire())[0]))

    def _message(self, kind: str, value: bytes, frames: Any = (), seq: Optional[int] = None) -> List[Any]:
        return [header_around(kind, self.key[1], value, seq), *frames]

    def _submit(self, method: str, value: Any, done: Callable[[bytes, List[Any]], None]) -> None:
        def finished(ok: bool, answer: bytes, frames: List[Any]) -> None:
            self._tasks.remove(task)
            if ok:
                done(answer, frames)
            else:
                self.end(self._message("error", answer))

        task = Task(self.room, method, value, finished)
        self._tasks.append(task)
        self._pool.submit(task)


class Call(Open):
    """One question, one answer."""

    def begin(self, method: str, params: Params, timeout_s: Optional[float]) -> None:
        self.room = method.split(".", 1)[0]
        self._method = method
        self._deadline = time.monotonic() + min(MAX_CALL_S if timeout_s is None else timeout_s, MAX_CALL_S)
        self._submit(method, params, lambda value, frames: self.end(self._message("result", value, frames)))

    def expired(self, now: float) -> bool:
        return now >= self._deadline


class Stream(Open):
    """Many answers, sent in order while there is credit; no more are prepared than there is credit for."""

    def begin(self, method: str, params: Params, credit: int, timeout_s: Optional[float], ahead: int) -> None:
        self.room = method.split(".", 1)[0]
        self._method = method
        self._tags: List[int] = params["tags"].tolist()
        self._item = {name: value for name, value in params.items() if name != "tags"}
        self._credit = min(credit, MAX_CREDIT)
        self._timeout_s = timeout_s
        self._ahead = ahead
        self._next = 0
        self._sent = 0
        self._prepared: Dict[int, Tuple[bytes, List[Any]]] = {}
        self._owed_since = time.monotonic()
        self._checked = False
        self._submit(method, params, lambda value, frames: self._begin_items())

    def grant(self, credit: int) -> None:
        if self._credit == self._sent:
            self._owed_since = time.monotonic()
        self._credit = min(self._credit + credit, self._sent + MAX_CREDIT)
        self.advance()

    def expired(self, now: float) -> bool:
        owes = self._credit > self._sent and not self._outbox.waits(self.key[0])
        return owes and self._timeout_s is not None and now - self._owed_since > self._timeout_s

    def advance(self) -> None:
        """Sends what is ready and asks for what there is credit for."""
        if not self.is_open or not self._checked:
            return
        while self._sent in self._prepared and not self._outbox.waits(self.key[0]):
            value, frames = self._prepared.pop(self._sent)
            message = self._message("item", value, frames, self._sent)
            self._sent += 1
            self._owed_since = time.monotonic()
            self._outbox.send(self.key[0], message)
        if self._sent == len(self._tags):
            self.end(self._message("end", b""))
            return
        limit = min(self._credit, self._sent + self._ahead, len(self._tags))
        while self.is_open and self._next < limit:
            self._ask(self._next)
            self._next += 1

    def _begin_items(self) -> None:
        self._checked = True
        self.advance()

    def _ask(self, seq: int) -> None:
        def ready(value: bytes, frames: List[Any]) -> None:
            self._prepared[seq] = (value, frames)
            self.advance()

        self._submit("item:" + self._method, {**self._item, "tag": self._tags[seq]}, ready)


class LiveStream(Stream):
    """Items that are there when they happen: one look after another, each with what the one before has left."""

    def begin(self, method: str, params: Params, credit: int, timeout_s: Optional[float], ahead: int) -> None:
        self.room = method.split(".", 1)[0]
        self._method = method
        self._item = params
        self._credit = min(credit, MAX_CREDIT)
        self._timeout_s = timeout_s
        self._sent = 0
        self._owed_since = time.monotonic()
        self._state: Any = None
        self._looks = True
        self._not_before = 0.0
        self._submit(method, params, self._begun)

    def advance(self) -> None:
        """Looks again when it is time to; one look at a time, and only for an item that there is credit for."""
        if not self.is_open or self._looks or time.monotonic() < self._not_before:
            return
        if self._credit == self._sent or self._outbox.waits(self.key[0]):
            return
        self._looks = True
        self._submit("item:" + self._method, {"params": self._item, "state": self._state}, self._looked)

    def _begun(self, value: bytes, frames: List[Any]) -> None:
        self._state = json.loads(value.decode("utf-8"))
        self._looks = False
        self.advance()

    def _looked(self, value: bytes, frames: List[Any]) -> None:
        answer = json.loads(value.decode("utf-8"))
        self._state = answer["state"]
        self._looks = False
        self._not_before = time.monotonic() + answer["waitS"]
        if answer["item"] is not None:
            message = self._message("item", json.dumps(answer["item"]).encode("utf-8"), frames, self._sent)
            self._sent += 1
            self._owed_since = time.monotonic()
            self._outbox.send(self.key[0], message)
        if answer["over"]:
            self.end(self._message("end", b""))
        else:
            self.advance()
