"""CITIUS detectors through ctdapy_xfel: one object for all sensors of a run, arrays filled by the callee."""

import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import numpy as np

from .errors import ApiFailure, GatewayError, show_list
from .modules import Module
from .plain import Recent, plain_dict, tag_array, text, texts

# heaton's scripts: CTDA_RUN_STATUS_CAN_READ is 0.
_CAN_READ = 0
_PLACE = ("pixel_size_x", "pixel_size_y", "position_x", "position_y", "position_z", "position_theta")


class _Open(NamedTuple):
    buffer: Any
    sensors: Dict[str, int]


class Citius:
    """Empty where ctdapy_xfel is not there or the run has no CITIUS."""

    def __init__(self, ctdapy: Module) -> None:
        self._ctdapy = ctdapy
        self._open: Recent[_Open] = Recent(2)
        # Asked once, not for each image of 72 sensors: what has been calibrated stays so.
        self._ready: Recent[bool] = Recent(64)

    def version(self) -> str:
        return text(self._ctdapy.ask("get_api_version"))

    def status(self, bl: int, run: int) -> str:
        """The number as a word of the method table."""
        try:
            status = self._ctdapy.ask("get_runstatus", bl, run)
        except ApiFailure as failure:
            raise failure.to_error() from failure
        if status == self._ctdapy.constant("CTDA_RUN_STATUS_CAN_READ", _CAN_READ):
            return "can-read"
        waits = status == self._ctdapy.constant("CTDA_RUN_STATUS_WAIT_CALIB", object())
        return "wait-calib" if waits else "not-citius"

    def sensors(self, bl: int, run: int) -> List[Dict[str, Any]]:
        """By number."""
        opened = self._of(bl, run)
        pairs = [] if opened is None else sorted((number, one) for one, number in opened.sensors.items())
        return [{"detId": one, "sensorId": number} for number, one in pairs]

    def masks(self, bl: int, run: int, sensors: Sequence[int]) -> Dict[str, Any]:
        """Uint8 [sensors, 728, 384], 1 is bad."""
        buffer = self._with_sensors(bl, run, sensors)
        out = np.zeros((len(sensors), self._height(), self._width()), dtype=np.uint8)
        for image, sensor in zip(out, sensors):
            self._run("read_badpixel_mask", buffer, image, sensor)
        return {"shape": list(out.shape), "data": (out != 0).view(np.uint8)}

    def places(self, bl: int, run: int, sensors: Sequence[int], tag: int) -> List[Dict[str, float]]:
        buffer = self._with_sensors(bl, run, sensors)
        found = [plain_dict(self._run("read_reconstinfo", buffer, sensor, tag)) for sensor in sensors]
        return [{key: float(place.get(key, 0)) for key in _PLACE} for place in found]

    def detectors(self, bl: int, run: int) -> List[str]:
        opened = self._of(bl, run)
        return [] if opened is None else list(opened.sensors)

    def knows(self, bl: int, run: int, det_id: str) -> bool:
        # A run without CITIUS is not asked for the data of every MPCCD.
        return det_id.startswith("CITIUS") and det_id in self.detectors(bl, run)

    def check_ready(self, bl: int, run: int) -> None:
        if self._ready.get((bl, run)):
            return
        if self._status(bl, run) == self._ctdapy.constant("CTDA_RUN_STATUS_WAIT_CALIB", object()):
            message = f"The CITIUS images of run {run} of beamline {bl} are still being calibrated. Ask again later."
            raise GatewayError("RUN_NOT_READY", message, {"bl": bl, "run": run})
        self._ready.put((bl, run), True)

    def tags(self, bl: int, run: int) -> np.ndarray:
        return tag_array(self._ask(bl, run, "read_taglist"))

    def read(self, bl: int, run: int, det_id: str, tag: int) -> np.ndarray:
        """One image, float32 [728, 384]. Raises ApiFailure."""
        opened = self._opened(bl, run)
        image = np.zeros((self._height(), self._width()), dtype=np.float32)
        self._ctdapy.run("CtrlBuffer.read_image", opened.buffer.read_image, image, opened.sensors[det_id], tag)
        return image

    def info(self, bl: int, run: int, det_id: str) -> Dict[str, Any]:
        """The gain is not told by ctdapy. That angles and corners mean the same as for MPCCD is an inference."""
        opened = self._opened(bl, run)
        tags = self.tags(bl, run)
        if len(tags) == 0:
            raise GatewayError("FRAME_MISSING", f"{det_id} stored no image in run {run}, so nothing tells its place.")
        place = plain_dict(self._run("read_reconstinfo", opened.buffer, opened.sensors[det_id], int(tags[0])))
        geometry = {
            "posXUm": float(place["position_x"]),
            "posYUm": float(place["position_y"]),
            "posZUm": float(place.get("position_z", 0)),
            "rotationDeg": float(place["position_theta"]),
            "pixelSizeXUm": float(place["pixel_size_x"]),
            "pixelSizeYUm": float(place["pixel_size_y"]),
            "manipulatorShiftUm": 0.0,
        }
        size = {"xsize": self._width(), "ysize": self._height()}
        return {"id": det_id, **size, "absGain": None, "geometry": geometry}

    def _width(self) -> int:
        return int(self._ctdapy.constant("CITIUS_IMAGE_WIDTH", 384))

    def _height(self) -> int:
        return int(self._ctdapy.constant("CITIUS_IMAGE_HEIGHT", 728))

    def _status(self, bl: int, run: int) -> Any:
        try:
            return self._ctdapy.ask("get_runstatus", bl, run)
        except (ApiFailure, GatewayError):
            return None

    def _of(self, bl: int, run: int) -> Optional[_Open]:
        known = self._open.get((bl, run))
        if known is not None or not self._ctdapy.has("CtrlBuffer"):
            return known
        readable = self._ctdapy.constant("CTDA_RUN_STATUS_CAN_READ", _CAN_READ)
        waiting = self._ctdapy.constant("CTDA_RUN_STATUS_WAIT_CALIB", readable)
        if self._status(bl, run) not in (readable, waiting):
            return None
        try:
            buffer = self._ctdapy.ask("CtrlBuffer", bl, run)
            ids = texts(self._ctdapy.run("CtrlBuffer.read_detidlist", buffer.read_detidlist))
            # The older name of the list of sensor numbers.
            numbers = getattr(buffer, "read_sensoridlist", None) or buffer.read_prbidlist
            sensors = [int(one) for one in self._ctdapy.run("CtrlBuffer.read_sensoridlist", numbers)]
        except ApiFailure as failure:
            raise failure.to_error() from failure
        return self._open.put((bl, run), _Open(buffer, _numbered(ids, sensors)))

    def _opened(self, bl: int, run: int) -> _Open:
        opened = self._of(bl, run)
        if opened is None:
            raise GatewayError("UNKNOWN_DETECTOR", f"Run {run} of beamline {bl} has no CITIUS images.")
        return opened

    def _with_sensors(self, bl: int, run: int, sensors: Sequence[int]) -> Any:
        """The buffer of a run that has all of these sensors. None is needed for no sensors."""
        opened = self._of(bl, run)
        known = [] if opened is None else sorted(opened.sensors.values())
        unknown = [one for one in sensors if one not in known]
        if unknown:
            message = f"Run {run} of beamline {bl} has no CITIUS sensor {unknown[0]}; it has {show_list(known, 80)}."
            raise GatewayError("UNKNOWN_DETECTOR", message, {"bl": bl, "run": run, "sensorId": unknown[0]})
        return None if opened is None else opened.buffer

    def _ask(self, bl: int, run: int, function: str) -> Any:
        return self._run(function, self._opened(bl, run).buffer)

    def _run(self, function: str, buffer: Any, *args: Any) -> Any:
        try:
            return self._ctdapy.run(f"CtrlBuffer.{function}", getattr(buffer, function), *args)
        except ApiFailure as failure:
            raise failure.to_error() from failure


def _numbered(ids: Sequence[str], sensors: Sequence[int]) -> Dict[str, int]:
    """The number of each long name: its last three digits (ostrich), else by the order of the two lists."""
    ends = [re.search(r"-(\d{3})$", one) for one in ids]
    numbers = [int(end.group(1)) for end in ends if end is not None]
    return dict(zip(ids, numbers if sorted(numbers) == sorted(sensors) else sensors))
