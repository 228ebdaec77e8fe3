"""olpy as the live methods of the table want it: images while they are in memory, on the online hosts only."""

from typing import Any, Dict, List, Optional

import numpy as np

from .db import Db
from .detinfo import detector_info
from .errors import ApiFailure, GatewayError, show, show_list
from .modules import Module
from .plain import Recent, texts

_NEWEST = -1


class Live:
    """olpy knows no beamline: an online host belongs to one."""

    def __init__(self, olpy: Module, db: Db) -> None:
        self._olpy = olpy
        self._db = db
        self._readers: Recent[Any] = Recent(16)

    def detectors(self, bl: Optional[int]) -> List[str]:
        if bl is not None:
            self._db.check_beamline(bl)
        try:
            return texts(self._olpy.ask("read_detidlist"))
        except ApiFailure as failure:
            raise failure.to_error() from failure

    def collect(self, det_id: str, bl: Optional[int], tag: int) -> Dict[str, Any]:
        beamline = self._beamline(bl)
        known = self.detectors(bl)
        if det_id not in known or any(other.startswith(det_id + "-") for other in known):
            message = f"{show(det_id)} gives no images here; there are {show_list(known)}."
            raise GatewayError("UNKNOWN_DETECTOR", message, {"bl": beamline, "detId": det_id, "known": known})
        try:
            return self._collect(det_id, beamline, tag)
        except ApiFailure as failure:
            error = failure.to_error("DATA_GONE" if failure.is_api_error else None)
            args = failure.error.args
            if len(args) == 2:
                error.details.update({"olCode": args[0], "olName": str(args[1]), "detId": det_id, "tag": tag})
            raise error from failure

    def _beamline(self, bl: Optional[int]) -> int:
        known = self._db.beamlines()
        if bl is not None:
            return self._db.check_beamline(bl)
        if len(known) == 1:
            return known[0]
        raise GatewayError("BAD_ARGUMENT", f"This gateway serves the beamlines {show_list(known)}: name one, bl.")

    def _collect(self, det_id: str, bl: int, tag: int) -> Dict[str, Any]:
        reader, buffer = self._readers.get(det_id) or self._readers.put(det_id, self._open(det_id))
        wanted = self._olpy.constant("NEWESTTAG", _NEWEST) if tag == _NEWEST else tag
        real = int(self._olpy.run("StorageReader.collect", reader.collect, buffer, wanted))
        pixels = np.asarray(self._olpy.run("StorageBuffer.read_det_data", buffer.read_det_data, 0)).astype(np.float32)
        raw = self._olpy.run("StorageBuffer.read_det_info", buffer.read_det_info, 0)
        info = detector_info(det_id, raw, pixels)
        pixels = pixels[: info["ysize"], : info["xsize"]]
        run = self._run_of(raw, bl)
        frame = {"detId": det_id, "shape": list(pixels.shape), "data": pixels}
        return {
            "bl": bl,
            "hightag": int(self._db.of_run("read_hightagnumber", bl, run)),
            "run": run,
            "tag": real,
            "frame": frame,
            "info": info,
        }

    def _open(self, det_id: str) -> Any:
        reader = self._olpy.ask("StorageReader", det_id)
        return reader, self._olpy.ask("StorageBuffer", reader)

    def _run_of(self, raw: Dict[Any, Any], bl: int) -> int:
        # Seen in a dump of a notebook; other versions may not have it.
        number = raw.get("run_number", raw.get(b"run_number"))
        return self._db.newest_run(bl) if number is None else int(number)
