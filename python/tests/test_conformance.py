"""
Every mirrored call, in the forms public scripts write it, against the simulated facility behind SACLA_URL: directly,
or through a gateway whose dbpy, stpy and the others are the modules of this package.
"""

import math
import os
import pickle
import re
import threading
import unittest
import warnings

import numpy as np
import sacla_python.install  # noqa: F401

import ctdapy_xfel
import ctolpy_xfel
import dbpy
import ippy
import olpy
import stpy

BL, RUN = 3, 651251
SENSOR = "MPCCD-2B1-M03-001-1"
OCTAL_RUN, OCTAL = 220934, "MPCCD-8B0-2-008"
CHARGE = "xfel_bl_3_tc_bm_1_pd/charge"
OPEN = "xfel_bl_3_shutter_1_open_valid/status"
CITIUS_RUN = 228986

warnings.simplefilter("error")


class Dbpy(unittest.TestCase):
    def setUp(self) -> None:
        self.tags = dbpy.read_taglist_byrun(BL, RUN)
        self.hightag = dbpy.read_hightagnumber(BL, RUN)

    def test_version_and_newest_run(self) -> None:
        self.assertIsInstance(dbpy.get_api_version(), str)
        newest = dbpy.read_runnumber_newest(BL)
        self.assertIs(type(newest), int)
        self.assertIn(dbpy.read_runstatus(BL, newest), (0, 1, 2))

    def test_a_run_that_does_not_exist_is_minus_one_or_an_error(self) -> None:
        self.assertEqual(dbpy.read_runstatus(BL, 99_999_999), -1)
        for ask in (dbpy.read_runinfo, dbpy.read_taglist_byrun, dbpy.read_hightagnumber, dbpy.read_detidlist):
            with self.assertRaises(dbpy.APIError) as caught:
                ask(BL, 99_999_999)
            number, text = caught.exception.args
            self.assertIs(type(number), int)
            self.assertIn("UNKNOWN_RUN", text)
            self.assertEqual(caught.exception.code, "UNKNOWN_RUN")

    def test_run_info(self) -> None:
        info = dbpy.read_runinfo(BL, RUN)
        self.assertEqual(info["starttime"], 1521205345.631467)
        self.assertEqual(info["stoptime"], 1521205513.202747)
        keys = "total_tagnumber start_tagnumber end_tagnumber hightagnumber comment runtype stationnumber runstatus"
        expected = [10000, 340377562, 340387562, 201801, "A CD-2B1-M03-001,stor1_09,stor1_10", "", 4, 0]
        self.assertEqual([info[key] for key in keys.split()], expected)
        self.assertEqual(dbpy.read_comment(BL, RUN), info["comment"])
        self.assertEqual(dbpy.read_starttime(bl=BL, run=RUN), info["starttime"])
        self.assertEqual(dbpy.read_stoptime(BL, RUN), info["stoptime"])

    def test_tags_are_tuples_of_int(self) -> None:
        self.assertIs(type(self.tags), tuple)
        self.assertEqual({type(tag) for tag in self.tags}, {int})
        self.assertEqual((self.tags[0], self.tags[1], len(self.tags)), (340377562, 340377563, 10000))
        self.assertEqual(dbpy.read_start_tagnumber(BL, RUN), (201801, 340377562))
        self.assertEqual(dbpy.read_end_tagnumber(BL, RUN), (201801, 340387562))
        self.assertEqual(dbpy.read_taglist_bydetid(BL, RUN, SENSOR)[:3], self.tags[:3])
        first, last = self.tags[0], self.tags[11]
        self.assertEqual(dbpy.read_taglist(BL, self.hightag, first, last), self.tags[:12])
        # numpy's integers, as scripts have them from arrays.
        self.assertEqual(dbpy.read_taglist_byrun(np.int64(BL), np.int32(RUN)), self.tags)
        with self.assertRaises(TypeError):
            dbpy.read_taglist_byrun(BL, float(RUN))

    def test_hightag(self) -> None:
        self.assertEqual(self.hightag, 201801)
        self.assertEqual(dbpy.read_hightagnumber_fromtime("12:00:00", 4, 3, 2025), 202501)

    def test_values_as_text(self) -> None:
        texts = dbpy.read_syncdatalist(CHARGE, self.hightag, self.tags[:300])
        self.assertIs(type(texts), tuple)
        self.assertEqual({type(text) for text in texts}, {str})
        for text in texts:
            self.assertRegex(text, r"^(-?\d\.\d{5}e[+-]\d\dC|not-converged|saturated)$")
        self.assertIn("not-converged", texts)
        self.assertEqual(set(dbpy.read_syncdatalist(OPEN, self.hightag, self.tags)), {"0", "1"})
        position = dbpy.read_syncdatalist("xfel_bl_3_st_2_motor_1/position", self.hightag, self.tags[:1])
        self.assertRegex(position[0], r"^-?\d+pulse$")

    def test_values_as_numbers(self) -> None:
        texts = dbpy.read_syncdatalist(CHARGE, self.hightag, self.tags[:300])
        values = dbpy.read_syncdatalist_float(CHARGE, self.hightag, self.tags[:300])
        self.assertIs(type(values), tuple)
        self.assertEqual({type(value) for value in values}, {float})
        for text, value in zip(texts, values):
            number = re.match(r"-?\d+(\.\d+)?(e[-+]?\d+)?", text)
            if number is None:
                self.assertTrue(math.isnan(value), text)
            else:
                self.assertAlmostEqual(value / float(number.group()), 1, 5)
        flags = np.array(dbpy.read_syncdatalist_float(equipID=OPEN, hightag=self.hightag, tags=self.tags))
        self.assertEqual(set(flags.tolist()), {0.0, 1.0})
        self.assertEqual(int(flags.sum()), 9900)

    def test_one_tag_and_lists(self) -> None:
        of = (CHARGE, self.hightag)
        one = dbpy.read_syncdatalist_float(*of, self.tags[500:501])
        self.assertEqual(len(one), 1)
        self.assertEqual(dbpy.read_syncdatalist_float(*of, self.tags[500]), one)
        for other in (list(self.tags[500:501]), np.array(self.tags[500:501]), (np.uint32(self.tags[500]),)):
            # It works here; whether it does at the facility nobody knows.
            with self.assertWarns(UserWarning):
                self.assertEqual(dbpy.read_syncdatalist_float(*of, other), one)
        self.assertEqual(dbpy.read_syncdatalist(*of, ()), ())
        with self.assertRaises(TypeError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dbpy.read_syncdatalist(*of, (1.5,))

    def test_an_unknown_signal(self) -> None:
        with self.assertRaises(dbpy.APIError) as caught:
            dbpy.read_syncdatalist("xfel_b1_3_tc_bm1_pd/charge", self.hightag, self.tags[:1])
        self.assertEqual(caught.exception.code, "UNKNOWN_SIGNAL")
        self.assertIn("xfel_b1_3_tc_bm1_pd/charge", str(caught.exception))

    def test_names_and_times(self) -> None:
        detectors = dbpy.read_detidlist(BL, RUN)
        self.assertEqual(detectors[:3], ("MPCCD-2B1-M03-001", SENSOR, "MPCCD-2B1-M03-001-2"))
        names = dbpy.read_equiplist()
        self.assertIs(type(names), tuple)
        self.assertGreater(len(names), 1000)
        self.assertEqual(dbpy.read_config_photonenergy(BL, RUN), 10.0)
        self.assertEqual(dbpy.read_config_photonenergy_in_keV(BL, RUN), 10.0)
        hightag, tag = dbpy.read_tagnumber_newest(CHARGE)
        self.assertEqual((type(hightag), type(tag)), (int, int))
        time = dbpy.read_timestamp_fromtag(self.hightag, self.tags[0], CHARGE)
        self.assertAlmostEqual(time, 1521205345.631467, 3)

    def test_five_threads_at_once(self) -> None:
        expected = dbpy.read_syncdatalist_float(CHARGE, self.hightag, self.tags)
        found = {}

        def ask(which: int) -> None:
            for _ in range(3):
                found[which] = dbpy.read_syncdatalist_float(CHARGE, self.hightag, self.tags)

        threads = [threading.Thread(target=ask, args=(which,)) for which in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for which in range(5):
            np.testing.assert_array_equal(found[which], expected)

    def test_errors_are_classes_of_their_own_and_travel_between_processes(self) -> None:
        classes = [module.APIError for module in (dbpy, stpy, olpy, ctdapy_xfel, ctolpy_xfel)]
        for one in classes:
            for other in classes:
                self.assertEqual(issubclass(one, other), one is other)
            error = pickle.loads(pickle.dumps(one("UNKNOWN_RUN", "no run", {"run": 1})))
            self.assertEqual((type(error), error.code, error.details), (one, "UNKNOWN_RUN", {"run": 1}))


class Stpy(unittest.TestCase):
    def setUp(self) -> None:
        self.tags = dbpy.read_taglist_byrun(BL, RUN)
        self.reader = stpy.StorageReader(SENSOR, BL, (RUN,))
        self.buffer = stpy.StorageBuffer(self.reader)

    def image(self, tag: int) -> np.ndarray:
        self.assertEqual(self.reader.collect(self.buffer, tag), tag)
        return self.buffer.read_det_data(0)

    def test_an_image(self) -> None:
        image = self.image(self.tags[0])
        self.assertEqual((image.dtype, image.shape), (np.dtype("float32"), (1024, 512)))
        self.assertTrue(image.flags.c_contiguous and image.flags.owndata and image.flags.writeable)
        self.assertEqual(self.buffer.read_det_num_index(), 1)

    def test_images_are_the_callers_own(self) -> None:
        first = self.image(self.tags[200])
        kept = first.copy()
        again = self.buffer.read_det_data(0)
        again += 1000
        np.testing.assert_array_equal(self.buffer.read_det_data(0), kept)
        second = self.image(self.tags[201])
        np.testing.assert_array_equal(first, kept)
        self.assertFalse(np.array_equal(first, second))

    def test_any_order_gives_the_same_images(self) -> None:
        tags = self.tags[300:330]
        forward = {tag: self.image(tag).sum(dtype=float) for tag in tags}
        for order in (tags[::-1], tags[::2], tags[::7], np.random.default_rng(1).permutation(tags)):
            for tag in order:
                # numpy's integers too.
                self.assertEqual(self.image(tag).sum(dtype=float), forward[int(tag)])

    def test_the_information(self) -> None:
        self.image(self.tags[5])
        info = self.buffer.read_det_info(0)
        for plain, underscored in (("mp_posx", "mp_pos_x"), ("mp_pixelsizey", "mp_pixelsize_y")):
            self.assertEqual(info[plain], info[underscored])
        self.assertEqual((info["xsize"], info["ysize"], info["mp_pixelsizex"]), (512, 1024, 50.0))
        self.assertEqual((info["run_number"], info["tag_number"]), (RUN, self.tags[5]))
        for key in ("mp_absgain", "mp_rotationangle", "mp_manipulator_shift", "mp_posz"):
            self.assertIs(type(info[key]), float)
        camera = stpy.StorageReader("OPAL-234363", BL, (1520000,))
        buffer = stpy.StorageBuffer(camera)
        camera.collect(buffer, dbpy.read_taglist_byrun(BL, 1520000)[0])
        self.assertNotIn("mp_absgain", buffer.read_det_info(0))

    def test_what_is_not_there(self) -> None:
        with self.assertRaises(stpy.APIError):
            stpy.StorageBuffer(self.reader).read_det_data(0)
        with self.assertRaises(stpy.APIError) as caught:
            self.reader.collect(self.buffer, self.tags[-1] + 100_000)
        self.assertEqual(caught.exception.code, "TAG_OUTSIDE_RUN")
        with self.assertRaises(stpy.APIError) as caught:
            stpy.StorageReader("MPCCD-9", BL, (RUN,))
        self.assertEqual(caught.exception.code, "UNKNOWN_DETECTOR")
        with self.assertRaises(stpy.APIError) as caught:
            stpy.StorageReader(SENSOR, BL, (99_999_999,))
        self.assertEqual(caught.exception.code, "UNKNOWN_RUN")
        with self.assertRaises(TypeError):
            self.reader.collect(self.buffer, 1.5)

    def test_several_runs(self) -> None:
        reader = stpy.StorageReader(SENSOR, BL, (RUN, RUN + 1))
        buffer = stpy.StorageBuffer(reader)
        other = dbpy.read_taglist_byrun(BL, RUN + 1)
        for tag in (self.tags[0], other[0], other[1], other[2], self.tags[1]):
            reader.collect(buffer, tag)
            self.assertEqual(buffer.read_det_info(0)["run_number"], RUN if tag <= self.tags[-1] else RUN + 1)

    def test_a_run_that_goes_on(self) -> None:
        newest = dbpy.read_runnumber_newest(BL)
        if dbpy.read_runstatus(BL, newest) == 0:
            self.skipTest("no run is on")
        reader = stpy.StorageReader(dbpy.read_detidlist(BL, newest)[1], BL, (newest,))
        with self.assertRaises(stpy.APIError) as caught:
            reader.collect(stpy.StorageBuffer(reader), dbpy.read_start_tagnumber(BL, newest)[1])
        self.assertEqual(caught.exception.code, "RUN_NOT_READY")


    def test_a_composite_id_gives_the_assembled_image(self) -> None:
        tag = dbpy.read_taglist_byrun(2, OCTAL_RUN)[0]
        reader = stpy.StorageReader(OCTAL, 2, (OCTAL_RUN,))
        buffer = stpy.StorageBuffer(reader)
        self.assertEqual(reader.collect(buffer, tag), tag)
        image = buffer.read_det_data(0)
        self.assertEqual((image.shape, image.dtype), ((2399, 2399), np.dtype("float32")))
        # The same as ippy's from each sensor, seen from the other side.
        drawn = ippy.reconstruction(_octal(tag), 2399, 2399, 50, 0)[:, ::-1]
        self.assertGreater(np.mean(image == drawn), 0.99)
        np.testing.assert_allclose(image.sum(dtype=float), drawn.sum(dtype=float), rtol=1e-3)


def _octal(tag: int) -> list:
    """The sources of the talk's listing."""
    sources = []
    for i in range(8):
        reader = stpy.StorageReader(f"{OCTAL}-{i + 1}", 2, (OCTAL_RUN,))
        buffer = stpy.StorageBuffer(reader)
        reader.collect(buffer, tag)
        info = buffer.read_det_info(0)
        first = info if i == 0 else first
        sources.append(
            {
                "img": buffer.read_det_data(0),
                "xPosPixel": info["mp_posx"] / info["mp_pixelsizex"],
                "yPosPixel": -info["mp_posy"] / info["mp_pixelsizey"],
                "pixelSize": round(info["mp_pixelsizex"]),
                "dScale": 1.0,
                "rotAngle": info["mp_rotationangle"],
                "mask": np.ones((info["ysize"], info["xsize"]), np.int16),
                "succeeded": True,
                "iScale": info["mp_absgain"] / first["mp_absgain"],
            }
        )
    return sources


class Ippy(unittest.TestCase):
    def test_the_octal_of_the_talk(self) -> None:
        sources = _octal(dbpy.read_taglist_byrun(2, OCTAL_RUN)[0])
        sources[3]["succeeded"] = False
        image = ippy.reconstruction(sources, 2399, 2399, 50, 0)
        self.assertEqual((image.dtype, image.shape), (np.dtype("float32"), (2399, 2399)))
        shown = np.count_nonzero(image)
        self.assertAlmostEqual(shown / (7 * 512 * 1024), 1, 1)
        with self.assertRaises(ippy.APIError):
            ippy.reconstruction([{**sources[0], "rotAngle": math.nan}], 2399, 2399, 50, 0)


class Olpy(unittest.TestCase):
    def test_the_newest_image_and_older_ones(self) -> None:
        detectors = olpy.read_detidlist()
        sensor = next(one for one in detectors if re.match(r"MPCCD-2N0.*-1$", one))
        # A gateway of several beamlines does not know which one olpy reads.
        reader = olpy.StorageReader(sensor, *([BL] if os.environ["SACLA_URL"].startswith("tcp") else []))
        buffer = olpy.StorageBuffer(reader)
        newest = reader.collect(buffer, olpy.NEWESTTAG)
        self.assertIs(type(newest), int)
        image, info = buffer.read_det_data(0), buffer.read_det_info(0)
        self.assertEqual((image.shape, image.dtype, info["tag_number"]), ((1024, 512), np.dtype("float32"), newest))
        self.assertGreaterEqual(reader.collect(buffer, olpy.NEWESTTAG), newest)
        with self.assertRaises(olpy.APIError) as caught:
            reader.collect(buffer, dbpy.read_taglist_byrun(BL, 1520000)[0])
        self.assertEqual(caught.exception.args, (-200010000, "OL_ERR_TAGDATAGONE"))
        with self.assertRaises(olpy.APIError) as caught:
            reader.collect(buffer, newest + 100_000)
        self.assertEqual(caught.exception.args, (-200050000, "OL_ERR_TAGINVALID"))


    @unittest.skipIf(os.environ["SACLA_URL"].startswith("tcp"), "a gateway reads one camera of the name")
    def test_a_camera_of_two_beamlines_is_that_of_the_beamline_asked_before(self) -> None:
        reader = olpy.StorageReader("OPAL-234363")
        buffer = olpy.StorageBuffer(reader)
        dbpy.read_runnumber_newest(2)
        with self.assertRaisesRegex(Exception, "name one, bl"):
            reader.collect(buffer, olpy.NEWESTTAG)
        dbpy.read_runnumber_newest(1)
        with self.assertWarnsRegex(UserWarning, "Taken: beamline 1"):
            reader.collect(buffer, olpy.NEWESTTAG)
        self.assertEqual(reader.bl, 1)
        reader.collect(buffer, olpy.NEWESTTAG)
        self.assertFalse("mp_absgain" in buffer.read_det_info(0))


class Citius(unittest.TestCase):
    def test_stored_images(self) -> None:
        self.assertIsInstance(ctdapy_xfel.get_api_version(), str)
        self.assertEqual(ctdapy_xfel.get_runstatus(2, CITIUS_RUN), ctdapy_xfel.CTDA_RUN_STATUS_CAN_READ)
        self.assertEqual(ctdapy_xfel.get_runstatus(2, OCTAL_RUN), ctdapy_xfel.CTDA_RUN_STATUS_NOT_CITIUS)
        with self.assertRaises(ctdapy_xfel.APIError):
            ctdapy_xfel.CtrlBuffer(2, OCTAL_RUN)
        buffer = ctdapy_xfel.CtrlBuffer(2, CITIUS_RUN)
        ids, names = buffer.read_sensoridlist(), buffer.read_detidlist()
        self.assertEqual((len(ids), buffer.read_prbidlist()), (len(names), ids))
        self.assertRegex(names[0], r"^CITIUS-2\.2M-.*\d{3}$")
        tags = buffer.read_taglist()
        size = (ctdapy_xfel.CITIUS_IMAGE_HEIGHT, ctdapy_xfel.CITIUS_IMAGE_WIDTH)
        self.assertEqual(size, (728, 384))
        image, turned = np.zeros(size, np.float32), np.zeros(size[::-1], np.float32)
        buffer.read_image(image, ids[0], tags[30])
        buffer.read_image(turned, np.int64(ids[0]), np.uint32(tags[30]))
        np.testing.assert_array_equal(turned.ravel(), image.ravel())
        self.assertGreater(np.count_nonzero(image), 1000)
        mask, masks = np.zeros(size, np.uint8), np.zeros((len(ids), *size), np.uint8)
        buffer.read_badpixel_mask(mask, ids[1])
        buffer.read_badpixel_mask(masks, ids)
        np.testing.assert_array_equal(masks[1], mask)
        keys = {"pixel_size_x", "pixel_size_y", "position_x", "position_y", "position_z", "position_theta"}
        self.assertEqual(set(buffer.read_reconstinfo(ids[0], tags[0])), keys)
        for wrong in (np.zeros(size), np.zeros(size, np.uint8), list(range(5))):
            with self.assertRaises(TypeError):
                buffer.read_image(wrong, ids[0], tags[0])
        with self.assertRaises(ValueError):
            buffer.read_image(np.zeros((728, 383), np.float32), ids[0], tags[0])
        with self.assertRaises(ctdapy_xfel.APIError):
            buffer.read_image(image, 99, tags[0])

    def test_a_single_sensor_has_number_0(self) -> None:
        buffer = ctdapy_xfel.CtrlBuffer(BL, 1519974)
        self.assertEqual((buffer.read_sensoridlist(), buffer.read_detidlist()), ((0,), ("CITIUS1",)))
        image = np.zeros((384, 728), np.float32)
        buffer.read_image(image, 0, buffer.read_taglist()[50])
        self.assertGreater(np.count_nonzero(image), 1000)
        self.assertIn("CITIUS1", dbpy.read_detidlist(BL, 1519974))

    def test_online_without_a_citius(self) -> None:
        self.assertIsInstance(ctolpy_xfel.get_api_version(), str)
        with self.assertRaises(ctolpy_xfel.APIError):
            ctolpy_xfel.CtrlBuffer(0)


if __name__ == "__main__":
    unittest.main()
