"""CXI files of three images that lack one: `absent-stacks.py FOLDER LIBVER`. Image k is full of k."""

import os
import sys

import h5py
import numpy as np

folder, libver = sys.argv[1:]
with h5py.File(os.path.join(folder, "stack-chunks.h5"), "w", libver=libver) as file:
    data = file.create_dataset("entry_1/data_1/data", (3, 4, 6), np.uint16, chunks=(1, 2, 6))
    data[0], data[2] = 1, 3
    data[1, :2] = 2  # half of the image
    # What the layout does not know.
    file.create_dataset("extra/unwritten", (3,), np.float64)
    file["extra/complex"] = np.zeros(2, np.complex128)
    file["extra/gone"] = h5py.ExternalLink("gone.h5", "/a")
    file["extra/text"] = "text"
    file["extra/again"] = file["extra"]
with h5py.File(os.path.join(folder, "two.h5"), "w", libver=libver) as file:
    file["data"] = np.stack([np.full((4, 6), k, np.uint16) for k in (1, 2)])
with h5py.File(os.path.join(folder, "stack-virtual.h5"), "w", libver="latest") as file:
    layout = h5py.VirtualLayout((3, 4, 6), np.uint16)
    layout[:2] = h5py.VirtualSource("two.h5", "data", (2, 4, 6))
    layout[2] = h5py.VirtualSource("gone.h5", "data", (4, 6))
    file.create_virtual_dataset("entry_1/data_1/data", layout)
