"""numpy and pyFAI references of bench/reduce-pixels.ts.

Arguments: stack (u16), dark (f64), images, rows, columns. Reads the name of the work from stdin, answers {ms, check}.
"""

import logging
import sys

import numpy as np
from serve import serve

logging.disable(logging.CRITICAL)
from pyFAI.detectors import Detector
from pyFAI.integrator.azimuthal import AzimuthalIntegrator

stack_path, dark_path = sys.argv[1:3]
images, rows, columns = map(int, sys.argv[3:6])
stack = np.fromfile(stack_path, np.uint16).reshape(images, rows, columns)
dark = np.fromfile(dark_path, np.float64).reshape(rows, columns)
dark32 = dark.astype(np.float32)
# Orientation 2: the picture as looked at from the source; the beam hits its middle.
detector = Detector(pixel1=5e-5, pixel2=5e-5, max_shape=(rows, columns), orientation=2)
ai = AzimuthalIntegrator(dist=0.08, poni1=rows * 25e-6, poni2=columns * 25e-6, detector=detector)
END = 20 * (1 + 2**-23)
radial = np.floor(ai.center_array((rows, columns), "2th_deg") / (END / 400)).astype(np.int64)
chi = np.degrees(ai.center_array((rows, columns), "chi_rad"))
sector = np.floor((chi + 180) / ((180 * (1 + 2**-23) + 180) / 36)).astype(np.int64)
ring_bins = np.minimum(radial, 400).ravel()
map_bins = np.where(radial < 400, sector * 400 + radial, 36 * 400).ravel()


def binned(bins, length):
    total = np.zeros(length + 1)
    for image in stack:
        total += np.bincount(bins, weights=(image - dark).ravel(), minlength=length + 1)
    return [float((total[:length] * np.arange(length)).sum())]


def profile():
    return binned(ring_bins, 400)


def sectors():
    return binned(map_bins, 36 * 400)


def pyfai():
    total = np.zeros(400)
    for image in stack:
        total += ai.integrate1d(image, 400, unit="2th_deg", radial_range=(0, 20), dark=dark32, correctSolidAngle=False,
            method=("no", "csr", "cython")).sum_signal
    return [float((total * np.arange(400)).sum())]


def between():
    total = np.zeros((rows, columns))
    for image in stack:
        value = (image - dark).astype(np.float32)
        total += np.where((value >= 77) & (value <= 1e4), value, np.float32(0))
    return [float(total.sum())]


def photons():
    total = np.zeros((rows, columns), np.uint32)
    for image in stack:
        value = (image - dark).astype(np.float32)
        total += np.maximum(np.floor(value / 154.0 - 0.5) + 1, 0).astype(np.uint32)
    return [float(total.sum())]


works = {"profile": profile, "sectors": sectors, "pyFAI profile": pyfai, "between": between, "photons": photons}
serve(lambda name: works[name]())
