"""Who may come in: this machine only, or whoever has a key."""

import ipaddress
import os
from typing import Any, Optional

import zmq
import zmq.auth
from zmq.auth.thread import ThreadAuthenticator

from .errors import GatewayError


def is_local(address: str) -> bool:
    """Whether only this machine can reach an address to bind to."""
    if address.startswith("ipc://"):
        return True
    if not address.startswith("tcp://"):
        raise GatewayError("BAD_URL", f"Cannot bind to {address!r}; allowed are tcp://HOST:PORT and ipc://PATH.")
    host = address[len("tcp://") :].rsplit(":", 1)[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        # A name, an interface or *: whatever it is now, it may be more than this machine tomorrow.
        return False


def check_bind(address: str, has_keys: bool) -> None:
    if not is_local(address) and not has_keys:
        raise GatewayError(
            "NOT_ALLOWED",
            f"{address} can be reached from other machines, which needs keys: give --curve-server-key and "
            "--curve-clients, or bind to tcp://127.0.0.1:5555 and come through ssh (docs/remote-access.md).",
        )


def refuse_old_greetings(context: "zmq.Context[Any]", socket: "zmq.Socket[Any]") -> ThreadAuthenticator:
    """
    For a socket without keys. libzmq accepts the greetings of ZMTP 1.0 and 2.0, which name no mechanism, unless the
    socket has a ZAP domain. Nearly any bytes are such a greeting, also the HTTP request of a page in a browser, whose
    body could then hold messages. The caller stops what is returned: it lets in everybody who greets as of today.
    """
    authenticator = ThreadAuthenticator(context)
    authenticator.start()
    socket.setsockopt(zmq.ZAP_DOMAIN, b"sacla")
    return authenticator


def use_curve(
    context: "zmq.Context[Any]", socket: "zmq.Socket[Any]", key_file: str, clients: str
) -> ThreadAuthenticator:
    """
    Only clients whose public key lies in the folder `clients` get an answer. The caller stops what is returned.
    Raises NOT_ALLOWED for a key file that others can read, FILE_NOT_FOUND when it holds no secret key.
    """
    secret: Optional[bytes] = None
    try:
        if os.stat(key_file).st_mode & 0o077:
            raise GatewayError("NOT_ALLOWED", f"{key_file} can be read by others; make it yours: chmod 600 {key_file}")
        public, secret = zmq.auth.load_certificate(key_file)
    except (OSError, ValueError) as error:
        raise GatewayError("FILE_NOT_FOUND", f"{key_file} is not a key file: {error}") from error
    if secret is None:
        raise GatewayError("FILE_NOT_FOUND", f"{key_file} holds no secret key; name the one that ends in .key_secret.")
    if not os.path.isdir(clients) or not zmq.auth.load_certificates(clients):
        raise GatewayError("FILE_NOT_FOUND", f"{clients} is not a folder with public keys (*.key) of clients.")
    authenticator = ThreadAuthenticator(context)
    authenticator.start()
    authenticator.configure_curve(domain="*", location=clients)
    socket.setsockopt(zmq.CURVE_SERVER, 1)
    socket.setsockopt(zmq.CURVE_PUBLICKEY, public)
    socket.setsockopt(zmq.CURVE_SECRETKEY, secret)
    return authenticator
