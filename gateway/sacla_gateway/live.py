"""olpy as the live methods of the table want it: images while they are in memory, on the online hosts only."""

from typing import Any, Dict, List, NamedTuple, Optional, Set, Union

import numpy as np

from .db import Db
from .detinfo import detector_info
from .errors import ApiFailure, GatewayError, show, show_list
from .modules import Module
from .plain import Recent, texts

_NEWEST = -1
# Images kept to be given once their values have come: eight sensors of four shots, 64 MB.
_KEPT = 32

# Why there is no image of a tag: not in memory, never stored, olpy knows no such tag, still to come; or there is no
# image of any tag.
GONE, MISSING, INVALID, EARLY, EMPTY = "gone", "missing", "invalid", "early", "empty"


class LiveImage(NamedTuple):
    tag: int
    run: Optional[int]  # None where read_det_info does not tell
    pixels: np.ndarray  # [ysize, xsize], float32 or uint16
    info: Dict[str, Any]


class Live:
    """olpy knows no beamline: an online host belongs to one."""

    def __init__(self, olpy: Module, db: Db) -> None:
        self._olpy = olpy
        self._db = db
        self._readers: Recent[Any] = Recent(32)
        self._images: Recent[LiveImage] = Recent(_KEPT)
        # The newest tag of each detector as far as known, and for which of them it was asked in this look.
        self._newest: Dict[str, int] = {}
        self._asked: Set[str] = set()

    def detectors(self, bl: Optional[int]) -> List[str]:
        if bl is not None:
            self._db.check_beamline(bl)
        try:
            return texts(self._olpy.ask("read_detidlist"))
        except ApiFailure as failure:
            raise failure.to_error() from failure

    def check_detector(self, det_id: str, bl: int, known: List[str]) -> None:
        if det_id not in known or _is_composite(det_id, known):
            message = f"{show(det_id)} gives no images here; there are {show_list(known)}."
            raise GatewayError("UNKNOWN_DETECTOR", message, {"bl": bl, "detId": det_id, "known": known})

    def sensors(self, bl: int) -> List[str]:
        """The detectors that give images: no composite ids."""
        known = self.detectors(bl)
        return [one for one in known if not _is_composite(one, known)]

    def collect(self, det_id: str, bl: Optional[int], tag: int) -> Dict[str, Any]:
        beamline = self._beamline(bl)
        self.check_detector(det_id, beamline, self.detectors(bl))
        try:
            image = self._collect(det_id, tag)
        except ApiFailure as failure:
            error = failure.to_error("DATA_GONE" if failure.is_api_error else None)
            args = failure.error.args
            if len(args) == 2:
                error.details.update({"olCode": args[0], "olName": str(args[1]), "detId": det_id, "tag": tag})
            raise error from failure
        run = self._db.newest_run(beamline) if image.run is None else image.run
        pixels = image.pixels.astype(np.float32)
        # Here the pixels are float32 whatever they are stored as.
        info = {key: value for key, value in image.info.items() if key != "pixelType"}
        return {
            "bl": beamline,
            "hightag": int(self._db.of_run("read_hightagnumber", beamline, run)),
            "run": run,
            "tag": image.tag,
            "frame": {"detId": det_id, "shape": list(pixels.shape), "data": pixels},
            "info": info,
        }

    def begin_look(self) -> None:
        """From here on newest tags are asked for again, each once: it takes a whole image."""
        self._asked.clear()

    def newest(self, det_id: str) -> Optional[LiveImage]:
        """The newest image; None while there is none in memory."""
        self._asked.add(det_id)
        try:
            image = self._collect(det_id, _NEWEST)
        except ApiFailure as failure:
            _check_is_about_the_tag(failure)
            self._newest.pop(det_id, None)
            return None
        self._newest[det_id] = image.tag
        return self._images.put((det_id, image.tag), image)

    def image(self, det_id: str, tag: int) -> Union[LiveImage, str]:
        """
        The image of a tag, or why there is none. olpy waits for a tag that is asked for too early, nobody knows how
        long, so it is asked for a tag only when its newest one has come so far.
        """
        if self._newest.get(det_id, -1) < tag and det_id not in self._asked:
            self.newest(det_id)
        kept = self._images.get((det_id, tag))
        if kept is not None:
            return kept
        newest = self._newest.get(det_id)
        if newest is None:
            return EMPTY
        if newest < tag:
            return EARLY
        try:
            image = self._collect(det_id, tag)
        except ApiFailure as failure:
            return INVALID if _check_is_about_the_tag(failure) == "TAG_INVALID" else GONE
        # collect tells the tag it has really read.
        return self._images.put((det_id, tag), image) if image.tag == tag else MISSING

    def is_in_memory(self, det_id: str, tag: int) -> bool:
        """Whether olpy has the image of a tag that has happened, now; what is kept here does not count."""
        try:
            return self._collect(det_id, tag).tag == tag
        except ApiFailure as failure:
            _check_is_about_the_tag(failure)
            return False

    def _beamline(self, bl: Optional[int]) -> int:
        known = self._db.beamlines()
        if bl is not None:
            return self._db.check_beamline(bl)
        if len(known) == 1:
            return known[0]
        raise GatewayError("BAD_ARGUMENT", f"This gateway serves the beamlines {show_list(known)}: name one, bl.")

    def _collect(self, det_id: str, tag: int) -> LiveImage:
        reader, buffer = self._readers.get(det_id) or self._readers.put(det_id, self._open(det_id))
        wanted = self._olpy.constant("NEWESTTAG", _NEWEST) if tag == _NEWEST else tag
        try:
            real = int(self._olpy.run("StorageReader.collect", reader.collect, buffer, wanted))
        except ApiFailure as failure:
            if not _is_about_the_tag(failure):
                # What state the reader is in now is not known.
                self._readers.drop(det_id)
            raise
        # Copied: whether the buffer gives fresh memory every time is not written anywhere.
        pixels = np.array(self._olpy.run("StorageBuffer.read_det_data", buffer.read_det_data, 0))
        if pixels.dtype not in (np.float32, np.uint16):
            pixels = pixels.astype(np.float32)
        raw = self._olpy.run("StorageBuffer.read_det_info", buffer.read_det_info, 0)
        info = detector_info(det_id, raw, pixels)
        # Seen in a dump of a notebook; other versions may not have it.
        run = raw.get("run_number", raw.get(b"run_number"))
        return LiveImage(real, None if run is None else int(run), pixels[: info["ysize"], : info["xsize"]], info)

    def _open(self, det_id: str) -> Any:
        reader = self._olpy.ask("StorageReader", det_id)
        return reader, self._olpy.ask("StorageBuffer", reader)


def _is_composite(det_id: str, known: List[str]) -> bool:
    return any(other.startswith(det_id + "-") for other in known)


def _is_about_the_tag(failure: ApiFailure) -> bool:
    return failure.is_api_error and failure.known_code() in (None, "DATA_GONE", "TAG_INVALID")


def _check_is_about_the_tag(failure: ApiFailure) -> Optional[str]:
    """The code of a failure that says no more than that a tag is not available; raises what is worse."""
    if _is_about_the_tag(failure):
        return failure.known_code()
    raise failure.to_error() from failure
