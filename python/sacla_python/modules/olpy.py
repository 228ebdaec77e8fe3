"""
SACLA's olpy over a sacla server: images while they are in memory.

Known of the facility's: names, the real tag as the result of collect, NEWESTTAG, errors (int, str) with the two values
below. A tag asked for too early makes the call wait, here at most 10 s.
"""

from typing import Any, Dict, Optional, Tuple
from warnings import warn as _warn

from sacla_python.client import asker as _asker
from sacla_python.client import last_beamline as _last_beamline
from sacla_python.client import whole as _whole
from sacla_python.errors import FacilityError as _FacilityError
from sacla_python.errors import SaclaError as _SaclaError
from sacla_python.image_buffer import ImageBuffer as _ImageBuffer
from sacla_python.image_buffer import collected_of as _collected_of

NEWESTTAG = -1


class APIError(_FacilityError):
    """args are (-200010000, 'OL_ERR_TAGDATAGONE') or (-200050000, 'OL_ERR_TAGINVALID') where those are what olpy
    says."""

    first_number = -200_900_000

    def __init__(self, code: str, message: str, details: Optional[Dict[str, Any]] = None) -> None:
        super().__init__(code, message, details)
        if "olCode" in self.details:
            self.args = (int(self.details["olCode"]), str(self.details["olName"]))


_ask = _asker(APIError)


def get_api_version() -> str:
    """Version of what answers."""
    return _ask("db.getApiVersion")


def read_detidlist() -> Tuple[str, ...]:
    """Detectors whose images can be had live, of all beamlines of the server."""
    return tuple(_ask("live.readDetidlist"))


class StorageReader:
    """Reads the images of one detector while they are in memory. `bl` is not olpy's: for a server that reads a detector
    of this name at several beamlines. Without it, such a detector is the one of the beamline that the script has asked
    about last, in dbpy for example, and it says so once."""

    def __init__(self, detID: str, bl: Optional[int] = None) -> None:
        self.detID = detID
        self.bl = None if bl is None else _whole("bl", bl)

    def collect(self, buffer: "StorageBuffer", tag: int) -> int:
        """Fills the buffer with the image of a tag, or the newest with NEWESTTAG; gives the real tag."""
        try:
            answer = self._ask(tag)
        except _SaclaError as error:
            if self.bl is not None or _last_beamline() not in error.details.get("beamlines", ()):
                raise
            self.bl = _last_beamline()
            _warn(f"{error.message} Taken: beamline {self.bl}, as in the calls before.", stacklevel=2)
            answer = self._ask(tag)
        collected = _collected_of(answer)
        buffer._fill(collected)
        return collected.tag

    def _ask(self, tag: int) -> Any:
        where = {} if self.bl is None else {"bl": self.bl}
        return _ask("live.collect", detId=self.detID, tag=_whole("tag", tag), **where)


class StorageBuffer(_ImageBuffer):
    """Holds the image that its reader collected last."""

    APIError = APIError
