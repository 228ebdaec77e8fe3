#!/usr/bin/env bash
# pyFAI 2026.9.0 (PyPI): with a radial range that begins above 0, the first bin also counts the pixels of one bin below it.
#
# `integrate1d(…, radial_range=(low, high))` without pixel splitting: its Python engine puts a pixel into the bin that it
# lies in, as numpy's histogram does. The compiled engines (histogram, CSR, LUT; the default is one of them) also put into
# the first bin what lies up to one bin below the range. Here it holds twice the pixels; where the signal falls steeply, as beside
# a beam stop, its mean is that of another radius. The other bins are the same in all engines.
#
# Expected: pixels outside the range are left out, as above its end.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v"
"$folder/v/bin/pip" install --quiet pyFAI==2026.9.0 numpy==2.4.6
cd "$folder" && "$folder/v/bin/python" - 2>/dev/null <<'PY'
import sys
import numpy
from pyFAI.integrator.azimuthal import AzimuthalIntegrator
pixel, side = 1e-4, 101
middle = pixel * side / 2
integrator = AzimuthalIntegrator(dist=0.1, poni1=middle, poni2=middle, pixel1=pixel, pixel2=pixel, wavelength=1e-10)
y, x = numpy.mgrid[:side, :side] - 50.0
radius = numpy.hypot(x, y) * 0.1
low, high, bins = 1.03, 3.03, 20
below = int(numpy.sum((radius >= low - (high - low) / bins) & (radius < low)))
truth = numpy.histogram(radius, bins=bins, range=(low, high))[0]
extra = {}
for engine, method in {
    "Python": ("no", "histogram", "python"),
    "histogram": ("no", "histogram", "cython"),
    "CSR": ("no", "csr", "cython"),
    "LUT": ("no", "lut", "cython"),
}.items():
    found = integrator.integrate1d(
        numpy.ones((side, side), "f4"), bins, radial_range=(low, high), unit="r_mm", method=method, correctSolidAngle=False
    ).count
    extra[engine] = int(found[0]) - int(truth[0])
    print(f"{engine}: first bin {int(found[0])} pixels, numpy {truth[0]}; {below} pixels lie one bin below the range")
as_stated = extra.pop("Python") == 0 and all(more == below > 0 for more in extra.values())
print("as stated" if as_stated else "CHANGED")
sys.exit(0 if as_stated else 1)
PY
