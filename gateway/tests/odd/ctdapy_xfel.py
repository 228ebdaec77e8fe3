"""ctdapy_xfel with faults and quirks: two CITIUS sensors in run 5 of beamline 2."""

from typing import Any, Dict

import _world
import numpy as np

CITIUS_IMAGE_WIDTH = 384
CITIUS_IMAGE_HEIGHT = 728
# 0 was seen; the other numbers are made up.
CTDA_RUN_STATUS_CAN_READ = 0
CTDA_RUN_STATUS_WAIT_CALIB = 1
CTDA_RUN_STATUS_NOT_CITIUS = 2

_SENSORS = {4: "CITIUS-2.2M-001-004", 7: "CITIUS-2.2M-001-007"}


class APIError(Exception):
    pass


def get_api_version() -> str:
    return "0.9.0-standin"


def get_runstatus(bl: int, run: int) -> int:
    if (bl, run) != (2, 5) or _world.is_octal:
        return CTDA_RUN_STATUS_NOT_CITIUS
    return CTDA_RUN_STATUS_WAIT_CALIB if "wait-calib" in _world.quirks else CTDA_RUN_STATUS_CAN_READ


class CtrlBuffer:
    def __init__(self, bl: int, run: int) -> None:
        found = _world.find(bl, run)
        if found is None:
            raise APIError(-1, "CTDA_ERR_RUN")
        self._run = found
        if "old" in _world.quirks:
            self.read_prbidlist = self.read_sensoridlist
            self.read_sensoridlist = None  # type: ignore

    def read_detidlist(self) -> Any:
        return _world.as_sequence(_world.as_text(one) for one in _SENSORS.values())

    def read_sensoridlist(self) -> Any:
        return _world.as_sequence(_SENSORS)

    def read_taglist(self) -> Any:
        return _world.as_sequence(_world.tags_of(self._run))

    def _check(self, sensor: int) -> None:
        if sensor not in _SENSORS:
            raise APIError(-2, "CTDA_ERR_SENSOR")

    def read_badpixel_mask(self, out: np.ndarray, sensor: int) -> None:
        self._check(sensor)
        assert out.dtype == np.uint8
        out[:] = 0
        out[0, 0] = 1

    def read_image(self, out: np.ndarray, sensor: int, tag: int) -> None:
        self._check(sensor)
        assert out.dtype == np.float32 and out.shape == (CITIUS_IMAGE_HEIGHT, CITIUS_IMAGE_WIDTH)
        # The second tag was never stored.
        if tag not in _world.tags_of(self._run) or tag == self._run.start + 1:
            raise APIError(-3, "CTDA_ERR_NODATA")
        out[:] = tag + sensor / 10

    def read_reconstinfo(self, sensor: int, tag: int) -> Dict[str, float]:
        self._check(sensor)
        place = {"position_x": 1000.0 * sensor, "position_y": -500.0, "position_z": 0.0, "position_theta": 90.0}
        return {"pixel_size_x": 72.6, "pixel_size_y": 72.6, **place}
