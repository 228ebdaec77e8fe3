"""Gives scan documents to Bluesky's own readers. Run: bluesky-readers.py FOLDER < JSON of {name: documents}; answers as JSON."""

import contextlib
import io
import json
import logging
import pathlib
import sys
import tempfile
import warnings

import matplotlib

matplotlib.use("Agg")

import event_model
import matplotlib.pyplot as plt
from bluesky.callbacks import LiveTable
from bluesky.callbacks.best_effort import BestEffortCallback
from bluesky.callbacks.tiled_writer import TiledWriter
from suitcase import specfile
from tiled.catalog import in_memory
from tiled.client import Context, from_context
from tiled.server.app import build_app


def documents_of(lines):
    """The reading lines of docs/scans.md: JSON has no NaN and one kind of number, so null is NaN and 1 is 1.0."""
    for name, doc in lines:
        if name == "event":
            doc["data"] = {key: float("nan" if value is None else value) for key, value in doc["data"].items()}
        yield name, doc


def best_effort(docs):
    """What it prints, what it draws, the peaks it finds. Bluesky's callbacks log what fails instead of raising it."""
    failed = []
    handler = logging.Handler()
    handler.emit = lambda record: failed.append(record.getMessage() + str(record.exc_info and record.exc_info[1]))
    logging.getLogger("bluesky").addHandler(handler)
    plt.close("all")
    callback = BestEffortCallback()
    text = io.StringIO()
    with contextlib.redirect_stdout(text), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for name, doc in docs:
            callback(name, doc)
    logging.getLogger("bluesky").removeHandler(handler)
    axes = [ax for number in plt.get_fignums() for ax in plt.figure(number).axes]
    peaks = {key: [float(x) for x in at] for key, at in (callback.peaks["max"] or {}).items() if at is not None}
    return {
        "text": text.getvalue(),
        "failed": failed,
        "warned": [str(w.message) for w in warned if "bluesky" in w.filename],
        "against": sorted({ax.get_xlabel() for ax in axes if ax.get_visible()} - {""}),
        "pictures": [[list(im.get_array().shape) for im in ax.images] for ax in axes if ax.images],
        "spots": [len(c.get_offsets()) for ax in axes for c in ax.collections],
        "peaks": peaks,
        "centres": {key: float(at) for key, at in (callback.peaks["cen"] or {}).items() if at is not None},
    }


def live_table(docs, fields):
    lines = []
    table = LiveTable(fields, out=lines.append)
    for name, doc in docs:
        table(name, doc)
    return "\n".join(lines)


def spec(docs, folder):
    files = specfile.export(docs, folder)
    return pathlib.Path(files["stream_data"][0]).read_text()


def tiled_tables(all_docs):
    """One table a scan, in a catalogue of this process."""
    with tempfile.TemporaryDirectory() as folder:
        storage = [f"file://localhost{folder}/files", f"duckdb:///{folder}/tables.duckdb"]
        with Context.from_app(build_app(in_memory(writable_storage=storage))) as context:
            client = from_context(context)
            found = {}
            for scan, docs in all_docs.items():
                writer = TiledWriter(client, batch_size=1 if scan.endswith("one by one") else 10000)
                for name, doc in docs:
                    writer(name, doc)
                uid = docs[0][1]["uid"]
                table = client[uid]["primary"].base["internal"].read()
                found[scan] = {
                    "rows": len(table),
                    "columns": sorted(table.columns),
                    "stop": client[uid].metadata["stop"]["exit_status"],
                    "missing": int(table.isna().sum().sum()),
                }
            return found


def main():
    scans = {scan: list(documents_of(lines)) for scan, lines in json.load(sys.stdin).items()}
    answer = {}
    for scan, docs in scans.items():
        for name, doc in docs:
            event_model.schema_validators[event_model.DocumentNames[name]].validate(doc)
        fields = next(doc for name, doc in docs if name == "descriptor")["object_keys"]
        answer[scan] = {
            "best_effort": best_effort(docs),
            "table": live_table(docs, [key for keys in fields.values() for key in keys]),
        }
        if len(docs[0][1].get("motors", [])) < 2:
            with tempfile.TemporaryDirectory() as folder:
                answer[scan]["spec"] = spec(docs, folder)
    tiled = tiled_tables(scans)
    for scan in scans:
        answer[scan]["tiled"] = tiled[scan]
    json.dump(answer, sys.stdout)


main()
