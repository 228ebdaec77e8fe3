"""The server that SACLA_URL names, and how the modules ask it."""

import operator
import os
import threading
from typing import Any, Callable, Dict, Iterator, Optional, Tuple

import numpy as np

from .errors import SaclaError, as_api_error

DEFAULT_URL = "http://127.0.0.1:5580"

_lock = threading.Lock()
_client: Any = None
_asked: Tuple[Optional[str], ...] = ()
_last_bl: Optional[int] = None


def client() -> Any:
    """What answers; made at the first question, and anew when the variables have changed."""
    global _client, _asked
    now = tuple(os.environ.get(name) for name in ("SACLA_URL", "SACLA_TOKEN", "SACLA_KEY_FILE"))
    with _lock:
        if _client is None or now != _asked:
            _client, _asked = _connect(*now), now
        return _client


def _connect(url: Optional[str], token: Optional[str], key_file: Optional[str]) -> Any:
    url = url or DEFAULT_URL
    scheme = url.split(":", 1)[0].lower()
    if scheme in ("http", "https"):
        from .http import HttpClient

        return HttpClient(url, token)
    if scheme in ("tcp", "ipc"):
        from .zeromq import ZmqClient

        return ZmqClient(url, key_file)
    raise SaclaError(
        "BAD_URL",
        f"SACLA_URL is {url}, but must be the address of a server: http://…, https://…, tcp://…, ipc://…. "
        f"For sim: or a file run: sacla python --url {url} -- SCRIPT.py",
    )


def call(method: str, value: Dict[str, Any], **options: Any) -> Any:
    return client().call(method, value, **options)


def stream(method: str, value: Dict[str, Any], **options: Any) -> Iterator[Any]:
    return client().stream(method, value, **options)


def asker(kind: type) -> Callable[..., Any]:
    """A function that asks one method; what the facility refuses is raised as this APIError."""

    def ask(method: str, **value: Any) -> Any:
        global _last_bl
        _last_bl = value.get("bl", _last_bl)
        try:
            return call(method, value)
        except SaclaError as error:
            raise as_api_error(error, kind) from None

    return ask


def last_beamline() -> Optional[int]:
    """The beamline that the script asked about last, in any module."""
    return _last_bl


def whole(name: str, value: Any) -> int:
    """An integer, also one of numpy's. Raises TypeError for anything else, a float too."""
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, not {type(value).__name__} {value!r}") from None


def tag_array(tags: Any) -> np.ndarray:
    """One tag, or several, as they travel."""
    if isinstance(tags, (int, np.integer)):
        tags = (tags,)
    if isinstance(tags, np.ndarray) and tags.dtype.kind in "iu":
        values = tags.ravel()
    else:
        values = np.array([whole("a tag", tag) for tag in tags], dtype=np.int64)
    if values.size > 0 and (int(values.min()) < 0 or int(values.max()) > 0xFFFFFFFF):
        raise ValueError("tags must be from 0 to 4294967295")
    return values.astype(np.uint32)
