"""
Runs a notebook by its real kernel and prints, for each code cell, what it shows: a JSON list of [media types, text].
Needs jupyter_client. Ends with 1 when a cell fails or takes longer than two minutes.

    python scripts/run-notebook.py NOTEBOOK KERNEL_PROGRAM [ARGUMENT…]      (with {connection_file} among them)
"""

import base64
import json
import os
import queue
import sys
import tempfile

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

LONGEST_S = 120
LATE_S = 20


def main():
    path, command = sys.argv[1], sys.argv[2:]
    with open(path, encoding="utf-8") as file:
        notebook = json.load(file)
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(os.path.join(folder, "example"))
        spec = {"argv": command, "display_name": "example", "language": "typescript"}
        with open(os.path.join(folder, "example", "kernel.json"), "w", encoding="utf-8") as file:
            json.dump(spec, file)
        specs = KernelSpecManager(kernel_dirs=[folder], ensure_native_kernel=False)
        kernel = KernelManager(kernel_name="example", kernel_spec_manager=specs)
        # What the kernel itself says goes to stderr, so that nothing waits for it.
        kernel.start_kernel(stdout=sys.stderr, stderr=sys.stderr)
        client = kernel.client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=LONGEST_S)
            for cell in notebook["cells"]:
                if cell["cell_type"] == "code":
                    print(json.dumps(run(client, "".join(cell["source"]))), flush=True)
        finally:
            client.stop_channels()
            kernel.shutdown_kernel(now=True)


def run(client, code):
    request = client.execute(code)
    shown = []
    is_idle = False
    while True:
        try:
            message = client.get_iopub_msg(timeout=LATE_S if is_idle else LONGEST_S)
        except queue.Empty:
            if is_idle:
                return shown
            sys.exit(f"a cell took longer than {LONGEST_S} s:\n{code}")
        if message["parent_header"].get("msg_id") != request:
            continue
        kind, content = message["msg_type"], message["content"]
        if kind == "error":
            sys.exit(f"{content['ename']}: {content['evalue']}\n{code}")
        if kind == "stream":
            shown.append([content["name"], content["text"].strip()])
        elif kind in ("execute_result", "display_data"):
            shown.append(described(content["data"]))
        elif kind == "status" and content["execution_state"] == "idle":
            is_idle = True
        # On a loaded computer Deno's kernel says that it is idle before it shows something.
        if is_idle and shown:
            return shown


def described(data):
    png = data.get("image/png")
    is_png = png is not None and base64.b64decode(png).startswith(b"\x89PNG\r\n\x1a\n")
    text = "PNG" if is_png else str(data.get("text/html") or data.get("text/plain", ""))
    return [" ".join(sorted(data)), text[:400]]


if __name__ == "__main__":
    main()
