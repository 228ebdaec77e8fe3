"""
The wire form of docs/protocol.md: a JSON header and one raw frame per array.

Arrays are one-dimensional numpy arrays, little-endian; in the header they stand as {"$frame": 0, "dtype": "f4"}.
"""

import json
import math
import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

import numpy as np

from .errors import BadMessage, show

WIRE_VERSION = 1
DTYPES = {name: np.dtype("<" + name) for name in ("i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8")}
_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_MAX_ID = 2**53 - 1
# The limits of src/transport/codec.ts.
_MAX_DEPTH = 64
_MAX_NAME = 200
_MAX_TIMEOUT_MS = 2_147_483_647

REQUESTS = ("call", "stream", "credit", "cancel", "ping")


class Request(NamedTuple):
    """What a client sends. Fields that its kind does not have are None or 0."""

    kind: str
    id: int
    method: str = ""
    value: Any = None
    credit: int = 0
    timeout_s: Optional[float] = None


def encode_value(value: Any) -> Tuple[bytes, List[np.ndarray]]:
    """`value` as JSON text and the arrays it refers to. Arrays are shared, not copied, where they are contiguous."""
    frames: List[np.ndarray] = []
    text = json.dumps(_replace(value, frames), allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8"), frames


def _replace(value: Any, frames: List[np.ndarray]) -> Any:
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return {"$number": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, np.ndarray):
        name = value.dtype.str[1:]
        if name not in DTYPES:
            raise BadMessage(f"An array of {value.dtype} cannot travel; allowed are {', '.join(DTYPES)}.")
        frames.append(np.ascontiguousarray(value, dtype=DTYPES[name]).reshape(-1))
        return {"$frame": len(frames) - 1, "dtype": name}
    if isinstance(value, (list, tuple)):
        return [_replace(entry, frames) for entry in value]
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str) or _is_reserved(key):
                raise BadMessage(f"The key {show(key)} cannot travel: it is no text or belongs to the wire form.")
        return {key: _replace(entry, frames) for key, entry in value.items()}
    if isinstance(value, np.generic):
        return _replace(value.item(), frames)
    raise BadMessage(f"A {type(value).__name__} cannot travel.")


def header_around(kind: str, request_id: Optional[int], value: bytes, seq: Optional[int] = None) -> bytes:
    """The header of an answer whose value is JSON text already; spares parsing what only passes through."""
    head = b'{"sacla":%d,"kind":"%s","id":%s' % (
        WIRE_VERSION,
        kind.encode("ascii"),
        json.dumps(request_id).encode("ascii"),
    )
    if seq is not None:
        head += b',"seq":%d' % seq
    if value:
        head += b',"%s":%s' % (b"error" if kind == "error" else b"value", value)
    return head + b"}"


def encode_message(message: Dict[str, Any]) -> List[Any]:
    """A whole message as parts: the header, then one part per array."""
    text, frames = encode_value(message)
    return [b'{"sacla":%d,' % WIRE_VERSION + text[1:], *frames]


def decode_message(parts: Sequence[bytes]) -> Dict[str, Any]:
    """The message in `parts`; arrays look into the parts. Raises BadMessage for what nobody can have encoded."""
    header = _header_of(parts)
    request_id = _id_in(header)
    try:
        version = header.get("sacla")
        if isinstance(version, bool) or version != WIRE_VERSION:
            raise BadMessage(f"A message has wire version {show(version)}, but this program speaks {WIRE_VERSION}.")
        used: Set[int] = set()
        message: Dict[str, Any] = _revive(header, parts[1:], used, 1)
        if len(used) != len(parts) - 1:
            raise BadMessage(f"A message has {len(parts) - 1} frames, but its header uses {len(used)}.")
        return message
    except BadMessage as error:
        error.request_id = request_id
        raise


def _header_of(parts: Sequence[bytes]) -> Dict[str, Any]:
    if not parts:
        raise BadMessage("An empty message arrived.")
    try:
        header = json.loads(bytes(parts[0]).decode("utf-8"), parse_constant=_no_constant)
    except RecursionError:
        raise BadMessage(f"A message is nested more than {_MAX_DEPTH} deep.", _id_before_nesting(parts[0])) from None
    except ValueError:
        raise BadMessage("A message header is not JSON.") from None
    if not isinstance(header, dict):
        raise BadMessage("A message header is not a JSON object.")
    return header


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def _is_reserved(key: str) -> bool:
    # The second is one by which a message could reach into a program in JavaScript.
    return key.startswith("$") or key == "__proto__"


def _revive(value: Any, frames: Sequence[bytes], used: Set[int], depth: int) -> Any:
    if not isinstance(value, (list, dict)):
        return value
    if depth > _MAX_DEPTH:
        raise BadMessage(f"A message is nested more than {_MAX_DEPTH} deep.")
    if isinstance(value, list):
        return [_revive(entry, frames, used, depth + 1) for entry in value]
    if "$frame" in value:
        return _array_of(value, frames, used)
    if "$number" in value:
        name = value["$number"]
        if len(value) != 1 or not isinstance(name, str) or name not in _NUMBERS:
            raise BadMessage(f"A number stands as {show(value)}; allowed are {', '.join(_NUMBERS)}.")
        return _NUMBERS[name]
    for key in value:
        if _is_reserved(key):
            raise BadMessage(f"The key {show(key)} belongs to the wire form and stands in the wrong place.")
    return {key: _revive(entry, frames, used, depth + 1) for key, entry in value.items()}


def _array_of(ref: Dict[str, Any], frames: Sequence[bytes], used: Set[int]) -> np.ndarray:
    index, name = whole(ref["$frame"]), ref.get("dtype")
    dtype = DTYPES.get(name) if isinstance(name, str) else None
    if set(ref) - {"$frame", "dtype"} or dtype is None or index is None or not 0 <= index < len(frames):
        raise BadMessage(f"A message refers to {show(ref)}, but has {len(frames)} frames of types {', '.join(DTYPES)}.")
    data = frames[index]
    if len(data) % dtype.itemsize != 0:
        raise BadMessage(f"Frame {index} has {len(data)} bytes, which is no whole number of {name}.")
    used.add(index)
    return np.frombuffer(data, dtype=dtype) if len(data) > 0 else np.empty(0, dtype)


def whole(value: Any) -> Optional[int]:
    """`value` as an int if it is a whole number; JSON does not tell 1 from 1.0."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, float) and value.is_integer() else None


def _id_in(header: Dict[str, Any]) -> Optional[int]:
    found = whole(header.get("id"))
    return found if found is not None and 0 <= found <= _MAX_ID else None


def _id_before_nesting(header: bytes) -> Optional[int]:
    found = re.match(rb'\{[^{}\[\]]*"id":([0-9]{1,15})[,}]', bytes(header))
    return None if found is None else int(found.group(1))


def decode_request(parts: Sequence[bytes]) -> Request:
    """What a client asks. Raises BadMessage."""
    message = decode_message(parts)
    request_id = _id_in(message)
    kind = message.get("kind")
    if kind not in REQUESTS:
        raise BadMessage(f"A request is of kind {show(kind)}; allowed are {', '.join(REQUESTS)}.", request_id)
    if request_id is None:
        raise BadMessage(f"A {kind} has the id {show(message.get('id'))}, but must have a whole number from 0 on.")
    if kind in ("call", "stream"):
        for name in ("method", "key"):
            value = message.get(name, None if name == "method" else "none")
            if not isinstance(value, str) or not 1 <= len(value) <= _MAX_NAME:
                raise BadMessage(
                    f"{name} of a {kind} is {show(value)}, but must be text of 1 to {_MAX_NAME} characters.", request_id
                )
        if not isinstance(message.get("value"), dict):
            raise BadMessage(
                f"value of a {kind} is {show(message.get('value'))}, but must be an object of parameters by name.",
                request_id,
            )
    credit = whole(message.get("credit", 0))
    if kind in ("stream", "credit") and (credit is None or not 1 <= credit <= _MAX_ID):
        raise BadMessage(
            f"A {kind} has the credit {show(message.get('credit'))}, but must have at least 1.", request_id
        )
    return Request(
        kind, request_id, message.get("method", ""), message.get("value"), credit or 0, _timeout_of(message, request_id)
    )


def _timeout_of(message: Dict[str, Any], request_id: int) -> Optional[float]:
    if "timeoutMs" not in message:
        return None
    timeout = message["timeoutMs"]
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 <= timeout <= _MAX_TIMEOUT_MS:
        raise BadMessage(f"timeoutMs is {show(timeout)}, but must be a number from 0 to {_MAX_TIMEOUT_MS}.", request_id)
    return timeout / 1000
