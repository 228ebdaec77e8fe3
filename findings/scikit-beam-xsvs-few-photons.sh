#!/usr/bin/env bash
# scikit-beam 0.0.27 (PyPI): `xsvs` counts the brightest pixels one photon too low, and few photons as none.
#
# The last edge of its counts is one below the photons of the brightest pixel, and numpy's last bin holds both of its edges.
# So pixels with the most photons are left out, and those with one less are counted as if they had one less still. In frames
# of free-electron lasers (0.001 to 0.1 photons a pixel) the most is two: then one photon is counted as none, the chance of
# no photon is 1, the mean 0, the contrast 0/0. With `max_cts` two above the brightest pixel the chances are right.
#
# Expected: the chance of k photons is the part of the pixels that hold k, as numpy's bincount has it.
# sacla's photon counts have no brightest pixel to begin with: each pixel is counted as it is.
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

random = numpy.random.default_rng(1)
everywhere = numpy.ones((64, 64), int)
def chances(photons, **more):
    frames = [random.poisson(numpy.full((64, 64), photons)).astype(float) for _ in range(32)]
    found, _ = xsvs([frames], everywhere, number_of_img=2, timebin_num=2, **more)
    counted = numpy.bincount(numpy.array(frames, int).ravel()) / (32 * 64 * 64)
    print(f"{photons} photons a pixel: " + ", ".join(f"p({k}) {a:.5f}" for k, a in enumerate(found[0, 0])))
    print("    counted by numpy:  " + ", ".join(f"p({k}) {a:.5f}" for k, a in enumerate(counted)))
    return found[0, 0], counted

weak, weak_truth = chances(0.01)
strong, strong_truth = chances(0.5)
right, right_truth = chances(0.01, max_cts=4)
as_stated = (
    len(weak_truth) == 3 and weak[0] == 1
    and len(strong) == len(strong_truth) - 2
    and abs(strong[-1] - (strong_truth[-3] + strong_truth[-2]) / (1 - strong_truth[-1])) < 1e-5
    and numpy.allclose(right, right_truth)
)
print("as stated" if as_stated else "CHANGED")
sys.exit(0 if as_stated else 1)
PY
