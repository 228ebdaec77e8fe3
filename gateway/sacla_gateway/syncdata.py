"""The text form of SyncDB values: `7.22600e-02V`, `1234pulse`, `0`, `not-converged`, `saturated`."""

import re
from typing import Any, Dict, Sequence

import numpy as np

# Indexes of syncStatus in src/core/syncdb.ts.
OK, NOT_CONVERGED, SATURATED, MISSING = range(4)
_REASONS = {"not-converged": NOT_CONVERGED, "saturated": SATURATED}
_LEADING_NUMBER = re.compile(r"\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*(.*)", re.DOTALL)


def column(equip_id: str, values: Sequence[str]) -> Dict[str, Any]:
    """
    One signal with its unit, and a reason for each value that is not there. Text without a leading number is
    missing, as scripts at the facility treat it.
    """
    numbers = np.full(len(values), np.nan)
    status = np.full(len(values), MISSING, dtype=np.uint8)
    unit = None
    for i, value in enumerate(values):
        reason = _REASONS.get(value)
        if reason is not None:
            status[i] = reason
            continue
        match = _LEADING_NUMBER.match(value)
        if match is None:
            continue
        number = float(match.group(1))
        if not np.isfinite(number):
            continue
        numbers[i] = number
        status[i] = OK
        if unit is None:
            unit = match.group(2).strip()
    return {"equipId": equip_id, "unit": unit or "", "values": numbers, "status": status}


def as_doubles(values: Any) -> np.ndarray:
    """The floats of dbpy, NaN wherever there is no finite number: what it gives for `saturated` is not known."""
    doubles = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    doubles[~np.isfinite(doubles)] = np.nan
    return doubles
