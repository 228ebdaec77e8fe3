"""
SACLA's ctdapy_xfel over a sacla server: stored images of CITIUS detectors.

Known of the facility's: names, arrays that are filled, their size, the keys of read_reconstinfo, and that
CTDA_RUN_STATUS_CAN_READ is 0. The other two numbers, and those of errors, are made up.
"""

from typing import Any, Dict, List, Tuple

import numpy as np
from sacla_python.citius import HEIGHT as CITIUS_IMAGE_HEIGHT
from sacla_python.citius import WIDTH as CITIUS_IMAGE_WIDTH
from sacla_python.citius import CitiusError as _CitiusError
from sacla_python.citius import fill as _fill
from sacla_python.client import asker as _asker
from sacla_python.client import whole as _whole

__all__ = ["CITIUS_IMAGE_HEIGHT", "CITIUS_IMAGE_WIDTH", "APIError", "CtrlBuffer", "get_api_version", "get_runstatus"]

CTDA_RUN_STATUS_CAN_READ = 0
CTDA_RUN_STATUS_WAIT_CALIB = 1
CTDA_RUN_STATUS_NOT_CITIUS = 2

_STATUS = {
    "can-read": CTDA_RUN_STATUS_CAN_READ,
    "wait-calib": CTDA_RUN_STATUS_WAIT_CALIB,
    "not-citius": CTDA_RUN_STATUS_NOT_CITIUS,
}


class APIError(_CitiusError):
    """There is no such run, sensor or image. `code` says which."""


_ask = _asker(APIError)


def get_api_version() -> str:
    """Version of what answers."""
    return _ask("citius.getApiVersion")


def get_runstatus(bl: int, run: int) -> int:
    """Whether the CITIUS images of a run can be read: one of the CTDA_RUN_STATUS_ numbers."""
    return _STATUS[_ask("citius.getRunstatus", bl=_whole("bl", bl), run=_whole("run", run))]


class CtrlBuffer:
    """All CITIUS sensors of a run."""

    def __init__(self, bl: int, run: int) -> None:
        self._of = {"bl": _whole("bl", bl), "run": _whole("run", run)}
        self._sensors: List[Dict[str, Any]] = _ask("citius.readSensors", **self._of)
        if not self._sensors:
            raise APIError("UNKNOWN_DETECTOR", f"Run {run} of beamline {bl} has no CITIUS; get_runstatus tells.")

    def read_detidlist(self) -> Tuple[str, ...]:
        """Long names of the sensors, by number."""
        return tuple(one["detId"] for one in self._sensors)

    def read_sensoridlist(self) -> Tuple[int, ...]:
        """Numbers of the sensors, ascending; a detector of one sensor has number 0."""
        return tuple(int(one["sensorId"]) for one in self._sensors)

    read_prbidlist = read_sensoridlist

    def read_taglist(self) -> Tuple[int, ...]:
        """Tags for which there are images, of all sensors together."""
        first = self._sensors[0]["detId"]
        return tuple(_ask("db.readTaglistBydetid", **self._of, detId=first).tolist())

    def read_badpixel_mask(self, out: np.ndarray, sensor: Any) -> None:
        """Fills a uint8 array of 384 x 728 pixels: 1 is bad, 0 good. With a list of sensors: one of all of them."""
        sensors = [sensor] if np.ndim(sensor) == 0 else list(sensor)
        ids = [_whole("sensor", one) for one in sensors]
        _fill("out", out, np.uint8, _ask("citius.readBadpixelMask", **self._of, sensorIds=ids)["data"])

    def read_image(self, out: np.ndarray, sensor: int, tag: int) -> None:
        """Fills a float32 array of 384 x 728 pixels."""
        det_id = self._name(_whole("sensor", sensor))
        answer = _ask("st.collect", detId=det_id, bl=self._of["bl"], runs=[self._of["run"]], tag=_whole("tag", tag))
        _fill("out", out, np.float32, answer["frame"]["data"])

    def read_reconstinfo(self, sensor: int, tag: int) -> Dict[str, float]:
        """Where a sensor lies: pixel_size_x, pixel_size_y, position_x, _y, _z in micrometres, position_theta in
        degrees."""
        ids = [_whole("sensor", sensor)]
        place = _ask("citius.readReconstinfo", **self._of, sensorIds=ids, tag=_whole("tag", tag))[0]
        return {key: float(value) for key, value in place.items()}

    def _name(self, sensor: int) -> str:
        for one in self._sensors:
            if one["sensorId"] == sensor:
                return one["detId"]
        known = ", ".join(str(one["sensorId"]) for one in self._sensors)
        raise APIError("UNKNOWN_DETECTOR", f"There is no CITIUS sensor {sensor}; there are {known}.")
