"""What the Python programs of the benches have in common: the other end of `Program` in bench/reduce-harness.ts."""

import json
import sys
import time


def serve(answer, greeting="ready"):
    """Prints the greeting; then gives each line of stdin to `answer`, and prints {ms, cpuMs, check} of what it gives."""
    print(greeting, flush=True)
    for line in sys.stdin:
        start, cpu = time.perf_counter(), time.process_time()
        check = answer(line.strip())
        ms, cpu_ms = (time.perf_counter() - start) * 1e3, (time.process_time() - cpu) * 1e3
        print(json.dumps({"ms": ms, "cpuMs": cpu_ms, "check": check}), flush=True)
