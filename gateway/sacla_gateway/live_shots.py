"""
The stream live.shots over olpy and dbpy, one short look at a time.

Which shots there are: up to the newest tag of the first detector, those that `read_taglist` names, and by the step of
the tags those it does not name yet. Nothing here waits, and what is known from one look to the next travels with the
question, so that a reading process serves several streams and may be replaced at any moment.
"""

import time
from dataclasses import asdict
from typing import Any, Dict, List, Optional

import numpy as np

from .db import Db
from .errors import GatewayError
from .live import EARLY, EMPTY, GONE, INVALID, MISSING, Live, LiveImage
from .live_state import Found, Params, Settled, State, cut, is_gone, is_late, pause, take_gaps, when
from .plain import Recent

# As STATUS_LATE of the method table.
_LATE = 4
# Four hours; no live image is that old.
_LONGEST_STRETCH = 864_000
# What scripts at the facility go back from the newest image at most.
_BACK_IMAGES = 35
_BACK_TAGS = 120
# Older images that are tried to learn whether one is forgotten or was never stored.
_OLDER = 6
# Runs among which the one of a live tag is looked for.
_RUNS_BACK = 20


class LiveShots:
    def __init__(self, live: Live, db: Db) -> None:
        self._live = live
        self._db = db
        self._hightags: Recent[int] = Recent(64)
        self._value_tags: Dict[str, int] = {}

    def begin(self, params: Params) -> Dict[str, Any]:
        """Checks what is asked, and gives the state the first look needs."""
        bl, after = params["bl"], params["after"]
        self._db.check_beamline(bl)
        known = self._live.detectors(bl)
        for det_id in params["detIds"]:
            self._live.check_detector(det_id, bl, known)
        for equip_id in params["signals"]:
            self._value_tags[equip_id] = self._db.newest_tag(equip_id)[1]
        self._live.begin_look()
        newest = self._live.newest(self._lead(params))
        now = time.time()
        if after is not None:
            if newest is not None and after < newest.tag - _LONGEST_STRETCH:
                allowed = f"at most {_LONGEST_STRETCH} tags before the newest, {newest.tag}; begin anew with null"
                raise GatewayError("BAD_ARGUMENT", f"after is {after}, but must be {allowed}.", {"name": "after"})
            run = self._run_at(bl, after) if params["untilRunEnd"] else None
            state = State(after, False, run=run, newest_at=now)
        else:
            state = State(None if newest is None else newest.tag, params["policy"] == "newest", newest_at=now)
        if newest is not None:
            state.hightag = self._hightag_of(bl, newest)
            tags = self._tags(bl, newest.tag - _BACK_TAGS, newest.tag, newest.tag, state)
            if state.is_first:
                state.pending = [(tag, when(tag, newest.tag, now)) for tag in tags[-_BACK_IMAGES:]]
        return asdict(state)

    def next(self, params: Params, plain: Dict[str, Any]) -> Dict[str, Any]:
        """`item`, if there is one now, `over`, the new `state`, and how long to wait before the next look."""
        state = State(**plain)
        if params["limit"] is not None and state.given >= params["limit"]:
            return {"state": asdict(state), "item": None, "over": True, "waitS": 0}
        now = time.time()
        wait_s = pause(state, now)
        self._live.begin_look()
        # A clock that was set back is no reason to wait.
        if not 0 <= now - state.looked_at < wait_s:
            state.looked_at = now
            self._look(params, state, now)
        self._ask_for_values(params, state)
        settled = self._oldest(params, state) if params["policy"] == "every" else self._newest(params, state)
        item, over = None, False
        if settled is not None:
            item = self._item(params, state, settled)
            state.is_first = False
            state.given += 1
            over = state.given == params["limit"]
        elif state.end is not None and not state.pending:
            item, over = self._rest(params, state), True
        next_s = 0.0 if item is not None else min(wait_s, max(0.0, state.looked_at + wait_s - time.time()))
        return {"state": asdict(state), "item": item, "over": over, "waitS": next_s}

    def _lead(self, params: Params) -> str:
        """The detector whose newest image tells how far the beam is."""
        if params["detIds"]:
            return str(params["detIds"][0])
        sensors = self._live.sensors(params["bl"])
        if sensors:
            return sensors[0]
        raise GatewayError("UNKNOWN_DETECTOR", "No detector gives images here, so nothing tells when there is a shot.")

    def _look(self, params: Params, state: State, now: float) -> None:
        if state.end is not None:
            return
        self._take_new(params, state, now)
        if not params["untilRunEnd"]:
            return
        bl = params["bl"]
        while state.run is None and state.pending:
            state.run = self._run_at(bl, state.pending[0][0])
            if state.run is None:
                # Before the run that is waited for.
                state.pending.pop(0)
        if state.run is not None and self._db.status(bl, state.run) == 0:
            state.end = self._db.range(bl, state.run).end
            # Shots may have happened between the two questions; now no further ones do.
            self._take_new(params, state, now)
            state.pending = [(tag, at) for tag, at in state.pending if tag < state.end]

    def _take_new(self, params: Params, state: State, now: float) -> None:
        bl, lead = params["bl"], self._lead(params)
        newest = self._live.newest(lead)
        if newest is None and (state.end is None or state.seen is None):
            return
        reached = -1 if newest is None else newest.tag
        # The first detector may have no image of the last shots of a run.
        last = max(reached, -1 if state.end is None else state.end - 1)
        if state.seen is not None and last <= state.seen:
            return
        run = state.run if newest is None else newest.run
        state.hightag = self._hightag(bl, self._db.newest_run(bl) if run is None else run)
        if state.seen is None:
            tags = self._back_to_the_first(bl, lead, reached, state)
        else:
            tags = self._tags(bl, state.seen + 1, last, reached, state)
        state.pending += [(tag, when(tag, reached, now)) for tag in tags]
        state.seen = last
        state.newest_at = now

    def _tags(self, bl: int, first: int, last: int, newest: int, state: State) -> List[int]:
        """The shots between two tags, both inclusive; `newest` is that of an image."""
        first = max(first, 0)
        listed = self._listed(bl, state.hightag, first, last) if first < last else []
        # Two alone may have a pause of the beam between them.
        if len(listed) > (2 if state.step > 0 else 1):
            state.step = int(np.diff(listed[-_BACK_TAGS:]).min())
        named = listed[-1] if listed else first - 1
        if newest < first:
            return listed
        walked = range(newest, named, -state.step) if state.step > 0 else [newest]
        return sorted({*listed, *walked, newest})

    def _listed(self, bl: int, hightag: int, first: int, last: int) -> List[int]:
        try:
            tags: List[int] = self._db.tags_between(bl, hightag, first, last).tolist()
            return tags
        except GatewayError as error:
            # What dbpy says of tags it has not heard of yet is not known; the step tells them then.
            if error.code == "UNKNOWN_HIGHTAG":
                return []
            raise

    def _back_to_the_first(self, bl: int, lead: str, newest: int, state: State) -> List[int]:
        """When there was no image to begin with, every image that is there now has happened since."""
        tags = self._tags(bl, newest - _BACK_TAGS, newest, newest, state)[-_BACK_IMAGES:]
        first = len(tags) - 1
        while first > 0 and isinstance(self._live.image(lead, tags[first - 1]), LiveImage):
            first -= 1
        return tags[first:]

    def _oldest(self, params: Params, state: State) -> Optional[Settled]:
        while state.pending:
            tag, at = state.pending[0]
            if not self._may_be_given(params, tag, at):
                return None
            found = self._find(params, tag, at, state.step)
            if self._is_no_shot(params, tag, found, state):
                state.pending.pop(0)
                continue
            if not is_gone(found):
                if EARLY in found.values() and not is_late(params, at):
                    return None
                state.pending.pop(0)
                return Settled(tag, at, found)
            self._lose("data-gone", self._first_there(params, state), state)
        return None

    def _newest(self, params: Params, state: State) -> Optional[Settled]:
        for i in range(len(state.pending) - 1, -1, -1):
            tag, at = state.pending[i]
            if not self._may_be_given(params, tag, at):
                continue
            found = self._find(params, tag, at, state.step)
            if self._is_no_shot(params, tag, found, state):
                state.pending.pop(i)
                continue
            if is_gone(found):
                self._lose("data-gone", i + 1, state)
                return None
            if EARLY in found.values() and not is_late(params, at):
                continue
            self._lose("skipped", i, state)
            state.pending.pop(0)
            return Settled(tag, at, found)
        return None

    def _first_there(self, params: Params, state: State) -> int:
        """How many of the oldest shots are forgotten, the first one at least. Halves: it may be hours of them."""

        def is_there(i: int) -> bool:
            # One image alone may never have been stored.
            found = [self._find(params, tag, at, state.step) for tag, at in state.pending[i : i + 2]]
            return any(one not in (GONE, INVALID) for each in found for one in each.values())

        low, high = 1, len(state.pending)
        while low < high:
            middle = (low + high) // 2
            if is_there(middle):
                high = middle
            else:
                low = middle + 1
        return low

    def _is_no_shot(self, params: Params, tag: int, found: Found, state: State) -> bool:
        """Whether a tag found by the step was none: the beam paused, or its rate has changed."""
        nobody_knows_it = len(found) > 0 and all(one == INVALID for one in found.values())
        return nobody_knows_it and tag not in self._listed(params["bl"], state.hightag, tag, tag)

    def _lose(self, reason: str, count: int, state: State) -> None:
        lost, state.pending = state.pending[:count], state.pending[count:]
        if lost and not state.is_first:
            state.gaps.setdefault(reason, []).extend(tag for tag, _ in lost)

    def _may_be_given(self, params: Params, tag: int, at: float) -> bool:
        return is_late(params, at) or all(self._has_come(equip_id, tag) for equip_id in params["signals"])

    def _ask_for_values(self, params: Params, state: State) -> None:
        """How far the values are, asked once a look and only for what is waited for."""
        if not state.pending:
            return
        wanted = state.pending[0 if params["policy"] == "every" else -1][0]
        for equip_id in params["signals"]:
            if not self._has_come(equip_id, wanted):
                self._value_tags[equip_id] = self._db.newest_tag(equip_id)[1]

    def _has_come(self, equip_id: str, tag: int) -> bool:
        return self._value_tags.get(equip_id, -1) >= tag

    def _find(self, params: Params, tag: int, at: float, step: int) -> Found:
        """
        The image of each detector, or why there is none. olpy's "gone" may as well mean that it was never stored:
        memory forgets the oldest first, so that is so when another of this shot, or an older one, is still there.
        """
        found = {det_id: self._live.image(det_id, tag) for det_id in params["detIds"]}
        for det_id, one in found.items():
            if one == EMPTY:
                found[det_id] = GONE if is_late(params, at) else EARLY
        gone = [det_id for det_id, one in found.items() if one == GONE]
        read = [det_id for det_id, one in found.items() if isinstance(one, LiveImage)]
        is_in_memory = bool(gone) and any(self._live.is_in_memory(det_id, tag) for det_id in read)
        for det_id in gone:
            if is_in_memory or self._is_older_there(det_id, tag, step):
                found[det_id] = MISSING
        return found

    def _is_older_there(self, det_id: str, tag: int, step: int) -> bool:
        older = range(tag - step, max(tag - (_OLDER + 1) * step, -1), -step) if step > 0 else ()
        return any(self._live.is_in_memory(det_id, one) for one in older)

    def _item(self, params: Params, state: State, settled: Settled) -> Dict[str, Any]:
        bl, tag = params["bl"], settled.tag
        frames, missing = [], []
        run = state.run
        for det_id, one in settled.found.items():
            if isinstance(one, LiveImage):
                frames.append({"detId": det_id, **cut(one, params["roi"])})
                run = run if one.run is None else one.run
            else:
                reason = {MISSING: "frame-missing", INVALID: "frame-missing", EARLY: "late"}.get(one, "data-gone")
                missing.append({"detId": det_id, "reason": reason})
        if run is None:
            found = self._run_at(bl, tag)
            run = self._db.newest_run(bl) if found is None else found
        hightag = self._hightag(bl, run)
        signals = self._signals(params["signals"], hightag, tag)
        at = self._time(params["signals"], hightag, tag, settled.seen_at)
        return {
            "hightag": hightag,
            "tag": tag,
            "run": run,
            "time": at,
            "latencyMs": (time.time() - at) * 1000,
            "frames": frames,
            "missing": missing,
            "signals": signals,
            "gaps": take_gaps(state),
        }

    def _rest(self, params: Params, state: State) -> Optional[Dict[str, Any]]:
        """What was lost before the end of the run and no shot has told."""
        gaps = take_gaps(state)
        if not gaps or state.run is None:
            return None
        return {
            "hightag": self._hightag(params["bl"], state.run),
            "tag": None,
            "run": state.run,
            "time": time.time(),
            "latencyMs": 0,
            "frames": [],
            "missing": [],
            "signals": {"values": np.zeros(0), "status": np.zeros(0, np.uint8), "units": []},
            "gaps": gaps,
        }

    def _signals(self, equip_ids: List[str], hightag: int, tag: int) -> Dict[str, Any]:
        values = np.full(len(equip_ids), np.nan)
        status = np.full(len(equip_ids), _LATE, np.uint8)
        units = [""] * len(equip_ids)
        for i, equip_id in enumerate(equip_ids):
            if not self._has_come(equip_id, tag):
                continue
            (column,) = self._db.columns([equip_id], hightag, np.array([tag], np.uint32))
            values[i], status[i], units[i] = column["values"][0], column["status"][0], column["unit"]
        return {"values": values, "status": status, "units": units}

    def _time(self, equip_ids: List[str], hightag: int, tag: int, seen_at: float) -> float:
        """By the clock of the facility's database, which needs a signal; without one, when it was seen here."""
        for equip_id in equip_ids:
            if self._has_come(equip_id, tag):
                try:
                    return self._db.timestamp(hightag, tag, equip_id)
                except GatewayError:
                    break
        return seen_at

    def _hightag(self, bl: int, run: int) -> int:
        known = self._hightags.get((bl, run))
        if known is not None:
            return known
        return self._hightags.put((bl, run), int(self._db.of_run("read_hightagnumber", bl, run)))

    def _hightag_of(self, bl: int, image: LiveImage) -> int:
        return self._hightag(bl, self._db.newest_run(bl) if image.run is None else image.run)

    def _run_at(self, bl: int, tag: int) -> Optional[int]:
        """The run a tag belongs to; None when it is between runs. A run that goes on has no end yet."""
        newest = self._db.newest_run(bl)
        for run in range(newest, max(newest - _RUNS_BACK, 0), -1):
            if self._db.status(bl, run) == -1:
                continue
            found = self._db.range(bl, run)
            if found.start <= tag:
                return run if found.status != 0 or tag < found.end else None
        return None
