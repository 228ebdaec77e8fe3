"""Images read before they are asked for, along the list of tags that a script goes through."""

import os
import queue
import threading
import weakref
from collections import OrderedDict
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from .client import call, stream
from .errors import SaclaError

_CONNECTIONS = 3
_MOST_AHEAD = 32
_BYTES_AHEAD = 96 * 2**20
# A script that goes further than this in one step goes its own way.
_LONGEST_STEP = 64


class _Lists:
    """The tag lists that were read last, by beamline and run."""

    def __init__(self, most: int = 8) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._known: "OrderedDict[Tuple[int, int], Tuple[List[int], Dict[int, int]]]" = OrderedDict()

    def put(self, bl: int, run: int, tags: List[int]) -> Tuple[List[int], Dict[int, int]]:
        entry = (tags, {tag: i for i, tag in enumerate(tags)})
        with self._lock:
            self._known[(bl, run)] = entry
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return entry

    def get(self, bl: int, run: int) -> Tuple[List[int], Dict[int, int]]:
        with self._lock:
            entry = self._known.get((bl, run))
        if entry is not None:
            return entry
        return self.put(bl, run, call("db.readTaglistByrun", {"bl": bl, "run": run}).tolist())


lists = _Lists()


class _Block(NamedTuple):
    """Images that one request reads."""

    ahead: "weakref.ref[Ahead]"
    course: int
    params: Dict[str, Any]


class _Workers:
    """Threads that read blocks, each over a connection of its own; started anew after a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = -1
        self._blocks: "queue.Queue[_Block]" = queue.Queue()

    def put(self, block: _Block) -> None:
        with self._lock:
            if self._process != os.getpid():
                self._process, self._blocks = os.getpid(), queue.Queue()
                for _ in range(_CONNECTIONS):
                    threading.Thread(target=_work, args=(self._blocks,), daemon=True, name="sacla-ahead").start()
        self._blocks.put(block)


def _work(blocks: "queue.Queue[_Block]") -> None:
    while True:
        _read(blocks.get())


def _read(block: _Block) -> None:
    tags = block.params["tags"].tolist()
    try:
        if _ahead_of(block) is not None:
            items = stream("st.frames", block.params)
            for item in items:
                ahead = _ahead_of(block)
                if ahead is None:
                    items.close()
                    break
                frames = item["frames"]
                image = frames[0]["data"].reshape(frames[0]["shape"]) if frames else None
                ahead.came(block.course, int(item["tag"]), image)
                del ahead
    except (SaclaError, OSError):
        # Whoever wants one of these asks for it again, and gets the error.
        pass
    finally:
        ahead = _ahead_of(block)
        if ahead is not None:
            for tag in tags:
                ahead.came(block.course, tag, None)


def _ahead_of(block: _Block) -> Optional["Ahead"]:
    ahead = block.ahead()
    return ahead if ahead is not None and ahead.course == block.course else None


_workers = _Workers()


class Ahead:
    """The images of one detector of one beamline that are read ahead. `course` counts changes of direction."""

    def __init__(self, bl: int, det_id: str) -> None:
        self.course = 0
        self._bl, self._det_id = bl, det_id
        self._changed = threading.Condition()
        # None: on its way.
        self._images: "OrderedDict[int, Optional[np.ndarray]]" = OrderedDict()
        self._run = -1
        self._at = -1
        self._step = 0
        self._window = 0
        self._process = os.getpid()

    def take(self, tag: int) -> Optional[Tuple[int, np.ndarray]]:
        """The run and the image when it was read ahead, or is on its way; None when it must be asked for."""
        with self._changed:
            if self._process != os.getpid():
                self._process = os.getpid()
                self._turn()
            if tag not in self._images:
                return None
            # Skipped ones are not wanted any more.
            while next(iter(self._images)) != tag:
                self._images.popitem(last=False)
            course = self.course
            while self._images.get(tag, self) is None and self.course == course:
                self._changed.wait(1.0)
            image = self._images.pop(tag, None)
            return None if image is None else (self._run, image)

    def read_on(self, run: int, tag: int, image_bytes: int) -> None:
        """Called when `tag` of `run` has been collected: what is likely to come next is asked for."""
        try:
            tags, places = lists.get(self._bl, run)
        except SaclaError:
            return
        at = places.get(tag)
        with self._changed:
            if at is None:
                self._turn()
                self._run = -1
                return
            step = at - self._at if run == self._run else 0
            if run != self._run or step != self._step or not 1 <= step <= _LONGEST_STEP:
                # Single images, and the first of a list, tell nothing about what comes next.
                is_first = run == self._run and self._step == 0 and 1 <= step <= _LONGEST_STEP
                self._turn()
                self._window = 2 if is_first else 0
            self._run, self._at, self._step = run, at, step
            if self._window == 0:
                return
            most = max(1, min(_MOST_AHEAD, _BYTES_AHEAD // max(1, image_bytes)))
            self._window = min(most, 2 * self._window)
            self._ask(tags, at, step)

    def came(self, course: int, tag: int, image: Optional[np.ndarray]) -> None:
        """An image has been read; None: there is none to be had this way."""
        with self._changed:
            if course != self.course or self._images.get(tag, self) is not None:
                return
            if image is None:
                del self._images[tag]
            else:
                self._images[tag] = image
            self._changed.notify_all()

    def _turn(self) -> None:
        self.course += 1
        self._images.clear()
        self._window = 0
        self._changed.notify_all()

    def _ask(self, tags: List[int], at: int, step: int) -> None:
        last = next(reversed(self._images), None)
        begin = at + step
        if last is not None:
            begin = lists.get(self._bl, self._run)[1][last] + step
        wanted = tags[begin : at + step * self._window + 1 : step]
        block = max(1, self._window // 4)
        is_end = at + step * (self._window + 1) >= len(tags)
        if len(wanted) < block and not is_end:
            return
        for i in range(0, len(wanted), block):
            part = wanted[i : i + block]
            if len(part) < block and not is_end:
                return
            for tag in part:
                self._images[tag] = None
            params = {
                "bl": self._bl,
                "run": self._run,
                "detIds": [self._det_id],
                "tags": np.array(part, np.uint32),
                "roi": None,
            }
            _workers.put(_Block(weakref.ref(self), self.course, params))
