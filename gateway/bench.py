"""
Measures a gateway over the stand-ins with a client in Python on the same machine: the round trip of a small call, and
shots per second of eight full-size sensors that need not be read from anywhere.

    python3 bench.py
"""

import statistics
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

from tests.support import RUN, Client, Gateway  # noqa: E402

SHOTS = 400
CREDIT = 8


def round_trips(client: Client, method: str, count: int = 2000, **params: int) -> float:
    """Median microseconds."""
    times = []
    for _ in range(count):
        start = time.perf_counter()
        client.call(method, **params)
        times.append(time.perf_counter() - start)
    return 1e6 * statistics.median(times)


def shots_per_second(client: Client, request_id: int) -> float:
    octal = {"detIds": [f"MPCCD-8N0-3-003-{i}" for i in range(1, 9)]}
    client.frames(request_id, credit=CREDIT, tags=np.arange(1000, 1000 + 2 * SHOTS, 2), params=octal)
    client.receive()
    start = time.perf_counter()
    for _ in range(SHOTS - 1):
        client.send("credit", request_id, credit=1)
        client.receive()
    seconds = time.perf_counter() - start
    assert client.receive()["kind"] == "end"
    return (SHOTS - 1) / seconds


def main() -> None:
    for readers in ("1", "2", "4"):
        with Gateway("--readers", readers, SACLA_STANDIN_WORLD="octal") as gateway, Client(gateway.address) as client:
            client.call("st.collect", detId="MPCCD-8N0-3-003-1", bl=3, runs=[10], tag=1000)
            print(f"{readers} reading processes")
            print(f"  ping-like call (facility.describe)  {round_trips(client, 'facility.describe'):7.0f} µs")
            print(f"  db.readRunstatus, through a worker  {round_trips(client, 'db.readRunstatus', **RUN):7.0f} µs")
            rates = sorted(shots_per_second(client, request_id) for request_id in range(3))
            print(f"  8 × 1024 × 512 float32 (16.8 MB)    {rates[1]:7.0f} shots/s, {rates[1] * 16.777:.0f} MB/s")


if __name__ == "__main__":
    main()
