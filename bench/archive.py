"""h5py references of bench/archive.ts.

`archive.py make FILE shots type [gzip]` writes an octal in the DataConvert layout, one dataset per sensor and tag.
`archive.py tags FILE shots` writes one small sensor with very many tags.
`archive.py serve` reads `WORK FILE` from stdin, answers {ms, cpuMs, check}.
"""

import sys

import h5py
import numpy as np
from serve import serve

RUN, ROWS, COLUMNS, SENSORS, START = 700001, 1024, 512, 8, 100_000_000
DETECTOR = "MPCCD-8B0-2-010"


def dark():
    return 100 + (np.arange(ROWS * COLUMNS) % 40).reshape(ROWS, COLUMNS) / 40


def begin(file, shots):
    tags = START + 2 * np.arange(shots)
    file["file_info/version"] = np.bytes_("3.20")
    file["file_info/run_number_list"] = np.array([RUN], np.int64)
    run = file.create_group(f"run_{RUN}")
    run["exp_info/comment"] = np.bytes_("bench")
    run["run_info/start_tag_number"] = np.int32(tags[0])
    run["run_info/end_tag_number"] = np.int32(tags[-1] + 2)
    run["run_info/sacla_config/photon_energy_in_eV"] = 10000.0
    run["event_info/tag_number_list"] = tags.astype(np.int32)
    run["event_info/time_stamp"] = 1749524400.0 + np.arange(shots) / 30
    run["event_info/bl_3/eh_1/nothing"] = np.zeros(shots)
    return run, tags


def make(path, shots, kind, **storage):
    random = np.random.default_rng(7)
    # Sixteen images in all: making noise takes longer than reading it.
    images = [np.clip(np.rint(random.normal(104, 11, (ROWS, COLUMNS)) + 154 * (random.random((ROWS, COLUMNS)) < 0.02)), 0, None).astype(kind) for _ in range(16)]
    with h5py.File(path, "w", libver="earliest") as file:
        run, tags = begin(file, shots)
        for k in range(SENSORS):
            detector = run.create_group(f"detector_2d_{k + 1}")
            detector["detector_info/detector_name"] = np.bytes_(f"{DETECTOR}-{k + 1}")
            for i, tag in enumerate(tags):
                group = detector.create_group(f"tag_{tag}")
                group["detector_status"] = np.int32(1)
                group.create_dataset("detector_data", data=images[(i + k) % 16], **storage)


def make_tags(path, shots):
    with h5py.File(path, "w", libver="earliest") as file:
        run, tags = begin(file, shots)
        detector = run.create_group("detector_2d_1")
        detector["detector_info/detector_name"] = np.bytes_(f"{DETECTOR}-1")
        for tag in tags:
            group = detector.create_group(f"tag_{tag}")
            group["detector_status"] = np.int32(tag % 10 != 0)
            group["detector_data"] = np.full((4, 3), tag % 60000, np.uint16)


def paths(file):
    for tag in file[f"run_{RUN}/event_info/tag_number_list"][()]:
        for k in range(SENSORS):
            yield k, f"run_{RUN}/detector_2d_{k + 1}/tag_{tag}/detector_data"


def read(file):
    """Each image into memory that is reused."""
    buffer = np.empty((ROWS, COLUMNS), file[next(paths(file))[1]].dtype)
    for k, path in paths(file):
        file[path].read_direct(buffer)
        yield k, buffer


def stream(path):
    with h5py.File(path, "r") as file:
        return [float(sum(int(image[5, 5]) for _, image in read(file)))]


def collect(path):
    """Each image as an array of its own, float32 as stpy gives it."""
    with h5py.File(path, "r") as file:
        return [float(sum(file[path][()].astype(np.float32)[5, 5] for _, path in paths(file)))]


def collect_raw(path):
    """Each image as an array of its own, as it is stored."""
    with h5py.File(path, "r") as file:
        return [float(sum(int(file[path][()][5, 5]) for _, path in paths(file)))]


def list_tags(path):
    """Tags that have an image with a status of 1."""
    with h5py.File(path, "r") as file:
        detector = file[f"run_{RUN}/detector_2d_1"]
        groups = ((int(tag), detector.get(f"tag_{tag}")) for tag in file[f"run_{RUN}/event_info/tag_number_list"][()])
        tags = [tag for tag, group in groups if group is not None and "detector_data" in group and group["detector_status"][()] == 1]
        return [len(tags), sum(tags)]


def statistics(path):
    """Good numpy: whole sums in place, whole histogram by clip and bincount."""
    whole = np.ceil(dark() - 0.5).astype(np.int32)
    total = np.zeros((SENSORS, ROWS, COLUMNS), np.uint32)
    squares = np.zeros((SENSORS, ROWS, COLUMNS), np.uint64)
    square = np.empty((ROWS, COLUMNS), np.uint32)
    value = np.empty((ROWS, COLUMNS), np.int32)
    counts = np.zeros(603, np.int64)
    n = 0
    with h5py.File(path, "r") as file:
        for k, image in read(file):
            n += k == 0
            # Whole numbers stored as float32 are whole numbers again: faster than sums in float64.
            np.add(total[k], image, out=total[k], casting="unsafe")
            np.multiply(image, image, out=square, dtype=np.uint32, casting="unsafe")
            np.add(squares[k], square, out=squares[k])
            np.subtract(image, whole, out=value, casting="unsafe")
            np.clip(value, -101, 501, out=value)
            value += 101
            counts += np.bincount(value.ravel(), minlength=603)
    raw = total / n
    return [float((raw - dark()).sum()), float((squares / n - raw * raw).sum()), float((counts[1:602] * np.arange(601)).sum())]


def work(line):
    name, path = line.split()
    works = {"stream": stream, "collect": collect, "collect-raw": collect_raw, "tags": list_tags, "everything": statistics}
    return works[name](path)


if sys.argv[1] == "make":
    make(sys.argv[2], int(sys.argv[3]), sys.argv[4], **({"compression": "gzip", "chunks": (ROWS, COLUMNS)} if sys.argv[5:] == ["gzip"] else {}))
elif sys.argv[1] == "tags":
    make_tags(sys.argv[2], int(sys.argv[3]))
else:
    serve(work)
