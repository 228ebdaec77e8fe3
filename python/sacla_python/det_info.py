"""The dictionary of read_det_info."""

from typing import Any, Dict

# Real scripts write mp_posx, the facility's slides mp_pos_x: both are given.
_PLACES = (
    ("posXUm", "mp_posx", "mp_pos_x"),
    ("posYUm", "mp_posy", "mp_pos_y"),
    ("posZUm", "mp_posz", "mp_pos_z"),
    ("pixelSizeXUm", "mp_pixelsizex", "mp_pixelsize_x"),
    ("pixelSizeYUm", "mp_pixelsizey", "mp_pixelsize_y"),
)


def det_info(info: Dict[str, Any], run: int, tag: int) -> Dict[str, Any]:
    """Micrometres, degrees, electrons per ADU; a new dictionary each time. Cameras have no mp_ keys."""
    found: Dict[str, Any] = {
        "xsize": int(info["xsize"]),
        "ysize": int(info["ysize"]),
        "run_number": run,
        "tag_number": tag,
    }
    if info.get("absGain") is not None:
        found["mp_absgain"] = float(info["absGain"])
    geometry = info.get("geometry")
    if geometry is not None:
        for key, plain, underscored in _PLACES:
            found[plain] = found[underscored] = float(geometry[key])
        found["mp_rotationangle"] = float(geometry["rotationDeg"])
        found["mp_manipulator_shift"] = float(geometry["manipulatorShiftUm"])
    return found
