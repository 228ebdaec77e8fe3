"""Messages as docs/protocol.md describes them, packed into one run of bytes."""

import json
import math
import struct
from typing import Any, Callable, Dict, List, Optional

import numpy as np

from .errors import SaclaError

PACKED_TYPE = "application/x-sacla"
_DTYPES = {name: np.dtype("<" + name) for name in ("i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8")}
_MOST_PARTS = 65_536
_MOST_BYTES = 2**30
_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

# Fills the memory from its first byte to its last, or as far as the bytes go; gives how many came.
Fill = Callable[[memoryview], int]


def _padded(length: int) -> int:
    return -(-length // 8) * 8


def encode(message: Dict[str, Any]) -> List[bytes]:
    """The header, then one part for each array."""
    frames: List[bytes] = []

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            little = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
            frames.append(little.tobytes())
            return {"$frame": len(frames) - 1, "dtype": little.dtype.str[1:]}
        if isinstance(value, float) and not math.isfinite(value):
            return {"$number": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
        if isinstance(value, dict):
            return {key: plain(each) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(each) for each in value]
        if isinstance(value, np.generic):
            return plain(value.item())
        return value

    header = json.dumps({"sacla": 1, **plain(message)}, allow_nan=False).encode("utf-8")
    return [header, *frames]


def pack(parts: List[bytes]) -> bytes:
    """All parts as one run of bytes."""
    head = struct.pack(f"<{1 + len(parts)}I", len(parts), *(len(part) for part in parts))
    return b"".join(part.ljust(_padded(len(part)), b"\0") for part in [head, *parts])


def decode(header: bytes, frames: List[np.ndarray]) -> Dict[str, Any]:
    """The message of a header and the bytes of its arrays; the arrays look into those bytes."""

    def revive(value: Dict[str, Any]) -> Any:
        if "$frame" in value:
            return frames[value["$frame"]].view(_DTYPES[value["dtype"]])
        if "$number" in value:
            return _NUMBERS[value["$number"]]
        return value

    try:
        message = json.loads(header.decode("utf-8"), object_hook=revive)
        if message["sacla"] != 1 or not isinstance(message["kind"], str):
            raise ValueError("another version of the protocol")
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise SaclaError("BAD_MESSAGE", f"What answers is no sacla server of this version: {error}.") from error
    return message


def read(fill: Fill) -> Optional[Dict[str, Any]]:
    """The next packed message; None at the end. Each array is read into memory of its own, once."""
    start = bytearray(4)
    came = fill(memoryview(start))
    if came == 0:
        return None
    (count,) = struct.unpack("<I", start)
    if came < 4 or not 1 <= count <= _MOST_PARTS:
        raise SaclaError("BAD_MESSAGE", "What answers is no sacla server.")
    table = _whole(fill, _padded(4 * (1 + count)) - 4)
    lengths = struct.unpack_from(f"<{count}I", table)
    if sum(lengths) > _MOST_BYTES:
        raise SaclaError("BAD_MESSAGE", f"A message claims {sum(lengths)} bytes.")
    header = bytes(_whole(fill, _padded(lengths[0])))[: lengths[0]]
    frames = [_whole(fill, _padded(length))[:length] for length in lengths[1:]]
    return decode(header, frames)


def _whole(fill: Fill, length: int) -> np.ndarray:
    memory = np.empty(length, np.uint8)
    if length > 0 and fill(memoryview(memory)) < length:
        raise SaclaError("UNREACHABLE", "The answer ended in its middle.")
    return memory
