"""What can go wrong: the facility's answers (APIError of each module), and everything else."""

from typing import Any, Dict, Optional

# What the facility itself answers, numbered in this order; docs/errors.md says what each means.
_FACILITY_CODES = (
    "UNKNOWN_BEAMLINE",
    "UNKNOWN_RUN",
    "RUN_NOT_READY",
    "UNKNOWN_DETECTOR",
    "UNKNOWN_SIGNAL",
    "UNKNOWN_HIGHTAG",
    "TAG_OUTSIDE_RUN",
    "FRAME_MISSING",
    "DATA_GONE",
    "TAG_INVALID",
    "UNSUPPORTED",
)
_CONNECTION_CODES = ("UNREACHABLE", "CLOSED", "TIMEOUT", "TOO_MANY_REQUESTS", "WORKER_LOST")


class SaclaError(Exception):
    """A failure with one of the codes of docs/errors.md in `code`, and `details`."""

    def __init__(self, code: str, message: str, details: Optional[Dict[str, Any]] = None) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.details: Dict[str, Any] = details or {}

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    def __reduce__(self) -> Any:
        # As it comes back from a process of multiprocessing.
        return _again, (type(self), self.args, self.code, self.message, self.details)


class Unreachable(SaclaError, ConnectionError):
    """The server cannot be reached or did not answer. No APIError: a script that reads on after a missing image must
    not take a broken connection for one."""


class FacilityError(SaclaError):
    """Base of the APIErrors, each of which is a class of its own, as at the facility."""

    first_number = 0

    def __init__(self, code: str, message: str, details: Optional[Dict[str, Any]] = None) -> None:
        super().__init__(code, message, details)
        # (int, str) as olpy's. For dbpy and stpy the shape is an inference, and the numbers are made up.
        self.args = (self.number(), f"{code}: {message}")

    def number(self) -> int:
        place = _FACILITY_CODES.index(self.code) if self.code in _FACILITY_CODES else len(_FACILITY_CODES)
        return self.first_number - place - 1

    def __str__(self) -> str:
        return str(self.args)


def _again(kind: type, args: Any, code: str, message: str, details: Dict[str, Any]) -> SaclaError:
    error = kind(code, message, details)
    error.args = args
    return error


def error_of(wire: Dict[str, Any]) -> SaclaError:
    """The exception for an error as it travels."""
    code, message, details = str(wire.get("code")), str(wire.get("message")), wire.get("details") or {}
    kind = Unreachable if code in _CONNECTION_CODES else SaclaError
    return kind(code, message, details)


def as_api_error(error: SaclaError, kind: type) -> SaclaError:
    """What the facility answers as the module's own APIError; the rest as it is."""
    if isinstance(error, FacilityError) or error.code not in _FACILITY_CODES:
        return error
    return kind(error.code, error.message, error.details)
