#!/usr/bin/env bash
# suitcase-tiff 0.4.0 (PyPI): images below zero or above 65535 wrap around, without a word.
#
# The exporter of Bluesky's documents writes every image as uint16 unless `astype` says otherwise, and casts it as C does. A
# dark-subtracted image has pixels about zero: half of them become 65535, 65534, …, the brightest values there are. An
# image of whole numbers above 65535 loses its upper bits.
#
# Expected: an error, the type of the image, or at least a pixel value that is cut off at the end of the range.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v"
"$folder/v/bin/pip" install --quiet suitcase-tiff==0.4.0 event-model==1.24.0 numpy==2.4.6 tifffile==2026.3.3
cd "$folder" && "$folder/v/bin/python" - <<'PY'
import sys
import event_model, numpy, tifffile
from suitcase import tiff_series
wrong = 0
for image in (numpy.array([[0.25, -1.0], [-3.0, 5.0]], "f4"), numpy.array([[1, 70000], [3, 4]], "i4")):
    run = event_model.compose_run()
    stream = run.compose_descriptor(name="primary", data_keys={"image": {"dtype": "array", "shape": [2, 2], "source": "detector"}})
    event = stream.compose_event(data={"image": image}, timestamps={"image": 0.0})
    documents = [("start", run.start_doc), ("descriptor", stream.descriptor_doc), ("event", event), ("stop", run.compose_stop())]
    (path,) = tiff_series.export(documents, ".")["stream_data"]
    read = tifffile.imread(path)
    wrong += int(numpy.sum(numpy.abs(read.astype(float) - image) > 1))
    print(image.dtype, image.tolist(), "->", read.dtype, read.tolist())
as_stated = wrong == 3
print("as stated: three pixels wrapped around" if as_stated else "CHANGED")
sys.exit(0 if as_stated else 1)
PY
