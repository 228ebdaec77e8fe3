"""stpy as the st methods of the table want it."""

from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import numpy as np

from .citius import Citius
from .db import Db
from .detinfo import detector_info
from .errors import ApiFailure, GatewayError, show_list
from .modules import Module
from .plain import Recent

# What says that there is no such image, and nothing about the reader itself.
_MISSING = ("FRAME_MISSING", "DATA_GONE", "TAG_INVALID")


class _Reader(NamedTuple):
    reader: Any
    buffer: Any


class Image(NamedTuple):
    pixels: np.ndarray  # [ysize, xsize], float32 or uint16
    info: Dict[str, Any]


class St:
    """Reads images. Belongs to one process: stpy is not fork-safe."""

    def __init__(self, stpy: Module, db: Db, citius: Citius, readers: int = 32) -> None:
        self._stpy = stpy
        self._db = db
        self._citius = citius
        self._readers: Recent[_Reader] = Recent(readers)
        self._infos: Recent[Dict[str, Any]] = Recent(256)
        # stpy never gives back the sockets of a reader, so a process that opened many has to go.
        self.opened = 0

    def collect(self, det_id: str, bl: int, runs: Sequence[int], tag: int) -> Dict[str, Any]:
        run = self._run_with_tag(bl, runs, tag)
        self._db.check_detector(bl, run, det_id)
        try:
            image = self._read(bl, run, det_id, tag)
        except GatewayError:
            # Whether it reads composite ids, and runs that go on, is for stpy to say; what it refuses is explained.
            self._check_stopped(bl, run)
            self._check_detector(bl, run, det_id)
            raise
        return {"run": run, "tag": tag, "info": image.info, "frame": _frame(det_id, image.pixels.astype(np.float32))}

    def info(self, bl: int, run: int, det_id: str) -> Dict[str, Any]:
        """stpy tells it only together with an image, so the first one there is is read."""
        self._check_detector(bl, run, det_id)
        known = self._infos.get((bl, run, det_id))
        if known is not None:
            return known
        self._check_stopped(bl, run)
        if self._citius.knows(bl, run, det_id):
            return self._infos.put((bl, run, det_id), self._citius.info(bl, run, det_id))
        for tag in self._db.tags_of_detector(bl, run, det_id)[:10].tolist():
            try:
                return self._read(bl, run, det_id, tag).info
            except GatewayError as error:
                if error.code != "FRAME_MISSING":
                    raise
        message = f"{det_id} has no image among the first tags of run {run}, so nothing tells its size and place."
        raise GatewayError("FRAME_MISSING", message, {"detId": det_id, "run": run})

    def check_frames(
        self, bl: int, run: int, det_ids: Sequence[str], tags: np.ndarray, roi: Optional[Dict[str, List[int]]]
    ) -> None:
        """Everything that can be wrong with a stream, before its first item."""
        for det_id in det_ids:
            self._check_detector(bl, run, det_id)
        self._check_stopped(bl, run)
        found = self._db.range(bl, run)
        outside = tags[(tags < found.start) | (tags >= found.end)]
        if len(outside) > 0:
            raise _outside(bl, run, int(outside[0]), found.start, found.end)
        if roi is not None:
            for det_id in det_ids:
                info = self.info(bl, run, det_id)
                check_range("rows", roi["rows"], info["ysize"])
                check_range("columns", roi["columns"], info["xsize"])

    def read_shot(
        self, bl: int, run: int, det_ids: Sequence[str], tag: int, roi: Optional[Dict[str, List[int]]]
    ) -> Dict[str, Any]:
        """One item of st.frames; what it asks for has been checked."""
        frames, missing = [], []
        for det_id in det_ids:
            try:
                pixels = self._read(bl, run, det_id, tag).pixels
            except GatewayError as error:
                if error.code != "FRAME_MISSING":
                    raise
                missing.append({"detId": det_id, "reason": "frame-missing"})
                continue
            if roi is not None:
                pixels = pixels[slice(*roi["rows"]), slice(*roi["columns"])]
            frames.append(_frame(det_id, pixels))
        return {"tag": tag, "frames": frames, "missing": missing}

    def check_tag(self, bl: int, run: int, tag: int) -> None:
        """Raises TAG_OUTSIDE_RUN."""
        self._run_with_tag(bl, [run], tag)

    def _run_with_tag(self, bl: int, runs: Sequence[int], tag: int) -> int:
        ranges = [(run, self._db.range(bl, run)) for run in runs]
        for run, found in ranges:
            if found.start <= tag < found.end:
                return run
        run, found = ranges[-1]
        raise _outside(bl, run, tag, found.start, found.end)

    def _check_detector(self, bl: int, run: int, det_id: str) -> None:
        self._db.check_detector(bl, run, det_id)
        prefix = det_id + "-"
        sensors = [
            one for one in self._db.detectors(bl, run) if one.startswith(prefix) and one[len(prefix) :].isdigit()
        ]
        if sensors:
            message = f"{det_id} is the name of {len(sensors)} sensors together; images belong to {show_list(sensors)}."
            raise GatewayError("UNKNOWN_DETECTOR", message, {"bl": bl, "run": run, "detId": det_id, "sensors": sensors})

    def _check_stopped(self, bl: int, run: int) -> None:
        status = self._db.range(bl, run).status
        if status != 0:
            word = {1: "paused", 2: "running"}.get(status, "not there")
            message = (
                f"Run {run} of beamline {bl} is still {word} (status {status}); images can be read when it has stopped."
            )
            raise GatewayError("RUN_NOT_READY", message, {"bl": bl, "run": run, "status": status})

    def _read(self, bl: int, run: int, det_id: str, tag: int) -> Image:
        """Raises FRAME_MISSING when the detector stored no image for the tag."""
        key = (det_id, bl, (run,))
        try:
            if self._citius.knows(bl, run, det_id):
                self._citius.check_ready(bl, run)
                return Image(self._citius.read(bl, run, det_id, tag), self.info(bl, run, det_id))
            return self._collect(key, tag)
        except ApiFailure as failure:
            error = failure.to_error("FRAME_MISSING" if failure.is_api_error else None)
            if error.code in _MISSING:
                raise _no_image(det_id, run, tag, error.details) from failure
            # What state the reader is in now is not known.
            self._readers.drop(key)
            raise error from failure

    def _collect(self, key: Any, tag: int) -> Image:
        det_id, bl, runs = key
        reader, buffer = self._reader(key)
        read = self._stpy.run("StorageReader.collect", reader.collect, buffer, tag)
        # Its C twin writes the tag it really read; 0 is C's word for success.
        if isinstance(read, (int, np.integer)) and int(read) not in (0, tag):
            raise _no_image(det_id, runs[0], tag, {"read": int(read)})
        pixels = np.asarray(self._stpy.run("StorageBuffer.read_det_data", buffer.read_det_data, 0))
        if pixels.dtype not in (np.float32, np.uint16):
            pixels = pixels.astype(np.float32)
        info_key = (bl, runs[0], det_id)
        info = self._infos.get(info_key)
        if info is None:
            raw = self._stpy.run("StorageBuffer.read_det_info", buffer.read_det_info, 0)
            info = self._infos.put(info_key, detector_info(det_id, raw, pixels))
        return Image(pixels[: info["ysize"], : info["xsize"]], info)

    def _reader(self, key: Any) -> _Reader:
        known = self._readers.get(key)
        if known is not None:
            return known
        det_id, bl, runs = key
        try:
            reader = self._stpy.ask("StorageReader", det_id, bl, runs)
            buffer = self._stpy.ask("StorageBuffer", reader)
        except ApiFailure as failure:
            # Not a missing image, whatever it is.
            raise failure.to_error(
                "UNSUPPORTED", f"The images of {det_id} in run {runs[0]} cannot be opened: {failure}."
            ) from failure
        self.opened += 1
        return self._readers.put(key, _Reader(reader, buffer))


def _frame(det_id: str, pixels: np.ndarray) -> Dict[str, Any]:
    return {"detId": det_id, "shape": list(pixels.shape), "data": pixels}


def _no_image(det_id: str, run: int, tag: int, details: Dict[str, Any]) -> GatewayError:
    message = f"{det_id} has no image for tag {tag} of run {run}."
    return GatewayError("FRAME_MISSING", message, {"detId": det_id, "run": run, "tag": tag, **details})


def _outside(bl: int, run: int, tag: int, start: int, end: int) -> GatewayError:
    message = f"Tag {tag} is outside run {run} of beamline {bl}, which has tags {start} to {end - 1}."
    return GatewayError("TAG_OUTSIDE_RUN", message, {"bl": bl, "run": run, "tag": tag, "start": start, "end": end})


def check_range(name: str, bounds: Sequence[int], size: int) -> None:
    if not bounds[0] < bounds[1] <= size:
        message = f"roi.{name} is {list(bounds)}, but must be start < end ≤ {size} (the end is excluded)."
        raise GatewayError("BAD_ARGUMENT", message, {"name": f"roi.{name}", "value": list(bounds)})
