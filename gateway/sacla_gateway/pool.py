"""The reading processes: given one task at a time, replaced when they die or do not come back from a task."""

import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Optional, Sequence

import zmq

from .errors import GatewayError
from .wire import encode_value
from .worker import task_parts

log = logging.getLogger(__name__)

# A path of a local socket may have 107 bytes.
_MAX_SOCKET_PATH = 100


class Task:
    """Something to ask a reading process of a room; `done(ok, value, frames)` is called once unless abandoned."""

    __slots__ = ("room", "method", "value", "done", "abandoned_at", "number")

    def __init__(self, room: str, method: str, value: Any, done: Callable[[bool, bytes, List[Any]], None]) -> None:
        self.room = room
        self.method = method
        self.value = value
        self.done = done
        self.abandoned_at: Optional[float] = None
        self.number = 0


class Worker:
    """One process; `task` is what it is at."""

    def __init__(self, name: str, room: str, process: "subprocess.Popen[bytes]") -> None:
        self.name = name
        self.room = room
        self.process = process
        self.task: Optional[Task] = None
        self.ready = False


class Pool:
    """
    `sizes` says how many processes each room has; a slow room does not hold up another. Those of `later` are started
    when there is something to do in them.
    """

    def __init__(
        self,
        context: "zmq.Context[Any]",
        sizes: Dict[str, int],
        beamlines: Sequence[int],
        grace_s: float = 10,
        later: Sequence[str] = (),
    ) -> None:
        self._sizes = sizes
        self._started = [room for room in sizes if room not in later]
        self._beamlines = ",".join(str(bl) for bl in beamlines)
        # How long work that nobody waits for may go on before its process is ended.
        self._grace_s = grace_s
        self._workers: Dict[bytes, Worker] = {}
        self._queues: Dict[str, Deque[Task]] = {room: deque() for room in sizes}
        self._not_before: Dict[str, float] = {room: 0.0 for room in sizes}
        self._failed_starts: Dict[str, int] = {room: 0 for room in sizes}
        self._made = 0
        self._tasks = 0
        self.methods: List[str] = []
        self.modules: Dict[str, str] = {}
        # Readable by this user only.
        self._folder = tempfile.mkdtemp(prefix="sacla-gateway-")
        if len(self._folder) > _MAX_SOCKET_PATH - 10:
            os.rmdir(self._folder)
            self._folder = tempfile.mkdtemp(prefix="sacla-gateway-", dir="/tmp")
        self._address = f"ipc://{self._folder}/workers"
        self.socket = context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.socket.bind(self._address)

    def start(self, timeout_s: float = 120) -> None:
        """Returns when a process of every room is ready. Raises UNREACHABLE when they cannot start."""
        for room in self._started:
            for _ in range(self._sizes[room]):
                self._spawn(room)
        end = time.monotonic() + timeout_s
        while not all(any(w.ready for w in self._workers.values() if w.room == room) for room in self._started):
            if self.socket.poll(100):
                self.receive()
            dead = [w for w in self._workers.values() if w.process.poll() is not None]
            if dead or time.monotonic() > end:
                raise GatewayError("UNREACHABLE", "The reading processes do not start; what they say is above.")

    def submit(self, task: Task) -> None:
        self._tasks += 1
        task.number = self._tasks
        if task.room not in self._started:
            self._started.append(task.room)
        self._queues[task.room].append(task)
        self._dispatch(task.room)

    def abandon(self, task: Task) -> None:
        """Nobody waits for it any more: taken out of the queue, or, if begun, given some time to end."""
        task.abandoned_at = time.monotonic()
        if task in self._queues[task.room]:
            self._queues[task.room].remove(task)

    def receive(self) -> None:
        """Takes every answer that has come."""
        while True:
            try:
                name, kind, *rest = self.socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            worker = self._workers.get(name.bytes)
            if worker is None:
                continue
            if kind.bytes == b"H":
                self._greeted(worker, json.loads(rest[0].bytes.decode("utf-8")))
            else:
                self._answered(worker, kind.bytes, rest)
            self._dispatch(worker.room)

    def tick(self, now: float) -> None:
        """Ends processes that are stuck, buries the dead and starts new ones."""
        for worker in list(self._workers.values()):
            task = worker.task
            if task is not None and task.abandoned_at is not None and now - task.abandoned_at > self._grace_s:
                log.warning("%s is stuck in %s and is ended", worker.name, task.method)
                worker.process.kill()
                worker.process.wait()
            if worker.process.poll() is not None:
                self._bury(worker, now)
        for room in self._started:
            missing = self._sizes[room] - sum(w.room == room for w in self._workers.values())
            if missing > 0 and now >= self._not_before[room]:
                for _ in range(missing):
                    self._spawn(room)

    def processes(self) -> List[int]:
        return [worker.process.pid for worker in self._workers.values()]

    def close(self) -> None:
        for worker in self._workers.values():
            worker.process.terminate()
        for worker in self._workers.values():
            try:
                worker.process.wait(2)
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
        self._workers.clear()
        self.socket.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _spawn(self, room: str) -> None:
        self._made += 1
        name = f"{room}-{self._made}"
        level = logging.getLevelName(logging.getLogger().getEffectiveLevel())
        command = [
            sys.executable,
            "-m",
            "sacla_gateway.worker",
            self._address,
            name,
            self._beamlines,
            level,
            str(os.getpid()),
        ]
        # glibc else gives the memory of every image back and gets it anew, which costs more than sending it.
        env = {"MALLOC_MMAP_THRESHOLD_": str(32 * 2**20), "MALLOC_TRIM_THRESHOLD_": str(256 * 2**20), **os.environ}
        process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self._workers[name.encode("ascii")] = Worker(name, room, process)

    def _greeted(self, worker: Worker, hello: Dict[str, Any]) -> None:
        self.methods, self.modules = hello["methods"], hello["modules"]
        self._failed_starts[worker.room] = 0
        worker.ready = True
        log.info("%s is ready (process %d)", worker.name, worker.process.pid)

    def _answered(self, worker: Worker, kind: bytes, rest: List[Any]) -> None:
        task, worker.task = worker.task, None
        if kind.endswith(b"L"):
            log.info("%s has opened many readers and is replaced", worker.name)
            worker.ready = False
        if task is not None and task.abandoned_at is None:
            task.done(kind.startswith(b"R"), rest[1].bytes, rest[2:])

    def _dispatch(self, room: str) -> None:
        queue = self._queues[room]
        for key, worker in self._workers.items():
            if not queue:
                return
            if worker.room != room or not worker.ready or worker.task is not None:
                continue
            task = queue.popleft()
            worker.task = task
            try:
                self.socket.send_multipart([key, *task_parts(task.number, task.method, task.value)], zmq.NOBLOCK)
            except zmq.ZMQError:
                # It has just died: tick() finds it and fails the task.
                worker.ready = False

    def _bury(self, worker: Worker, now: float) -> None:
        del self._workers[worker.name.encode("ascii")]
        log.warning("%s ended with %s", worker.name, worker.process.returncode)
        if not worker.ready and worker.task is None:
            self._failed_starts[worker.room] += 1
            self._not_before[worker.room] = now + min(30.0, 0.25 * 2 ** min(self._failed_starts[worker.room], 10))
        task = worker.task
        if task is not None and task.abandoned_at is None:
            message = f"The gateway's reading process ended in the middle of {task.method}; another takes its place."
            error = GatewayError("WORKER_LOST", message, {"method": task.method, "status": worker.process.returncode})
            task.done(False, encode_value(error.to_wire())[0], [])
