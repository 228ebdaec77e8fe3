"""Answers questions about HDF5 files with h5py or silx: read.py PROGRAM < lines of "kind TAB file TAB path"."""

import sys


def opened(program, file):
    if program == "silx":
        import silx.io

        return silx.io.open(file)
    import h5py

    return h5py.File(file)


def answer(kind, value):
    if kind == "numbers":
        return " ".join(repr(float(v)) for v in value.ravel().tolist())
    texts = [value] if kind == "text" else value.tolist()
    return "\t".join(t.decode() if isinstance(t, bytes) else t for t in texts)


def main(program):
    module = __import__(program)
    print(program, module.version if program == "silx" else module.__version__)
    for line in sys.stdin.read().splitlines():
        kind, file, path = line.split("\t")
        try:
            with opened(program, file) as f:
                print("=" + answer(kind, f[path][()]))
        except Exception as error:
            print("!" + str(error).replace("\n", " "))


main(sys.argv[1])
