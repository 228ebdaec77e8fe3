"""stpy with faults and quirks. That errors carry (number, name) is an inference."""

import os
from typing import Any, Dict, Optional, Tuple

import _world
import numpy as np


class APIError(Exception):
    pass


def get_api_version() -> str:
    return "2.4.0-standin"


class StorageReader:
    def __init__(self, detID: str, bl: int, runs: Tuple[int, ...]) -> None:
        if type(runs) is not tuple:
            raise TypeError("runs must be a tuple")
        self._runs = [_world.find(bl, run) for run in runs]
        if detID not in _world.detectors or None in self._runs:
            raise APIError(-300_000_001, "ST_ERR_READER")
        self.detID = detID
        self._process = os.getpid()

    def collect(self, buffer: "StorageBuffer", tag: int) -> int:
        if os.getpid() != self._process:
            raise RuntimeError("not fork-safe")
        _world.misbehave(tag)
        for run in self._runs:
            if run is not None and run.status == 0 and tag in _world.tags_of(run, self.detID):
                buffer.content = (self.detID, run.run, tag)
                return tag
        raise APIError(-300_000_002, "ST_ERR_NODATA")


class StorageBuffer:
    def __init__(self, reader: StorageReader) -> None:
        self.content: Optional[Tuple[str, int, int]] = None

    def _held(self) -> Tuple[str, int, int]:
        if self.content is None:
            raise APIError(-300_000_003, "ST_ERR_EMPTY")
        return self.content

    def read_det_num_index(self) -> int:
        return 1

    def read_det_data(self, index: int) -> np.ndarray:
        det_id, _, tag = self._held()
        return _world.image(det_id, tag)

    def read_det_info(self, index: int) -> Dict[Any, Any]:
        det_id, run, tag = self._held()
        return _world.det_info(det_id, run, tag)
