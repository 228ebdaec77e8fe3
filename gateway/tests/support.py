"""A gateway over modules with faults and the quirks of versions, and a client that speaks the wire form."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np
import zmq
from sacla_gateway.methods import Facility
from sacla_gateway.modules import load_modules
from sacla_gateway.wire import decode_message, encode_message

FOLDER = Path(__file__).resolve().parent.parent
STANDINS = str(FOLDER / "tests" / "odd")
# Machines for tests can be slow; nothing here is true only because it is fast.
PATIENCE_S = 30.0

RUN = {"bl": 3, "run": 10}
SENSORS = ["MPCCD-2N0-1-006-1", "MPCCD-2N0-1-006-2"]
TAGS = np.arange(1000, 1012, 2, dtype=np.uint32)
CHARGE = "xfel_bl_3_tc_bm_1_pd/charge"
HIGHTAG = 202502


def facility(quirks: str = "", beamlines: Any = (2, 3)) -> Facility:
    """The adapters over freshly imported stand-ins with some quirks."""
    os.environ["SACLA_STANDIN_QUIRKS"] = quirks
    if STANDINS not in sys.path:
        sys.path.insert(0, STANDINS)
    for path in Path(STANDINS).glob("*.py"):
        sys.modules.pop(path.stem, None)
    return Facility(load_modules(), list(beamlines))


class Gateway:
    """A gateway process; `environment` sets the quirks of the stand-ins."""

    def __init__(
        self, *arguments: str, bind: str = "tcp://127.0.0.1:*", standins: bool = True, **environment: str
    ) -> None:
        path = f"{FOLDER}{os.pathsep}{STANDINS}" if standins else str(FOLDER)
        command = [
            sys.executable,
            "-m",
            "sacla_gateway",
            "--bind",
            bind,
            "--beamlines",
            "2,3",
            "--log-level",
            "WARNING",
            *arguments,
        ]
        # A gateway that is killed cannot tidy up.
        self._folder = tempfile.TemporaryDirectory()
        env = {
            **os.environ,
            "TMPDIR": self._folder.name,
            "PYTHONPATH": path,
            "PYTHONDONTWRITEBYTECODE": "1",
            "SACLA_STANDIN_QUIRKS": "",
            **environment,
        }
        self.process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self.process.stdout is not None
        first = self.process.stdout.readline().decode("utf-8")
        self.address = first.split()[-1] if first.startswith("listening on ") else ""

    def workers(self) -> List[int]:
        """The process ids of its reading processes."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes()
                parent = int((folder / "stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
            if parent == self.process.pid and b"sacla_gateway.worker" in command:
                found.append(int(folder.name))
        return found

    def memory_mb(self) -> float:
        """Resident memory of the server and its processes."""
        total = 0
        for pid in [self.process.pid, *self.workers()]:
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            total += next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
        return total / 1024

    def stop(self, how: int = signal.SIGTERM) -> int:
        """Its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(PATIENCE_S)
        finally:
            for stream in (self.process.stdout, self.process.stderr):
                if stream is not None:
                    stream.close()
            self._folder.cleanup()

    def __enter__(self) -> "Gateway":
        assert self.address, self.said()
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()

    def said(self) -> str:
        """What it wrote before it ended."""
        return self.process.communicate(timeout=PATIENCE_S)[1].decode("utf-8")


class Client:
    """One connection."""

    def __init__(self, address: str, context: Optional["zmq.Context[Any]"] = None, **options: int) -> None:
        self.context = context or zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        for name, value in options.items():
            self.socket.setsockopt(getattr(zmq, name), value)
        self.socket.connect(address)

    def send(self, kind: str, request_id: int = 0, **fields: Any) -> None:
        self.socket.send_multipart(encode_message({"kind": kind, "id": request_id, **fields}))

    def receive(self, patience_s: float = PATIENCE_S) -> Dict[str, Any]:
        if not self.socket.poll(1000 * patience_s):
            raise AssertionError(f"no answer within {patience_s} s")
        return decode_message(self.socket.recv_multipart())

    def nothing_comes(self, seconds: float = 0.3) -> bool:
        return not self.socket.poll(1000 * seconds)

    def call(self, method: str, request_id: int = 1, **params: Any) -> Dict[str, Any]:
        self.send("call", request_id, method=method, value=params)
        return self.receive()

    def value(self, method: str, **params: Any) -> Any:
        return self.call(method, **params)["value"]

    def code(self, method: str, **params: Any) -> str:
        answer = self.call(method, **params)
        return answer["error"]["code"] if answer["kind"] == "error" else "no error"

    def frames(self, request_id: int, credit: int, tags: Any = TAGS, **fields: Any) -> None:
        params = {
            **RUN,
            "detIds": SENSORS,
            "tags": np.asarray(tags, np.uint32),
            "roi": None,
            **fields.pop("params", {}),
        }
        self.send("stream", request_id, method="st.frames", value=params, credit=credit, **fields)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: Any) -> None:
        self.context.destroy(linger=0)


def wait_until(what: Any) -> None:
    """Waits until `what()` is true."""
    end = time.monotonic() + PATIENCE_S
    while not what():
        if time.monotonic() > end:
            raise AssertionError("it did not become true")
        time.sleep(0.05)
