"""
The small made-up facility behind modules with faults and the quirks of versions, for the gateway's own tests. Modules
that answer as the facility's do are those of the package sacla_python. With SACLA_STANDIN_WORLD=octal there is one run
of eight full-size sensors, for measuring.

SACLA_STANDIN_QUIRKS, a list with commas, chooses among the things that versions of the real modules do differently:
underscored (mp_pos_x for mp_posx), bytes (for str), lists (for tuples), old (functions missing), renamed-energy.
SACLA_STANDIN_BEAM names a file, {"now": tag, "values": tag, "listed": tag, "epoch": seconds}, by which a test lets a
beam run: the tag that time has come to, the newest one with 0-D values, the newest one that read_taglist names (both
`now` when left out), and when tag 0 was. A file, because it is one clock for all processes and stands still between
two writes.
SACLA_STANDIN_CRASH_TAG ends the process that reads this tag, SACLA_STANDIN_HANG_TAG never comes back from it.
"""

import json
import os
import re
import time
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

HIGHTAG = 202502
TINY_DETECTORS = ("MPCCD-1N0-M06-002", "MPCCD-2N0-1-006", "MPCCD-2N0-1-006-1", "MPCCD-2N0-1-006-2", "OPAL-234363")
OCTAL_DETECTORS = ("MPCCD-8N0-3-003", *(f"MPCCD-8N0-3-003-{i}" for i in range(1, 9)))

quirks = set(os.environ.get("SACLA_STANDIN_QUIRKS", "").split(","))
is_octal = os.environ.get("SACLA_STANDIN_WORLD") == "octal"


class Run(NamedTuple):
    run: int
    start: int
    images: int
    step: int = 2
    status: int = 0
    comment: Optional[str] = None
    missing: Dict[str, Tuple[int, ...]] = {}
    paused: Sequence[int] = ()  # tags without a shot

    @property
    def end(self) -> int:
        return self.start + self.images * self.step


_TINY = {
    2: [Run(5, 501, 4, step=1)],
    3: [
        Run(10, 1000, 6, comment="powder", missing={"MPCCD-2N0-1-006-2": (1006,)}),
        Run(11, 2000, 3),
        Run(12, 3000, 2, status=2),
    ],
}
# In run 20 the beam pauses once, and in 21 the first sensor lacks the last image.
_BEAM = {
    3: [
        Run(19, 3800, 5),
        Run(20, 4000, 100, missing={"MPCCD-2N0-1-006-2": (4006, 4100, 4102)}, paused=range(4060, 4080)),
        Run(21, 4300, 5, missing={"MPCCD-2N0-1-006-1": (4308,)}),
    ],
}
_beam_file = os.environ.get("SACLA_STANDIN_BEAM")
has_beam = _beam_file is not None
runs: Dict[int, List[Run]] = {3: [Run(10, 1000, 5000)]} if is_octal else _BEAM if has_beam else _TINY
detectors = OCTAL_DETECTORS if is_octal else TINY_DETECTORS
rows, columns = (1024, 512) if is_octal else (4, 3)


def _bm1(tag: int) -> Any:
    # What the real one says where nothing was recorded is not known; scripts take anything without a number so.
    special = {1004: "not-converged", 1008: "saturated", 1010: "no-data"}
    return special.get(tag, 0 if tag < 1004 else 7e-9)


signals: Dict[str, Tuple[str, Any]] = {
    "xfel_bl_3_tc_bm_1_pd/charge": ("C", _bm1),
    "xfel_bl_3_st_2_motor_1/position": ("pulse", lambda tag: tag * 10),
    "xfel_bl_3_shutter_1_open_valid/status": ("", lambda tag: 0 if tag < 1004 else 1),
    "xfel_bl_3_shutter_1_close_valid/status": ("", lambda tag: 1 if tag < 1004 else 0),
    "xfel_bl_3_lh1_shutter_1_open_valid/status": ("", lambda tag: (tag // 2) % 2),
    "xfel_bl_3_lh1_shutter_1_close_valid/status": ("", lambda tag: 1 - (tag // 2) % 2),
}


def beam(what: str) -> float:
    """What the beam file says now."""
    assert _beam_file is not None
    with open(_beam_file, encoding="utf-8") as file:
        said = json.load(file)
    return float(said[what] if what in said else said["now"])


def happened(bl: int) -> List[Run]:
    """The runs that have begun, as they are now."""
    if not has_beam:
        return runs.get(bl, [])
    now = beam("now")
    return [_as_it_is(run, now) for run in runs.get(bl, []) if run.start <= now]


def _as_it_is(run: Run, now: float) -> Run:
    if now >= run.end:
        return run
    return run._replace(status=2, images=int(now - run.start) // run.step + 1)


def find(bl: int, run: int) -> Optional[Run]:
    return next((one for one in happened(bl) if one.run == run), None)


def tags_of(run: Run, det_id: str = "") -> List[int]:
    missing = run.missing.get(det_id, ())
    return [tag for tag in range(run.start, run.end, run.step) if tag not in missing and tag not in run.paused]


def timestamp(tag: int) -> float:
    return (beam("epoch") if has_beam else 1_762_486_057) + tag / 60


def sync_text(equip_id: str, tag: int) -> str:
    unit, value = signals[equip_id][0], signals[equip_id][1](tag)
    if isinstance(value, str):
        return value
    return f"{value}{unit}" if unit in ("", "pulse") else f"{value:.5e}{unit}"


_prebuilt: Dict[str, np.ndarray] = {}


def image(det_id: str, tag: int) -> np.ndarray:
    """Float32 [rows, columns]; the last digits of the tag, the sensor and the place can be read from a pixel."""
    if is_octal:
        if det_id not in _prebuilt:
            _prebuilt[det_id] = np.random.default_rng(7).normal(0, 12, (rows, columns)).astype(np.float32)
        return _prebuilt[det_id]
    found = re.search(r"-(\d)$", det_id)
    sensor = int(found.group(1)) if found else 0
    row, column = np.mgrid[:rows, :columns]
    return ((tag % 1000) * 1000 + sensor * 100 + row * 10 + column).astype(np.float32)


def det_info(det_id: str, run: int, tag: int) -> Dict[str, Any]:
    info: Dict[str, Any] = {"xsize": columns, "ysize": rows, "run_number": run, "tag_number": tag}
    if det_id.startswith("MPCCD"):
        place = {"x": 0.0, "y": -rows * 50.0 if det_id.endswith("-2") else 0.0, "z": 0.0}
        joint = "_" if "underscored" in quirks else ""
        info.update({f"mp_pos{joint}{axis}": value for axis, value in place.items()})
        info.update({f"mp_pixelsize{joint}{axis}": 50.0 for axis in "xy"})
        info.update({"mp_absgain": 17.0, "mp_rotationangle": 0.0, "mp_manipulator_shift": 0.0})
    return {as_text(key): value for key, value in info.items()}


def as_text(value: str) -> Any:
    return value.encode("utf-8") if "bytes" in quirks else value


def as_sequence(values: Any) -> Any:
    return list(values) if "lists" in quirks else tuple(values)


def misbehave(tag: int) -> None:
    if os.environ.get("SACLA_STANDIN_CRASH_TAG") == str(tag):
        os._exit(139)
    if os.environ.get("SACLA_STANDIN_HANG_TAG") == str(tag):
        time.sleep(3600)
