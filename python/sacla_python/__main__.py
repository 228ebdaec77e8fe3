"""python -m sacla_python run SCRIPT.py …, and path."""

import argparse
import os
import subprocess
import sys
from typing import List, Optional

from . import __version__
from .paths import check, search_path


def main(argv: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m sacla_python",
        description="Runs scripts against SACLA's dbpy, stpy, olpy, ippy, ctdapy_xfel, ctolpy_xfel "
        "over a sacla server.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run a script with the modules of this package")
    run.add_argument("--url", help="the server (default: SACLA_URL, else http://127.0.0.1:5580)")
    run.add_argument("script", help="a .py file, or -m and a module's name, or -c and code")
    run.add_argument("arguments", nargs=argparse.REMAINDER, help="of the script")
    path = commands.add_parser("path", help="print the value of PYTHONPATH with which all scripts find the modules")
    for command in (run, path):
        command.add_argument("--force", action="store_true", help="even where the real modules can be imported")
    given = sys.argv[1:] if argv is None else argv
    arguments = parser.parse_args(_apart(given))
    try:
        check(arguments.force)
    except ImportError as error:
        print(error, file=sys.stderr)
        return 1
    if arguments.command == "path":
        print(search_path())
        return 0
    environment = {**os.environ, "PYTHONPATH": search_path()}
    if arguments.url:
        environment["SACLA_URL"] = arguments.url
    return _run([sys.executable, arguments.script, *arguments.arguments], environment)


def _apart(argv: List[str]) -> List[str]:
    """With `--` before a script's -m or -c, which are not options of this program."""
    for i, argument in enumerate(argv):
        if i > 0 and argument in ("-m", "-c") and "--" not in argv[:i]:
            return [*argv[:i], "--", *argv[i:]]
    return argv


def _run(command: List[str], environment: dict) -> int:
    """As if the script had been started itself: what it starts by multiprocessing finds everything as usual."""
    if os.name == "posix":
        sys.stdout.flush()
        os.execve(command[0], command, environment)
    return subprocess.call(command, env=environment)


if __name__ == "__main__":
    sys.exit(main())
