#!/usr/bin/env bash
# xrayutilities 1.8.0 (PyPI), Gridder1D: which bin a point falls into, and what a bin without points holds.
#
# Signals against a delay or an angle are binned by it. Seen:
# - A bin without a point is 0, as if 0 had been measured; NaN would say that nothing was.
# - A point half way between two bins goes to the one with the even index: five points, one on each edge, are counted
#   1, 0, 2, 0, 2, 0, so a scan with half the bin width as its step has teeth.
# - With dataRange(0, 5, fixed=True) and 6 bins the bins are centred on 0, 1, … 5, but points below 0 and above 5 are left
#   out: the first and the last bin are half as wide as the others, and hold half the counts.
#
# Expected: numpy.histogram's bins (half open, equal widths) and no number where there is no point. The cubes of sacla count
# as numpy does, and have NaN and 0 shots in such a bin.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --only-binary :all: xrayutilities==1.8.0
cat >bins.py <<'PY'
import numpy as np
import xrayutilities as xu


def gridded(positions, values, normalise):
    gridder = xu.Gridder1D(6)
    gridder.dataRange(0, 5, True)
    gridder.Normalize(normalise)
    gridder(np.array(positions, float), np.array(values, float))
    return gridder.data.tolist()


empty = gridded([0, 1, 4, 5], [3, 3, 3, 3], True)
edges = gridded([0.5, 1.5, 2.5, 3.5, 4.5], np.ones(5), False)
even = gridded(np.arange(-0.45, 5.5, 0.1), np.ones(60), False)
print("mean of four points of 3, none near 2 and 3:", empty)
print("points on the five edges, counted:", edges)
print("points every 0.1 from -0.45 to 5.45, counted:", even)
as_stated = empty == [3, 3, 0, 0, 3, 3] and edges == [1, 0, 2, 0, 2, 0] and even == [5, 10, 10, 10, 10, 5]
print("as stated" if as_stated else "CHANGED")
raise SystemExit(not as_stated)
PY
venv/bin/python bins.py
