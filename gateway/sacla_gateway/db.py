"""dbpy as the db methods of the table want it."""

import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import numpy as np

from .citius import Citius
from .errors import ApiFailure, GatewayError, show, show_list
from .modules import Module
from .plain import Recent, plain_dict, shot, tag_array, text, texts
from .syncdata import as_doubles, column

_TIME = re.compile(r"([01]?[0-9]|2[0-3]):[0-5]?[0-9]:[0-5]?[0-9]")
# Runs are numbered one after the other; so many that do not exist in a row mean that there are none before.
_LARGEST_GAP = 20


class RunRange(NamedTuple):
    status: int
    start: int
    end: int  # exclusive


class Db:
    """Answers from dbpy. What an APIError means is found by asking dbpy again: its own numbers are not public."""

    def __init__(self, dbpy: Module, citius: Citius, beamlines: Sequence[int]) -> None:
        self._dbpy = dbpy
        self._citius = citius
        self._beamlines = list(beamlines)
        # A stopped run does not change any more.
        self._stopped: Recent[RunRange] = Recent(64)
        self._detectors: Recent[List[str]] = Recent(64)

    def version(self) -> str:
        return text(self._dbpy.ask("get_api_version"))

    def beamlines(self) -> List[int]:
        return self._beamlines

    def check_beamline(self, bl: int) -> int:
        if bl in self._beamlines:
            return bl
        message = f"There is no beamline {bl} behind this gateway; it serves {show_list(self._beamlines)}."
        raise GatewayError("UNKNOWN_BEAMLINE", message, {"bl": bl, "known": self._beamlines})

    def runs(self, bl: int, last: int) -> List[int]:
        """dbpy has no list of runs: they are counted back from the newest, leaving out those that do not exist."""
        found: List[int] = []
        run, gap = self.newest_run(bl), 0
        while len(found) < last and run >= 1 and gap < _LARGEST_GAP:
            if self.status(bl, run) == -1:
                gap += 1
            else:
                found.append(run)
                gap = 0
            run -= 1
        return found[::-1]

    def newest_run(self, bl: int) -> int:
        try:
            return int(self._dbpy.ask("read_runnumber_newest", self.check_beamline(bl)))
        except ApiFailure as failure:
            raise failure.to_error("UNKNOWN_RUN", f"Beamline {bl} has no newest run: {failure}.") from failure

    def status(self, bl: int, run: int) -> int:
        try:
            return int(self._dbpy.ask("read_runstatus", self.check_beamline(bl), run))
        except ApiFailure as failure:
            raise failure.to_error() from failure

    def of_run(self, function: str, bl: int, run: int, *more: Any) -> Any:
        """A function of dbpy that asks about a run."""
        self.check_beamline(bl)
        try:
            return self._dbpy.ask(function, bl, run, *more)
        except ApiFailure as failure:
            self.explain_run(failure, bl, run)
            raise failure.to_error() from failure

    def explain_run(self, failure: ApiFailure, bl: int, run: int) -> None:
        """Raises UNKNOWN_RUN if that is why dbpy failed."""
        if failure.known_code() is None and self._dbpy.has("read_runstatus") and self.status(bl, run) == -1:
            message = f"There is no run {run} on beamline {bl}. List the last ones with: sacla runs --bl {bl}"
            raise failure.to_error("UNKNOWN_RUN", message) from failure

    def info(self, bl: int, run: int) -> Dict[str, Any]:
        return plain_dict(self.of_run("read_runinfo", bl, run))

    def range(self, bl: int, run: int) -> RunRange:
        known = self._stopped.get((bl, run))
        if known is not None:
            return known
        info = self.info(bl, run)
        found = RunRange(int(info["runstatus"]), int(info["start_tagnumber"]), int(info["end_tagnumber"]))
        return self._stopped.put((bl, run), found) if found.status == 0 else found

    def photon_energy(self, bl: int, run: int) -> float:
        name = "read_config_photonenergy"
        return float(self.of_run(name if self._dbpy.has(name) else f"{name}_in_keV", bl, run))

    def detectors(self, bl: int, run: int) -> List[str]:
        known = self._detectors.get((bl, run))
        if known is not None:
            return known
        listed = texts(self.of_run("read_detidlist", bl, run))
        found = listed + [one for one in self._citius.detectors(bl, run) if one not in listed]
        return self._detectors.put((bl, run), found) if self.range(bl, run).status == 0 else found

    def check_detector(self, bl: int, run: int, det_id: str) -> None:
        known = self.detectors(bl, run)
        if det_id not in known:
            message = f"Run {run} of beamline {bl} has no detector {show(det_id)}; it has {show_list(known)}."
            raise GatewayError("UNKNOWN_DETECTOR", message, {"bl": bl, "run": run, "detId": det_id, "known": known})

    def tags(self, bl: int, run: int) -> np.ndarray:
        return tag_array(self.of_run("read_taglist_byrun", bl, run))

    def tags_of_detector(self, bl: int, run: int, det_id: str) -> np.ndarray:
        if self._citius.knows(bl, run, det_id):
            return self._citius.tags(bl, run)
        try:
            return tag_array(self.of_run("read_taglist_bydetid", bl, run, det_id))
        except GatewayError as error:
            if error.code not in ("UNKNOWN_RUN", "UNKNOWN_BEAMLINE"):
                self.check_detector(bl, run, det_id)
            raise

    def tags_between(self, bl: int, hightag: int, first: int, last: int) -> np.ndarray:
        if first > last:
            raise GatewayError("BAD_ARGUMENT", f"starttag {first} is after endtag {last}.")
        self.check_beamline(bl)
        try:
            return tag_array(self._dbpy.ask("read_taglist", bl, hightag, first, last))
        except ApiFailure as failure:
            raise failure.to_error(
                "UNKNOWN_HIGHTAG", f"There are no tags of HighTag {hightag}: {failure}."
            ) from failure

    def hightag_at(self, time: str, day: int, month: int, year: int) -> int:
        if _TIME.fullmatch(time) is None:
            raise GatewayError("BAD_ARGUMENT", f'time is {show(time)}, but must be "HH:MM:SS".')
        try:
            return int(self._dbpy.ask("read_hightagnumber_fromtime", time, day, month, year))
        except ApiFailure as failure:
            raise failure.to_error() from failure

    def newest_tag(self, equip_id: str) -> List[int]:
        return shot(self._of_signal("read_tagnumber_newest", equip_id, None, equip_id))

    def timestamp(self, hightag: int, tag: int, equip_id: str) -> float:
        return float(self._of_signal("read_timestamp_fromtag", equip_id, hightag, hightag, tag, equip_id))

    def timestamps(self, hightag: int, tags: np.ndarray, equip_id: str) -> np.ndarray:
        return np.array([self.timestamp(hightag, int(tag), equip_id) for tag in tags], np.float64)

    def sync_texts(self, equip_id: str, hightag: int, tags: np.ndarray) -> List[str]:
        return texts(self._sync("read_syncdatalist", equip_id, hightag, tags))

    def sync_doubles(self, equip_id: str, hightag: int, tags: np.ndarray) -> np.ndarray:
        return as_doubles(self._sync("read_syncdatalist_float", equip_id, hightag, tags))

    def columns(self, equip_ids: Sequence[str], hightag: int, tags: np.ndarray) -> List[Dict[str, Any]]:
        """dbpy has no such call: the strings are its native form, and only they tell why a value is not there."""
        return [column(equip_id, self.sync_texts(equip_id, hightag, tags)) for equip_id in equip_ids]

    def equipment(self) -> List[str]:
        try:
            return texts(self._dbpy.ask("read_equiplist"))
        except ApiFailure as failure:
            raise failure.to_error() from failure

    def _sync(self, function: str, equip_id: str, hightag: int, tags: np.ndarray) -> Any:
        # dbpy wants a tuple of plain ints; what it does with none at all nobody has tried.
        if len(tags) == 0:
            self._check_signal(equip_id)
            return ()
        values = self._of_signal(function, equip_id, hightag, equip_id, hightag, tuple(tags.tolist()))
        if len(values) != len(tags):
            message = f"dbpy.{function} gave {len(values)} values of {equip_id} for {len(tags)} tags."
            raise GatewayError("INTERNAL", message, {"equipId": equip_id, "hightag": hightag})
        return values

    def _of_signal(self, function: str, equip_id: str, hightag: Optional[int], *args: Any) -> Any:
        try:
            return self._dbpy.ask(function, *args)
        except ApiFailure as failure:
            if failure.known_code() is None and failure.is_api_error:
                self._check_signal(equip_id, failure)
                if hightag is not None:
                    message = f"{failure}. Is the HighTag {hightag} the one of the run, readHightagnumber(bl, run)?"
                    raise failure.to_error("UNKNOWN_HIGHTAG", message) from failure
            raise failure.to_error() from failure

    def _check_signal(self, equip_id: str, failure: Optional[ApiFailure] = None) -> None:
        if self._dbpy.has("read_equiplist") and equip_id not in self.equipment():
            message = f"There is no equipment {show(equip_id)}. Search with: sacla signals"
            if failure is not None:
                raise failure.to_error("UNKNOWN_SIGNAL", message) from failure
            raise GatewayError("UNKNOWN_SIGNAL", message, {"equipId": equip_id})
