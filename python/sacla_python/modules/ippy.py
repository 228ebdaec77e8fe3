"""
SACLA's ippy: sensors drawn into one image. Computed here; no server is asked.

Only the call of the facility's talk of 2025 is public. Assumed: the source view (columns to the right looking from the
source, rows down), the beam at (width / 2, height / 2), each output pixel shows the sensor pixel under its centre, the
last source on top, and the fifth argument is the value of pixels that no sensor covers. The result has the same bits
as `reconstruction` of sacla in TypeScript.
"""

import math
import threading
from collections import OrderedDict
from typing import Any, Dict, Sequence, Tuple

import numpy as np

_FIELDS = ("xPosPixel", "yPosPixel", "pixelSize", "dScale", "rotAngle", "iScale")
_MOST_MAPS = 80

_Map = Tuple[np.ndarray, np.ndarray]
_maps: "OrderedDict[Tuple[Any, ...], _Map]" = OrderedDict()
_lock = threading.Lock()


class APIError(Exception):
    """What a source or an argument cannot be used for."""


def get_api_version() -> str:
    """Version of this package."""
    from sacla_python import __version__

    return __version__


def reconstruction(
    srcs: Sequence[Dict[str, Any]], width: int, height: int, pixelSize: float, offset: float
) -> np.ndarray:
    """One image of several sensors, float32 [height, width]. Each source is a dictionary with img, xPosPixel,
    yPosPixel (= -mp_posy / pixel size), pixelSize, dScale, rotAngle, iScale, mask (1 = use) and succeeded."""
    out = np.full((int(height), int(width)), offset, dtype=np.float32)
    flat = out.reshape(-1)
    for i, src in enumerate(srcs):
        if not src["succeeded"]:
            continue
        image = np.asarray(src["img"])
        if image.ndim != 2:
            raise APIError(f"srcs[{i}]['img'] has the shape {image.shape}, but must be one image")
        numbers = [float(src[field]) for field in _FIELDS]
        if not all(math.isfinite(number) for number in numbers) or numbers[2] <= 0 or numbers[3] <= 0:
            raise APIError(f"srcs[{i}] has a place, size or angle that cannot be: {dict(zip(_FIELDS, numbers))}")
        to, source = _map(image.shape, numbers, int(width), int(height), float(pixelSize))
        mask = np.asarray(src["mask"])
        if mask.shape != image.shape:
            raise APIError(f"srcs[{i}]['mask'] has the shape {mask.shape}, but the image has {image.shape}")
        if not mask.all():
            used = mask.reshape(-1)[source] != 0
            to, source = to[used], source[used]
        pixels = image.reshape(-1)[source].astype(np.float32)
        flat[to] = pixels * np.float32(numbers[5])
    return out


def _map(shape: Tuple[int, ...], numbers: Sequence[float], width: int, height: int, size: float) -> _Map:
    """Output pixels, and the sensor pixel that each shows. Kept: geometry is the same from shot to shot."""
    key = (shape, tuple(numbers[:5]), width, height, size)
    with _lock:
        found = _maps.get(key)
        if found is not None:
            _maps.move_to_end(key)
            return found
    made = _make_map(shape, numbers, width, height, size)
    with _lock:
        _maps[key] = made
        while len(_maps) > _MOST_MAPS:
            _maps.popitem(last=False)
    return made


def _make_map(shape: Tuple[int, ...], numbers: Sequence[float], width: int, height: int, size: float) -> _Map:
    x_pixels, y_pixels, pixel_size, d_scale, angle = numbers[:5]
    scale = (pixel_size * d_scale) / size
    left, top = x_pixels * scale, -y_pixels * scale
    cos, sin = _direction(angle)
    rows, columns = shape
    # Corners, for the rectangle of the output that can show the sensor; a pixel more on each side is harmless.
    xs = [left + c * scale * cos + r * scale * sin for r in (0, rows) for c in (0, columns)]
    ys = [top + c * scale * sin - r * scale * cos for r in (0, rows) for c in (0, columns)]
    c0, c1 = _range([width / 2 + x for x in xs], width)
    r0, r1 = _range([height / 2 - y for y in ys], height)
    x = np.arange(c0, c1, dtype=np.float64)[None, :] + 0.5 - width / 2 - left
    y = height / 2 - (np.arange(r0, r1, dtype=np.float64)[:, None] + 0.5) - top
    row = np.floor((x * sin - y * cos) / scale)
    column = np.floor((x * cos + y * sin) / scale)
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    to = (np.arange(r0, r1)[:, None] * width + np.arange(c0, c1)[None, :])[inside]
    return to.astype(np.int32), (row[inside] * columns + column[inside]).astype(np.int32)


def _range(values: Sequence[float], size: int) -> Tuple[int, int]:
    first = max(0, math.floor(min(values)) - 1)
    return first, max(first, min(size, math.ceil(max(values)) + 1))


def _direction(degrees: float) -> Tuple[float, float]:
    """Cosine and sine, exact at multiples of 90 degrees."""
    quarter = math.floor(degrees / 90 + 0.5)
    rest = (degrees - 90 * quarter) * math.pi / 180
    c, s = math.cos(rest), math.sin(rest)
    return ((c, s), (-s, c), (-c, -s), (s, -c))[quarter % 4]
