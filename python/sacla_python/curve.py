"""The CURVE keys of a client, and how it proves that they are its own: docs/protocol.md, "ZeroMQ"."""

import hashlib
import hmac
import json
import secrets
from base64 import urlsafe_b64encode
from typing import Any, Optional

from .errors import SaclaError


class CurveKeys:
    """Keys of a file that `sacla keys new NAME --curve FILE` made."""

    def __init__(self, path: str) -> None:
        try:
            with open(path, encoding="utf-8") as file:
                keys = json.load(file)
            self.server, self.public, self._own = (
                keys[name].encode("ascii") for name in ("serverKey", "publicKey", "secretKey")
            )
            self._shared = _shared_secret(self._own, self.server)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise SaclaError(
                "BAD_TEXT", f"SACLA_KEY_FILE names {path}, which is no file of keys: {type(error).__name__}."
            ) from error

    def use(self, socket: Any) -> None:
        """Before the socket connects: it is encrypted, and named so that the server knows whose it is."""
        socket.curve_serverkey, socket.curve_publickey, socket.curve_secretkey = self.server, self.public, self._own
        if self._shared is not None:
            named = self.public + secrets.token_urlsafe(16).encode("ascii")
            socket.routing_id = named + self._mac(b"sacla 1 " + named)

    def proof(self, socket: Any, key: str) -> Optional[str]:
        """For a call that changes something, with this idempotency key; None where cryptography is not installed."""
        if self._shared is None:
            return None
        return self._mac(b"sacla 1 call " + socket.routing_id + b" " + key.encode("utf-8")).decode("ascii")

    def _mac(self, text: bytes) -> bytes:
        return urlsafe_b64encode(hmac.new(self._shared, text, hashlib.sha256).digest()).rstrip(b"=")


def _shared_secret(own: bytes, server: bytes) -> Optional[bytes]:
    """The X25519 secret of both ends; None where cryptography is not installed: such a client may read."""
    from zmq.utils import z85

    try:
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    except ImportError:
        return None
    own_key = X25519PrivateKey.from_private_bytes(z85.decode(own))
    return own_key.exchange(X25519PublicKey.from_public_bytes(z85.decode(server)))
