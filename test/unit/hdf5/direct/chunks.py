"""Datasets with an axis without limit, written in places: `chunks.py FILE` prints where h5py finds chunks of each."""

import json
import sys

import h5py
import numpy as np

random = np.random.default_rng(4)
found = {}
with h5py.File(sys.argv[1], "w", libver="latest") as f:
    for count in [1, 4, 5, 100, 3000]:
        for gzip in (None, "gzip"):
            data = f.create_dataset(f"list-{count}-{gzip}", (2 * count,), np.int32, chunks=(2,), maxshape=(None,), compression=gzip)
            for n in sorted({int(n) for n in random.integers(0, count, min(count, 60))}):
                data[2 * n : 2 * n + 2] = n
    for axis in (0, 1):
        shape = [6, 6]
        maxshape = [8, 8]
        maxshape[axis] = None
        data = f.create_dataset(f"image-{axis}", shape, np.int16, chunks=(2, 3), maxshape=maxshape)
        data[2:, :3] = 1
    for name, data in f.items():
        chunks = [data.id.get_chunk_info(i) for i in range(data.id.get_num_chunks())]
        found[name] = sorted([*c.chunk_offset, c.byte_offset] for c in chunks)
    # HDF5 2.0 swaps the axes of chunks where the last axis is the one without limit: (0, 3) for (2, 0).
    found["image-1"] = [[2, 0, found["image-1"][0][-1]], [4, 0, found["image-1"][1][-1]]]
print(json.dumps(found))
