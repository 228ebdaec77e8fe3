"""
A reading process: asks the facility's modules one thing at a time, for the server that started it.

Started anew, never forked: stpy shares sockets and file handles after a fork. Parts of a task: `T`, number, method,
value, arrays. Parts of an answer: `R` or `E` (`L`: the last one, after which the process ends), number, value, arrays.
The first message is `H` and what the modules of this machine can answer.
"""

import argparse
import json
import logging
import os
import signal
import sys
from typing import Any, List, Sequence, Tuple

import zmq

from .errors import ApiFailure, GatewayError
from .methods import CALLS, ITEMS, STREAMS, Facility, available
from .modules import load_modules
from .wire import decode_message, encode_message, encode_value

log = logging.getLogger(__name__)

# stpy never gives back the sockets of a reader.
MAX_OPENED = 500


def run_task(facility: Facility, method: str, params: Any) -> Any:
    """The answer to one task; `item:` before a method asks for one item of the stream."""
    if method.startswith("item:"):
        return ITEMS[method[5:]](facility, params)
    return (CALLS.get(method) or STREAMS[method]).answer(facility, params)


def answer(facility: Facility, method: str, parts: Sequence[bytes]) -> Tuple[bytes, bytes, List[Any]]:
    """`R` or `E`, its value as JSON, and its arrays."""
    try:
        value, frames = encode_value(run_task(facility, method, decode_message(parts)["value"]))
        return b"R", value, frames
    except GatewayError as error:
        failure = error
    except ApiFailure as error:
        failure = error.to_error()
    except Exception as error:
        log.exception("%s failed", method)
        failure = GatewayError("INTERNAL", f"{method} failed in the gateway: {type(error).__name__}: {error}")
    return b"E", encode_value(failure.to_wire())[0], []


def serve(address: str, name: str, beamlines: Sequence[int], server: int) -> None:
    modules = load_modules()
    facility = Facility(modules, beamlines)
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.IDENTITY, name.encode("ascii"))
    socket.setsockopt(zmq.LINGER, 1000)
    socket.connect(address)
    versions = {key: module.version() for key, module in modules.items() if module.there}
    socket.send_multipart([b"H", json.dumps({"methods": available(facility), "modules": versions}).encode("utf-8")])
    # A server that was killed cannot end its processes.
    while os.getppid() == server:
        if not socket.poll(1000):
            continue
        parts = socket.recv_multipart()
        if parts[0] != b"T":
            break
        kind, value, frames = answer(facility, parts[2].decode("utf-8"), parts[3:])
        last = facility.st.opened > MAX_OPENED
        # Copied here: whether stpy gives a fresh array every time is not written anywhere.
        socket.send_multipart(
            [kind + (b"L" if last else b""), parts[1], value, *(frame.data for frame in frames)], copy=True
        )
        if last:
            break
    socket.close()
    context.term()


def task_parts(number: int, method: str, value: Any) -> List[Any]:
    """A task as the server sends it."""
    return [b"T", b"%d" % number, method.encode("utf-8"), *encode_message({"value": value})]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("name")
    parser.add_argument("beamlines")
    parser.add_argument("log_level")
    parser.add_argument("server", type=int)
    args = parser.parse_args()
    logging.basicConfig(
        level=args.log_level, format=f"%(asctime)s %(levelname)s {args.name}: %(message)s", stream=sys.stderr
    )
    # Ctrl-C reaches the whole group; it is the server that ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(args.address, args.name, [int(bl) for bl in args.beamlines.split(",")], args.server)


if __name__ == "__main__":
    main()
