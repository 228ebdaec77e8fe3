"""
The talk's averaging listing over a DataConvert file: through stpy of sacla_python, and by h5py reading the same images.
Fractions of a third of the images alternate, so that both see the same load; the best and the median are printed.

    sacla convert 651236 -n 400 --detector MPCCD-2B1-M03-001-1 --signal none -o bench.h5
    sacla python --url bench.h5 -- bench/python.py bench.h5 651236 MPCCD-2B1-M03-001-1

With a run alone: images of all sensors of an octal detector, shot by shot, as the simulated facility draws them.

    sacla python -- bench/python.py 1520000
"""

import statistics
import sys
import time

import dbpy
import h5py
import numpy as np
import stpy

ROUNDS = 5


def average_stpy(run, det_id, tags, dark):
    reader = stpy.StorageReader(det_id, 3, (run,))
    buffer = stpy.StorageBuffer(reader)
    images = np.zeros((len(tags), *dark.shape))
    for i, tag in enumerate(tags):
        reader.collect(buffer, tag)
        images[i] = buffer.read_det_data(0) - dark
    return np.mean(images, 0)


def average_h5py(path, run, tags, dark):
    images = np.zeros((len(tags), *dark.shape))
    with h5py.File(path, "r") as file:
        group = file[f"run_{run}/detector_2d_1"]
        for i, tag in enumerate(tags):
            images[i] = group[f"tag_{tag}/detector_data"][()].astype(np.float32) - dark
    return np.mean(images, 0)


def octal(run, shots=100):
    tags = dbpy.read_taglist_byrun(3, run)[:shots]
    readers = [stpy.StorageReader(f"MPCCD-8N0-3-002-{k}", 3, (run,)) for k in range(1, 9)]
    buffers = [stpy.StorageBuffer(reader) for reader in readers]
    began = time.perf_counter()
    for tag in tags:
        for reader, buffer in zip(readers, buffers):
            reader.collect(buffer, tag)
            buffer.read_det_data(0)
    seconds = time.perf_counter() - began
    print(f"octal: {8 * len(tags) / seconds:.0f} sensor images/s")


def main():
    if len(sys.argv) == 2:
        octal(int(sys.argv[1]))
        return
    path, run, det_id = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    tags = dbpy.read_taglist_byrun(3, run)[:300]
    dark = np.full((1024, 512), 10, np.float32)
    seconds = {"stpy": [], "h5py": []}
    part = len(tags) // 3
    for round_number in range(ROUNDS):
        some = tags[(round_number % 3) * part :][:part]
        began = time.perf_counter()
        ours = average_stpy(run, det_id, some, dark)
        between = time.perf_counter()
        theirs = average_h5py(path, run, some, dark)
        seconds["stpy"].append(between - began)
        seconds["h5py"].append(time.perf_counter() - between)
        assert np.array_equal(ours, theirs), "the images differ"
    for name, all_of_it in seconds.items():
        best, middle = min(all_of_it), statistics.median(all_of_it)
        print(f"{name}  best {part / best:6.0f}/s   median {part / middle:6.0f}/s")
    ratios = sorted(a / b for a, b in zip(seconds["stpy"], seconds["h5py"]))
    print(f"stpy / h5py  median {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
