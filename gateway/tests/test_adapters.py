"""What the adapters make of the quirks of the facility's modules."""

import sys
import types
import unittest
from typing import Any, Callable

import numpy as np
from sacla_gateway.detinfo import detector_info
from sacla_gateway.errors import ApiFailure, GatewayError
from sacla_gateway.methods import CALLS, STREAMS, Facility, available, check_params
from sacla_gateway.modules import Module
from sacla_gateway.syncdata import as_doubles, column

from .support import CHARGE, HIGHTAG, SENSORS, TAGS, facility

GEOMETRY = {"posXUm": 0.0, "posYUm": -200.0, "posZUm": 0.0, "rotationDeg": 0.0}
GEOMETRY.update({"pixelSizeXUm": 50.0, "pixelSizeYUm": 50.0, "manipulatorShiftUm": 0.0})


def ask(of: Facility, method: str, **params: Any) -> Any:
    return CALLS[method].answer(of, check_params(CALLS, method, params))


class Adapters(unittest.TestCase):
    def code(self, work: Callable[[], Any]) -> str:
        with self.assertRaises(GatewayError) as caught:
            work()
        return caught.exception.code

    def test_every_spelling_gives_the_same(self) -> None:
        answers = []
        for quirks in ("", "underscored,bytes,lists", "bytes", "renamed-energy"):
            of = facility(quirks)
            answers.append(
                repr(
                    [
                        ask(of, "st.readDetectorInfo", bl=3, run=10, detId=SENSORS[1]),
                        ask(of, "db.readRuninfo", bl=3, run=10),
                        ask(of, "db.readComment", bl=3, run=10),
                        ask(of, "db.readStartTagnumber", bl=3, run=10),
                        ask(of, "db.readTaglistByrun", bl=3, run=10).tolist(),
                        ask(of, "db.readDetidlist", bl=2, run=5),
                        ask(of, "db.readEquiplist"),
                        ask(of, "db.readSyncdatalist", equipId=CHARGE, hightag=HIGHTAG, tags=TAGS),
                        ask(of, "db.readConfigPhotonenergy", bl=3, run=10),
                        ask(of, "db.readConfigPhotonenergyInKeV", bl=3, run=10),
                    ]
                )
            )
        self.assertEqual(len(set(answers)), 1, "\n".join(answers))
        self.assertIn(repr(GEOMETRY), answers[0])
        self.assertIn("'comment': 'powder'", answers[0])

    def test_functions_a_version_lacks_are_left_out(self) -> None:
        whole, old = set(available(facility())), set(available(facility("old")))
        self.assertEqual(whole, {*CALLS, *STREAMS})
        lacking = {"db.getApiVersion", "db.readTaglistBydetid", "db.readTimestampFromtag", "db.readTimestamps"}
        lacking.add("db.readSyncdatalistFloat")
        self.assertEqual(whole - old, lacking)
        of = facility("old")
        self.assertEqual(self.code(lambda: ask(of, "db.getApiVersion")), "UNSUPPORTED")

    def test_without_dbpy_nothing_is_promised(self) -> None:
        of = facility()
        modules = {**of.modules, "dbpy": Module("dbpy", None)}
        self.assertEqual(
            available(Facility(modules, [3])), ["db.listBeamlines", "citius.getApiVersion", "live.readDetidlist"]
        )

    def test_errors_keep_the_words_of_the_facility(self) -> None:
        of = facility()
        with self.assertRaises(GatewayError) as caught:
            ask(of, "db.readRuninfo", bl=3, run=99)
        self.assertEqual(caught.exception.code, "UNKNOWN_RUN")
        details = {"function": "dbpy.read_runinfo", "type": "APIError", "args": [-100000001, "SY_ERR_RUNNOTFOUND"]}
        self.assertEqual(caught.exception.details, details)

    def test_known_numbers_and_names_have_their_code(self) -> None:
        def code_of(*args: Any) -> str:
            return ApiFailure("olpy.collect", ValueError(*args), True).to_error("FRAME_MISSING").code

        self.assertEqual(code_of(-200010000, "OL_ERR_TAGDATAGONE"), "DATA_GONE")
        self.assertEqual(code_of(-200010000), "DATA_GONE")
        self.assertEqual(code_of("OL_ERR_TAGINVALID"), "TAG_INVALID")
        self.assertEqual(code_of(b"OL_ERR_TAGINVALID"), "TAG_INVALID")
        self.assertEqual(code_of(-200010103, "OL_ERR_CONNECT"), "UNREACHABLE")
        self.assertEqual(code_of("CTOL_ERR_GETDATA_CMD_RESULT_TIMEOUT"), "TIMEOUT")
        self.assertEqual(code_of(-3, "ST_ERR_SOMETHING"), "FRAME_MISSING")
        self.assertEqual(code_of(), "FRAME_MISSING")

    def test_a_lost_connection_is_no_missing_image(self) -> None:
        of = facility()
        stpy = sys.modules["stpy"]

        def lost(reader: Any, buffer: Any, tag: int) -> int:
            raise stpy.APIError(-300010103, "ST_ERR_CONNECT")

        stpy.StorageReader.collect = lost
        self.assertEqual(
            self.code(lambda: ask(of, "st.collect", detId=SENSORS[0], bl=3, runs=[10], tag=1000)), "UNREACHABLE"
        )

    def test_another_tag_than_asked_for_is_a_missing_image(self) -> None:
        of = facility()
        collect = sys.modules["stpy"].StorageReader.collect
        for given, expected in ((1002, "FRAME_MISSING"), (np.int64(1002), "FRAME_MISSING")):

            def other(reader: Any, buffer: Any, tag: int, given: Any = given) -> Any:
                collect(reader, buffer, tag)
                return given

            sys.modules["stpy"].StorageReader.collect = other
            self.assertEqual(
                self.code(lambda: ask(of, "st.collect", detId=SENSORS[0], bl=3, runs=[10], tag=1000)), expected
            )
        for given in (None, 0):
            sys.modules["stpy"].StorageReader.collect = lambda reader, buffer, tag, given=given: (
                collect(reader, buffer, tag),
                given,
            )[1]
            self.assertEqual(ask(of, "st.collect", detId=SENSORS[0], bl=3, runs=[10], tag=1000)["tag"], 1000)

    def test_pixels_of_another_type_and_lines_too_many(self) -> None:
        of = facility()
        buffer = sys.modules["stpy"].StorageBuffer
        buffer.read_det_data = lambda self, index: np.arange(18, dtype=np.int32).reshape(6, 3)
        answer = ask(of, "st.collect", detId=SENSORS[0], bl=3, runs=[10], tag=1000)
        self.assertEqual(answer["frame"]["shape"], [4, 3])
        self.assertEqual(answer["frame"]["data"].dtype, np.float32)
        self.assertEqual(answer["frame"]["data"].tolist(), np.arange(12).reshape(4, 3).tolist())

    def test_unsigned_pixels_stay_so_in_a_stream(self) -> None:
        of = facility()
        sys.modules["stpy"].StorageBuffer.read_det_data = lambda self, index: np.ones((4, 3), np.uint16)
        shot = of.st.read_shot(3, 10, [SENSORS[0]], 1000, None)
        self.assertEqual(shot["frames"][0]["data"].dtype, np.uint16)
        self.assertEqual(ask(of, "st.readDetectorInfo", bl=3, run=10, detId=SENSORS[0])["pixelType"], "uint16")
        self.assertEqual(
            ask(of, "st.collect", detId=SENSORS[0], bl=3, runs=[10], tag=1000)["frame"]["data"].dtype, np.float32
        )

    def test_the_place_of_a_sensor(self) -> None:
        image = np.zeros((4, 3), np.float32)
        camera = detector_info("OPAL-234363", {"xsize": 3, "ysize": 4}, image)
        self.assertEqual(camera, {"id": "OPAL-234363", "xsize": 3, "ysize": 4, "absGain": None, "geometry": None})
        half = {"xsize": 3, "ysize": 4, "mp_posx": 1.0}
        self.assertEqual(self.code(lambda: detector_info("a", half, image)), "BAD_GEOMETRY")
        whole = {**half, "mp_posy": 2.0, "mp_rotationangle": 90.0, "mp_pixelsizex": 50.0, "mp_pixelsizey": float("nan")}
        self.assertEqual(self.code(lambda: detector_info("a", whole, image)), "BAD_GEOMETRY")
        numpy = {key: np.float32(value) for key, value in {**whole, "mp_pixelsizey": 50}.items()}
        self.assertEqual(detector_info("a", numpy, image)["geometry"]["posYUm"], 2.0)

    def test_values_and_reasons(self) -> None:
        texts = ["7.22600e-02V", "not-converged", "saturated", "", "no-data", "-3V", "+.5e1V", "1e999V", "12 V"]
        found = column("a/b", texts)
        self.assertEqual(found["status"].tolist(), [0, 1, 2, 3, 3, 0, 0, 3, 0])
        np.testing.assert_array_equal(found["values"], [0.07226, np.nan, np.nan, np.nan, np.nan, -3, 5, np.nan, 12])
        self.assertEqual(found["unit"], "V")
        self.assertEqual(column("a/b", ["0", "1"])["unit"], "")
        np.testing.assert_array_equal(as_doubles((1.0, float("inf"), None, float("nan"))), [1, np.nan, np.nan, np.nan])

    def test_readers_are_made_once_and_not_kept_for_ever(self) -> None:
        of = facility()
        of.st._readers._size = 2
        for _ in range(3):
            for det_id in SENSORS:
                of.st.read_shot(3, 10, [det_id], 1000, None)
        self.assertEqual(of.st.opened, 2)
        of.st.read_shot(3, 10, ["OPAL-234363"], 1000, None)
        of.st.read_shot(3, 10, [SENSORS[0]], 1000, None)
        self.assertEqual(of.st.opened, 4)

    def test_citius_through_its_own_module(self) -> None:
        for quirks in ("", "old,bytes,lists"):
            of = facility(quirks)
            sensor = "CITIUS-2.2M-001-007"
            self.assertIn(sensor, ask(of, "db.readDetidlist", bl=2, run=5))
            self.assertNotIn(sensor, ask(of, "db.readDetidlist", bl=3, run=10))
            info = ask(of, "st.readDetectorInfo", bl=2, run=5, detId=sensor)
            self.assertEqual((info["xsize"], info["ysize"], info["geometry"]["posXUm"]), (384, 728, 7000.0))
            frame = ask(of, "st.collect", detId=sensor, bl=2, runs=[5], tag=501)["frame"]
            self.assertEqual((frame["shape"], frame["data"][5, 5]), ([728, 384], np.float32(501.7)))
            self.assertEqual(
                self.code(lambda: ask(of, "st.collect", detId=sensor, bl=2, runs=[5], tag=502)), "FRAME_MISSING"
            )
        of = facility("wait-calib")
        self.assertEqual(
            self.code(lambda: ask(of, "st.collect", detId=sensor, bl=2, runs=[5], tag=501)), "RUN_NOT_READY"
        )
        self.assertEqual(ask(of, "citius.getRunstatus", bl=2, run=5), "wait-calib")

    def test_citius_methods_of_its_own(self) -> None:
        for quirks in ("", "old,bytes,lists"):
            of, run = facility(quirks), {"bl": 2, "run": 5}
            self.assertTrue(ask(of, "citius.getApiVersion").endswith("standin"))
            self.assertEqual(ask(of, "citius.getRunstatus", **run), "can-read")
            self.assertEqual(ask(of, "citius.getRunstatus", bl=3, run=10), "not-citius")
            self.assertEqual(ask(of, "citius.readSensors", bl=3, run=10), [])
            sensors = [{"detId": f"CITIUS-2.2M-001-00{number}", "sensorId": number} for number in (4, 7)]
            self.assertEqual(ask(of, "citius.readSensors", **run), sensors)
            masks = ask(of, "citius.readBadpixelMask", **run, sensorIds=[7, 4])
            self.assertEqual((masks["shape"], masks["data"].dtype, masks["data"].sum()), ([2, 728, 384], np.uint8, 2))
            self.assertEqual(ask(of, "citius.readBadpixelMask", **run, sensorIds=[])["shape"], [0, 728, 384])
            places = ask(of, "citius.readReconstinfo", **run, sensorIds=[7, 4], tag=501)
            self.assertEqual([place["position_x"] for place in places], [7000.0, 4000.0])
            self.assertEqual(
                set(places[0]),
                {f"pixel_size_{a}" for a in "xy"} | {f"position_{a}" for a in "xyz"} | {"position_theta"},
            )
            for code, method, params in (
                ("UNKNOWN_DETECTOR", "citius.readBadpixelMask", {**run, "sensorIds": [5]}),
                ("UNKNOWN_DETECTOR", "citius.readReconstinfo", {"bl": 3, "run": 10, "sensorIds": [4], "tag": 1000}),
                ("TAG_OUTSIDE_RUN", "citius.readReconstinfo", {**run, "sensorIds": [4], "tag": 1}),
                ("UNKNOWN_RUN", "citius.getRunstatus", {"bl": 2, "run": 99}),
                ("BAD_ARGUMENT", "citius.readBadpixelMask", {**run, "sensorIds": [4] * 101}),
            ):
                self.assertEqual(self.code(lambda: ask(of, method, **params)), code, method)

    def test_live_images(self) -> None:
        of = facility()
        answer = ask(of, "live.collect", detId=SENSORS[0], bl=3, tag=-1)
        self.assertEqual((answer["tag"], answer["run"], answer["hightag"], answer["bl"]), (3002, 12, HIGHTAG, 3))
        self.assertEqual(ask(of, "live.collect", detId=SENSORS[0], bl=3, tag=3000)["tag"], 3000)
        with self.assertRaises(GatewayError) as caught:
            ask(of, "live.collect", detId=SENSORS[0], bl=3, tag=2000)
        self.assertEqual((caught.exception.code, caught.exception.details["olCode"]), ("DATA_GONE", -200010000))
        self.assertEqual(self.code(lambda: ask(of, "live.collect", detId=SENSORS[0], bl=3, tag=4000)), "TAG_INVALID")
        self.assertEqual(self.code(lambda: ask(of, "live.collect", detId=SENSORS[0], tag=-1)), "BAD_ARGUMENT")
        self.assertEqual(ask(facility("", [3]), "live.collect", detId=SENSORS[0], tag=-1)["bl"], 3)
        self.assertEqual(
            self.code(lambda: ask(of, "live.collect", detId="MPCCD-2N0-1-006", bl=3, tag=-1)), "UNKNOWN_DETECTOR"
        )

    def test_runs_are_counted_back_over_gaps(self) -> None:
        dbpy: Any = types.ModuleType("dbpy")
        there = {1, 70, 75, 100}
        dbpy.read_runnumber_newest = lambda bl: 100
        dbpy.read_runstatus = lambda bl, run: 0 if run in there else -1
        of = Facility({**facility().modules, "dbpy": Module("dbpy", dbpy)}, [3])
        self.assertEqual(ask(of, "db.listRuns", bl=3, last=2), [100])
        there.update({85, 90})
        self.assertEqual(ask(of, "db.listRuns", bl=3, last=4), [75, 85, 90, 100])
        self.assertEqual(ask(of, "db.listRuns", bl=3, last=9), [70, 75, 85, 90, 100])

    def test_parameters_are_checked(self) -> None:
        bad = [
            ("db.readRuninfo", {"bl": 3}),
            ("db.readRuninfo", {"bl": 3, "run": "10"}),
            ("db.readRuninfo", {"bl": True, "run": 10}),
            ("db.readRuninfo", {"bl": 3, "run": 10, "extra": 1}),
            ("db.readRuninfo", {"bl": 3, "run": 10.5}),
            ("db.listRuns", {"bl": 3, "last": 0}),
            ("db.readSyncdatalist", {"equipId": CHARGE, "hightag": HIGHTAG, "tags": [1]}),
            ("db.readSyncdatalist", {"equipId": CHARGE, "hightag": HIGHTAG, "tags": TAGS.astype(np.int32)}),
            ("db.readColumns", {"equipIds": [""], "hightag": HIGHTAG, "tags": TAGS}),
            ("st.collect", {"detId": "", "bl": 3, "runs": [10], "tag": 1000}),
            ("st.collect", {"detId": "a", "bl": 3, "runs": [], "tag": 1000}),
            ("st.collect", {"detId": "a", "bl": 3, "runs": [10], "tag": 2**32}),
        ]
        for method, params in bad:
            self.assertEqual(
                self.code(lambda: check_params(CALLS, method, params)), "BAD_ARGUMENT", f"{method} {params}"
            )
        for roi in (
            0,
            {},
            {"rows": [0, 1]},
            {"rows": [0, 1], "columns": [0]},
            {"rows": [0, 1], "columns": [-1, 1]},
            {"rows": 1, "columns": 2},
        ):
            params = {"bl": 3, "run": 10, "detIds": SENSORS, "tags": TAGS, "roi": roi}
            self.assertEqual(self.code(lambda: check_params(STREAMS, "st.frames", params)), "BAD_ARGUMENT", str(roi))
        self.assertEqual(self.code(lambda: check_params(CALLS, "db.dropTables", {})), "UNKNOWN_METHOD")
        self.assertEqual(self.code(lambda: check_params(CALLS, "st.frames", {})), "UNKNOWN_METHOD")
        for method in ("ec.move", "lease.take"):
            self.assertEqual(self.code(lambda: check_params(STREAMS, method, {})), "UNSUPPORTED")
        self.assertEqual(check_params(CALLS, "db.readRuninfo", {"bl": 3.0, "run": 10}), {"bl": 3, "run": 10})
