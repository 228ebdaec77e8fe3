"""ecpy against the simulated beamline behind SACLA_URL: what a script can do, and what becomes of one that dies."""

import os
import signal
import subprocess
import sys
import time
import unittest

import sacla_python.install  # noqa: F401

import dbpy
import ecpy

BL, AXIS = 3, "bl3_st2_pm001"


class Control(unittest.TestCase):
    def test_stages_shutters_settings_and_runs(self) -> None:
        with ecpy.control(BL, "test", "unit test") as control:
            self.assertEqual(ecpy.holder(BL)["name"], "test")
            with self.assertRaises(ecpy.APIError) as caught:
                ecpy.control(BL, "other", "too late")
            self.assertEqual(caught.exception.code, "LEASE_HELD")
            axis = control.axis(AXIS)
            begin = axis.position()
            self.assertEqual(axis.move_to(begin + 300), begin + 300)
            self.assertEqual(axis.read()["state"], "ready")
            with self.assertRaises(ecpy.APIError) as caught:
                axis.move_to(2_000_000_000)
            self.assertEqual(caught.exception.code, "LIMIT")
            shutter = control.shutter("bl3_shutter1")
            shutter.open()
            self.assertEqual(shutter.read()["value"], "open")
            setting = next(one for one in ecpy.devices(BL) if one["kind"] == "setting" and one["role"] == "amplifier")
            amplifier = control.setting(setting["name"])
            amplifier.set(setting["allowed"][-1])
            self.assertEqual(amplifier.value(), setting["allowed"][-1])
            with control.run("python", ["MPCCD-2N0-M02-001"], shots=5) as run:
                self.assertEqual(dbpy.read_comment(BL, run), "python")
            self.assertEqual(ecpy.run_state(BL)["state"], "ready")
            control.safe()
            self.assertEqual(shutter.read()["value"], "closed")
        with self.assertRaises(ecpy.APIError) as caught:
            axis.move_to(begin)
        self.assertEqual(caught.exception.code, "LEASE_LOST")
        self.assertIsNone(ecpy.holder(BL))
        with self.assertRaises(ecpy.APIError):
            ecpy.read(BL, "bl3_nothing")

    def test_a_script_that_dies_stops_what_moves(self) -> None:
        script = f"""
import sacla_python.install, ecpy, time
control = ecpy.control({BL}, "dies", "soon", ttl_s=1.0)
axis = control.axis("{AXIS}")
axis.set_speed(min(500, axis.info["speed"]))
axis.start(axis.position() + 30000)
print("moving", flush=True)
time.sleep(600)
"""
        for how in (signal.SIGKILL, signal.SIGTERM):
            child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=os.environ)
            assert child.stdout is not None
            self.assertEqual(child.stdout.readline(), b"moving\n")
            time.sleep(1.5)
            # Its heartbeat keeps the lease longer than its time to live.
            self.assertEqual(ecpy.read(BL, AXIS)["state"], "moving")
            child.send_signal(how)
            child.wait()
            child.stdout.close()
            end = time.monotonic() + 20
            while ecpy.read(BL, AXIS)["state"] == "moving" and time.monotonic() < end:
                time.sleep(0.1)
            self.assertEqual(ecpy.read(BL, AXIS)["state"], "ready")
            self.assertIsNone(ecpy.holder(BL))

    def test_ctrl_c_in_a_move_stops_the_axis(self) -> None:
        with ecpy.control(BL, "test", "Ctrl+C") as control:
            axis = control.axis(AXIS)
            axis.set_speed(min(500, axis.info["speed"]))

            def interrupt(*_: object) -> None:
                raise KeyboardInterrupt

            before = signal.signal(signal.SIGALRM, interrupt)
            signal.setitimer(signal.ITIMER_REAL, 1.5)
            try:
                with self.assertRaises(KeyboardInterrupt):
                    axis.move_to(axis.position() - 20000)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, before)
            end = time.monotonic() + 10
            while axis.read()["state"] == "moving" and time.monotonic() < end:
                time.sleep(0.05)
            self.assertEqual(axis.read()["state"], "ready")


if __name__ == "__main__":
    unittest.main()
