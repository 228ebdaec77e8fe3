"""The dictionary of `read_det_info`, in either spelling of its keys, as the detector information of the table."""

import math
from typing import Any, Dict, Optional, Tuple

import numpy as np

from .errors import GatewayError, show
from .plain import plain_dict

_GEOMETRY = (
    ("posXUm", ("mp_posx", "mp_pos_x"), None),
    ("posYUm", ("mp_posy", "mp_pos_y"), None),
    ("posZUm", ("mp_posz", "mp_pos_z"), 0.0),
    ("rotationDeg", ("mp_rotationangle",), None),
    ("pixelSizeXUm", ("mp_pixelsizex", "mp_pixelsize_x"), None),
    ("pixelSizeYUm", ("mp_pixelsizey", "mp_pixelsize_y"), None),
    ("manipulatorShiftUm", ("mp_manipulator_shift",), 0.0),
)


def detector_info(det_id: str, raw: Dict[Any, Any], image: np.ndarray) -> Dict[str, Any]:
    """
    Size, gain and place of a sensor. A camera has no `mp_` keys, so no gain and no place.
    Raises BAD_GEOMETRY when some but not all of the place is there, or it is not finite.
    """
    info = plain_dict(raw)
    rows, columns = image.shape
    gain = info.get("mp_absgain")
    found = {
        "id": det_id,
        # The buffer behind the image may have more lines than the sensor.
        "xsize": min(int(info.get("xsize") or columns), columns),
        "ysize": min(int(info.get("ysize") or rows), rows),
        "absGain": None if gain is None else float(gain),
        "geometry": _geometry(det_id, info),
    }
    # float32 is what is meant when nothing is said.
    return {**found, "pixelType": "uint16"} if image.dtype == np.uint16 else found


def _geometry(det_id: str, info: Dict[str, Any]) -> Optional[Dict[str, float]]:
    found = {name: _first(info, keys) for name, keys, _ in _GEOMETRY}
    if all(found[name] is None for name in ("posXUm", "posYUm", "rotationDeg")):
        return None
    geometry = {}
    for name, keys, default in _GEOMETRY:
        value = found[name] if found[name] is not None else default
        positive = name.startswith("pixelSize")
        if value is None or not math.isfinite(value) or (positive and value <= 0):
            wanted = "a positive finite number" if positive else "a finite number"
            message = f"{keys[0]} of sensor {det_id} is {show(value)}, but must be {wanted}."
            raise GatewayError("BAD_GEOMETRY", message, {"sensor": det_id, "key": keys[0], "value": show(value)})
        geometry[name] = value
    return geometry


def _first(info: Dict[str, Any], keys: Tuple[str, ...]) -> Optional[float]:
    return next((float(info[key]) for key in keys if info.get(key) is not None), None)
