"""A server that is started again is waited for, for a minute and not longer, and the user is told once."""

import contextlib
import io
import time
import unittest
from typing import List
from unittest import mock

from sacla_python.errors import Unreachable
from sacla_python.http import HttpClient


class Waits(unittest.TestCase):
    def _ask(self, failures: int) -> float:
        """Seconds that a request takes, by the clock of the waits, at a server that answers after so many failures."""
        client = HttpClient("http://127.0.0.1:9", None)
        client._answered = True
        away = Unreachable("UNREACHABLE", "The process that reads has ended.", {"retryAfterMs": 1000})
        answers: List[object] = [away] * failures + [7]
        now = [100.0]

        def sleep(seconds: float) -> None:
            now[0] += seconds

        with mock.patch.object(client, "_call", side_effect=answers), mock.patch.object(
            time, "monotonic", lambda: now[0]
        ), mock.patch.object(time, "sleep", sleep):
            try:
                self.assertEqual(client.call("db.listRuns", {}), 7)
            except Unreachable:
                return -1.0
        return now[0] - 100

    def test_waits(self) -> None:
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            self.assertEqual(self._ask(20), 20)
        self.assertEqual(said.getvalue().count("asked again for up to 59 s"), 1)
        with contextlib.redirect_stderr(said):
            self.assertEqual(self._ask(100), -1)
