"""Failures as they travel, and what an exception of the facility's modules means."""

from typing import Any, Dict, List, Optional


class GatewayError(Exception):
    """A failure with one of the codes of docs/errors.md."""

    def __init__(self, code: str, message: str, details: Optional[Dict[str, Any]] = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details or {}

    def to_wire(self) -> Dict[str, Any]:
        return {"code": self.code, "message": self.message, "details": self.details}


class BadMessage(GatewayError):
    """A message that does not follow the wire form; `request_id` is the id it had, if one could be read."""

    def __init__(self, message: str, request_id: Optional[int] = None) -> None:
        super().__init__("BAD_MESSAGE", message)
        self.request_id = request_id


# Names seen in olpy (OnlineUserAPI.h) and ctolpy_xfel, without prefix. That dbpy and stpy use the same endings is
# not known; what they do not explain is found out by asking again (Db.explain_run and the like).
_NAMES = {
    "TAGDATAGONE": "DATA_GONE",
    "TAGINVALID": "TAG_INVALID",
    "SOCKET": "UNREACHABLE",
    "SOCKOPT": "UNREACHABLE",
    "GETHOSTBYNAME": "UNREACHABLE",
    "CONNECT": "UNREACHABLE",
    "NOSOCKET": "UNREACHABLE",
    "TCPSEND": "UNREACHABLE",
    "TCPRECV": "UNREACHABLE",
    "RECV": "UNREACHABLE",
    "NOCALIBMATHOD": "UNSUPPORTED",
    "USERAPI_CHECK": "UNSUPPORTED",
    "CTAGDATAGONE": "DATA_GONE",
    "GETDATA_CMD_RESULT_TIMEOUT": "TIMEOUT",
}

# The numbers of the same header; Python adds them to −200000000.
_NUMBERS = {
    -200010000: "TAGDATAGONE",
    -200010100: "SOCKET",
    -200010101: "SOCKOPT",
    -200010102: "GETHOSTBYNAME",
    -200010103: "CONNECT",
    -200010104: "NOSOCKET",
    -200010106: "TCPSEND",
    -200010107: "TCPRECV",
    -200010109: "RECV",
    -200010300: "NOCALIBMATHOD",
    -200050000: "TAGINVALID",
    -200050010: "USERAPI_CHECK",
}


class ApiFailure(Exception):
    """An exception that left a function of one of the facility's modules, before anyone knows what it means."""

    def __init__(self, function: str, error: Exception, is_api_error: bool) -> None:
        super().__init__(f"{function} failed: {type(error).__name__}{_shown(error.args)}")
        self.function = function
        self.error = error
        self.is_api_error = is_api_error

    def known_code(self) -> Optional[str]:
        """The code its number or name stands for, None when they say nothing."""
        for arg in self.error.args:
            name = _NUMBERS.get(arg) if isinstance(arg, int) else _ending(arg)
            if name in _NAMES:
                return _NAMES[name]
        return None

    def to_error(self, code: Optional[str] = None, message: Optional[str] = None) -> GatewayError:
        """
        As it travels: with the code its own number stands for, else the `code` the caller found, else UNSUPPORTED
        for an APIError and INTERNAL for anything else. The original arguments are in the details.
        """
        known = self.known_code()
        found = known or code or ("UNSUPPORTED" if self.is_api_error else "INTERNAL")
        details = {"function": self.function, "type": type(self.error).__name__, "args": _plain_args(self.error.args)}
        return GatewayError(found, message if message and found == code else f"{self}.", details)


def _ending(arg: Any) -> str:
    text = arg.decode("utf-8", "replace") if isinstance(arg, bytes) else str(arg)
    return text.split("_ERR_", 1)[1] if "_ERR_" in text else ""


def _plain_args(args: Any) -> List[Any]:
    return [arg if isinstance(arg, (int, str)) and not isinstance(arg, bool) else str(arg) for arg in args]


def _shown(args: Any) -> str:
    text = ", ".join(repr(arg) for arg in args)
    return f"({text if len(text) <= 300 else text[:300] + '…'})"


def show(value: Any) -> str:
    """A value as it should stand in an error message: short."""
    text = repr(value)
    return text if len(text) <= 120 else text[:120] + "…"


def show_list(values: Any, limit: int = 20) -> str:
    """Names in a message: all of a short list, the start of a long one."""
    texts = [str(value) for value in values]
    if not texts:
        return "none"
    head = ", ".join(texts[:limit])
    return head if len(texts) <= limit else f"{head}, … ({len(texts)} in all)"
