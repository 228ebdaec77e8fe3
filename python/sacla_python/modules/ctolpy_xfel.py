"""
SACLA's ctolpy_xfel over a sacla server: images of CITIUS detectors while they are in memory.

Known of the facility's: names, arrays that are filled, the dictionary that collect_data gives, and that args[0] of an
APIError is one of the CTOL_ERR_ constants. Their numbers, and that of NEWEST, are made up.
"""

import re
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from sacla_python.citius import HEIGHT as _HEIGHT
from sacla_python.citius import WIDTH as _WIDTH
from sacla_python.citius import CitiusError as _CitiusError
from sacla_python.citius import fill as _fill
from sacla_python.client import asker as _asker
from sacla_python.client import stream as _stream
from sacla_python.client import whole as _whole
from sacla_python.errors import SaclaError as _SaclaError
from sacla_python.errors import as_api_error as _as_api_error

NEWEST = -1
CTOL_ERR_GETDATA_CMD_RESULT_TIMEOUT = -400_010_001
CTOL_ERR_CTAGDATAGONE = -400_010_002

# How long a shot is waited for; ostrich asks again after a timeout.
_WAIT_S = 1.0
_ARRIVAL_MS = 500


class APIError(_CitiusError):
    """args[0] is CTOL_ERR_GETDATA_CMD_RESULT_TIMEOUT (ask again) or CTOL_ERR_CTAGDATAGONE (go on with NEWEST) where
    those are what ctolpy_xfel says."""

    def __init__(self, code: str, message: str, details: Optional[Dict[str, Any]] = None) -> None:
        super().__init__(code, message, details)
        numbers = {"TIMEOUT": CTOL_ERR_GETDATA_CMD_RESULT_TIMEOUT, "DATA_GONE": CTOL_ERR_CTAGDATAGONE}
        if code in numbers:
            self.args = (numbers[code], self.args[1])


_ask = _asker(APIError)


def get_api_version() -> str:
    """Version of what answers."""
    return _ask("db.getApiVersion")


class CtrlBuffer:
    """All CITIUS sensors that are being read. Public scripts know connection 0 alone. `bl` is not ctolpy_xfel's: for a
    server that reads a CITIUS at several beamlines."""

    def __init__(self, conn_id: int = 0, bl: Optional[int] = None) -> None:
        if _whole("conn_id", conn_id) != 0:
            raise APIError("UNKNOWN_DETECTOR", f"There is no connection {conn_id}, only 0.")
        found = []
        for each in _ask("db.listBeamlines") if bl is None else [_whole("bl", bl)]:
            sensors = _sensors(_ask("live.readDetidlist", bl=each))
            if sensors:
                found.append((int(each), sensors))
        if not found:
            raise APIError("UNKNOWN_DETECTOR", "No CITIUS is being read.")
        if len(found) > 1:
            raise APIError("UNKNOWN_DETECTOR", f"A CITIUS is read at beamlines {[one for one, _ in found]}: name one.")
        self._bl, self._sensors = found[0]
        self._places: Tuple[int, Dict[int, Dict[str, float]]] = (-1, {})

    def read_detidlist(self) -> Tuple[str, ...]:
        """Long names of the sensors, by number."""
        return tuple(self._sensors.values())

    def read_sensoridlist(self) -> Tuple[int, ...]:
        """Numbers of the sensors, ascending."""
        return tuple(self._sensors)

    def read_binninginfo(self) -> Tuple[int, int, int, int]:
        """(binx, biny, width, height) of the images, which are the binned ones."""
        info = self._newest()["info"]
        width, height = int(info["xsize"]), int(info["ysize"])
        return round(_WIDTH / width), round(_HEIGHT / height), width, height

    def read_badpixel_mask(self, out: np.ndarray, ids: Any) -> None:
        """Fills a uint8 array, [ids, height, width], with the bad pixels of sensors: 1 is bad, 0 good."""
        wanted = [_whole("an id", one) for one in ([ids] if np.ndim(ids) == 0 else ids)]
        run = int(self._newest()["run"])
        _fill("out", out, np.uint8, _ask("citius.readBadpixelMask", bl=self._bl, run=run, sensorIds=wanted)["data"])

    def collect_data(self, buf: np.ndarray, ids: Sequence[int], ctag: int) -> Dict[str, Any]:
        """Fills a float32 array, [ids, height, width], with the images of sensors at a tag, or of NEWEST. Gives ctag,
        the tag that was read, and reconst_info_list."""
        wanted = [self._name(_whole("an id", one)) for one in ids]
        tag = _whole("ctag", ctag)
        item = self._shot(wanted, tag)
        got = int(item["tag"])
        if tag != NEWEST and got != tag:
            is_gone = any(gap["reason"] == "data-gone" and tag in gap["tags"] for gap in item["gaps"])
            code = "DATA_GONE" if is_gone else "TAG_INVALID"
            raise APIError(code, f"There are no images of tag {tag}; the next shot has {got}.")
        if item["missing"]:
            raise APIError("FRAME_MISSING", f"{item['missing'][0]['detId']} has no image for tag {got}.")
        images = {frame["detId"]: frame["data"] for frame in item["frames"]}
        _fill("buf", buf, np.float32, np.concatenate([images[one] for one in wanted]))
        run = int(item["run"])
        return {"ctag": got, "reconst_info_list": [self._place(run, int(one)) for one in ids]}

    def _shot(self, wanted: List[str], tag: int) -> Dict[str, Any]:
        newest = tag == NEWEST
        params = {
            "bl": self._bl,
            "detIds": wanted,
            "signals": [],
            "policy": "newest" if newest else "every",
            "after": None if newest else max(0, tag - 1),
            "maxWaitMs": _ARRIVAL_MS,
            "limit": 1,
            "untilRunEnd": False,
            "roi": None,
        }
        try:
            for item in _stream("live.shots", params, timeout_s=_WAIT_S):
                if item["tag"] is not None:
                    return item
        except _SaclaError as error:
            if error.code == "TIMEOUT":
                raise APIError("TIMEOUT", f"No shot has come yet: {error.message}") from None
            # A stream does not go back for hours.
            if error.code == "BAD_ARGUMENT" and error.details.get("name") == "after":
                raise APIError("DATA_GONE", f"The images of tag {tag} are not in memory any more.") from None
            raise _as_api_error(error, APIError) from None
        raise APIError("TAG_INVALID", f"The live shots ended before tag {tag}.")

    def _newest(self) -> Dict[str, Any]:
        return _ask("live.collect", detId=next(iter(self._sensors.values())), bl=self._bl, tag=NEWEST)

    def _place(self, run: int, sensor: int) -> Dict[str, float]:
        if self._places[0] != run:
            self._places = (run, {})
        places = self._places[1]
        if sensor not in places:
            info = _ask("st.readDetectorInfo", bl=self._bl, run=run, detId=self._name(sensor))
            geometry = info["geometry"]
            places[sensor] = {
                "pixel_size_x": float(geometry["pixelSizeXUm"]),
                "pixel_size_y": float(geometry["pixelSizeYUm"]),
                "position_x": float(geometry["posXUm"]),
                "position_y": float(geometry["posYUm"]),
                "position_z": float(geometry["posZUm"]),
                "position_theta": float(geometry["rotationDeg"]),
            }
        return dict(places[sensor])

    def _name(self, sensor: int) -> str:
        if sensor in self._sensors:
            return self._sensors[sensor]
        raise APIError("UNKNOWN_DETECTOR", f"No CITIUS sensor {sensor} is being read; there are {list(self._sensors)}.")


def _sensors(ids: Sequence[str]) -> Dict[int, str]:
    """Long names by number: the last three digits; a detector of one sensor, such as CITIUS1, is number 0."""
    own = [one for one in ids if one.startswith("CITIUS")]
    parts = [one for one in own if not any(other.startswith(f"{one}-") for other in own)]
    ends = [re.search(r"-(\d{3})$", one) for one in parts]
    numbered = {int(end.group(1)): one for end, one in zip(ends, parts) if end is not None}
    single = len(own) == 1 and own[0] not in numbered.values()
    return {0: own[0]} if single else dict(sorted(numbered.items()))
