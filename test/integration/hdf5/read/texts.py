"""Reads every text of a file as a C program does, into plain ASCII strings: `texts.py FILE` prints those it cannot."""

import sys

import h5py

failed = []


def read(name, dataset):
    if not isinstance(dataset, h5py.Dataset):
        return
    kind = dataset.id.get_type()
    if kind.get_class() != h5py.h5t.STRING:
        return
    plain = h5py.h5t.C_S1.copy()
    plain.set_size(kind.get_size())
    try:
        import numpy as np

        out = np.empty(dataset.shape, dtype=f"S{kind.get_size()}")
        dataset.id.read(h5py.h5s.ALL, h5py.h5s.ALL, out, plain)
        if any(len(text) >= kind.get_size() for text in out.ravel()):
            failed.append(f"{name}: no NUL at the end")
    except OSError as error:
        failed.append(f"{name}: {error}")


with h5py.File(sys.argv[1]) as file:
    file.visititems(read)
print("\n".join(failed))
