"""The facility's Python modules, as far as this machine has them."""

import importlib
import logging
from types import ModuleType
from typing import Any, Dict, Optional

from .errors import ApiFailure, GatewayError
from .plain import text

log = logging.getLogger(__name__)

# ippy computes only and ecpy has no method in the table, but which are there is worth telling.
NAMES = ("dbpy", "stpy", "olpy", "ctdapy_xfel", "ippy", "ecpy")


class Module:
    """One module of the facility, or its absence. Whatever it raises leaves as ApiFailure."""

    def __init__(self, name: str, module: Optional[Any]) -> None:
        self.name = name
        self._module = module

    @property
    def there(self) -> bool:
        return self._module is not None

    def has(self, function: str) -> bool:
        return hasattr(self._module, function)

    def constant(self, name: str, default: Any) -> Any:
        return getattr(self._module, name, default)

    def ask(self, function: str, *args: Any) -> Any:
        """Calls a function or makes an object of the module."""
        if not self.has(function):
            raise GatewayError(
                "UNSUPPORTED",
                f"{self.name} of this machine has no {function}."
                if self.there
                else f"This machine has no {self.name}.",
                {"function": f"{self.name}.{function}"},
            )
        return self.run(function, getattr(self._module, function), *args)

    def run(self, function: str, call: Any, *args: Any) -> Any:
        """Calls a method of an object of the module."""
        try:
            return call(*args)
        except Exception as error:
            api_error = getattr(self._module, "APIError", None)
            is_api_error = isinstance(api_error, type) and isinstance(error, api_error)
            raise ApiFailure(f"{self.name}.{function}", error, is_api_error) from error

    def version(self) -> str:
        try:
            return text(self.ask("get_api_version"))
        except (ApiFailure, GatewayError):
            return "unknown version"


def load_modules() -> Dict[str, Module]:
    """Every module that can be imported; that one cannot is told in the log, and is no failure."""
    found = {}
    for name in NAMES:
        module: Optional[ModuleType] = None
        try:
            module = importlib.import_module(name)
        except ImportError as error:
            log.debug("no %s here: %s", name, error)
        except Exception:
            log.exception("%s is here but cannot be imported", name)
        found[name] = Module(name, module)
    return found
