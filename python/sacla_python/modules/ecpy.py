"""
Control of the experiment over a sacla server: stages, shutters, amplifiers and other settings, runs.

The facility's ecpy is not public: only what it can do is known. So the names here are those of sacla in TypeScript
(docs/control.md), in Python's spelling. Changing needs the lease of the beamline, which control() takes and a thread
renews. When the script ends, dies or loses the connection, the lease ends and what moved is stopped.

    import ecpy
    with ecpy.control(3, "night shift", "delay scan") as control:
        control.shutter("bl3_shutter1").open()
        control.axis("bl3_st2_pm001").move_to(12000)      # pulses; waits until it is there
        control.setting("bl3_st3_bm1_amp").set(1e6)
        with control.run("LaB6", ["MPCCD-8N0-3-002"], shots=300) as run:
            print(run)
"""

import threading
import time
import uuid
import weakref
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Optional, Sequence, Union

from sacla_python.client import call as _call
from sacla_python.client import whole as _whole
from sacla_python.errors import SaclaError as _SaclaError
from sacla_python.errors import Unreachable as _Unreachable

_CALL_S = 30.0
_LATE_START_S = 0.4
_LONGEST_SETTING_S = 30.0


class APIError(_SaclaError):
    """What control refuses or a device fails at. `code` is LEASE_HELD, LEASE_LOST, LIMIT, INTERLOCK, DEVICE_BUSY,
    DEVICE_FAULT, UNKNOWN_DEVICE and others of docs/errors.md."""


def _ask(method: str, **value: Any) -> Any:
    return _send(method, value, None)


def _change(method: str, **value: Any) -> Any:
    """Done once, however often it is sent because an answer was lost."""
    return _send(method, value, str(uuid.uuid4()))


def _send(method: str, value: Dict[str, Any], key: Optional[str]) -> Any:
    try:
        return _call(method, value, key=key, timeout_s=_CALL_S)
    except _Unreachable:
        raise
    except _SaclaError as error:
        raise APIError(error.code, error.message, error.details) from None


def get_api_version() -> str:
    """Version of what answers."""
    return _ask("db.getApiVersion")


def devices(bl: int) -> List[Dict[str, Any]]:
    """Axes, shutters and settings of a beamline."""
    return _ask("ec.devices", bl=_whole("bl", bl))


def read(bl: int, device: str) -> Dict[str, Any]:
    """Where a device is: state (ready, moving, locked, fault), value, why. Needs no lease."""
    return _ask("ec.read", bl=_whole("bl", bl), device=device)


def holder(bl: int) -> Optional[Dict[str, Any]]:
    """Who controls a beamline; None: nobody."""
    return _ask("lease.holder", bl=_whole("bl", bl))


def beam(bl: int) -> Dict[str, Any]:
    """Whether X-rays reach the hutch, and if not why."""
    return _ask("ec.beam", bl=_whole("bl", bl))


def run_state(bl: int) -> Dict[str, Any]:
    """The run that is on, or was last: run, state, shots."""
    return _ask("ec.runState", bl=_whole("bl", bl))


def stop(bl: int, axis: str) -> None:
    """Stops an axis with its ramp, whoever moves it. Needs no lease."""
    _change("ec.stop", bl=_whole("bl", bl), axis=axis)


def close_shutter(bl: int, shutter: str) -> None:
    """Closes a shutter, whoever opened it. Needs no lease."""
    _change("ec.setShutter", bl=_whole("bl", bl), lease=None, shutter=shutter, open=False)


def control(bl: int, name: str, reason: str, ttl_s: float = 10.0) -> "Control":
    """Takes the control of a beamline: use it in a `with`. The lease holds for ttl_s without a heartbeat, so long after
    a crash motion goes on at most. APIError LEASE_HELD says who has it."""
    return Control(bl, name, reason, ttl_s)


class _Lease:
    """Keeps a lease by heartbeat. A thread that outlives its owner would keep a dead script's lease: it holds no
    reference to the owner, and is a daemon, which ends with the program."""

    def __init__(self, bl: int, name: str, reason: str, ttl_s: float) -> None:
        self._over = threading.Event()
        asked = time.monotonic()
        answer = _change("lease.take", bl=bl, name=name, reason=reason, ttlMs=int(1000 * ttl_s))
        self.bl, self._token, self._ttl_s = bl, answer["lease"], ttl_s
        self.previous = answer["previous"]
        self._good_until = asked + ttl_s
        self._lost: Optional[APIError] = None
        threading.Thread(target=_beat, args=(weakref.ref(self), self._over, ttl_s / 3), daemon=True).start()

    def token(self) -> str:
        if self._lost is None and not self._over.is_set() and time.monotonic() >= self._good_until:
            self._lost = APIError("LEASE_LOST", f"The lease could not be renewed for {self._ttl_s} s.")
        if self._lost is not None:
            raise self._lost
        if self._over.is_set():
            raise APIError("LEASE_LOST", f"The lease of beamline {self.bl} was given back.")
        return self._token

    def renew(self) -> bool:
        """False when it is over."""
        asked = time.monotonic()
        try:
            left = max(0.1, self._good_until - asked)
            _call("lease.renew", {"bl": self.bl, "lease": self._token}, timeout_s=min(left, _CALL_S))
            self._good_until = asked + self._ttl_s
        except _SaclaError as error:
            if error.code == "LEASE_LOST" or time.monotonic() >= self._good_until:
                self._lost = APIError("LEASE_LOST", error.message, error.details)
                return False
        return True

    def release(self) -> None:
        if self._over.is_set():
            return
        self._over.set()
        if self._lost is None:
            try:
                _change("lease.release", bl=self.bl, lease=self._token)
            except APIError as error:
                # It ended before: what release is for has been done.
                if error.code != "LEASE_LOST":
                    raise

    def __del__(self) -> None:
        self._over.set()


def _beat(lease: "weakref.ref[_Lease]", over: threading.Event, every_s: float) -> None:
    while not over.wait(every_s):
        kept = lease()
        if kept is None or not kept.renew():
            return
        del kept


class Control:
    """The control of one beamline while its lease is held."""

    def __init__(self, bl: int, name: str, reason: str, ttl_s: float) -> None:
        self.bl = _whole("bl", bl)
        self._devices = {one["name"]: one for one in devices(self.bl)}
        self._lease = _Lease(self.bl, name, reason, ttl_s)
        self._used: Dict[str, Union["Axis", "Shutter"]] = {}

    @property
    def previous(self) -> Optional[Dict[str, Any]]:
        """How the lease before this one ended, and what was done then."""
        return self._lease.previous

    def axis(self, name: str) -> "Axis":
        """An axis by its control name, or by its equipment id."""
        axis = Axis(self._lease, self._find("axis", name))
        self._used[axis.name] = axis
        return axis

    def shutter(self, name: str) -> "Shutter":
        """A shutter by its control name."""
        shutter = Shutter(self._lease, self._find("shutter", name))
        self._used[shutter.name] = shutter
        return shutter

    def setting(self, name: str) -> "Setting":
        """An amplifier, attenuator, pulse selector, the K of ID1, by its control name."""
        return Setting(self._lease, self._find("setting", name))

    def start_run(self, comment: str, detectors: Sequence[str] = (), shots: int = 0) -> int:
        """Starts a run and gives its number; shots 0: until it is stopped."""
        request = {"comment": comment, "detectors": list(detectors), "shots": _whole("shots", shots)}
        return int(_change("ec.startRun", bl=self.bl, lease=self._lease.token(), **request)["run"])

    def stop_run(self) -> None:
        """Ends the run, if one is on."""
        _change("ec.stopRun", bl=self.bl, lease=self._lease.token())

    def pause_run(self) -> None:
        """Pauses the run. Needs no lease."""
        _change("ec.pauseRun", bl=self.bl)

    def resume_run(self) -> None:
        """Takes a paused run up again."""
        _change("ec.resumeRun", bl=self.bl, lease=self._lease.token())

    def wait_run(self, timeout_s: Optional[float] = None) -> Dict[str, Any]:
        """Waits until no run is on."""
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            state = run_state(self.bl)
            if state["state"] in ("ready", "fault"):
                return state
            if end is not None and time.monotonic() > end:
                raise APIError("TIMEOUT", f"Run {state['run']} is still {state['state']} after {timeout_s} s.")
            self._lease.token()
            time.sleep(0.1)

    @contextmanager
    def run(self, comment: str, detectors: Sequence[str] = (), shots: int = 0) -> Iterator[int]:
        """A run that ends with its `with`: of so many shots, or, with 0, as long as the block takes."""
        number = self.start_run(comment, detectors, shots)
        try:
            yield number
            if shots > 0:
                self.wait_run()
        finally:
            self.stop_run()

    def safe(self) -> None:
        """Stops every axis that was used and moves, and closes every shutter that was used. Tries all."""
        failures = []
        for device in self._used.values():
            try:
                if isinstance(device, Shutter):
                    device.close()
                elif device.read()["state"] == "moving":
                    device.stop()
            except _SaclaError as error:
                failures.append(f"{device.name}: {error.message}")
        if failures:
            raise APIError("DEVICE_FAULT", f"The safe state was not reached: {'; '.join(failures)}")

    def release(self) -> None:
        """Gives the control back; axes still moving are stopped, all else stays as it is."""
        self._lease.release()

    def __enter__(self) -> "Control":
        return self

    def __exit__(self, *_: Any) -> None:
        self.release()

    def _find(self, kind: str, name: str) -> Dict[str, Any]:
        for device in self._devices.values():
            if name in (device["name"], device["syncdb"]) and device["kind"] == kind:
                return device
        known = ", ".join(one["name"] for one in self._devices.values() if one["kind"] == kind)
        raise APIError("UNKNOWN_DEVICE", f"Beamline {self.bl} has no {kind} {name}; it has {known}.")


class _Device:
    def __init__(self, lease: _Lease, info: Dict[str, Any]) -> None:
        self._lease = lease
        self.info = info
        self.name: str = info["name"]

    def read(self) -> Dict[str, Any]:
        """state, value, why. Needs no lease."""
        return read(self._lease.bl, self.name)

    def _arrive(self, wanted: Any, tolerance: float = 0.0) -> None:
        end = time.monotonic() + _LONGEST_SETTING_S
        while True:
            reading = self.read()
            value = reading["value"]
            near = isinstance(value, (int, float)) and isinstance(wanted, (int, float))
            if reading["state"] in ("ready", "locked") and (
                value == wanted or (near and abs(value - wanted) <= tolerance)
            ):
                return
            _raise_if_bad(self.name, reading)
            if time.monotonic() > end:
                raise APIError("DEVICE_FAULT", f"{self.name} is stuck: asked for {wanted}, it is {value}.")
            time.sleep(0.05)


class Axis(_Device):
    """A stage, in pulses."""

    def position(self) -> int:
        """Where it is, in pulses."""
        return self.read()["value"]

    def start(self, pulses: int) -> None:
        """Begins an absolute move and answers at once."""
        pulses = _whole("pulses", pulses)
        _change("ec.move", bl=self._lease.bl, lease=self._lease.token(), axis=self.name, pulses=pulses)

    def move_to(self, pulses: int) -> int:
        """Goes there and waits; gives where it is. Whatever interrupts the wait, Ctrl+C too, stops the axis."""
        wanted = _whole("pulses", pulses)
        now = self.read()["value"]
        try:
            self.start(wanted)
            return self._wait(wanted, now)
        except BaseException as error:
            if not (isinstance(error, APIError) and error.code in ("LIMIT", "DEVICE_BUSY", "INTERLOCK")):
                try:
                    self.stop()
                except _SaclaError:
                    pass  # Without a heartbeat the lease ends, and that stops it.
            raise

    def stop(self) -> None:
        """Stops it with its ramp. Needs no lease."""
        stop(self._lease.bl, self.name)

    def preset(self, pulses: int) -> None:
        """Calls the present position so; nothing moves."""
        pulses = _whole("pulses", pulses)
        _change("ec.preset", bl=self._lease.bl, lease=self._lease.token(), axis=self.name, pulses=pulses)

    def set_speed(self, pulses_per_second: float) -> None:
        """Speed of later moves."""
        speed = float(pulses_per_second)
        _change("ec.setSpeed", bl=self._lease.bl, lease=self._lease.token(), axis=self.name, pulsesPerSecond=speed)
        self.info = {**self.info, "speed": speed}

    def _wait(self, wanted: int, begin: Any) -> int:
        way = abs(wanted - begin) if isinstance(begin, (int, float)) else 0
        speed, ramp = self.info["speed"], self.info["accelerationPulsesPerS2"]
        way += 2 * abs(self.info["backlashPulses"])
        longest = way / speed + 2 * speed / max(ramp, 1e-9) + 5.0
        began = time.monotonic()
        while True:
            reading = self.read()
            _raise_if_bad(self.name, reading)
            passed = time.monotonic() - began
            if reading["state"] == "ready" and (reading["value"] == wanted or passed > _LATE_START_S):
                if reading["value"] != wanted:
                    text = f"{self.name} came to rest at {reading['value']}, not at {wanted}"
                    raise APIError("DEVICE_FAULT", f"{text}: it was stopped, or it slipped.")
                return int(reading["value"])
            if passed > longest:
                raise APIError("DEVICE_FAULT", f"{self.name} is at {reading['value']} after {passed:.1f} s, stopped.")
            self._lease.token()
            time.sleep(0.05)


class Shutter(_Device):
    """A shutter."""

    def open(self) -> None:
        """Opens it and waits. What does not open is closed again."""
        _change("ec.setShutter", bl=self._lease.bl, lease=self._lease.token(), shutter=self.name, open=True)
        try:
            self._arrive("open")
        except BaseException:
            close_shutter(self._lease.bl, self.name)
            raise

    def close(self) -> None:
        """Closes it and waits. Needs no lease."""
        close_shutter(self._lease.bl, self.name)
        self._arrive("closed")


class Setting(_Device):
    """A value out of a list or range: amplifier gain, attenuator, pulse selector."""

    def set(self, value: Union[float, str]) -> None:
        """Puts it on a value and waits."""
        _change("ec.set", bl=self._lease.bl, lease=self._lease.token(), setting=self.name, value=value)
        allowed = self.info["allowed"]
        wide = allowed["to"] - allowed["from"] if isinstance(allowed, dict) else 0.0
        self._arrive(value, 1e-3 * wide)

    def value(self) -> Union[float, str]:
        """What it is on."""
        return self.read()["value"]


def _raise_if_bad(name: str, reading: Dict[str, Any]) -> None:
    codes = {"locked": "INTERLOCK", "fault": "DEVICE_FAULT"}
    if reading["state"] in codes:
        raise APIError(codes[reading["state"]], f"{name} is {reading['state']}: {reading['why']}.")
