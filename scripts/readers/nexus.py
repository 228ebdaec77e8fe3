"""Errors that nxvalidate or punx finds in an NXmx file: nexus.py PROGRAM FILE."""

import importlib.metadata
import json
import pathlib
import re
import subprocess
import sys

program, file = sys.argv[1:]
command = [str(pathlib.Path(sys.executable).parent / program), *(["validate"] if program == "punx" else []), file]
done = subprocess.run(command, capture_output=True, text=True, timeout=120)
if program == "punx":
    errors = [" ".join(line.split()) for line in done.stdout.splitlines() if re.search(r"\sERROR\s+\w", line) and line.startswith("/")]
    whole = "summary statistics" in done.stdout
else:
    text = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
    whole = "Total number of errors: 0" in text
    errors = [] if whole else [" ".join(text.split())[-400:]]
if not whole and not errors:
    errors = [done.stderr[-400:]]
print(json.dumps({"version": importlib.metadata.version(program), "errors": errors}))
