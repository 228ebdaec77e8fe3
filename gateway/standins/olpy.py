"""A stand-in for olpy: only the newest images, by detector alone. Errors are those seen in notebooks."""

from typing import Any, Dict, Optional, Tuple

import _world
import numpy as np

NEWESTTAG = -1
_KEPT = 2


class APIError(Exception):
    pass


def get_api_version() -> str:
    return "1.2.0-standin"


def read_detidlist() -> Any:
    return _world.as_sequence(_world.as_text(one) for one in _world.detectors)


def _going() -> "_world.Run":
    return _world.runs[3][-1]


class StorageReader:
    def __init__(self, detID: str) -> None:
        self.detID = detID

    def collect(self, buffer: "StorageBuffer", tag: int) -> int:
        tags = _world.tags_of(_going(), self.detID)
        real = tags[-1] if tag == NEWESTTAG else tag
        if real in tags[-_KEPT:]:
            buffer.content = (self.detID, real)
            return real
        if real < tags[-1]:
            raise APIError(-200010000, "OL_ERR_TAGDATAGONE")
        raise APIError(-200050000, "OL_ERR_TAGINVALID")


class StorageBuffer:
    def __init__(self, reader: StorageReader) -> None:
        self.content: Optional[Tuple[str, int]] = None

    def read_det_data(self, index: int) -> np.ndarray:
        assert self.content is not None
        return _world.image(*self.content)

    def read_det_info(self, index: int) -> Dict[Any, Any]:
        assert self.content is not None
        return _world.det_info(self.content[0], _going().run, self.content[1])
