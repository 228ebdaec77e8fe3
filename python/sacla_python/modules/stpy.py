"""
SACLA's stpy over a sacla server: images of stored runs.

Known of the facility's: names, argument order, float32 arrays that are new at each call, an APIError for a tag without
an image. That collect gives the tag back, and the shape of errors, are inferences. The facility's is not fork-safe;
this one is.
"""

import threading
import warnings
from typing import Any, Dict, Optional, Sequence

from sacla_python.ahead import Ahead as _Ahead
from sacla_python.client import asker as _asker
from sacla_python.client import whole as _whole
from sacla_python.errors import FacilityError as _FacilityError
from sacla_python.file_images import FileImages as _FileImages
from sacla_python.image_buffer import Collected as _Collected
from sacla_python.image_buffer import ImageBuffer as _ImageBuffer
from sacla_python.image_buffer import collected_of as _collected_of


class APIError(_FacilityError):
    """There is no such image, detector or run, or the run has not stopped. `code` says which."""

    first_number = -300_000_000


_ask = _asker(APIError)


def get_api_version() -> str:
    """Version of what answers."""
    return _ask("db.getApiVersion")


class StorageReader:
    """Reads images of one detector from runs of a beamline. `runs` is a tuple. A composite id, such as
    MPCCD-8N0-3-002, gives the assembled image (see docs/python.md for what is assumed)."""

    def __init__(self, detID: str, bl: int, runs: Sequence[int]) -> None:
        if not isinstance(runs, tuple):
            warnings.warn("runs: of the facility's stpy only a tuple of run numbers is known to work", stacklevel=2)
            runs = (runs,) if not hasattr(runs, "__iter__") else runs
        self.detID = detID
        self.bl = _whole("bl", bl)
        self.runs = tuple(_whole("a run", run) for run in runs)
        self._lock = threading.Lock()
        self._infos: Dict[int, Dict[str, Any]] = {}
        # Refused here, not at the first image, as a reader of nothing would be.
        if not self.runs:
            raise APIError("UNKNOWN_RUN", "runs is empty: it must be a tuple of run numbers, such as (run,).")
        listed = {one for run in self.runs for one in _ask("db.readDetidlist", bl=self.bl, run=run)}
        if detID not in listed:
            raise APIError("UNKNOWN_DETECTOR", f"Run {self.runs[0]} has no detector {detID}; it has {sorted(listed)}.")
        is_composite = any(one != detID and one.startswith(f"{detID}-") for one in listed)
        self._ahead: Optional[_Ahead] = None if is_composite else _Ahead(self.bl, detID)
        # Of one run, which some scripts name twice: which of several has a tag is what the server says.
        is_one = len(set(self.runs)) == 1 and not is_composite
        self._file: Optional[_FileImages] = _FileImages(self.bl, self.runs[0], detID) if is_one else None

    def collect(self, buffer: "StorageBuffer", tag: int) -> int:
        """Fills the buffer with the image of a tag; gives the tag. APIError where there is none."""
        tag = _whole("tag", tag)
        with self._lock:
            collected = self._read_file(tag)
            if collected is not None:
                buffer._fill(collected)
                return collected.tag
            collected = self._read_ahead(tag)
            if collected is None:
                answer = _ask("st.collect", detId=self.detID, bl=self.bl, runs=list(self.runs), tag=tag)
                collected = _collected_of(answer)
                self._infos[collected.run] = collected.info
                if self._file is not None:
                    self._file.prove(tag, collected.image)
            buffer._fill(collected)
            if self._ahead is not None:
                self._ahead.read_on(collected.run, tag, collected.image.nbytes)
        return collected.tag

    def _read_file(self, tag: int) -> Optional[_Collected]:
        image = None if self._file is None else self._file.image(tag)
        return None if image is None else _Collected(self.runs[0], tag, self._infos[self.runs[0]], image)

    def _read_ahead(self, tag: int) -> Optional[_Collected]:
        found = None if self._ahead is None else self._ahead.take(tag)
        if found is None or found[0] not in self._infos:
            return None
        run, image = found
        return _Collected(run, tag, self._infos[run], image)


class StorageBuffer(_ImageBuffer):
    """Holds the image that its reader collected last."""

    APIError = APIError
