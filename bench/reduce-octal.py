"""numpy and numba programs of bench/reduce-octal.ts: the same definitions, written as a good programmer would.

Arguments: images (u16, [sensors, images, rows, columns]), dark (f64, [sensors, rows, columns]), signal (f64), images,
sensors, rows, columns. Reads the name of the work from stdin, answers {ms, cpuMs, check}; null where there is no numba.
"""

import json
import sys

import numpy as np
from serve import serve

try:
    from numba import njit
except ImportError:
    njit = None

images_path, dark_path, signal_path = sys.argv[1:4]
images, sensors, rows, columns = map(int, sys.argv[4:8])
stack = np.fromfile(images_path, np.uint16).reshape(sensors, images, rows, columns)
dark = np.fromfile(dark_path, np.float64).reshape(sensors, rows, columns)
signal = np.fromfile(signal_path, np.float64)
dark32 = dark.astype(np.float32)
ADU = np.float32(154)
LIT = np.float32(77)
BINS = 400
EDGE = 20 * (1 + 2**-23)
PORTS = 8
value = np.empty((rows, columns), np.float32)
y, x = np.mgrid[0:rows, 0:columns]
# The beam hits the middle; 80 mm, pixels of 50 um.
two_theta = np.degrees(np.arctan2(np.hypot((y + 0.5 - rows / 2) * 0.05, (x + 0.5 - columns / 2) * 0.05), 80.0))
ring = np.minimum(np.floor(two_theta / (EDGE / BINS)), BINS).astype(np.int64).ravel()
ring16 = ring.astype(np.uint16)


def weighted(v):
    return float((np.asarray(v, np.float64) * np.arange(len(v))).sum())


def each():
    """Every image, less the dark, as float32 in reused memory."""
    for s in range(sensors):
        for image in stack[s]:
            np.subtract(image, dark32[s], out=value)
            yield s, value


def np_photons():
    total = np.zeros((sensors, rows, columns), np.uint32)
    for s, v in each():
        v /= ADU
        v += np.float32(0.5)
        np.maximum(v, 0, out=v)
        np.add(total[s], v.astype(np.uint32), out=total[s])
    return [float(total.sum())]


def np_lit():
    return [float(sum(np.count_nonzero(v >= LIT) for _, v in each()))]


def np_rings():
    total = np.zeros(BINS)
    for _, v in each():
        total += np.bincount(ring, weights=v.ravel(), minlength=BINS + 1)[:BINS]
    return [weighted(total)]


def np_mean_rings():
    out = np.zeros(BINS)
    for s in range(sensors):
        total = np.zeros((rows, columns), np.uint32)
        for image in stack[s]:
            np.add(total, image, out=total)
        out += np.bincount(ring, weights=(total - images * dark[s]).ravel(), minlength=BINS + 1)[:BINS]
    return [weighted(out)]


def np_mean():
    out = 0.0
    for s in range(sensors):
        total = np.zeros((rows, columns), np.uint32)
        for image in stack[s]:
            np.add(total, image, out=total)
        out += (total / images - dark[s]).sum()
    return [float(out)]


def np_chain():
    total = np.zeros((sensors, rows, columns), np.float32)
    for s, v in each():
        np.add(total[s], v, out=total[s])
    return [float(total.sum(dtype=np.float64)) / images]


def np_covariance():
    out = 0.0
    square, product = np.empty_like(value), np.empty((rows, columns))
    n = images
    for s in range(sensors):
        sx, sxx, sxy = (np.zeros((rows, columns)) for _ in range(3))
        for k in range(n):
            np.subtract(stack[s, k], dark32[s], out=value)
            sx += value
            np.multiply(value, value, out=square)
            sxx += square
            np.multiply(value, signal[k], out=product)
            sxy += product
        out += float((sxy / n - sx / n * signal.mean()).sum())
    return [out]


def np_cube():
    cells = np.zeros((50, rows, columns), np.float32)
    number = np.zeros(50)
    out = 0.0
    for s in range(sensors):
        cells[:] = 0
        number[:] = 0
        for k in range(images):
            cell = (k * 7) % 50
            np.subtract(stack[s, k], dark32[s], out=value)
            np.add(cells[cell], value, out=cells[cell])
            number[cell] += 1
        for cell in np.flatnonzero(number):
            out += float(cells[cell].sum(dtype=np.float64)) / number[cell]
    return [out]


def np_roi():
    return [float(sum(v[:, 128:384].sum(dtype=np.float64) for _, v in each()))]


def np_projections():
    along_x, along_y = np.zeros(columns), np.zeros(rows)
    for _, v in each():
        along_x += v.sum(0, dtype=np.float64)
        along_y += v.sum(1, dtype=np.float64)
    return [weighted(along_x) / images / rows, weighted(along_y) / images / columns]


def np_histogram():
    """Each pixel, 41 bins of 10 from -100."""
    out = 0.0
    place = np.arange(rows * columns) * 43
    for s in range(sensors):
        counts = np.zeros(rows * columns * 43, np.uint16)
        for image in stack[s]:
            np.subtract(image, dark32[s], out=value)
            b = np.floor((value + np.float32(105)) / np.float32(10)).astype(np.int32)
            np.clip(b, -1, 41, out=b)
            counts[place + b.ravel() + 1] += 1
        inside = counts.reshape(-1, 43)[:, 1:42]
        out += float((inside.sum(0, dtype=np.float64) * np.arange(41)).sum())
    return [out]


def port_medians(*maps):
    """Medians of the ports of each map, and of what is between them and the pixels, added up."""
    total = 0.0
    width = columns // PORTS
    for p in range(PORTS):
        for a in maps:
            port = a[:, p * width : (p + 1) * width]
            middle = np.median(port)
            total += middle + np.median(np.abs(port - middle))
    return total


def np_dark_maps():
    hot = 0.0
    for s in range(sensors):
        total = np.zeros((rows, columns), np.uint32)
        squares = np.zeros((rows, columns), np.uint64)
        square = np.empty((rows, columns), np.uint32)
        for image in stack[s]:
            np.add(total, image, out=total)
            np.multiply(image, image, out=square, dtype=np.uint32)
            np.add(squares, square, out=squares)
        mean = total / images
        noise = np.sqrt((squares - mean * total) / (images - 1))
        hot += port_medians(mean, noise)
    return [float(hot)]


works = {
    "photons": np_photons, "lit": np_lit, "rings": np_rings, "mean rings": np_mean_rings, "mean": np_mean,
    "chain": np_chain, "covariance": np_covariance, "cube": np_cube, "roi": np_roi, "projections": np_projections,
    "histogram": np_histogram, "dark maps": np_dark_maps,
}

if njit is not None:

    @njit
    def photons_of(image, level, total):
        found = 0
        for i in range(image.size):
            v = (np.float32(image[i]) - level[i]) / np.float32(154) + np.float32(0.5)
            n = np.int32(max(v, np.float32(0)))
            total[i] += n
            found += n
        return found

    @njit
    def rings_of(image, level, bins, total):
        for i in range(image.size):
            total[bins[i]] += np.float32(image[i]) - level[i]

    @njit
    def covary(image, level, number, sx, sxx, sxy):
        for i in range(image.size):
            v = np.float64(np.float32(image[i]) - level[i])
            sx[i] += v
            sxx[i] += v * v
            sxy[i] += v * number

    @njit
    def histogram_of(image, level, counts):
        for i in range(image.size):
            b = np.int32((np.float32(image[i]) - level[i] + np.float32(115)) * np.float32(0.1))
            counts[i, min(max(b, 0), 42)] += 1

    @njit
    def subtract(image, level, out):
        for i in range(image.size):
            out[i] = np.float32(image[i]) - level[i]

    @njit
    def peaks_of(v, threshold, snr):
        height, width = v.shape
        lit, peaks = 0, 0
        for r in range(height):
            for c in range(width):
                x = v[r, c]
                if x < threshold:
                    continue
                lit += 1
                if r < 2 or c < 2 or r >= height - 2 or c >= width - 2:
                    continue
                top = True
                for dr in range(-1, 2):
                    for dc in range(-1, 2):
                        o = v[r + dr, c + dc]
                        if o > x or (o == x and (dr < 0 or (dr == 0 and dc < 0))):
                            top = False
                if not top:
                    continue
                n, total, squares = 0, 0.0, 0.0
                for dr in range(-2, 3):
                    step = 1 if dr == -2 or dr == 2 else 4
                    for dc in range(-2, 3, step):
                        d = np.float64(v[r + dr, c + dc]) - x
                        n += 1
                        total += d
                        squares += d * d
                mean = total / n
                if mean < 0 and -mean >= snr * np.sqrt(max(0.0, squares / n - mean * mean)):
                    peaks += 1
        return lit, peaks

    @njit
    def droplets_of(v, adu, seed, low, taken, members, photons):
        height, width = v.shape
        flat = v.ravel()
        total, used = 0, 0
        for first in range(flat.size):
            if not flat[first] >= seed or taken[first]:
                continue
            start, end = used, used + 1
            taken[first] = 1
            members[used] = first
            charge = 0.0
            k = start
            while k < end:
                i = members[k]
                k += 1
                charge += flat[i]
                c = i % width
                for step in range(4):
                    if step == 0:
                        ok, j = i >= width, i - width
                    elif step == 1:
                        ok, j = c > 0, i - 1
                    elif step == 2:
                        ok, j = c < width - 1, i + 1
                    else:
                        ok, j = i < flat.size - width, i + width
                    if ok and flat[j] >= low and not taken[j]:
                        taken[j] = 1
                        members[end] = j
                        end += 1
            n = int(np.floor(charge / adu + 0.5))
            total += n
            used = end
            while n > 0:
                best = start
                for k in range(start, end):
                    if flat[members[k]] > flat[members[best]]:
                        best = k
                photons[members[best]] += 1
                flat[members[best]] -= adu
                n -= 1
        for k in range(used):
            taken[members[k]] = 0
        return total

    @njit
    def moments(image, total, squares):
        for i in range(image.size):
            v = np.uint32(image[i])
            total[i] += v
            squares[i] += np.uint64(v * v)

    def nb_photons():
        out = 0
        for s in range(sensors):
            total = np.zeros(rows * columns, np.uint32)
            for image in stack[s]:
                out += photons_of(image.ravel(), dark32[s].ravel(), total)
        return [float(out)]

    def nb_rings():
        total = np.zeros(BINS + 1)
        for s in range(sensors):
            for image in stack[s]:
                rings_of(image.ravel(), dark32[s].ravel(), ring16, total)
        return [weighted(total[:BINS])]

    def nb_covariance():
        out = 0.0
        for s in range(sensors):
            sx, sxx, sxy = (np.zeros(rows * columns) for _ in range(3))
            for k in range(images):
                covary(stack[s, k].ravel(), dark32[s].ravel(), signal[k], sx, sxx, sxy)
            out += float((sxy / images - sx / images * signal.mean()).sum())
        return [out]

    def nb_histogram():
        out = 0.0
        for s in range(sensors):
            counts = np.zeros((rows * columns, 43), np.uint16)
            for image in stack[s]:
                histogram_of(image.ravel(), dark32[s].ravel(), counts)
            out += float((counts[:, 1:42].sum(0, dtype=np.float64) * np.arange(41)).sum())
        return [out]

    def nb_peaks():
        lit, peaks = 0, 0
        for s in range(sensors):
            for image in stack[s]:
                subtract(image.ravel(), dark32[s].ravel(), value.ravel())
                a, b = peaks_of(value, LIT, 5.0)
                lit, peaks = lit + a, peaks + b
        return [float(lit), float(peaks)]

    def nb_droplets():
        taken, members = np.zeros(rows * columns, np.uint8), np.zeros(rows * columns, np.int32)
        photons = np.zeros(rows * columns, np.uint32)
        out = 0
        for s in range(sensors):
            for image in stack[s]:
                subtract(image.ravel(), dark32[s].ravel(), value.ravel())
                out += droplets_of(value, 154.0, np.float32(0.3 * 154), np.float32(0.15 * 154), taken, members, photons)
        return [float(out)]

    def nb_dark_maps():
        hot = 0.0
        for s in range(sensors):
            total = np.zeros(rows * columns, np.uint32)
            squares = np.zeros(rows * columns, np.uint64)
            for image in stack[s]:
                moments(image.ravel(), total, squares)
            mean = total / images
            noise = np.sqrt((squares - mean * total) / (images - 1)).reshape(rows, columns)
            hot += port_medians(mean.reshape(rows, columns), noise)
        return [float(hot)]

    works |= {
        "numba photons": nb_photons, "numba rings": nb_rings, "numba covariance": nb_covariance,
        "numba histogram": nb_histogram, "numba peaks": nb_peaks, "numba droplets": nb_droplets,
        "numba dark maps": nb_dark_maps,
    }

serve(lambda name: works[name](), json.dumps({"works": list(works)}))
