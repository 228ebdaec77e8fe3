"""
The pyzmq side of bench/zmq.ts: receives octals of bench/zmq-bare.ts as arrays, without a copy.
`pyzmq.py ADDRESS [SERVER_KEY]`: each line of stdin says for how many seconds; {ms, cpuMs, check: [steps, all received]}.
"""

import json
import sys
import time

import numpy as np
import zmq

WARM_UP = 20
CREDIT = 4


def main():
    socket = zmq.Context().socket(zmq.DEALER)
    socket.linger = 0
    if len(sys.argv) > 2:
        socket.curve_serverkey = sys.argv[2].encode()
        socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
    socket.connect(sys.argv[1])
    print("ready", flush=True)

    def step():
        header, *images = socket.recv_multipart(copy=False)
        json.loads(header.bytes)
        return [np.frombuffer(image, np.uint16) for image in images]

    for line in sys.stdin:
        socket.send(str(CREDIT).encode())
        for _ in range(WARM_UP):
            step()
            socket.send(b"1")
        steps, start, cpu = 0, time.perf_counter(), time.process_time()
        while time.perf_counter() - start < float(line):
            step()
            socket.send(b"1")
            steps += 1
        ms, cpu_ms = (time.perf_counter() - start) * 1e3, (time.process_time() - cpu) * 1e3
        for _ in range(CREDIT):
            step()
        print(json.dumps({"ms": ms, "cpuMs": cpu_ms, "check": [steps, steps + WARM_UP + CREDIT]}), flush=True)


main()
