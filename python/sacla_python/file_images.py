"""Images read from the file that the server reads, where it is on this computer and has them uncompressed."""

import os
from typing import Any, Dict, Optional, Set

import numpy as np

from .ahead import lists
from .client import call
from .errors import SaclaError

# Tags whose offsets are asked for at once.
_BLOCK = 2048
# The time of change is told in milliseconds as a double.
_MODIFIED_MS = 0.01


class FileImages:
    """The images of one detector of one run. There are none before `prove` has found one equal to the server's."""

    def __init__(self, bl: int, run: int, det_id: str) -> None:
        self._of = {"bl": bl, "run": run, "detId": det_id}
        self._file: Optional[int] = None
        self._about: Dict[str, Any] = {}
        self._offsets: Dict[int, float] = {}
        self._asked: Set[int] = set()
        # None: not known yet.
        self._proven: Optional[bool] = None if hasattr(os, "preadv") else False

    def __del__(self) -> None:
        self._close()

    def prove(self, tag: int, image: np.ndarray) -> None:
        """Compares the image that the server gave with that of the file: where they differ, the file is not used."""
        if self._proven is None:
            found = self._read(tag)
            self._proven = found is not None and found.astype(np.float32).tobytes() == image.tobytes()
            if not self._proven:
                self._close()

    def image(self, tag: int) -> Optional[np.ndarray]:
        """None where the server must be asked."""
        return self._read(tag) if self._proven else None

    def _read(self, tag: int) -> Optional[np.ndarray]:
        offset = self._offset(tag)
        if self._file is None or not offset >= 0:
            return None
        memory = np.empty(self._about["shape"], self._about["dtype"])
        came = os.preadv(self._file, [memory.data.cast("B")], int(offset))
        if came < memory.nbytes or self._has_changed(os.fstat(self._file)):
            self._proven = False
            self._close()
            return None
        return memory

    def _offset(self, tag: int) -> float:
        try:
            tags, places = lists.get(self._of["bl"], self._of["run"])
        except SaclaError:
            return -1.0
        at = places.get(tag)
        if at is None:
            return -1.0
        block = at // _BLOCK
        if block not in self._asked:
            self._asked.add(block)
            some = tags[block * _BLOCK : (block + 1) * _BLOCK]
            try:
                self._about = call("st.readImageOffsets", {**self._of, "tags": np.array(some, np.uint32)})
                if self._file is None:
                    self._open()
            except (SaclaError, OSError):
                # Of another source, or on another computer.
                return -1.0
            self._offsets.update(zip(some, self._about.pop("offsets").tolist()))
        return self._offsets.get(tag, -1.0)

    def _open(self) -> None:
        self._file = os.open(self._about["file"], os.O_RDONLY)
        if self._has_changed(os.fstat(self._file)):
            self._close()

    def _has_changed(self, now: os.stat_result) -> bool:
        late_ms = abs(now.st_mtime_ns / 1e6 - self._about["modifiedMs"])
        return now.st_size != self._about["size"] or late_ms > _MODIFIED_MS

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
