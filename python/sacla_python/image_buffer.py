"""What stpy.StorageBuffer and olpy.StorageBuffer share."""

from typing import Any, Dict, NamedTuple, Optional

import numpy as np

from .client import whole
from .det_info import det_info


class Collected(NamedTuple):
    """An image with what its detector says of itself."""

    run: int
    tag: int
    info: Dict[str, Any]
    image: np.ndarray


def collected_of(answer: Dict[str, Any]) -> Collected:
    """What `collect` of a server answers."""
    frame = answer["frame"]
    image = frame["data"].reshape(frame["shape"])
    return Collected(int(answer["run"]), int(answer["tag"]), answer["info"], image)


class ImageBuffer:
    """The image that was collected last. `APIError` is that of the module."""

    APIError: Any = Exception

    def __init__(self, reader: Any) -> None:
        self.reader = reader
        self._collected: Optional[Collected] = None

    def _fill(self, collected: Collected) -> None:
        self._collected = collected

    def _at(self, index: Any) -> Collected:
        if self._collected is None:
            raise self.APIError("FRAME_MISSING", "The buffer is empty: call reader.collect(buffer, tag) first.")
        if whole("index", index) != 0:
            raise self.APIError("FRAME_MISSING", f"There is no data index {index}: index 0 is the image.")
        return self._collected

    def read_det_num_index(self) -> int:
        """Number of data in the buffer; index 0 is the image."""
        return 0 if self._collected is None else 1

    def read_det_data(self, index: int = 0) -> np.ndarray:
        """The image: float32, C order, [ysize, xsize]; a new array each time, the caller's own."""
        return np.array(self._at(index).image, dtype=np.float32, order="C")

    def read_det_info(self, index: int = 0) -> Dict[str, Any]:
        """Size, gain and place of the sensor, in both spellings of the geometry keys."""
        collected = self._at(index)
        return det_info(collected.info, collected.run, collected.tag)
