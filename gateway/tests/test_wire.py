"""The wire form, against the vectors every implementation must satisfy and by itself."""

import base64
import json
import math
import unittest
from pathlib import Path
from typing import Any, List

import numpy as np
from sacla_gateway.errors import BadMessage
from sacla_gateway.wire import DTYPES, REQUESTS, decode_message, decode_request, encode_message

VECTORS = Path(__file__).resolve().parents[2] / "fixtures" / "protocol" / "messages.json"


def header(**fields: Any) -> List[bytes]:
    return [json.dumps({"sacla": 1, "id": 1, **fields}).encode("utf-8")]


class Wire(unittest.TestCase):
    def test_what_is_encoded_comes_back(self) -> None:
        arrays = {name: np.arange(5).astype(name) for name in ("i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8")}
        message = {
            "kind": "result",
            "id": 3,
            "value": {"arrays": arrays, "text": "µ", "none": None, "list": [1, 2.5, True]},
        }
        parts = [bytes(part) for part in encode_message(message)]
        back = decode_message(parts)
        for name, array in arrays.items():
            self.assertEqual(back["value"]["arrays"][name].dtype, array.dtype)
            self.assertEqual(back["value"]["arrays"][name].tolist(), array.tolist())
        self.assertEqual(back["value"]["text"], "µ")
        self.assertEqual(back["value"]["list"], [1, 2.5, True])
        self.assertEqual(len(parts), 9)

    def test_numbers_json_cannot_hold(self) -> None:
        parts = encode_message({"kind": "result", "id": 0, "value": [math.nan, math.inf, -math.inf, np.float32(1.5)]})
        self.assertIn(b'[{"$number":"NaN"},{"$number":"Infinity"},{"$number":"-Infinity"},1.5]', parts[0])
        back = decode_message(parts)["value"]
        self.assertTrue(math.isnan(back[0]))
        self.assertEqual(back[1:], [math.inf, -math.inf, 1.5])

    def test_arrays_travel_row_by_row_in_little_endian(self) -> None:
        image = np.asfortranarray(np.array([[1, 2], [3, 4]], dtype=">f4"))
        _, frame = encode_message({"kind": "result", "id": 0, "value": image})
        self.assertEqual(bytes(frame), np.array([1, 2, 3, 4], dtype="<f4").tobytes())

    def test_an_empty_array_travels(self) -> None:
        parts = [bytes(part) for part in encode_message({"kind": "result", "id": 0, "value": np.empty(0, np.uint32)})]
        self.assertEqual(decode_message(parts)["value"].dtype, np.uint32)

    def test_what_cannot_travel(self) -> None:
        for value in ({"$frame": 0}, {"__proto__": 1}, {1: 2}, b"bytes", np.array([True]), np.array(["a"]), {1, 2}):
            with self.assertRaises(BadMessage, msg=repr(value)):
                encode_message({"kind": "result", "id": 0, "value": value})

    def test_messages_nobody_can_have_written(self) -> None:
        deep = b'{"sacla":1,"kind":"ping","id":1,"value":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
        nested: Any = 1
        for _ in range(70):
            nested = [nested]
        bad: List[List[bytes]] = [
            [],
            [b""],
            [b"\xff\xfe"],
            [b"[]"],
            [b"null"],
            [b"NaN"],
            [deep],
            [b'{"sacla":1,"kind":"ping","id":' + b"9" * 5000 + b"}"],
            [b'{"sacla":1,"kind":"call","id":1,"method":"m","value":{"a":NaN}}'],
            header(kind="ping", value=nested),
            [b'{"sacla":2,"kind":"ping","id":1}'],
            [b'{"sacla":true,"kind":"ping","id":1}'],
            [b'{"kind":"ping","id":1}'],
            header(kind="pong"),
            header(kind="hello"),
            header(kind=["call"]),
            header(kind="ping", id=-1),
            header(kind="ping", id=1.5),
            header(kind="ping", id="1"),
            header(kind="ping", id=True),
            header(kind="ping", id=2**53),
            header(kind="ping", **{"$frame": 0}),
            header(kind="ping") + [b"12345678"],
            header(kind="call", method=5, value={}),
            header(kind="call", method="", value={}),
            header(kind="call", method="m" * 201, value={}),
            header(kind="call", method="m"),
            header(kind="call", method="m", value=[]),
            header(kind="call", method="m", value={}, key=""),
            header(kind="call", method="m", value={}, timeoutMs=-1),
            header(kind="call", method="m", value={}, timeoutMs="5"),
            header(kind="call", method="m", value={}, timeoutMs=None),
            header(kind="call", method="m", value={"__proto__": {}}),
            header(kind="call", method="m", value={"a": {"$number": "1"}}),
            header(kind="call", method="m", value={"a": {"$number": []}}),
            header(kind="call", method="m", value={"a": {"$frame": 0, "dtype": "u4"}}),
            header(kind="call", method="m", value={"a": {"$frame": 0, "dtype": "u8"}}) + [b"12345678"],
            header(kind="call", method="m", value={"a": {"$frame": 0, "dtype": ["u4"]}}) + [b"1234"],
            header(kind="call", method="m", value={"a": {"$frame": -1, "dtype": "u1"}}) + [b"1"],
            header(kind="call", method="m", value={"a": {"$frame": 0, "dtype": "u4"}}) + [b"12345"],
            header(kind="stream", method="m", value={}),
            header(kind="stream", method="m", value={}, credit=0),
            header(kind="stream", method="m", value={}, credit=1.5),
            header(kind="credit", credit="many"),
        ]
        for parts in bad:
            with self.assertRaises(BadMessage, msg=repr(parts)[:200]):
                decode_request(parts)

    def test_the_id_of_a_bad_message_is_read_if_there_is_one(self) -> None:
        for parts, expected in (
            (header(kind="hello", id=7), 7),
            ([b'{"sacla":3,"id":8}'], 8),
            ([b'{"sacla":1,"id":-1}'], None),
            ([b"{"], None),
        ):
            with self.assertRaises(BadMessage) as caught:
                decode_request(parts)
            self.assertEqual(caught.exception.request_id, expected)

    def test_whole_numbers_may_be_written_with_a_point(self) -> None:
        request = decode_request(
            [b'{"sacla":1.0,"kind":"stream","id":4.0,"method":"m","value":{},"credit":2.0,"timeoutMs":0}']
        )
        self.assertEqual((request.id, request.credit, request.timeout_s), (4, 2, 0))
        self.assertIsInstance(request.id, int)


def plain(value: Any) -> Any:
    """A decoded message in the notation of the vectors."""
    if isinstance(value, np.ndarray):
        return {"$array": {"dtype": value.dtype.str[1:], "values": [plain(one) for one in value.tolist()]}}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$number": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return {key: plain(one) for key, one in value.items()} if isinstance(value, dict) else value


def values_of(values: List[Any]) -> List[Any]:
    return [{"$number": one} if isinstance(one, str) else one for one in values]


def arrays_as_here(value: Any) -> Any:
    """A message of the vectors with numbers inside arrays written as outside of them."""
    if isinstance(value, list):
        return [arrays_as_here(one) for one in value]
    if not isinstance(value, dict):
        return value
    if "$array" in value:
        return {"$array": {"dtype": value["$array"]["dtype"], "values": values_of(value["$array"]["values"])}}
    return {key: arrays_as_here(one) for key, one in value.items()}


def revived(value: Any) -> Any:
    """A message of the vectors as it is encoded here."""
    if isinstance(value, list):
        return [revived(one) for one in value]
    if not isinstance(value, dict):
        return value
    if "$array" in value:
        return np.array([float(one) for one in value["$array"]["values"]]).astype(DTYPES[value["$array"]["dtype"]])
    if "$number" in value:
        return float(value["$number"])
    return {key: revived(one) for key, one in value.items()}


@unittest.skipUnless(VECTORS.exists(), "fixtures/protocol is not here")
class Vectors(unittest.TestCase):
    def setUp(self) -> None:
        self.vectors = json.loads(VECTORS.read_text(encoding="utf-8"))

    def test_good_messages_say_what_they_say_and_come_back(self) -> None:
        self.assertGreater(len(self.vectors["good"]), 10)
        for vector in self.vectors["good"]:
            with self.subTest(vector["name"]):
                parts = [base64.b64decode(part) for part in vector["parts"]]
                expected = {"sacla": 1, **arrays_as_here(vector["message"])}
                self.assertEqual(plain(decode_message(parts)), expected)
                again = [bytes(part) for part in encode_message(revived(vector["message"]))]
                self.assertEqual(plain(decode_message(again)), expected)
                if vector["message"]["kind"] in REQUESTS:
                    self.assertEqual(decode_request(parts).id, vector["message"]["id"])

    def test_bad_messages_are_refused_with_their_id(self) -> None:
        self.assertGreater(len(self.vectors["bad"]), 10)
        for vector in self.vectors["bad"]:
            with self.subTest(vector["name"]):
                with self.assertRaises(BadMessage) as caught:
                    decode_request([base64.b64decode(part) for part in vector["parts"]])
                self.assertEqual(caught.exception.request_id, vector["id"])
