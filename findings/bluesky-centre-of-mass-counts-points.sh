#!/usr/bin/env bash
# bluesky 1.15.1 (PyPI): the centre of mass of a scan follows the background and the spacing of the points.
#
# `PeakStats`, and with it `bec.peaks["com"]` of the BestEffortCallback, weighs the points with the signal as it is. A
# background of 5 under a peak of 100 pulls the centre towards the middle of the window. And it weighs points, not the axis: where
# the points stand closer on one side, as an adaptive scan or a scan by hand leaves them, the centre moves there. `cen`, the
# middle of the half heights, is right in both. Neither looks at significance: flat noise has both.
#
# Expected: `com` of a symmetric peak that lies well inside the window is its centre.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v"
"$folder/v/bin/pip" install --quiet bluesky==1.15.1 numpy==2.4.6 scipy==1.17.1
cd "$folder" && "$folder/v/bin/python" - <<'PY'
import sys
import numpy
from bluesky.callbacks.fitting import PeakStats

def statistics(x, y):
    callback = PeakStats("x", "y")
    callback.start({"uid": "run", "time": 0})
    callback.descriptor({"uid": "stream", "run_start": "run", "data_keys": {}, "time": 0})
    for number, (at, value) in enumerate(zip(x, y), start=1):
        callback.event({"data": {"x": at, "y": value}, "timestamps": {}, "descriptor": "stream", "uid": str(number), "seq_num": number, "time": 0})
    callback.stop({})
    return callback.com, callback.cen

peak = lambda x: 5 + 100 * numpy.exp(-0.5 * ((x - 3) / 0.5) ** 2)
scans = {
    "window 0 to 6, even steps": numpy.linspace(0, 6, 25),
    "window 1 to 9, even steps": numpy.linspace(1, 9, 33),
    "window 0 to 6, denser below 3": numpy.r_[numpy.linspace(0, 3, 21), numpy.linspace(3.3, 6, 10)],
}
found = {name: statistics(x, peak(x)) for name, x in scans.items()}
for name, (com, cen) in found.items():
    print(f"{name}: com {com:.3f}, cen {cen:.3f} (truth 3)")
com = [pair[0] for pair in found.values()]
cen = [pair[1] for pair in found.values()]
as_stated = abs(com[0] - 3) < 0.01 and com[1] > 3.4 and com[2] < 2.8 and all(abs(c - 3) < 0.01 for c in cen)
print("as stated" if as_stated else "CHANGED")
sys.exit(0 if as_stated else 1)
PY
