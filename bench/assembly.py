"""The references of bench/assembly.ts, which starts this file and asks for one case at a time: numpy's take, OpenCV's
remap and scipy, each as fast as we know to write it (memory reused, one thread). Answers are lines of JSON."""

import json
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import scipy.ndimage
import scipy.sparse

cv2.setNumThreads(1)
folder = Path(sys.argv[1])
side, shots = int(sys.argv[2]), int(sys.argv[3])
sensors, rows, columns = 8, 1024, 512
count = sensors * rows * columns


def read(name, dtype):
    return np.fromfile(folder / name, dtype)


raw = read("shots.u16", np.uint16).reshape(shots, count)
dark = read("dark.f32", np.float32)
gain = np.repeat(read("gain.f32", np.float32), rows * columns)
lut = read("lut.f32", np.float32).astype(np.intp)
gap = lut < 0
lut[gap] = count
# One more pixel than there are: what gaps show.
values = np.full(count + 1, np.nan, np.float32)
out = np.zeros(side * side, np.float32)
stack = values[:count].reshape(sensors * rows, columns)
# Far outside for gaps, so that the border value is painted.
from_row = np.where(gap, -9.0, lut // columns).astype(np.float32).reshape(side, side)
from_column = np.where(gap, -9.0, lut % columns).astype(np.float32).reshape(side, side)
nearest_map = np.stack([from_column, from_row], axis=-1).astype(np.int16)
linear_maps = cv2.convertMaps(from_column + 0.25, from_row + 0.25, cv2.CV_16SC2)
coordinates = np.stack([from_row, from_column])
overlaps = scipy.sparse.csr_array(
    (read("weights.f32", np.float32), read("pixels.i32", np.int32), read("starts.i32", np.int32)), shape=(side * side, count)
)


def calibrate(shot):
    np.subtract(raw[shot], dark, out=values[:count])
    np.multiply(values[:count], gain, out=values[:count])


def numpy_take(shot):
    calibrate(shot)
    np.take(values, lut, out=out, mode="clip")


def opencv_nearest(shot):
    calibrate(shot)
    cv2.remap(stack, nearest_map, None, cv2.INTER_NEAREST, out.reshape(side, side), cv2.BORDER_CONSTANT, float("nan"))


def opencv_linear(shot):
    calibrate(shot)
    cv2.remap(stack, *linear_maps, cv2.INTER_LINEAR, out.reshape(side, side), cv2.BORDER_CONSTANT, float("nan"))


def scipy_nearest(shot):
    calibrate(shot)
    scipy.ndimage.map_coordinates(stack, coordinates, out.reshape(side, side), order=0, cval=np.nan, prefilter=False)


def scipy_sparse(shot):
    calibrate(shot)
    out[:] = overlaps @ values[:count]


def difference(expected):
    """Largest difference from ours, where neither is a gap; gaps must be the same."""
    ours = read(expected, np.float32)
    hidden = np.isnan(ours) if np.isnan(out).any() else np.isnan(ours) & (out == 0)
    if (np.isnan(out) & ~hidden).any():
        return None
    return float(np.abs(ours - out)[~hidden].max())


cases = {f.__name__: f for f in (numpy_take, opencv_nearest, opencv_linear, scipy_nearest, scipy_sparse)}
print(json.dumps({"numpy": np.__version__, "opencv": cv2.__version__, "scipy": scipy.__version__, "python": sys.version.split()[0]}), flush=True)
for line in sys.stdin:
    ask = json.loads(line)
    work = cases[ask["case"]]
    if "compare" in ask:
        work(0)
        print(json.dumps({"difference": difference(ask["compare"])}), flush=True)
        continue
    work(0)
    started, busy = time.perf_counter(), time.process_time()
    for i in range(ask["shots"]):
        work(i % shots)
    passed, used = time.perf_counter() - started, time.process_time() - busy
    print(json.dumps({"ms": passed * 1000 / ask["shots"], "cpu": used * 1000 / ask["shots"]}), flush=True)
