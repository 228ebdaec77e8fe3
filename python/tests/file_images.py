"""Images of a file on this computer, which the server names; SACLA_TEST_DETECTOR of SACLA_TEST_RUN is in it."""

import os
import unittest
from unittest.mock import patch

import numpy as np
from sacla_python.client import call
from sacla_python.errors import SaclaError
from sacla_python.modules import dbpy, stpy

RUN = int(os.environ["SACLA_TEST_RUN"])
DETECTOR = os.environ["SACLA_TEST_DETECTOR"]


class FileImages(unittest.TestCase):
    def test_are_those_of_the_server_until_the_file_changes(self) -> None:
        tags = dbpy.read_taglist_byrun(3, RUN)
        # As some published scripts name their run.
        reader = stpy.StorageReader(DETECTOR, 3, (RUN, RUN))
        buffer = stpy.StorageBuffer(reader)
        for tag in tags:
            self.assertEqual(reader.collect(buffer, tag), tag)
            of_server = call("st.collect", {"detId": DETECTOR, "bl": 3, "runs": [RUN], "tag": tag})["frame"]
            image = buffer.read_det_data(0)
            self.assertEqual((image.dtype, image.shape), (np.dtype("f4"), tuple(of_server["shape"])))
            self.assertTrue(np.array_equal(image.ravel(), of_server["data"]))
        other = stpy.StorageReader(DETECTOR, 3, (RUN,))
        with patch("sacla_python.file_images.lists.get", side_effect=SaclaError("TIMEOUT", "no answer")):
            self.assertEqual(other.collect(stpy.StorageBuffer(other), tags[0]), tags[0])
        found = reader._file.image(tags[0])
        self.assertIsNotNone(found, "the file is read")
        about = call("st.readImageOffsets", {"bl": 3, "run": RUN, "detId": DETECTOR, "tags": np.array(tags, np.uint32)})
        os.utime(about["file"])
        self.assertIsNone(reader._file.image(tags[0]), "a file that has changed is not read")
        with self.assertRaises(SaclaError) as caught:
            reader.collect(buffer, tags[0])
        self.assertEqual(caught.exception.code, "FILE_CHANGED")


if __name__ == "__main__":
    unittest.main()
