"""live.shots over a beam that goes on when the test says so."""

import json
import os
import signal
import sys
import tempfile
import time
import unittest
from typing import Any, Dict, List, Optional

import numpy as np
from sacla_gateway.errors import GatewayError
from sacla_gateway.methods import ITEMS, STREAMS, Facility, check_params

from .support import CHARGE, HIGHTAG, PATIENCE_S, SENSORS, Client, Gateway, facility

LEFT, RIGHT = SENSORS
POSITION = "xfel_bl_3_st_2_motor_1/position"
EPOCH = 1_000_000_000.0
# Long enough to be never over in a test.
FOR_EVER = 60_000


class Beam:
    """The one clock of the stand-ins."""

    def __init__(self, folder: str, now: int) -> None:
        self.path = os.path.join(folder, "beam.json")
        self.go(now)

    def go(self, now: int, **others: float) -> None:
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            json.dump({"now": now, "epoch": EPOCH, **others}, file)
        os.replace(self.path + ".new", self.path)


def asked(**params: Any) -> Dict[str, Any]:
    whole = {"bl": 3, "detIds": SENSORS, "signals": [], "policy": "every", "maxWaitMs": FOR_EVER, "after": None}
    whole.update({"limit": None, "untilRunEnd": False, "roi": None, **params})
    return check_params(STREAMS, "live.shots", whole)


class Follow:
    """A stream, one look at a time, as the server asks for them; each state goes through JSON."""

    def __init__(self, of: Facility, **params: Any) -> None:
        self.of, self.params = of, asked(**params)
        self.state = STREAMS["live.shots"].answer(of, self.params)
        self.over = False
        self.gaps: Dict[str, List[int]] = {}

    def look(self) -> Optional[Dict[str, Any]]:
        state = json.loads(json.dumps(self.state))
        # As if the pause before the next look were over.
        state["looked_at"] = 0
        answer = ITEMS["live.shots"](self.of, {"params": self.params, "state": state})
        self.state, self.over = answer["state"], answer["over"]
        item: Optional[Dict[str, Any]] = answer["item"]
        for gap in [] if item is None else item["gaps"]:
            self.gaps.setdefault(gap["reason"], []).extend(gap["tags"].tolist())
        return item

    def all(self) -> List[Any]:
        """Every item there is now."""
        items = []
        while not self.over:
            item = self.look()
            if item is None:
                break
            items.append(item)
        return items

    def tags(self) -> List[Any]:
        return [item["tag"] for item in self.all()]


class LiveShotsTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.beam = Beam(folder.name, 4010)
        os.environ["SACLA_STANDIN_BEAM"] = self.beam.path
        self.addCleanup(os.environ.pop, "SACLA_STANDIN_BEAM")

    def follow(self, quirks: str = "", **params: Any) -> Follow:
        return Follow(facility(quirks), **params)

    def code(self, **params: Any) -> str:
        with self.assertRaises(GatewayError) as caught:
            self.follow(**params).look()
        return caught.exception.code

    def test_every_gives_each_shot_after_the_newest_once(self) -> None:
        for quirks in ("", "bytes,lists,underscored"):
            self.beam.go(4010)
            shots = self.follow(quirks)
            self.assertEqual(shots.tags(), [])
            self.beam.go(4012)
            (item,) = shots.all()
            self.assertEqual((item["tag"], item["run"], item["hightag"], item["gaps"]), (4012, 20, HIGHTAG, []))
            self.assertEqual([frame["detId"] for frame in item["frames"]], SENSORS)
            self.assertEqual(item["frames"][1]["data"].tolist()[3][2], 12 * 1000 + 200 + 32)
            self.beam.go(4020)
            self.assertEqual((shots.tags(), shots.tags(), shots.gaps), ([4014, 4016, 4018, 4020], [], {}))

    def test_a_pause_of_the_beam_is_no_loss(self) -> None:
        shots = self.follow(detIds=[LEFT], after=4054)
        self.beam.go(4084)
        self.assertEqual((shots.tags(), shots.gaps), ([4056, 4058, 4080, 4082, 4084], {}))

    def test_newest_skips_and_counts(self) -> None:
        shots = self.follow(policy="newest")
        self.assertEqual((shots.tags(), shots.gaps), ([4010], {}))
        self.beam.go(4020)
        self.assertEqual((shots.tags(), shots.gaps), ([4020], {"skipped": [4012, 4014, 4016, 4018]}))
        again = self.follow(policy="newest", after=4012, limit=1)
        self.assertEqual((again.tags(), again.over, again.gaps), ([4020], True, {"skipped": [4014, 4016, 4018]}))

    def test_an_image_that_was_never_stored_is_not_one_forgotten(self) -> None:
        self.beam.go(4098)
        alone = self.follow(detIds=[RIGHT], after=4096)
        self.assertEqual(alone.tags(), [4098])
        # One sensor, two images in a row that are "gone" though older ones are there.
        self.beam.go(4106)
        items = alone.all()
        self.assertEqual([item["tag"] for item in items], [4100, 4102, 4104, 4106])
        missing = [{"detId": RIGHT, "reason": "frame-missing"}]
        self.assertEqual([item["missing"] for item in items], [missing, missing, [], []])
        both = self.follow(after=4098)
        self.assertEqual([item["missing"] for item in both.all()], [missing, missing, [], []])
        self.assertEqual(alone.gaps, {})

    def test_what_was_forgotten_is_counted_exactly(self) -> None:
        shots = self.follow(after=4010)
        self.beam.go(4198)
        # Two seconds are 120 tags: 4080 is the oldest image there is, 4060 to 4078 were no shots.
        there = list(range(4080, 4200, 2))
        self.assertEqual((shots.tags(), shots.gaps), (there, {"data-gone": list(range(4012, 4060, 2))}))
        newest = self.follow(policy="newest", after=4010)
        self.assertEqual((newest.tags(), newest.gaps["skipped"]), ([4198], [*range(4012, 4060, 2), *there[:-1]]))

    def test_a_stall_as_long_as_the_memory_loses_nothing(self) -> None:
        self.beam.go(4080)
        shots = self.follow()
        self.beam.go(4198)
        self.assertEqual((shots.tags(), shots.gaps), (list(range(4082, 4200, 2)), {}))

    def test_values_are_waited_for_and_not_for_ever(self) -> None:
        self.beam.go(4010, values=4008)
        shots = self.follow(signals=[CHARGE, POSITION], detIds=[LEFT])
        self.beam.go(4014, values=4010)
        self.assertEqual(shots.tags(), [])
        self.beam.go(4014, values=4012)
        (item,) = shots.all()
        self.assertEqual((item["tag"], item["time"]), (4012, EPOCH + 4012 / 60))
        self.assertAlmostEqual(item["latencyMs"] / 1000, time.time() - item["time"], delta=PATIENCE_S)
        np.testing.assert_array_equal(item["signals"]["values"], [7e-9, 40120])
        self.assertEqual((item["signals"]["status"].tolist(), item["signals"]["units"]), ([0, 0], ["C", "pulse"]))
        impatient = self.follow(signals=[CHARGE], detIds=[LEFT], maxWaitMs=0)
        self.beam.go(4016, values=4012)
        (item,) = impatient.all()
        self.assertEqual((item["tag"], item["signals"]["status"].tolist()), (4016, [4]))
        self.assertTrue(np.isnan(item["signals"]["values"][0]))
        # Without a time of the database it is that of the first look.
        self.assertLess(abs(time.time() - item["time"]), PATIENCE_S)

    def test_newest_gives_the_newest_whose_values_have_come(self) -> None:
        self.beam.go(4020, values=4014)
        shots = self.follow(policy="newest", signals=[CHARGE])
        self.assertEqual(shots.tags(), [4014])
        self.beam.go(4020, values=4020)
        self.assertEqual((shots.tags(), shots.gaps), ([4020], {"skipped": [4016, 4018]}))

    def test_the_step_is_followed_while_the_database_is_behind(self) -> None:
        self.beam.go(4010, listed=4006)
        shots = self.follow(detIds=[LEFT])
        self.beam.go(4020, listed=4006)
        self.assertEqual(shots.tags(), [4012, 4014, 4016, 4018, 4020])
        self.beam.go(4030, listed=4024)
        self.assertEqual((shots.tags(), shots.gaps), ([4022, 4024, 4026, 4028, 4030], {}))

    def test_a_tag_that_the_step_made_up_is_no_loss(self) -> None:
        self.beam.go(4050, listed=4046)
        shots = self.follow(detIds=[LEFT])
        # No beam from 4060 to 4078, and the database says nothing of it yet.
        self.beam.go(4082, listed=4046)
        self.assertEqual((shots.tags(), shots.gaps), ([4052, 4054, 4056, 4058, 4080, 4082], {}))

    def test_it_ends_with_the_run_and_tells_the_rest(self) -> None:
        shots = self.follow(after=4190, untilRunEnd=True)
        self.beam.go(4198)
        self.assertEqual((shots.tags(), shots.over), ([4192, 4194, 4196, 4198], False))
        self.beam.go(4302)
        self.assertEqual((shots.all(), shots.over, shots.gaps), ([], True, {}))
        stalled = self.follow(after=4190, untilRunEnd=True, maxWaitMs=0)
        self.beam.go(4900)
        (item,) = stalled.all()
        self.assertEqual((item["tag"], item["run"], item["frames"], stalled.over), (None, 20, [], True))
        self.assertEqual(stalled.gaps, {"data-gone": [4192, 4194, 4196, 4198]})

    def test_between_runs_it_follows_the_one_that_begins_next(self) -> None:
        self.beam.go(4250)
        shots = self.follow(untilRunEnd=True, maxWaitMs=0)
        self.assertEqual((shots.tags(), shots.over), ([], False))
        self.beam.go(4304)
        items = shots.all()
        self.assertEqual([(item["tag"], item["run"]) for item in items], [(4300, 21), (4302, 21), (4304, 21)])
        # The first detector has no image of the last shot: it is accounted for all the same.
        self.beam.go(4310)
        items = shots.all()
        self.assertEqual([item["tag"] for item in items], [4306, 4308])
        self.assertEqual(items[1]["missing"], [{"detId": LEFT, "reason": "late"}])
        self.assertEqual((shots.over, shots.gaps), (True, {}))

    def test_when_memory_is_empty_the_first_images_to_come_count(self) -> None:
        self.beam.go(4900)
        shots = self.follow()
        self.assertEqual((shots.tags(), shots.state["seen"]), ([], None))
        self.beam.go(4010)
        # All that is there now has come since.
        self.assertEqual(shots.tags(), [4000, 4002, 4004, 4006, 4008, 4010])

    def test_olpy_is_never_asked_for_what_has_not_happened(self) -> None:
        of = facility()
        module = sys.modules["olpy"]
        collect = module.StorageReader.collect
        wanted: List[int] = []

        def noted(reader: Any, buffer: Any, tag: int) -> Any:
            wanted.append(tag)
            return collect(reader, buffer, tag)

        module.StorageReader.collect = noted
        shots = Follow(of)
        self.beam.go(4016)
        self.assertEqual(shots.tags(), [4012, 4014, 4016])
        self.assertEqual(shots.tags(), [])
        self.assertLessEqual(max(wanted), 4016)

    def test_without_detectors_there_are_values(self) -> None:
        shots = self.follow(detIds=[], signals=[POSITION])
        self.beam.go(4014)
        items = shots.all()
        self.assertEqual([item["signals"]["values"].tolist() for item in items], [[40120], [40140]])
        self.assertEqual([(item["frames"], item["missing"]) for item in items], [([], [])] * 2)

    def test_a_part_of_the_image(self) -> None:
        shots = self.follow(after=4008, roi={"rows": [1, 3], "columns": [2, 3]})
        frame = shots.all()[0]["frames"][0]
        self.assertEqual((frame["shape"], frame["data"].tolist()), ([2, 1], [[10112], [10122]]))
        self.assertEqual(self.code(after=4008, roi={"rows": [1, 9], "columns": [2, 3]}), "BAD_ARGUMENT")

    def test_what_cannot_be_is_refused(self) -> None:
        self.assertEqual(self.code(detIds=["MPCCD-2N0-1-006"]), "UNKNOWN_DETECTOR")
        self.assertEqual(self.code(detIds=["none"]), "UNKNOWN_DETECTOR")
        self.assertEqual(self.code(signals=["none"]), "UNKNOWN_SIGNAL")
        self.assertEqual(self.code(bl=1), "UNKNOWN_BEAMLINE")
        for wrong in ({"policy": "all"}, {"untilRunEnd": 1}, {"after": -1}, {"limit": 0.5}, {"maxWaitMs": None}):
            self.assertEqual(self.code(**wrong), "BAD_ARGUMENT", str(wrong))
        of = facility()
        module = sys.modules["olpy"]

        def lost(reader: Any, buffer: Any, tag: int) -> int:
            raise module.APIError(-200010103, "OL_ERR_CONNECT")

        module.StorageReader.collect = lost
        with self.assertRaises(GatewayError) as caught:
            Follow(of)
        self.assertEqual(caught.exception.code, "UNREACHABLE")

    def test_through_the_gateway_with_credit(self) -> None:
        with Gateway(SACLA_STANDIN_BEAM=self.beam.path) as gateway, Client(gateway.address) as client:
            client.send("stream", 1, method="live.shots", value=asked(after=4004), credit=2)
            items = [client.receive()["value"] for _ in range(2)]
            self.assertEqual([item["tag"] for item in items], [4006, 4008])
            self.assertEqual(items[0]["missing"], [{"detId": RIGHT, "reason": "frame-missing"}])
            self.assertTrue(client.nothing_comes())
            client.send("credit", 1, credit=5)
            self.assertEqual(client.receive()["value"]["tag"], 4010)
            # While it waits, others are answered by the same process, another stream too.
            self.assertEqual(client.call("live.collect", 2, detId=LEFT, bl=3, tag=-1)["value"]["tag"], 4010)
            client.send("stream", 3, method="live.shots", value=asked(after=4008, limit=1), credit=1)
            self.assertEqual([client.receive()["kind"] for _ in range(2)], ["item", "end"])
            self.beam.go(4012)
            self.assertEqual(client.receive()["value"]["tag"], 4012)
            client.send("cancel", 1)
            client.send("stream", 4, method="live.shots", value=asked(), credit=1, timeoutMs=300)
            answer = client.receive()
            self.assertEqual((answer["id"], answer["error"]["code"]), (4, "TIMEOUT"))

    def test_a_process_that_dies_loses_no_shot(self) -> None:
        with Gateway(SACLA_STANDIN_BEAM=self.beam.path) as gateway, Client(gateway.address) as client:
            client.send("stream", 1, method="live.shots", value=asked(after=4008), credit=8)
            self.assertEqual(client.receive()["value"]["tag"], 4010)
            for pid in gateway.workers():
                os.kill(pid, signal.SIGKILL)
            self.beam.go(4014)
            answer = client.receive()
            if answer["kind"] == "error":
                # It died in the middle of a look; between two looks nobody notices.
                self.assertEqual(answer["error"]["code"], "WORKER_LOST")
                client.send("stream", 2, method="live.shots", value=asked(after=4010), credit=8)
                answer = client.receive()
            self.assertEqual([answer["value"]["tag"], client.receive()["value"]["tag"]], [4012, 4014])
