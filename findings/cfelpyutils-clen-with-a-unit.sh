#!/usr/bin/env bash
# cfelpyutils 2.2.0 (PyPI): a camera length with a unit becomes -1, without a word.
#
# CrystFEL's geometry format allows "clen = 0.05 m" and "clen = 50 mm" (since 0.9). The Python reader used by OM and
# Cheetah takes the text for the path of a length in the data file, keeps -1 as the length itself, and goes on. The same text with a
# number alone gives the length. "photon_energy = 10000 eV" is refused with an error, so the two keys differ.
#
# Expected: 0.05 for both spellings, or an error.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v"
"$folder/v/bin/pip" install --quiet cfelpyutils==2.2.0
cd "$folder" && "$folder/v/bin/python" - <<'PY'
import sys
from cfelpyutils.geometry import load_crystfel_geometry
def length(text):
    with open("a.geom", "w") as file:
        file.write(f"""{text}
adu_per_eV = 0.0001
res = 20000
dim0 = ss
dim1 = fs
data = /data
p0/min_fs = 0
p0/max_fs = 511
p0/min_ss = 0
p0/max_ss = 1023
p0/corner_x = -256
p0/corner_y = -512
p0/fs = +1x
p0/ss = +1y
""")
    geometry = load_crystfel_geometry("a.geom")
    panel = geometry.detector["panels"]["p0"]
    return panel["clen"], panel["clen_from"]
number, unit = length("clen = 0.05"), length("clen = 50 mm")
print("clen = 0.05  ->", number)
print("clen = 50 mm ->", unit)
as_stated = number[0] == 0.05 and unit[0] == -1
print("as stated" if as_stated else "CHANGED")
sys.exit(0 if as_stated else 1)
PY
