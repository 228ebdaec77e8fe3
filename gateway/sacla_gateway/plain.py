"""What the facility's modules give (lists or tuples, bytes or str, numpy or plain numbers) as one plain form."""

from collections import OrderedDict
from typing import Any, Dict, Generic, Hashable, List, Optional, TypeVar

import numpy as np

V = TypeVar("V")


def text(value: Any) -> str:
    return bytes(value).decode("utf-8", "replace") if isinstance(value, (bytes, bytearray)) else str(value)


def texts(values: Any) -> List[str]:
    return [text(value) for value in (() if values is None else values)]


def tag_array(values: Any) -> np.ndarray:
    # Through int64, because a C int may have made a large tag negative.
    wide = np.asarray([int(value) for value in (() if values is None else values)], dtype=np.int64)
    return (wide & 0xFFFFFFFF).astype(np.uint32)


def shot(value: Any) -> List[int]:
    """A (HighTag, tag) pair."""
    hightag, tag = value
    return [int(hightag), int(tag)]


def plain_dict(values: Dict[Any, Any]) -> Dict[str, Any]:
    """A dictionary of the facility with text keys and plain values."""
    return {text(key): _plain(value) for key, value in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray)):
        return text(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value if value is None or isinstance(value, (bool, int, float, str, np.ndarray)) else str(value)


class Recent(Generic[V]):
    """The last `size` things that were used, by key."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: "OrderedDict[Hashable, V]" = OrderedDict()

    def get(self, key: Hashable) -> Optional[V]:
        if key in self._entries:
            self._entries.move_to_end(key)
        return self._entries.get(key)

    def put(self, key: Hashable, value: V) -> V:
        self._entries[key] = value
        self._entries.move_to_end(key)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)
        return value

    def drop(self, key: Hashable) -> None:
        self._entries.pop(key, None)
