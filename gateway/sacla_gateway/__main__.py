"""The command `sacla-gateway`."""

import argparse
import logging
import os
import signal
import sys
from typing import List, Optional

import zmq

from . import __version__
from .errors import GatewayError
from .pool import Pool
from .security import check_bind, refuse_old_greetings, use_curve
from .server import Server

log = logging.getLogger("sacla_gateway")


def _arguments(argv: Optional[List[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="sacla-gateway",
        description="Answers sacla clients elsewhere from dbpy and stpy of this machine, read-only.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument(
        "--bind",
        action="append",
        metavar="ADDRESS",
        help="tcp://127.0.0.1:5555 (the default), tcp://127.0.0.1:* for any port, ipc:///path; may be repeated",
    )
    parser.add_argument("--beamlines", default="1,2,3", type=_beamlines, help="the beamlines to serve (default 1,2,3)")
    parser.add_argument("--readers", default=2, type=int, help="processes that read images (default 2)")
    parser.add_argument(
        "--grace",
        default=10,
        type=float,
        metavar="SECONDS",
        help="how long a read that nobody waits for any more may go on (default 10)",
    )
    parser.add_argument(
        "--curve-server-key", metavar="FILE", help="key_secret file of this server, made by zmq.auth or sacla keys"
    )
    parser.add_argument(
        "--curve-clients", metavar="DIR", help="folder with the public keys of the clients that may come in"
    )
    parser.add_argument("--log-level", default="INFO", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
    args = parser.parse_args(argv)
    if not 1 <= args.readers <= 64:
        parser.error(f"--readers is {args.readers}, but must be from 1 to 64")
    if (args.curve_server_key is None) != (args.curve_clients is None):
        parser.error("--curve-server-key and --curve-clients belong together")
    return args


def _beamlines(text: str) -> List[int]:
    found = [int(part) for part in text.split(",")]
    if not all(0 <= bl <= 1000 for bl in found):
        raise ValueError(text)
    return found


def main(argv: Optional[List[str]] = None) -> int:
    args = _arguments(argv)
    logging.basicConfig(level=args.log_level, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        return _run(args)
    except (GatewayError, zmq.ZMQError) as error:
        log.error("%s", error)
        return 1


def _run(args: argparse.Namespace) -> int:
    addresses = args.bind or ["tcp://127.0.0.1:5555"]
    for address in addresses:
        check_bind(address, args.curve_server_key is not None)
    # Sockets in the file system are for this user alone.
    os.umask(0o077)
    context = zmq.Context()
    sizes = {"db": 2, "st": args.readers, "live": 1, "citius": 1}
    pool = Pool(context, sizes, args.beamlines, args.grace, later=["live", "citius"])
    authenticator = None
    try:
        server = Server(context, pool, ahead=2 * args.readers)
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: server.stop())
        if args.curve_server_key is None:
            authenticator = refuse_old_greetings(context, server.socket)
        else:
            authenticator = use_curve(context, server.socket, args.curve_server_key, args.curve_clients)
        pool.start()
        if not pool.methods or "dbpy" not in pool.modules:
            log.error("This machine has no dbpy. Put the folder of the facility's Python modules on PYTHONPATH.")
            return 1
        for address in addresses:
            server.bind(address)
            # For people and for programs that start this one: the port that * became.
            print(f"listening on {server.addresses[-1]}", flush=True)
        log.info("serving %s", ", ".join(f"{name} {version}" for name, version in pool.modules.items()))
        server.run()
        log.info("stopped")
        return 0
    finally:
        pool.close()
        if authenticator is not None:
            authenticator.stop()
        context.destroy(linger=500)


if __name__ == "__main__":
    sys.exit(main())
