"""What travels from one look at the live shots to the next, and the small questions asked of it."""

import time
from dataclasses import dataclass, field
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union

import numpy as np

from .live import GONE, LiveImage
from .st import check_range

_TAGS_PER_SECOND = 60
_IDLE_WAIT_S = 0.05
_IDLE_AFTER_S = 1.0

Params = Dict[str, Any]
Found = Dict[str, Union[LiveImage, str]]


@dataclass
class State:
    """What one look leaves for the next; plain numbers, for it travels as JSON."""

    seen: Optional[int]  # the tag up to which shots are known; None: no image yet
    is_first: bool  # nothing before the first shot counts as lost
    hightag: int = 0
    step: int = 0  # tags between two shots; 0: not known
    run: Optional[int] = None  # the run that is followed to its end
    end: Optional[int] = None  # its end (exclusive), when it has stopped
    pending: List[Tuple[int, float]] = field(default_factory=list)  # tag, and when it happened as far as seen here
    gaps: Dict[str, List[int]] = field(default_factory=dict)
    given: int = 0
    newest_at: float = 0.0
    looked_at: float = 0.0


class Settled(NamedTuple):
    """A shot about which no more can be learnt."""

    tag: int
    seen_at: float
    found: Found


def cut(image: LiveImage, roi: Optional[Dict[str, List[int]]]) -> Dict[str, Any]:
    """The pixels asked for, with their shape."""
    pixels = image.pixels
    if roi is not None:
        check_range("rows", roi["rows"], pixels.shape[0])
        check_range("columns", roi["columns"], pixels.shape[1])
        pixels = pixels[slice(*roi["rows"]), slice(*roi["columns"])]
    return {"shape": list(pixels.shape), "data": pixels}


def is_gone(found: Found) -> bool:
    return len(found) > 0 and all(one == GONE for one in found.values())


def is_late(params: Params, at: float) -> bool:
    return bool(time.time() - at >= params["maxWaitMs"] / 1000)


def when(tag: int, newest: int, now: float) -> float:
    """When a tag happened, told from the newest one, which happens now."""
    return now - max(0, newest - tag) / _TAGS_PER_SECOND


def pause(state: State, now: float) -> float:
    """Half the time between shots, for each look takes a whole image; longer while there is no beam."""
    if now - state.newest_at > _IDLE_AFTER_S:
        return _IDLE_WAIT_S
    return min(_IDLE_WAIT_S, max(state.step, 1) / _TAGS_PER_SECOND / 2)


def take_gaps(state: State) -> List[Dict[str, Any]]:
    """What was lost since it was last told; then forgotten."""
    gaps = [{"reason": reason, "tags": np.array(sorted(tags), np.uint32)} for reason, tags in state.gaps.items()]
    state.gaps = {}
    return gaps
