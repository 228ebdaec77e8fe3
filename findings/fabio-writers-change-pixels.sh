#!/usr/bin/env bash
# fabio 2026.6.0 (PyPI): three of its writers change the pixels of an ordinary image, without an error or a warning.
#
# CBF (byte offset) holds whole numbers: a float image, such as one after dark subtraction in photons, is cut to them.
# OXD reads back all pixels but the first wrong for uint16 images with one bright pixel (the same values as int32 are right).
# Bruker reads back bytes: every pixel above 255 is 255.
# CBF with uint16 or int32 images and EDF with all of these are right.
#
# Expected: the numbers that were written, or an error from the writer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v"
"$folder/v/bin/pip" install --quiet fabio==2026.6.0 numpy==2.4.6
cd "$folder" && "$folder/v/bin/python" - 2>/dev/null <<'PY'
import sys
import numpy
from fabio.brukerimage import BrukerImage
from fabio.cbfimage import CbfImage
from fabio.edfimage import EdfImage
from fabio.OXDimage import OxdImage
random = numpy.random.default_rng(0)
photons = random.poisson(50, (512, 512)).astype("u2")
photons[100, 100], photons[200, 200] = 60000, 40000
noise = random.normal(0, 0.3, (512, 512)).astype("f4")

def changed(kind, image):
    kind(data=image.copy()).write("image")
    read = kind().read("image").data
    return int(numpy.sum(read.astype("f8") != image))

rows = {
    "EDF, uint16": (changed(EdfImage, photons), 0),
    "EDF, float32": (changed(EdfImage, noise), 0),
    "CBF, uint16": (changed(CbfImage, photons), 0),
    "CBF, float32": (changed(CbfImage, noise), noise.size),
    "OXD, int32": (changed(OxdImage, photons.astype("i4")), 0),
    "OXD, uint16": (changed(OxdImage, photons), photons.size - 1),
    "Bruker, uint16": (changed(BrukerImage, photons), 2),
}
for name, (seen, _) in rows.items():
    print(f"{name}: {seen} of {noise.size} pixels changed")
as_stated = all(seen == stated for seen, stated in rows.values())
print("as stated" if as_stated else "CHANGED")
sys.exit(0 if as_stated else 1)
PY
