#!/usr/bin/env bash
# scikit-beam 0.0.27 (PyPI): `xsvs` makes exposures of four and more frames of frames that it counts twice.
#
# X-ray speckle visibility spectroscopy adds neighbouring frames to longer exposures and looks at the photons of a pixel. Here
# the sum of "four frames" is that of three, the middle one twice (frames 1, 2, 2, 3, then 2, 3, 3, 4, …); the sums of eight
# count frames up to three times. The means are those of four and eight frames, but the scatter is larger: light that never
# changes and has no speckle gets a contrast of 1/(8 × the photons a frame) from four frames on, 0.06 at 2 photons, where
# the truth is 0. The first entry of each longer exposure is the first frame alone. Exposures of two frames are right.
#
# Expected: an exposure of four frames is four frames, each once. sacla adds no frames; its contrast is of one shot each.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v"
"$folder/v/bin/pip" install --quiet --no-deps scikit-beam==0.0.27 numpy==2.4.6 scipy==1.17.1 \
  scikit-image==0.26.0 lazy-loader==0.4 packaging==26.4 six==1.17.0
cd "$folder" && "$folder/v/bin/python" - <<'PY'
import sys
import numpy
from skbeam.core.speckle import xsvs

# Frame i holds 4**i in each pixel: the digits of a sum to base 4 say how often it holds each frame.
frames = [numpy.full((2, 2), 4.0**i) for i in range(8)]
all_pixels = numpy.ones((2, 2), int)
chance, _ = xsvs([frames], all_pixels, number_of_img=16, timebin_num=2, max_cts=4**8)
seen = []
for level in range(3):
    sums = [[int(k) // 4**i % 4 for i in range(8)] for k in numpy.flatnonzero(chance[level, 0])]
    seen.append(sums)
    print(f"exposures of {2**level} frames hold each frame so often: {sums[3]}, the first one {sums[0]}")
four_are_three = [0, 1, 2, 1, 0, 0, 0, 0] in seen[2] and not any(sum(map(bool, s)) == 4 for s in seen[2])

random = numpy.random.default_rng(1)
light = [random.poisson(numpy.full((64, 64), 2.0)).astype(float) for _ in range(256)]
chance, _ = xsvs([light], numpy.ones((64, 64), int), number_of_img=16, timebin_num=2)
contrast = []
for level in range(4):
    photons = numpy.arange(len(chance[level, 0]))
    mean = numpy.sum(photons * chance[level, 0])
    variance = numpy.sum(photons**2 * chance[level, 0]) - mean**2
    contrast.append((variance - mean) / mean**2)
    sums = numpy.array(light).reshape(-1, 2**level, 64, 64).sum(1)
    print(f"{2**level} frames without speckle: contrast {contrast[-1]:.3f}, numpy {(sums.var() - sums.mean()) / sums.mean()**2:.3f}")
as_stated = four_are_three and abs(contrast[0]) < 0.01 and abs(contrast[1]) < 0.01 and abs(contrast[2] - 0.0625) < 0.01 and contrast[3] > 0.08
print("as stated" if as_stated else "CHANGED")
sys.exit(0 if as_stated else 1)
PY
