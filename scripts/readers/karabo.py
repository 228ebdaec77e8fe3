"""The first shots of a karabo-bridge server: karabo.py ADDRESS SHOTS."""

import importlib.metadata
import json
import sys

from karabo_bridge import Client

client = Client(sys.argv[1], timeout=20)
shots = []
for _ in range(int(sys.argv[2])):
    data, meta = client.next()
    shots.append([[name, meta[name]["timestamp.tid"], values["image.data"].ravel().tolist()] for name, values in data.items() if "image.data" in values])
print(json.dumps({"version": importlib.metadata.version("karabo_bridge"), "shots": shots}))
