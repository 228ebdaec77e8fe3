"""Archives of every kind of storage, by h5py: `image-offsets.py WHAT FILE [libver]`; prints the truth as JSON."""

import hashlib
import json
import sys

import h5py
import numpy as np

what, path = sys.argv[1:3]
libver = sys.argv[3] if len(sys.argv) > 3 else "earliest"
ROWS, COLUMNS, RUN = 37, 23, 7


def begin(file, tags):
    file["file_info/version"] = np.bytes_("3.20")
    file["file_info/run_number_list"] = np.array([RUN], np.int64)
    run = file.create_group(f"run_{RUN}")
    run["run_info/start_tag_number"] = np.int64(tags[0])
    run["run_info/end_tag_number"] = np.int64(tags[-1] + 2)
    run["event_info/tag_number_list"] = np.array(tags, np.int64)
    run["event_info/time_stamp"] = 1749524400.0 + np.arange(len(tags)) / 30
    run["event_info/bl_3/eh_1/nothing"] = np.zeros(len(tags))
    return run


def detector(run, k, name):
    group = run.create_group(f"detector_2d_{k}")
    group["detector_info/detector_name"] = np.bytes_(name)
    return group


def storages():
    random = np.random.default_rng(3)
    kinds = ["u1", "i1", "<u2", ">u2", "<i2", ">i2", "<u4", "<i4", ">i4", "<f4", ">f4", "<f2", ">f2"]
    ways = {
        "contiguous": {},
        "chunk": {"chunks": (ROWS, COLUMNS)},
        "chunks": {"chunks": (8, 7)},
        "gzip": {"chunks": (ROWS, COLUMNS), "compression": "gzip"},
        "gzip-shuffle": {"chunks": (ROWS, COLUMNS), "compression": "gzip", "shuffle": True},
        "gzip-shuffle-chunks": {"chunks": (3, 2), "compression": "gzip", "shuffle": True},
        "shuffle": {"chunks": (ROWS, COLUMNS), "shuffle": True},
        "checksum": {"chunks": (ROWS, COLUMNS), "fletcher32": True},
    }
    # Chunks larger than the tables.
    large = {"large-gzip": {"chunks": (300, 400), "compression": "gzip", "shuffle": True}, "large-gzip-chunks": {"chunks": (70, 128), "compression": "gzip"}}
    tags = [101, 103]
    truth = {}
    with h5py.File(path, "w", libver=libver) as file:
        run = begin(file, tags)
        cases = [(kind, way, options, (ROWS, COLUMNS)) for kind in kinds for way, options in ways.items()]
        cases += [(kind, way, options, (300, 400)) for kind in ["<u2", "<f4"] for way, options in large.items()]
        for k, (kind, way, options, shape) in enumerate(cases):
            group = detector(run, k + 1, f"{kind[-2:]}{'-big-endian' if kind[0] == '>' else ''}-{way}")
            for tag in tags:
                raw = random.integers(0, 256, shape[0] * shape[1] * np.dtype(kind).itemsize, dtype=np.uint8)
                image = np.frombuffer(raw.tobytes(), kind).reshape(shape)
                if kind[1:] == "f2":
                    # Of what is no number there is one only.
                    image = np.where(np.isnan(image), np.array(-0.0, kind), image).astype(kind)
                group[f"tag_{tag}/detector_status"] = np.int32(1)
                group.create_dataset(f"tag_{tag}/detector_data", data=image, **options)
                name = group["detector_info/detector_name"][()].decode()
                truth[f"{name} {tag}"] = hashlib.sha256(image.astype("<f4").tobytes()).hexdigest()
    print(json.dumps(truth))


def odd_types():
    """Images and columns of numbers that are not whole in all their bits, or wider than any here, among others."""
    tags = [101, 103, 105]
    with h5py.File(path, "w", libver=libver) as file:
        run = begin(file, tags)
        group = detector(run, 1, "MPCCD-1N0-M06-002")
        twelve = h5py.h5t.STD_U16LE.copy()
        twelve.set_precision(12)
        for place, kind in {"tag_101": h5py.h5t.NATIVE_LDOUBLE, "tag_103": h5py.h5t.IEEE_F16BE, "tag_105": twelve}.items():
            image = h5py.h5d.create(group.create_group(place).id, b"detector_data", kind, h5py.h5s.create_simple((2, 3)))
            image.write(h5py.h5s.ALL, h5py.h5s.ALL, np.arange(6, dtype=np.uint16).reshape(2, 3))
        run["event_info/bl_3/eh_1/half"] = np.array([0.5, -65504, np.nan], ">f2")
        run["event_info/bl_3/eh_1/wide"] = np.array([1, 2, 3], np.longdouble)
    print(json.dumps({}))


def lost_filter():
    """One bit makes the list of filters of the first image a message that HDF5 passes over."""
    tags = [101, 103, 105]
    with h5py.File(path, "w", libver=libver) as file:
        group = detector(begin(file, tags), 1, "MPCCD-1N0-M06-002")
        for tag in tags:
            group.create_dataset(f"tag_{tag}/detector_data", data=np.arange(6, dtype=np.uint16).reshape(2, 3), compression="gzip", chunks=(2, 3))
    content = bytearray(open(path, "rb").read())
    at = content.index(bytes([1, 1, 0, 0, 0, 0, 0, 0, 1, 0, 8, 0])) - 8
    assert content[at] == 0x0B
    content[at] = 0x0F
    open(path, "wb").write(content)
    print(json.dumps({}))


def many():
    tags = [4_000_000_000 + 2 * i for i in range(10_000 if libver == "earliest" else 3_000)]
    with h5py.File(path, "w", libver=libver) as file:
        run = begin(file, tags)
        group = detector(run, 1, "MPCCD-1N0-M06-002")
        # Backwards, so that order in the file is not that of the tags.
        for tag in reversed(tags):
            if tag % 14 == 0:
                continue
            group[f"tag_{tag}/detector_status"] = np.int32(0 if tag % 26 == 0 else 1)
            if tag % 34 != 0:
                group[f"tag_{tag}/detector_data"] = np.array([[tag & 0xFFFF, tag >> 16]], np.uint16)
    with h5py.File(path, "r") as file:
        group = file[f"run_{RUN}/detector_2d_1"]
        has = [tag for tag in tags if (name := f"tag_{tag}") in group and "detector_data" in group[name] and group[name]["detector_status"][()] == 1]
        print(json.dumps({"tags": tags, "has": has, "pixels": [[int(v) for v in group[f"tag_{tag}/detector_data"][0]] for tag in has]}))


def large():
    tags = [101, 103, 105]
    with h5py.File(path, "w", libver=libver) as file:
        run = begin(file, tags)
        group = detector(run, 1, "MPCCD-1N0-M06-002")
        truth = {}
        for i, tag in enumerate(tags):
            image = np.arange(ROWS * COLUMNS, dtype=np.uint16).reshape(ROWS, COLUMNS) * 3 + tag
            group[f"tag_{tag}/detector_status"] = np.int32(1)
            data = group.create_dataset(f"tag_{tag}/detector_data", data=image)
            truth[tag] = {"sum": int(image.sum()), "address": data.id.get_offset()}
            # Space that is taken and never written: a hole, which takes no disk.
            plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
            plist.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
            h5py.h5d.create(file.id, f"hole_{i}".encode(), h5py.h5t.NATIVE_UINT8, h5py.h5s.create_simple((3 * 2**30 + 12345,)), plist)
    print(json.dumps(truth))


{"storages": storages, "odd-types": odd_types, "lost-filter": lost_filter, "many": many, "large": large}[what]()
