#!/usr/bin/env bash
# EXtra-geom 1.17.0 (PyPI): a generic detector that is turned in its plane is refused, for a rounding error of 1e-17.
#
# `GenericGeometry.from_simple_description` asserts that the scalar product of the two directions of a panel is exactly 0. Two
# unit vectors made from an angle miss that by the last bit for nearly every angle. The error is a bare AssertionError, and under
# `python -O` there is none. Real panels are turned by tenths of a degree.
#
# Expected: a tolerance. Directions made right angles by hand ((1, 0), (0, 1)) pass.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v"
"$folder/v/bin/pip" install --quiet EXtra-geom==1.17.0 numpy==2.4.6
cd "$folder" && "$folder/v/bin/python" - <<'PY'
import sys
import numpy
from extra_geom import GenericGeometry

def accepted(degrees):
    slow, fast = numpy.deg2rad(degrees + 90), numpy.deg2rad(degrees)
    direction = lambda angle: numpy.array([numpy.cos(angle), numpy.sin(angle), 0])
    try:
        GenericGeometry.from_simple_description(
            pixel_size=5e-5, slow_pixels=1024, fast_pixels=512, corner_coordinates=[numpy.zeros(3)],
            ss_vec=direction(slow), fs_vec=direction(fast))
        return True
    except AssertionError:
        return False

GenericGeometry.from_simple_description(
    pixel_size=5e-5, slow_pixels=1024, fast_pixels=512, corner_coordinates=[numpy.zeros(3)],
    ss_vec=numpy.array([0, 1, 0]), fs_vec=numpy.array([1, 0, 0]))
angles = [step / 10 for step in range(1, 900)]
refused = sum(not accepted(angle) for angle in angles)
print(f"{refused} of {len(angles)} angles between 0 and 90 degrees refused")
as_stated = refused > len(angles) / 4
print("as stated" if as_stated else "CHANGED")
sys.exit(0 if as_stated else 1)
PY
