#!/usr/bin/env bash
# suitcase-csv 0.3.0 with pandas 3.1.0 (PyPI): the table is whole, and then the exporter raises.
#
# The exporter of Bluesky's documents keeps its files open and hands them to `DataFrame.to_csv` for each page of events.
# All rows are in the file, and then "I/O operation on closed file" comes. Whoever exports several scans in one loop loses
# all after the first, and a healthy table looks like a failed export.
#
# Expected: no error, as with pandas 2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v"
"$folder/v/bin/pip" install --quiet suitcase-csv==0.3.0 pandas==3.1.0 event-model==1.24.0
cd "$folder" && "$folder/v/bin/python" - <<'PY'
import sys, time, uuid, pathlib
import event_model, suitcase.csv
run = event_model.compose_run(uid=str(uuid.uuid4()), time=time.time())
documents = [("start", run.start_doc)]
keys = {"x": {"dtype": "number", "shape": [], "source": "axis"}, "y": {"dtype": "number", "shape": [], "source": "diode"}}
stream = run.compose_descriptor(name="primary", data_keys=keys)
documents.append(("descriptor", stream.descriptor_doc))
for x in range(5):
    documents.append(("event", stream.compose_event(data={"x": x, "y": x * x}, timestamps={"x": 0.0, "y": 0.0})))
documents.append(("stop", run.compose_stop()))
try:
    suitcase.csv.export(iter(documents), ".", file_prefix="scan-")
    raised = None
except Exception as error:
    raised = error
tables = list(pathlib.Path(".").glob("scan-*.csv"))
rows = len(tables[0].read_text().splitlines()) - 1 if tables else 0
print(f"{rows} of 5 rows written; raised: {type(raised).__name__}: {raised}")
as_stated = rows == 5 and raised is not None
print("as stated" if as_stated else "CHANGED")
sys.exit(0 if as_stated else 1)
PY
