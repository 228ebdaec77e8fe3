"""
The method table of src/transport/methods.ts as far as Python modules can answer it: parameters, the functions of the
facility a method needs, and the adapter that answers. All of it reads; what changes something has no place here.
"""

from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple

import numpy as np

from .citius import Citius
from .db import Db
from .errors import GatewayError, show, show_list
from .live import Live
from .live_shots import LiveShots
from .modules import Module
from .plain import shot, text
from .st import St
from .wire import whole

Check = Callable[[str, Any], Any]
Params = Dict[str, Any]


class Facility:
    """The adapters over one set of modules. Belongs to one process."""

    def __init__(self, modules: Dict[str, Module], beamlines: Sequence[int]) -> None:
        self.modules = modules
        citius = Citius(modules["ctdapy_xfel"])
        self.db = Db(modules["dbpy"], citius, beamlines)
        self.st = St(modules["stpy"], self.db, citius)
        self.live = Live(modules["olpy"], self.db)
        self.live_shots = LiveShots(self.live, self.db)
        self.citius = citius

    def has(self, needed: str) -> bool:
        """Whether `module.function`, or one of several with | between, is there."""
        return any(self.modules[module].has(name) for module, name in (one.split(".") for one in needed.split("|")))


class Method(NamedTuple):
    # Of those in `optional`, None stands for what was left out.
    params: Dict[str, Check]
    needs: Tuple[str, ...]
    answer: Callable[[Facility, Params], Any]
    optional: Tuple[str, ...] = ()


def _bad(name: str, value: Any, allowed: str) -> GatewayError:
    return GatewayError(
        "BAD_ARGUMENT", f"{name} is {show(value)}, but must be {allowed}.", {"name": name, "value": show(value)}
    )


def _integer(low: int, high: int) -> Check:
    def check(name: str, value: Any) -> int:
        number = whole(value)
        if number is None or not low <= number <= high:
            raise _bad(name, value, f"a whole number from {low} to {high}")
        return number

    return check


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or value == "":
        raise _bad(name, value, "a text that is not empty")
    return value


def _tags(name: str, value: Any) -> np.ndarray:
    if not isinstance(value, np.ndarray) or value.dtype != np.uint32:
        raise _bad(name, value, "an array of type u4")
    return value


def _list_of(check: Check, at_least: int) -> Check:
    def check_list(name: str, value: Any) -> List[Any]:
        if not isinstance(value, list) or len(value) < at_least:
            raise _bad(name, value, f"a list of at least {at_least}")
        return [check(f"{name}[{i}]", entry) for i, entry in enumerate(value)]

    return check_list


def _or_null(check: Check) -> Check:
    return lambda name, value: None if value is None else check(name, value)


def _one_of(*words: str) -> Check:
    def check(name: str, value: Any) -> Any:
        if value not in words:
            raise _bad(name, value, f"one of {show_list(words)}")
        return value

    return check


def _boolean(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _bad(name, value, "true or false")
    return value


def _roi(name: str, value: Any) -> Any:
    if value is None:
        return None
    if not isinstance(value, dict) or set(value) != {"rows", "columns"}:
        raise _bad(name, value, "null or an object with rows and columns")
    for side, bounds in value.items():
        if not isinstance(bounds, list) or len(bounds) != 2:
            raise _bad(f"{name}.{side}", bounds, "a start and an end")
    return {
        side: [_integer(0, 65_535)(f"{name}.{side} start", start), _integer(1, 65_536)(f"{name}.{side} end", end)]
        for side, (start, end) in value.items()
    }


_beamline = _integer(0, 1000)
_run = _integer(-1_000_000_000, 1_000_000_000)
_tag = _integer(0, 0xFFFFFFFF)
_hightag = _integer(0, 999_999)
_of_run: Dict[str, Check] = {"bl": _beamline, "run": _run}
_of_detector: Dict[str, Check] = {**_of_run, "detId": _text}
_of_signal: Dict[str, Check] = {"equipId": _text, "hightag": _hightag, "tags": _tags}
_date: Dict[str, Check] = {
    "time": _text,
    "day": _integer(1, 31),
    "month": _integer(1, 12),
    "year": _integer(1970, 9999),
}

_STPY = ("stpy.StorageReader|ctdapy_xfel.CtrlBuffer", "dbpy.read_runinfo", "dbpy.read_detidlist")
_OLPY = ("olpy.StorageReader", "olpy.read_detidlist", "dbpy.read_hightagnumber")
_LIVE_SHOTS = (
    *_OLPY,
    "dbpy.read_runnumber_newest",
    "dbpy.read_runstatus",
    "dbpy.read_runinfo",
    "dbpy.read_taglist",
    "dbpy.read_tagnumber_newest",
    "dbpy.read_syncdatalist",
)
_ENERGY = ("dbpy.read_config_photonenergy|dbpy.read_config_photonenergy_in_keV",)

_CITIUS = ("ctdapy_xfel.CtrlBuffer", "dbpy.read_runinfo")
_MOST_SENSORS = 100


def _sensors(name: str, value: Any) -> List[int]:
    if isinstance(value, list) and len(value) > _MOST_SENSORS:
        raise _bad(name, value, f"a list of at most {_MOST_SENSORS}")
    found: List[int] = _list_of(_integer(0, 65_535), 0)(name, value)
    return found


DESCRIBE = "facility.describe"
LIVE_SHOTS = "live.shots"
# Of the table, but not of this gateway: control, for which ecpy is not open.
_CONTROL = ("ec", "lease")
# Of the table, but no Python module of the facility answers it: what to do.
_UNANSWERED = {
    "db.readTimingEdges": "read the timing monitor's CSV of the facility",
    "st.readImageOffsets": "ask st.frames for the images",
    "st.readImageStates": "ask st.frames, which says why an image is missing",
    "st.readBadPixels": "sacla knows edges and dead ports by itself",
}


def _about_run(function: str, convert: Callable[[Any], Any]) -> Method:
    return Method(_of_run, (f"dbpy.{function}",), lambda f, p: convert(f.db.of_run(function, p["bl"], p["run"])))


def _about_citius(more: Dict[str, Check], needs: Tuple[str, ...], answer: Callable[[Facility, Params], Any]) -> Method:
    def of_known_run(f: Facility, p: Params) -> Any:
        # Asked first, because what ctdapy_xfel says of a run or tag that does not exist is not known.
        f.db.range(p["bl"], p["run"])
        if "tag" in p:
            f.st.check_tag(p["bl"], p["run"], p["tag"])
        return answer(f, p)

    return Method({**_of_run, **more}, needs, of_known_run)


CALLS: Dict[str, Method] = {
    "db.getApiVersion": Method({}, ("dbpy.get_api_version",), lambda f, p: f.db.version()),
    "db.listBeamlines": Method({}, (), lambda f, p: f.db.beamlines()),
    "db.listRuns": Method(
        {"bl": _beamline, "last": _integer(1, 100_000)},
        ("dbpy.read_runnumber_newest", "dbpy.read_runstatus"),
        lambda f, p: f.db.runs(p["bl"], p["last"]),
    ),
    "db.readRunnumberNewest": Method(
        {"bl": _beamline}, ("dbpy.read_runnumber_newest",), lambda f, p: f.db.newest_run(p["bl"])
    ),
    "db.readRunstatus": Method(_of_run, ("dbpy.read_runstatus",), lambda f, p: f.db.status(p["bl"], p["run"])),
    "db.readRuninfo": Method(_of_run, ("dbpy.read_runinfo",), lambda f, p: f.db.info(p["bl"], p["run"])),
    "db.readComment": _about_run("read_comment", text),
    "db.readStarttime": _about_run("read_starttime", float),
    "db.readStoptime": _about_run("read_stoptime", float),
    "db.readStartTagnumber": _about_run("read_start_tagnumber", shot),
    "db.readEndTagnumber": _about_run("read_end_tagnumber", shot),
    "db.readHightagnumber": _about_run("read_hightagnumber", int),
    "db.readHightagnumberFromtime": Method(
        _date,
        ("dbpy.read_hightagnumber_fromtime",),
        lambda f, p: f.db.hightag_at(p["time"], p["day"], p["month"], p["year"]),
    ),
    "db.readTaglistByrun": Method(_of_run, ("dbpy.read_taglist_byrun",), lambda f, p: f.db.tags(p["bl"], p["run"])),
    "db.readTaglistBydetid": Method(
        _of_detector,
        ("dbpy.read_taglist_bydetid",),
        lambda f, p: f.db.tags_of_detector(p["bl"], p["run"], p["detId"]),
    ),
    "db.readTaglist": Method(
        {"bl": _beamline, "hightag": _hightag, "starttag": _tag, "endtag": _tag},
        ("dbpy.read_taglist",),
        lambda f, p: f.db.tags_between(p["bl"], p["hightag"], p["starttag"], p["endtag"]),
    ),
    "db.readTagnumberNewest": Method(
        {"equipId": _text}, ("dbpy.read_tagnumber_newest",), lambda f, p: f.db.newest_tag(p["equipId"])
    ),
    "db.readSyncdatalist": Method(
        _of_signal, ("dbpy.read_syncdatalist",), lambda f, p: f.db.sync_texts(p["equipId"], p["hightag"], p["tags"])
    ),
    "db.readSyncdatalistFloat": Method(
        _of_signal,
        ("dbpy.read_syncdatalist_float",),
        lambda f, p: f.db.sync_doubles(p["equipId"], p["hightag"], p["tags"]),
    ),
    "db.readColumns": Method(
        {"equipIds": _list_of(_text, 0), "hightag": _hightag, "tags": _tags},
        ("dbpy.read_syncdatalist",),
        lambda f, p: f.db.columns(p["equipIds"], p["hightag"], p["tags"]),
    ),
    "db.readDetidlist": Method(_of_run, ("dbpy.read_detidlist",), lambda f, p: f.db.detectors(p["bl"], p["run"])),
    "db.readEquiplist": Method({}, ("dbpy.read_equiplist",), lambda f, p: f.db.equipment()),
    "db.readConfigPhotonenergy": Method(_of_run, _ENERGY, lambda f, p: f.db.photon_energy(p["bl"], p["run"])),
    "db.readConfigPhotonenergyInKeV": Method(_of_run, _ENERGY, lambda f, p: f.db.photon_energy(p["bl"], p["run"])),
    "db.readTimestampFromtag": Method(
        {"hightag": _hightag, "tag": _tag, "equipId": _text},
        ("dbpy.read_timestamp_fromtag",),
        lambda f, p: f.db.timestamp(p["hightag"], p["tag"], p["equipId"]),
    ),
    "db.readTimestamps": Method(
        _of_signal,
        ("dbpy.read_timestamp_fromtag",),
        lambda f, p: f.db.timestamps(p["hightag"], p["tags"], p["equipId"]),
    ),
    "st.readDetectorInfo": Method(_of_detector, _STPY, lambda f, p: f.st.info(p["bl"], p["run"], p["detId"])),
    "citius.getApiVersion": Method({}, ("ctdapy_xfel.get_api_version",), lambda f, p: f.citius.version()),
    "citius.getRunstatus": _about_citius(
        {}, ("ctdapy_xfel.get_runstatus", "dbpy.read_runinfo"), lambda f, p: f.citius.status(p["bl"], p["run"])
    ),
    "citius.readSensors": _about_citius({}, _CITIUS, lambda f, p: f.citius.sensors(p["bl"], p["run"])),
    "citius.readBadpixelMask": _about_citius(
        {"sensorIds": _sensors}, _CITIUS, lambda f, p: f.citius.masks(p["bl"], p["run"], p["sensorIds"])
    ),
    "citius.readReconstinfo": _about_citius(
        {"sensorIds": _sensors, "tag": _tag},
        _CITIUS,
        lambda f, p: f.citius.places(p["bl"], p["run"], p["sensorIds"], p["tag"]),
    ),
    "live.readDetidlist": Method(
        {"bl": _beamline}, ("olpy.read_detidlist",), lambda f, p: f.live.detectors(p["bl"]), ("bl",)
    ),
    "live.collect": Method(
        {"detId": _text, "bl": _beamline, "tag": _integer(-1, 0xFFFFFFFF)},
        _OLPY,
        lambda f, p: f.live.collect(p["detId"], p["bl"], p["tag"]),
        ("bl",),
    ),
    "st.collect": Method(
        {"detId": _text, "bl": _beamline, "runs": _list_of(_run, 1), "tag": _tag},
        _STPY,
        lambda f, p: f.st.collect(p["detId"], p["bl"], p["runs"], p["tag"]),
    ),
}

_FRAMES = ("bl", "run", "detIds", "tags", "roi")
_LIVE: Dict[str, Check] = {
    "bl": _beamline,
    "detIds": _list_of(_text, 0),
    "signals": _list_of(_text, 0),
    "policy": _one_of("newest", "every"),
    "maxWaitMs": _integer(0, 60_000),
    "after": _or_null(_tag),
    "limit": _or_null(_integer(0, 1_000_000_000)),
    "untilRunEnd": _boolean,
    "roi": _roi,
}
STREAMS: Dict[str, Method] = {
    "st.frames": Method(
        {**_of_run, "detIds": _list_of(_text, 1), "tags": _tags, "roi": _roi},
        _STPY,
        lambda f, p: f.st.check_frames(*(p[name] for name in _FRAMES)),
    ),
    LIVE_SHOTS: Method(
        _LIVE,
        _LIVE_SHOTS,
        lambda f, p: f.live_shots.begin(p),
    ),
}
# What a stream is made of: one item of it, or one look for it, asked by the server itself.
ITEMS: Dict[str, Callable[[Facility, Params], Any]] = {
    "st.frames": lambda f, p: f.st.read_shot(*(p[name] for name in ("bl", "run", "detIds", "tag", "roi"))),
    LIVE_SHOTS: lambda f, p: f.live_shots.next(p["params"], p["state"]),
}


def available(facility: Facility) -> List[str]:
    """The methods that the modules of this machine can answer."""
    return [
        name for name, method in {**CALLS, **STREAMS}.items() if all(facility.has(needed) for needed in method.needs)
    ]


def check_params(table: Dict[str, Method], method: str, value: Any) -> Params:
    """The parameters of a request, checked. Raises UNKNOWN_METHOD or BAD_ARGUMENT."""
    if method.split(".", 1)[0] in _CONTROL:
        message = f"This gateway does not answer {show(method)}: it reads only, and {DESCRIBE} lists what it can."
        raise GatewayError("UNSUPPORTED", message, {"method": method})
    if method in _UNANSWERED:
        message = f"No Python module answers {show(method)}: {_UNANSWERED[method]}."
        raise GatewayError("UNSUPPORTED", message, {"method": method})
    if method not in table:
        raise GatewayError("UNKNOWN_METHOD", f"There is no method {show(method)}; there are {show_list(table, 100)}.")
    checks, optional = table[method].params, table[method].optional
    if not isinstance(value, dict):
        raise _bad(f"the value of {method}", value, "an object with the parameters by name")
    for name in value:
        if name not in checks:
            raise _bad(f"{show(name)} of {method}", value[name], f"left out; parameters are {show_list(checks)}")
    for name in checks:
        if name not in value and name not in optional:
            raise GatewayError("BAD_ARGUMENT", f"{name} of {method} is missing.", {"name": name})
    return {
        name: check(f"{name} of {method}", value[name]) if name in value else None for name, check in checks.items()
    }
