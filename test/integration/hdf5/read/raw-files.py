"""NXmx, CXI and Cheetah files whose numbers are in raw files beside them, and files with one image."""

import os
import sys

import h5py
import numpy as np

os.chdir(sys.argv[1])
images = np.arange(5 * 2 * 3, dtype="u2").reshape(5, 2, 3)


def nxmx(name):
    file = h5py.File(name, "w")
    file["entry/definition"] = "NXmx"
    return file


def raw(file, path, data, *parts):
    file.create_dataset(path, shape=data.shape, dtype=data.dtype, external=list(parts))


os.mkdir("below")
images.tofile("all.raw")
images[:2].astype(">i4").tofile("first.raw")
images[2:].astype(">i4").tofile("below/last.raw")
with nxmx("one-file.h5") as f:
    raw(f, "entry/data/data", images, ("all.raw", 0, images.nbytes))
with nxmx("two-files.h5") as f:
    parts = ("first.raw", 0, 2 * 24), ("below/last.raw", 0, h5py.h5f.UNLIMITED)
    raw(f, "entry/data/data", images.astype(">i4"), *parts)
with nxmx("short.h5") as f:
    raw(f, "entry/data/data", images.astype("f8"), ("first.raw", 0, 96), ("gone.raw", 0, 48), ("below/last.raw", 0, 96))
with h5py.File("soft.cxi", "w") as f:
    raw(f, "entry_1/instrument_1/detector_1/data", images, ("all.raw", 0, images.nbytes))
    f["entry_1/data_1/data"] = h5py.SoftLink("/entry_1/instrument_1/detector_1/data")
images[::-1].tofile("below/other.raw")
images.tofile("other.raw")
with h5py.File("below/piece.h5", "w") as f:
    raw(f, "data", images, ("other.raw", 0, images.nbytes))
with h5py.File("beside.h5", "w") as f:
    raw(f, "data", images, ("all.raw", 0, images.nbytes))
with nxmx("link.h5") as f:
    f["entry/data/data_000001"] = h5py.ExternalLink("below/piece.h5", "/data")
for name, source in ("virtual.h5", "beside.h5"), ("virtual-below.h5", "below/piece.h5"):
    layout = h5py.VirtualLayout(images.shape, images.dtype)
    layout[:] = h5py.VirtualSource(source, "data", shape=images.shape)
    with nxmx(name) as f:
        f.create_virtual_dataset("entry/data/data", layout)
with nxmx("lists.h5") as f:
    f["entry/data/data"] = images
    np.array([9, 8, 7, 6, 5], ">u4").tofile("tags.raw")
    raw(f, "entry/data/tag_id", np.zeros(5, ">u4"), ("tags.raw", 0, 20))

with nxmx("one.h5") as f:
    f["entry/data/data"] = images[1]
    f["entry/data/tag_id"] = 7
    for i in range(2):
        f[f"entry/instrument/detector/m{i}/data_origin"] = [i, 0]
        f[f"entry/instrument/detector/m{i}/data_size"] = [1, 3]
with nxmx("one-each.h5") as f:
    f["entry/data/data_000001"] = images[1]
    f["entry/data/data_000002"] = images[2:4]
    f["entry/data/data_000003"] = images[4]
with h5py.File("one.cxi", "w") as f:
    f["entry_1/data_1/data"] = images[1]
    f["entry_1/data_1/mask"] = (images[1] == 7).astype("u4")
    f["entry_1/instrument_1/source_1/energy"] = 7000 * 1.602176634e-19
with nxmx("one-raw.h5") as f:
    raw(f, "entry/data/data", images[1], ("all.raw", 12, 12))
with nxmx("one-unwritten.h5") as f:
    f.create_dataset("entry/data/data", (2, 3), "u2", chunks=(1, 3))
