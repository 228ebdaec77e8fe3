"""Small archives of every kind of storage, and what h5py reads of them with one bit flipped.

`oracle.py make FOLDER` writes them and prints, as JSON, the places in each that are metadata.
`oracle.py serve FOLDER` reads `KIND BIT` from stdin and answers what h5py reads, as JSON.
"""

import json
import os
import re
import sys

import h5py
import numpy as np

ROWS, COLUMNS, TAGS, RUN = 8, 6, [101, 103], 7
KINDS = {
    "contiguous": ("earliest", {}),
    "contiguous-latest": ("latest", {}),
    "chunks": ("earliest", {"chunks": (4, 3)}),
    "chunks-latest": ("latest", {"chunks": (4, 3)}),
    "chunks-extensible-latest": ("latest", {"chunks": (4, 3), "maxshape": (None, COLUMNS)}),
    "chunks-growing-latest": ("latest", {"chunks": (4, 3), "maxshape": (None, None)}),
    "gzip": ("earliest", {"chunks": (4, 6), "compression": "gzip", "shuffle": True}),
    "gzip-latest": ("latest", {"chunks": (ROWS, COLUMNS), "compression": "gzip"}),
    "gzip-chunks-latest": ("latest", {"chunks": (4, 6), "compression": "gzip"}),
    "checksum": ("earliest", {"chunks": (4, 6), "fletcher32": True}),
    "compact": ("earliest", {"compact": True}),
    "virtual-latest": ("latest", {"virtual": True}),
}


def image(tag):
    return (np.arange(ROWS * COLUMNS, dtype=np.uint16).reshape(ROWS, COLUMNS) * 7 + tag).astype(np.uint16)


def write(folder, kind):
    libver, options = KINDS[kind]
    options = dict(options)
    compact, virtual = options.pop("compact", False), options.pop("virtual", False)
    path = os.path.join(folder, f"{kind}.h5")
    if virtual:
        with h5py.File(os.path.join(folder, "source.h5"), "w") as source:
            for tag in TAGS:
                source[f"d{tag}"] = image(tag)
    with h5py.File(path, "w", libver=libver) as file:
        file["file_info/run_number_list"] = np.array([RUN], np.int64)
        run = file.create_group(f"run_{RUN}")
        run["run_info/start_tag_number"] = np.int32(TAGS[0])
        run["run_info/end_tag_number"] = np.int32(TAGS[-1] + 2)
        run["event_info/tag_number_list"] = np.array(TAGS, np.int32)
        run["event_info/time_stamp"] = 1749524400.0 + np.arange(len(TAGS)) / 30
        run["event_info/bl_3/pd"] = np.array([0.25, 0.5])
        detector = run.create_group("detector_2d_1")
        detector["detector_info/detector_name"] = np.bytes_("MPCCD-1N0-M06-002")
        for tag in TAGS:
            group = detector.create_group(f"tag_{tag}")
            group["detector_status"] = np.int32(1)
            if compact:
                plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
                plist.set_layout(h5py.h5d.COMPACT)
                data = h5py.h5d.create(group.id, b"detector_data", h5py.h5t.STD_U16LE, h5py.h5s.create_simple((ROWS, COLUMNS)), plist)
                data.write(h5py.h5s.ALL, h5py.h5s.ALL, image(tag))
            elif virtual:
                layout = h5py.VirtualLayout((ROWS, COLUMNS), np.uint16)
                layout[:] = h5py.VirtualSource("source.h5", f"d{tag}", (ROWS, COLUMNS))
                group.create_virtual_dataset("detector_data", layout)
            else:
                group.create_dataset("detector_data", data=image(tag), **options)
    return path


def metadata_of(path):
    """Places of the file that are not the values of a dataset."""
    size = os.path.getsize(path)
    is_raw = np.zeros(size, bool)

    def visit(_name, data):
        if not isinstance(data, h5py.Dataset) or data.is_virtual:
            return
        if data.chunks is not None:
            for i in range(data.id.get_num_chunks()):
                chunk = data.id.get_chunk_info(i)
                is_raw[chunk.byte_offset : chunk.byte_offset + chunk.size] = True
        elif data.id.get_offset() is not None:
            is_raw[data.id.get_offset() : data.id.get_offset() + data.id.get_storage_size()] = True

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    if os.path.basename(path) == "compact.h5":
        content = open(path, "rb").read()
        for tag in TAGS:
            at = content.index(image(tag).tobytes())
            is_raw[at : at + image(tag).nbytes] = True
    return [int(i) for i in np.flatnonzero(~is_raw)]


def tried(work):
    try:
        return work()
    except KeyError as error:
        # "doesn't exist" is an answer; any other failure to open is a failure to read.
        return "absent" if "doesn't exist" in str(error) or "component not found" in str(error) else "error"
    except Exception:
        return "error"


def is_written(data):
    if data.is_virtual:
        return True
    if data.id.get_create_plist().get_layout() == h5py.h5d.COMPACT:
        return True
    if data.chunks is not None:
        return data.id.get_num_chunks() == np.prod([-(-n // c) for n, c in zip(data.shape, data.chunks)])
    return data.id.get_offset() is not None or data.external is not None


def status_of(stored):
    # A group in its place says nothing.
    return int(stored[()]) if isinstance(stored, h5py.Dataset) else "absent"


def image_of(file, tag):
    # A detector is known by its name, not by its number.
    detectors = [name for name in file[f"run_{RUN}"] if re.fullmatch(r"detector_2d_\d+", name)]
    group = f"run_{RUN}/{detectors[0] if detectors else 'detector_2d_1'}/tag_{tag}"
    status = tried(lambda: status_of(file[f"{group}/detector_status"]))
    if isinstance(status, int) and status != 1:
        return "absent"
    data = file[f"{group}/detector_data"]
    if not isinstance(data, h5py.Dataset):
        return "absent"
    if data.size > 10_000_000:
        return "large"
    if not is_written(data):
        return "unwritten"
    return [data.shape, np.asarray(data[()], np.float32).ravel().tolist()] if status in (1, "absent") else "error"


def values_of(file, path):
    data = file[path]
    if not isinstance(data, h5py.Dataset):
        return "absent"
    if data.size > 10_000_000:
        return "large"
    return np.asarray(data[()], np.float64).ravel().tolist() if is_written(data) else "unwritten"


def answer(path):
    try:
        file = h5py.File(path, "r")
    except Exception:
        return {"open": False}
    with file:
        events = f"run_{RUN}/event_info"
        return {
            "open": True,
            "tags": tried(lambda: values_of(file, f"{events}/tag_number_list")),
            "pd": tried(lambda: values_of(file, f"{events}/bl_3/pd")),
            "images": [tried(lambda: image_of(file, tag)) for tag in TAGS],
        }


def serve(folder):
    contents = {kind: open(os.path.join(folder, f"{kind}.h5"), "rb").read() for kind in KINDS}
    path = os.path.join(folder, f"flipped-{os.getpid()}.h5")
    for line in sys.stdin:
        kind, bit = line.split()
        content = bytearray(contents[kind])
        if int(bit) >= 0:
            content[int(bit) >> 3] ^= 1 << (int(bit) & 7)
        with open(path, "wb") as file:
            file.write(content)
        print(json.dumps(answer(path)).replace("NaN", "null").replace("-Infinity", "null").replace("Infinity", "null"), flush=True)


if sys.argv[1] == "make":
    print(json.dumps({kind: metadata_of(write(sys.argv[2], kind)) for kind in KINDS}))
else:
    serve(sys.argv[2])
