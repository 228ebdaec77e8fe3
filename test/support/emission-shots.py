"""Shots of a crystal spectrometer: python emission-shots.py SEED PHOTONS FOLDER, written apart from the project.

Two Lorentzian lines on a curved and tilted line across a sensor, dark and calibration shots; writes emission.bin
(float32, [shots, rows, columns]) and emission.json with the truth. Needs numpy and scipy.
"""
import json
import os
import sys

import numpy as np
from scipy.special import ndtr, voigt_profile

seed, total, folder = int(sys.argv[1]), int(float(sys.argv[2])), sys.argv[3]
rng = np.random.default_rng(seed)
axis = "columns" if rng.random() < 0.6 else "rows"
along, across = int(rng.choice([256, 384, 512])), int(rng.choice([96, 128, 192]))
middle_ev = rng.uniform(5500, 11000)
ev_per_px = rng.uniform(0.1, 0.3) * rng.choice([-1, 1])
half = along * abs(ev_per_px) / 2
bend, tilt = rng.normal(0, 0.0025), rng.uniform(-0.06, 0.06)
curve = rng.uniform(-1, 1) * 12 / (across / 2) ** 2
blur, light = rng.uniform(0.3, 0.9), rng.uniform(0.2, 0.6)
along0, across0 = along / 2 + rng.uniform(-8, 8), across / 2 + rng.uniform(-10, 10)
first = middle_ev + rng.uniform(-0.35, 0.35) * half
second = first + rng.uniform(0.25, 0.5) * half * (-1 if first > middle_ev else 1)
fwhm = [rng.uniform(1.5, 4), rng.uniform(2, 8)]
share, background = rng.uniform(0.6, 0.85), rng.uniform(0.02, 0.3)
adu, cloud, noise = middle_ev / 3.65 / 17.8, rng.uniform(3, 8) / 50, 11.2 * rng.uniform(0.7, 1.2)
pedestal = rng.normal(110, 6, (across, along))


def place(energy, row):
    e = energy - middle_ev
    return along0 + e / ev_per_px + bend * e * e + curve * (row - across0) ** 2 + tilt * (row - across0)


def parts(x):
    edges = ndtr((np.arange(-1.5, 2)[None, :] - x[:, None]) / cloud)
    edges[:, 0], edges[:, -1] = 0, 1
    return np.diff(edges, axis=1)


def image(a, b):
    inside = (a > -0.5) & (a < along - 0.5) & (b > -0.5) & (b < across - 0.5)
    a, b = a[inside], b[inside]
    ia, ib = np.floor(a + 0.5).astype(int), np.floor(b + 0.5).astype(int)
    pa, pb = parts(a - ia), parts(b - ib)
    charge = np.zeros((across + 2, along + 2))
    for i in range(3):
        for j in range(3):
            np.add.at(charge, (ib + j, ia + i), pa[:, i] * pb[:, j])
    adus = np.rint(charge[1:-1, 1:-1] * adu + pedestal + rng.normal(0, noise, pedestal.shape))
    return (adus if axis == "columns" else adus.T).astype("<f4"), len(a)


def bound_ev():
    """Least error of the first line that so many photons allow (Cramér-Rao), the rest fitted too, the blur known."""
    e = np.linspace(middle_ev - half, middle_ev + half, 4001)

    def per_ev(p):
        lines = sum(n * voigt_profile(e - at, blur, width / 2) for at, width, n in (p[:3], p[3:6]))
        return lines + p[6]

    bright = total * (1 - background)
    best = np.array([first, fwhm[0], bright * share, second, fwhm[1], bright * (1 - share), total * background / (2 * half)])
    steps = np.diag([1e-4, 1e-4, 1, 1e-4, 1e-4, 1, 1e-2])
    slopes = np.array([(per_ev(best + s) - per_ev(best - s)) / (2 * s.sum()) for s in steps])
    return np.sqrt(np.linalg.inv(slopes / per_ev(best) @ slopes.T * (e[1] - e[0]))[0, 0])


images, kinds, energies, found = [], [], [], 0


def add(kind, energy, a, b):
    global found
    pixels, n = image(a, b)
    images.append(pixels), kinds.append(kind), energies.append(energy)
    found += n if kind == "sample" else 0


for _ in range(4):
    add("dark", None, np.zeros(0), np.zeros(0))
for energy in np.linspace(middle_ev - 0.7 * half, middle_ev + 0.7 * half, rng.integers(4, 8)).round(1):
    n = rng.poisson(20000)
    rows = rng.uniform(-0.5, across - 0.5, n)
    add("calibration", float(energy), place(energy + rng.normal(0, np.hypot(blur, light), n), rows), rows)
for _ in range(max(1, total // 50000)):
    a, b = [], []
    for line, width, part in zip((first, second), fwhm, (share, 1 - share)):
        n = rng.poisson(total * (1 - background) * part / max(1, total // 50000))
        rows = rng.uniform(-0.5, across - 0.5, n)
        energy = line + width / 2 * np.tan(np.pi * (rng.random(n) - 0.5)) + rng.normal(0, blur, n)
        near = np.abs(energy - middle_ev) < 1.5 * half
        a.append(place(energy[near], rows[near])), b.append(rows[near])
    n = rng.poisson(total * background / max(1, total // 50000))
    a.append(rng.uniform(-0.5, along - 0.5, n)), b.append(rng.uniform(-0.5, across - 0.5, n))
    add("sample", None, np.concatenate(a), np.concatenate(b))
np.stack(images).tofile(os.path.join(folder, "emission.bin"))
truth = dict(shape=[len(images), *images[0].shape], axis=axis, kinds=kinds, energies=energies, aduPerPhoton=adu)
truth |= dict(lines=[first, second], fwhm=fwhm, photons=found, blur=blur, calibrationRms=float(np.hypot(blur, light)))
truth["boundEv"] = bound_ev()
truth["places"] = [[e, r, place(e, r)] for e in (first, second, middle_ev) for r in (0, across // 2, across - 1)]
with open(os.path.join(folder, "emission.json"), "w") as file:
    json.dump(truth, file)
