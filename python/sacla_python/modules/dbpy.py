"""
SACLA's dbpy over a sacla server: runs, tags and 0-D signals.

Names, argument order, tuples and strings are those that public scripts rely on; the manual is not public. Argument
names (for keywords) are those of the facility's talk of 2025. That errors carry (int, str) is an inference from olpy;
the numbers here are made up, and `code` has a word.
"""

import warnings
from typing import Any, Dict, List, Tuple

from sacla_python.ahead import lists as _lists
from sacla_python.client import asker as _asker
from sacla_python.client import tag_array as _tag_array
from sacla_python.client import whole as _whole
from sacla_python.errors import FacilityError as _FacilityError
from sacla_python.errors import SaclaError as _SaclaError


class APIError(_FacilityError):
    """The database cannot answer: an unknown run, beamline, detector, signal or HighTag. `code` says which."""

    first_number = -100_000_000


_ask = _asker(APIError)


def _run(bl: Any, run: Any) -> Dict[str, int]:
    return {"bl": _whole("bl", bl), "run": _whole("run", run)}


def get_api_version() -> str:
    """Version of what answers."""
    return _ask("db.getApiVersion")


def read_runnumber_newest(bl: int) -> int:
    """Newest run number of a beamline; the run may still be running."""
    return int(_ask("db.readRunnumberNewest", bl=_whole("bl", bl)))


def read_runstatus(bl: int, run: int) -> int:
    """-1 not yet existing, 0 stopped (ready to read), 1 paused, 2 running. An unknown run is -1, no error."""
    return int(_ask("db.readRunstatus", **_run(bl, run)))


def read_runinfo(bl: int, run: int) -> Dict[str, Any]:
    """What is recorded about a run. An unknown run is an APIError. `end_tagnumber` is exclusive."""
    return _ask("db.readRuninfo", **_run(bl, run))


def read_comment(bl: int, run: int) -> str:
    """The comment typed at the start of a run."""
    return _ask("db.readComment", **_run(bl, run))


def read_starttime(bl: int, run: int) -> float:
    """Start of a run, unix seconds."""
    return float(_ask("db.readStarttime", **_run(bl, run)))


def read_stoptime(bl: int, run: int) -> float:
    """End of a run, unix seconds."""
    return float(_ask("db.readStoptime", **_run(bl, run)))


def read_start_tagnumber(bl: int, run: int) -> Tuple[int, int]:
    """(HighTag, first tag), inclusive."""
    return _pair(_ask("db.readStartTagnumber", **_run(bl, run)))


def read_end_tagnumber(bl: int, run: int) -> Tuple[int, int]:
    """(HighTag, end tag), exclusive."""
    return _pair(_ask("db.readEndTagnumber", **_run(bl, run)))


def read_hightagnumber(bl: int, run: int) -> int:
    """HighTag of a run."""
    return int(_ask("db.readHightagnumber", **_run(bl, run)))


def read_hightagnumber_fromtime(time: str, day: int, month: int, year: int) -> int:
    """HighTag in force at a time of day in Japan, "HH:MM:SS"."""
    date = {"day": _whole("day", day), "month": _whole("month", month), "year": _whole("year", year)}
    return int(_ask("db.readHightagnumberFromtime", time=time, **date))


def read_taglist_byrun(bl: int, run: int) -> Tuple[int, ...]:
    """Tags of a run that have images, ascending; the step is 60 divided by the repetition rate."""
    of = _run(bl, run)
    tags = _ask("db.readTaglistByrun", **of).tolist()
    _lists.put(of["bl"], of["run"], tags)
    return tuple(tags)


def read_taglist_bydetid(bl: int, run: int, detID: str) -> Tuple[int, ...]:
    """Tags of a run for which a detector has an image, ascending."""
    of = _run(bl, run)
    tags = _ask("db.readTaglistBydetid", **of, detId=detID).tolist()
    _lists.put(of["bl"], of["run"], tags)
    return tuple(tags)


def read_taglist(bl: int, hightag: int, starttag: int, endtag: int) -> Tuple[int, ...]:
    """Tags of a beamline between two tags, both inclusive (an inference from one script), runs or not."""
    value = {"hightag": _whole("hightag", hightag), "starttag": _whole("starttag", starttag)}
    return tuple(_ask("db.readTaglist", bl=_whole("bl", bl), **value, endtag=_whole("endtag", endtag)).tolist())


def read_tagnumber_newest(equipID: str) -> Tuple[int, int]:
    """(HighTag, newest tag) for which a signal has a value."""
    return _pair(_ask("db.readTagnumberNewest", equipId=equipID))


def read_syncdatalist(equipID: str, hightag: int, tags: Tuple[int, ...]) -> Tuple[str, ...]:
    """Values of a signal as text with the unit glued on, such as 7.22600e-02V, 1200pulse, 0; or not-converged,
    saturated. Where nothing was recorded this says missing; what the facility's says there is not known."""
    return tuple(_of_tags("db.readSyncdatalist", equipID, hightag, tags))


def read_syncdatalist_float(equipID: str, hightag: int, tags: Tuple[int, ...]) -> Tuple[float, ...]:
    """Values of a signal as numbers in its own unit, NaN where there is none (an inference; what the facility's makes
    of `saturated` is not known)."""
    return tuple(_of_tags("db.readSyncdatalistFloat", equipID, hightag, tags))


def read_detidlist(bl: int, run: int) -> Tuple[str, ...]:
    """Detector ids of a run: composite ids and each sensor."""
    return tuple(_ask("db.readDetidlist", **_run(bl, run)))


def read_equiplist() -> Tuple[str, ...]:
    """Every equipment id."""
    return tuple(_ask("db.readEquiplist"))


def read_config_photonenergy(bl: int, run: int) -> float:
    """Photon energy the run was configured for, keV; not measured, and sometimes absurd."""
    return float(_ask("db.readConfigPhotonenergy", **_run(bl, run)))


def read_config_photonenergy_in_keV(bl: int, run: int) -> float:
    """The same under a name that one public script uses."""
    return float(_ask("db.readConfigPhotonenergyInKeV", **_run(bl, run)))


def read_timestamp_fromtag(hightag: int, tag: int, equipID: str) -> float:
    """When a shot happened, unix seconds."""
    return float(
        _ask("db.readTimestampFromtag", hightag=_whole("hightag", hightag), tag=_whole("tag", tag), equipId=equipID)
    )


def _pair(answer: Any) -> Tuple[int, int]:
    return int(answer[0]), int(answer[1])


def _of_tags(method: str, equip_id: str, hightag: Any, tags: Any) -> List[Any]:
    if not isinstance(tags, (tuple, int)) or (isinstance(tags, tuple) and any(type(tag) is not int for tag in tags)):
        # So that a rehearsed script does not fail at the beamline.
        warnings.warn("tags: of the facility's dbpy only a tuple of int is known to work", stacklevel=3)
    of = {"equipId": equip_id, "hightag": _whole("hightag", hightag)}

    def read(part: Any) -> List[Any]:
        answer = _ask(method, **of, tags=part)
        return answer if isinstance(answer, list) else answer.tolist()

    array = _tag_array(tags)
    try:
        return read(array)
    except _SaclaError as error:
        at_once = error.details.get("ask", {}).get("tags", 0) if error.code == "TOO_LARGE" else 0
        if not 0 < at_once < len(array):
            raise
    parts = (array[i : i + at_once] for i in range(0, len(array), at_once))
    return [value for part in parts for value in read(part)]
