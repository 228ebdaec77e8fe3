"""What ctdapy_xfel and ctolpy_xfel share."""

from typing import Any

import numpy as np

from .errors import FacilityError

WIDTH = 384
HEIGHT = 728


class CitiusError(FacilityError):
    """args are (int, str): scripts compare args[0] with the CTOL_ERR_ and CTDA_ERR_ constants of the module."""

    first_number = -400_000_000


def fill(name: str, out: Any, kind: Any, data: np.ndarray) -> None:
    """Copies into the caller's array. Its size counts, not its shape: scripts pass (728, 384) and (384, 728)."""
    if not isinstance(out, np.ndarray) or out.dtype != kind:
        found = out.dtype if isinstance(out, np.ndarray) else type(out).__name__
        raise TypeError(f"{name} must be a numpy array of {np.dtype(kind).name}, not {found}")
    if out.size != data.size:
        raise ValueError(f"{name} has {out.size} pixels of shape {out.shape}, but must have {data.size}")
    out[...] = data.reshape(out.shape)
