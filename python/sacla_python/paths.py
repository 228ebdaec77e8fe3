"""Where the modules are, and putting them on the path: never beside real ones, unless forced."""

import importlib.util
import os
import sys
from typing import List

NAMES = ("dbpy", "stpy", "olpy", "ippy", "ctdapy_xfel", "ctolpy_xfel", "ecpy")
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "modules")
PACKAGES = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def real_modules() -> List[str]:
    """Where modules of these names come from that are not this package's."""
    found = []
    for name in NAMES:
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            spec = None
        origin = "" if spec is None else str(spec.origin or list(spec.submodule_search_locations or [""])[0])
        if spec is not None and not os.path.abspath(origin).startswith(FOLDER + os.sep):
            found.append(f"{name} ({origin})")
    return found


def check(force: bool = False) -> None:
    """Raises ImportError where real modules can be imported, unless forced."""
    real = [] if force or os.environ.get("SACLA_PYTHON_FORCE") == "1" else real_modules()
    if real:
        raise ImportError(
            f"This Python has the real modules: {', '.join(real)}. Nothing was hidden. "
            "To use those of sacla_python all the same, say --force or set SACLA_PYTHON_FORCE=1."
        )


def install(force: bool = False) -> None:
    """Puts the modules first on the path of this process and of those it starts."""
    check(force)
    if FOLDER not in sys.path:
        sys.path.insert(0, FOLDER)
    for name in NAMES:
        loaded = sys.modules.get(name)
        if loaded is not None and not str(getattr(loaded, "__file__", "")).startswith(FOLDER + os.sep):
            del sys.modules[name]
    os.environ["PYTHONPATH"] = search_path()


def search_path() -> str:
    """The value of PYTHONPATH that makes every Python started from here find the modules."""
    given = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    ours = [FOLDER] if PACKAGES in given or _is_installed() else [FOLDER, PACKAGES]
    return os.pathsep.join([*ours, *(path for path in given if path not in ours)])


def _is_installed() -> bool:
    return os.path.basename(PACKAGES) in ("site-packages", "dist-packages")
