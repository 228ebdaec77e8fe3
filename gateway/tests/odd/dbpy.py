"""
dbpy with faults and quirks: its names, tuples, strings and errors. That errors carry (number, name) is an inference.
"""

import datetime
import math
from typing import Any, Dict

import _world


class APIError(Exception):
    pass


def _error(name: str) -> APIError:
    # Number and name are made up: nobody has published those of dbpy.
    return APIError(-100_000_001, f"SY_ERR_{name}")


def _run(bl: int, run: int) -> "_world.Run":
    found = _world.find(bl, run)
    if found is None:
        raise _error("RUNNOTFOUND")
    return found


def get_api_version() -> str:
    return _world.as_text("1.9.0-standin")


def read_runnumber_newest(bl: int) -> int:
    if bl not in _world.runs:
        raise _error("BEAMLINE")
    return _world.happened(bl)[-1].run


def read_runstatus(bl: int, run: int) -> int:
    found = _world.find(bl, run)
    return -1 if found is None else found.status


def read_runinfo(bl: int, run: int) -> Dict[Any, Any]:
    found = _run(bl, run)
    start = _world.timestamp(found.start)
    total = found.end - found.start
    info = {
        "starttime": start,
        "stoptime": start + total / 60,
        "total_tagnumber": total,
        "start_tagnumber": found.start,
        "end_tagnumber": found.end,
        "hightagnumber": _world.HIGHTAG,
        "comment": _world.as_text(found.comment or f"run {run}"),
        "runtype": _world.as_text(""),
        "stationnumber": 4 if bl == 3 else 3,
        "runstatus": found.status,
        "fy_id": _world.as_text("exp2025-2"),
        "detectors": _world.as_text(",".join(_world.detectors) + ","),
    }
    return {_world.as_text(key): value for key, value in info.items()}


def _about(key: str) -> Any:
    return lambda bl, run: read_runinfo(bl, run)[_world.as_text(key)]


read_comment = _about("comment")
read_starttime = _about("starttime")
read_stoptime = _about("stoptime")
read_hightagnumber = _about("hightagnumber")


def read_start_tagnumber(bl: int, run: int) -> Any:
    return _world.as_sequence((_world.HIGHTAG, _run(bl, run).start))


def read_end_tagnumber(bl: int, run: int) -> Any:
    return _world.as_sequence((_world.HIGHTAG, _run(bl, run).end))


def read_hightagnumber_fromtime(time: str, day: int, month: int, year: int) -> int:
    when = datetime.datetime.strptime(f"{year}-{month}-{day} {time} +0900", "%Y-%m-%d %H:%M:%S %z")
    return 201801 if when.timestamp() < 1_600_000_000 else _world.HIGHTAG


def read_taglist_byrun(bl: int, run: int) -> Any:
    return _world.as_sequence(_world.tags_of(_run(bl, run)))


def read_taglist_bydetid(bl: int, run: int, detID: str) -> Any:
    found = _run(bl, run)
    if detID not in _world.detectors:
        raise _error("DETECTOR")
    return _world.as_sequence(_world.tags_of(found, detID))


def read_taglist(bl: int, hightag: int, starttag: int, endtag: int) -> Any:
    if hightag != _world.HIGHTAG:
        return _world.as_sequence(())
    tags = (tag for run in _world.happened(bl) for tag in _world.tags_of(run))
    last = min(endtag, _world.beam("listed")) if _world.has_beam else endtag
    # Whether the real one fails for tags it has not heard of yet is not known: the worst is taken.
    if starttag > last:
        raise _error("TAG")
    return _world.as_sequence(tag for tag in tags if starttag <= tag <= last)


def _check_signal(equipID: str) -> None:
    if equipID not in _world.signals:
        raise _error("EQUIPMENT")


def read_tagnumber_newest(equipID: str) -> Any:
    _check_signal(equipID)
    return _world.as_sequence((_world.HIGHTAG, _newest_value()))


def _newest_value() -> int:
    tags = [tag for bl in _world.runs for run in _world.happened(bl) for tag in _world.tags_of(run)]
    return max(tag for tag in tags if not _world.has_beam or tag <= _world.beam("values"))


def read_syncdatalist(equipID: str, hightag: int, tags: Any) -> Any:
    if type(tags) is not tuple or any(type(tag) is not int for tag in tags):
        raise TypeError("tags must be a tuple of int")
    _check_signal(equipID)
    if hightag != _world.HIGHTAG:
        raise _error("HIGHTAG")
    # What the real one says of a tag whose values have not come nobody has told: the worst is taken.
    if _world.has_beam and max(tags) > _newest_value():
        raise _error("TAG")
    return _world.as_sequence(_world.as_text(_world.sync_text(equipID, tag)) for tag in tags)


def read_syncdatalist_float(equipID: str, hightag: int, tags: Any) -> Any:
    read_syncdatalist(equipID, hightag, tags)
    # How `saturated` comes out of the real one is not known: the worst is taken.
    values = (_world.signals[equipID][1](tag) for tag in tags)
    return _world.as_sequence(
        (math.inf if v == "saturated" else math.nan) if isinstance(v, str) else float(v) for v in values
    )


def read_detidlist(bl: int, run: int) -> Any:
    _run(bl, run)
    return _world.as_sequence(_world.as_text(one) for one in _world.detectors)


def read_equiplist() -> Any:
    return _world.as_sequence(_world.as_text(one) for one in _world.signals)


def read_config_photonenergy(bl: int, run: int) -> float:
    _run(bl, run)
    return 10.5


def read_timestamp_fromtag(hightag: int, tag: int, equipID: str) -> float:
    _check_signal(equipID)
    return _world.timestamp(tag)


if "renamed-energy" in _world.quirks:
    read_config_photonenergy_in_keV = read_config_photonenergy
    del read_config_photonenergy
if "old" in _world.quirks:
    del read_taglist_bydetid, read_timestamp_fromtag, read_syncdatalist_float, get_api_version
