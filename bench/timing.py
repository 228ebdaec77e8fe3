"""The edge finder of sacla/timing in numpy and scipy, for bench/timing.ts: the same steps, each as arrays.

Arguments: file of images (u16), rows, columns, images, file of the model (JSON). Answers {ms, check} to each line of stdin.
"""

import json
import sys

import numpy as np
from scipy.special import ndtr
from serve import serve

rows, columns, count = map(int, sys.argv[2:5])
images = np.fromfile(sys.argv[1], np.uint16).reshape(count, rows, columns)
model = json.load(open(sys.argv[5]))
bin_, bands, lines, bins = (model[name] for name in ("bin", "bands", "linesPerBand", "bins"))
(top, bottom), (left, right) = model["rows"], model["columns"]
background = np.array(model["background"]).reshape(bands, bins)
weights, root, sigma0 = np.array(model["weights"]), np.array(model["root"]), model["sigma"]
basis, dark_high, pedestal = np.array(model["basis"]), model["darkSide"] == "high", model["pedestal"]
x = np.arange(bins)
reach = max(1, int(np.ceil(3 * sigma0)))
kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma0) ** 2)
kernel /= kernel.sum()
wide = max(1, int(np.ceil(4.8 * sigma0)))
slope_kernel = np.exp(-0.5 * (np.arange(-wide, wide + 1) / (1.6 * sigma0)) ** 2)
first = int(np.ceil(2 * sigma0))
last = bins - 1 - first


def slide(values):
    """A step of the usual width slid along values, weighted once more."""
    smooth = np.convolve(values * root, kernel, "same")
    return np.cumsum(smooth) - smooth / 2


edges = ndtr((x[:, None] - x[None, :]) / sigma0) * root
step_power = (edges**2).sum(1) - sum(slide(vector) ** 2 for vector in basis)
full_power = (edges**2).sum(1)


def free(values):
    return values - (values @ basis.T) @ basis


def edge(at, sigma):
    u = (at - x) / sigma
    bump = np.exp(-0.5 * u * u) / (sigma * np.sqrt(2 * np.pi))
    return ndtr(u), bump, -u * bump


def search(rest, taken=None, at=None, sign=1):
    power = step_power
    if taken is not None:
        q, _ = np.linalg.qr(taken.T)
        power = power - sum(slide(column) ** 2 for column in q.T)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(power > 0.1 * full_power, -slide(rest) / np.sqrt(power), 0)
    if at is not None:
        value[np.abs(x - at) < 3 * sigma0] = 0
    size = np.abs(value) if sign == 0 else value
    best = first + int(np.argmax(size[first : last + 1]))
    return best, value[best], value[best] / np.sqrt(power[best])


def drift_free(y, at, sigma):
    loss = edge(at, sigma)[0] * root
    part = free(loss)
    rest = free(y * root)
    height = rest @ part / (loss @ part)
    rest = free(rest - height * loss)
    drift = y - (height * loss + rest) / root
    return y / np.where(drift > 0.05, drift, 1)


def refine(y, at, depth, prior):
    sigma = sigma0
    for _ in range(2):
        clean = drift_free(y, at, sigma)
        for _ in range(3):
            e, by_shift, by_width = edge(at, sigma)
            taken = free(-root * np.array([e, depth * by_shift, depth * by_width]))
            rest = free(root * (clean - 1 + depth * e))
            normal, right_side = taken @ taken.T, taken @ rest
            tie = 1 / (prior * sigma) ** 2
            normal[2, 2] += tie
            right_side[2] -= tie * sigma * np.log(sigma / sigma0)
            move = np.linalg.solve(normal, right_side)
            rest = rest - move @ taken
            shift = min(sigma, max(-sigma, move[1]))
            at, depth, sigma = at + shift, depth + move[0], min(4 * sigma0, max(sigma0 / 4, sigma + max(-sigma / 2, move[2])))
            if abs(shift) < 1e-3:
                break
    return at, depth, sigma, rest, taken, clean


def find(image):
    strip = image[top:bottom, left : left + bins * bin_].astype(np.float32)
    full = strip.max()
    if np.log2(full + 1).is_integer() and (strip == full).sum() >= 4:
        strip[strip == full] = np.nan
    strip = strip.reshape(bands, lines, bins, bin_).mean((1, 3)) - pedestal
    profile = (weights[:, None] * strip / background).sum(0) / weights.sum()
    if dark_high:
        profile = profile[::-1]
    w = root**2
    y = profile * w.sum() / (w @ profile)
    rest = free(y * root)
    at, score, height = search(rest)
    at, depth, *_, rest, taken, _ = refine(y, at, height, 0.03)
    search(rest, taken, at, 0)  # a second edge
    at, depth, sigma, rest, taken, clean = refine(y, at, depth, 0.25)
    slope = np.convolve(clean - 1, slope_kernel, "same")
    np.argmax(slope[first + 1 :] - slope[first - 1 : -2])
    slide(rest)  # the scatter of the residual
    at = bins - 1 - at if dark_high else at
    return left + (at + 0.5) * bin_ - 0.5


serve(lambda _: [find(image) for image in images])
