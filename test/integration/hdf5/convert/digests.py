"""Recomputes the digests of a file of sacla convert: images with the right one, with another, and absent ones."""
import hashlib
import json
import sys

import h5py

right, wrong, absent = 0, [], 0
with h5py.File(sys.argv[1], "r") as f:
    for group in f["sacla/image_digests"].values():
        path = group["path"][()].decode()
        for i, (tag, digest) in enumerate(zip(f["sacla/tags_used"][()], group["sha256"][()])):
            name = path.format(tag=tag)
            if name not in f:
                absent += digest.tobytes() == bytes(32)
                continue
            image = f[name][i] if name == path else f[name][()]
            if hashlib.sha256(image.tobytes()).digest() == digest.tobytes():
                right += 1
            else:
                wrong.append(f"{name} {i}")
print(json.dumps([right, wrong, absent]))
