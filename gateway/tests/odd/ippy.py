"""ippy with faults and quirks: draws sensors by nearest pixel, source view. The gateway does not call it."""

from typing import Any, Dict, Sequence

import numpy as np


def get_api_version() -> str:
    return "1.0.0-standin"


def reconstruction(srcs: Sequence[Dict[str, Any]], width: int, height: int, pixel_size: int, fill: float) -> np.ndarray:
    image = np.full((height, width), fill, dtype=np.float32)
    for src in srcs:
        if not src["succeeded"]:
            continue
        row, column = np.nonzero(src["mask"])
        angle = np.deg2rad(src["rotAngle"])
        scale = src["dScale"] * src["pixelSize"] / pixel_size
        x = src["xPosPixel"] + (column * np.cos(angle) + row * np.sin(angle)) * scale
        y = src["yPosPixel"] + (row * np.cos(angle) - column * np.sin(angle)) * scale
        to = np.floor(height / 2 + y).astype(int), np.floor(width / 2 + x).astype(int)
        inside = (to[0] >= 0) & (to[0] < height) & (to[1] >= 0) & (to[1] < width)
        image[to[0][inside], to[1][inside]] = src["img"][row[inside], column[inside]] * src["iScale"]
    return image
