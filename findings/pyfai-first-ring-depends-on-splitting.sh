#!/usr/bin/env bash
# pyFAI 2026.9.0 (PyPI): the radial bins of one picture depend on the way pixels are split, unless a range is given.
#
# Without `radial_range`, "no" begins the first bin at the innermost pixel centre, "bbox" at 0 where the beam is on the
# picture, and "full" at the innermost pixel corner, though the pixel that the beam falls on reaches down to 0. Profiles
# of one picture in three ways are on three axes. And `intensity` is sum_signal / sum_normalization, not sum_signal / count: with the solid
# angle (the default) the two differ by the solid angle, a factor of 3 and more at wide angles.
#
# Expected by whoever compares profiles: the same bins for the same number of points. Give `radial_range=(0, R)`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v"
"$folder/v/bin/pip" install --quiet pyFAI==2026.9.0 numpy
"$folder/v/bin/python" - <<'PY'
import logging, sys
logging.disable(logging.CRITICAL)
import numpy
from pyFAI.detectors import Detector
from pyFAI.integrator.azimuthal import AzimuthalIntegrator
size = 101
plate = Detector(pixel1=1e-3, pixel2=1e-3, max_shape=(size, size))
ai = AzimuthalIntegrator(dist=0.05, poni1=0.0507, poni2=0.0503, detector=plate, wavelength=1e-10)
picture = numpy.ones((size, size))
begins, bins = {}, {}
for method in ("no", "bbox", "full"):
    got = ai.integrate1d(picture, 60, unit="r_mm", method=(method, "histogram", "cython"))
    fixed = ai.integrate1d(picture, 60, unit="r_mm", method=(method, "histogram", "cython"), radial_range=(0, 70))
    begins[method] = got.radial[0] - (got.radial[1] - got.radial[0]) / 2
    bins[method] = fixed.radial
    print(f"{method:5} first bin begins at {begins[method]:.4f} mm; with a range its middle is {fixed.radial[0]:.4f} mm")
wide = ai.integrate1d(picture, 60, unit="r_mm", method=("no", "histogram", "cython"), radial_range=(0, 70))
ratio = (wide.intensity / (wide.sum_signal / numpy.maximum(wide.count, 1)))[wide.count > 0][-1]
print(f"outermost ring: intensity is {ratio:.2f} times sum_signal / count")
centre, corner = numpy.hypot(0.2, 0.2), numpy.hypot(0.3, 0.3)
as_stated = (
    all(abs(begins[method] - seen) < 1e-3 for method, seen in {"no": centre, "bbox": 0, "full": corner}.items())
    and all(abs(bins[method] - bins["no"]).max() < 1e-9 for method in bins)
    and ratio > 2.5
)
print("as stated" if as_stated else "CHANGED")
sys.exit(0 if as_stated else 1)
PY
