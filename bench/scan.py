"""Plain messages per second of Bluesky's RunEngine, for bench/scan.ts."""

import time

from bluesky import Msg, RunEngine

MESSAGES = 100_000
engine = RunEngine({})
best = 0.0
for _ in range(3):
    plan = (Msg("null") for _ in range(MESSAGES))
    started = time.perf_counter()
    engine(plan)
    best = max(best, MESSAGES / (time.perf_counter() - started))
print(best)
