"""Pictures of the simulated facility in numpy, for bench/facility.ts: pedestal, noise of rows and pixels, Poisson photons.

Arguments: folder with pedestalK.f32 and expectedK.f32 of each case K, shots. Charge is not shared between pixels, and there
are no bad pixels: less work than the facility does. Answers {ms, check} to each line of stdin, the number of a case.
"""

import sys

import numpy as np
from serve import serve

folder, shots = sys.argv[1], int(sys.argv[2])
random = np.random.default_rng(1)
known = {}


def tables(case):
    if case not in known:
        known[case] = [np.fromfile(f"{folder}/{name}{case}.f32", np.float32) for name in ("pedestal", "expected")]
    return known[case]


def draw(case):
    pedestal, expected = tables(case)
    rows = len(pedestal) // 512
    for _ in range(shots):
        image = random.standard_normal(len(pedestal), np.float32)
        image *= 11.2
        image += pedestal
        image.reshape(rows, 512)[:] += random.standard_normal((rows, 1), np.float32)
        if expected[0] > 0:
            image += np.float32(154) * random.poisson(random.gamma(80, 1 / 80) * expected)
        np.clip(image, 0, 65535, out=image)
        image.astype(np.uint16)
    return []


serve(draw)
