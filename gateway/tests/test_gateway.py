"""The gateway as a process: streams and credit, workers that die or hang, hostile messages, keys, stopping."""

import contextlib
import os
import random
import shutil
import signal
import socket as sockets
import stat
import tempfile
import threading
import time
import unittest
from typing import Any, List

import numpy as np
import zmq
import zmq.auth
from sacla_gateway.outbox import MAX_WAITING, Outbox
from sacla_gateway.security import is_local
from sacla_gateway.wire import encode_message

from .support import HIGHTAG, PATIENCE_S, RUN, SENSORS, TAGS, Client, Gateway, wait_until


class OneGateway(unittest.TestCase):
    """Tests that share a gateway: none of them may end it."""

    gateway: Gateway

    @classmethod
    def setUpClass(cls) -> None:
        cls.gateway = Gateway().__enter__()

    @classmethod
    def tearDownClass(cls) -> None:
        cls.gateway.stop()

    def setUp(self) -> None:
        self.client = Client(self.gateway.address)
        self.addCleanup(self.client.__exit__)

    def test_answers_come_for_each_id(self) -> None:
        for request_id in range(40):
            self.client.send("call", request_id, method="db.readRunstatus", value={"bl": 3, "run": 9 + request_id % 5})
        answers = {answer["id"]: answer["value"] for answer in (self.client.receive() for _ in range(40))}
        self.assertEqual(answers, {i: [-1, 0, 0, 2, -1][i % 5] for i in range(40)})

    def test_items_come_only_for_credit(self) -> None:
        self.client.frames(7, credit=2)
        self.assertEqual([self.client.receive()["seq"] for _ in range(2)], [0, 1])
        self.assertTrue(self.client.nothing_comes())
        self.client.send("credit", 7, credit=3)
        items = [self.client.receive() for _ in range(3)]
        self.assertEqual([(item["seq"], item["value"]["tag"]) for item in items], [(2, 1004), (3, 1006), (4, 1008)])
        self.assertEqual(items[1]["value"]["missing"], [{"detId": SENSORS[1], "reason": "frame-missing"}])
        self.assertEqual(len(items[1]["value"]["frames"]), 1)
        self.assertTrue(self.client.nothing_comes())
        self.client.send("credit", 7, credit=1)
        self.assertEqual([self.client.receive()["kind"] for _ in range(2)], ["item", "end"])
        # Too late for it, and no mistake.
        self.client.send("credit", 7, credit=1)
        self.assertTrue(self.client.nothing_comes(0.1))

    def test_streams_at_once_do_not_mix(self) -> None:
        backwards = TAGS[::-1]
        self.client.frames(1, credit=64, tags=TAGS)
        self.client.frames(2, credit=64, tags=backwards)
        seen: Any = {1: [], 2: []}
        ended = 0
        while ended < 2:
            answer = self.client.receive()
            if answer["kind"] == "end":
                ended += 1
            else:
                seen[answer["id"]].append(answer["value"]["tag"])
                pixel = answer["value"]["frames"][0]["data"][0]
                self.assertEqual(pixel, answer["value"]["tag"] % 1000 * 1000 + 100)
        self.assertEqual(seen, {1: TAGS.tolist(), 2: backwards.tolist()})

    def test_a_cancelled_stream_stops_and_its_id_is_free(self) -> None:
        self.client.frames(3, credit=1)
        self.assertEqual(self.client.receive()["seq"], 0)
        self.client.send("cancel", 3)
        self.client.send("credit", 3, credit=5)
        self.assertTrue(self.client.nothing_comes())
        self.client.frames(3, credit=1, tags=[1010])
        self.assertEqual(self.client.receive()["value"]["tag"], 1010)

    def test_an_id_in_use_is_refused(self) -> None:
        self.client.frames(3, credit=1)
        self.assertEqual(self.client.receive()["kind"], "item")
        self.client.frames(3, credit=1)
        self.assertEqual(self.client.receive()["error"]["code"], "BAD_MESSAGE")

    def test_pings_are_answered(self) -> None:
        self.client.send("ping", 12)
        self.assertEqual(self.client.receive(), {"sacla": 1, "kind": "pong", "id": 12})

    def test_what_is_not_there_is_a_coded_error(self) -> None:
        self.assertEqual(self.client.code("db.dropTables"), "UNKNOWN_METHOD")
        self.assertEqual(self.client.code("st.frames"), "UNKNOWN_METHOD")
        self.assertEqual(self.client.code("facility.describe", bl=3), "BAD_ARGUMENT")
        self.assertEqual(self.client.code("db.readRunstatus", bl=9, run=1), "UNKNOWN_BEAMLINE")
        self.client.frames(1, credit=1, params={"detIds": ["MPCCD-0"]})
        self.assertEqual(self.client.receive()["error"]["code"], "UNKNOWN_DETECTOR")

    def test_a_request_too_large_is_refused(self) -> None:
        tags = np.zeros(5_000_000, np.uint32)
        self.assertEqual(self.client.code("db.readColumns", equipIds=[], hightag=HIGHTAG, tags=tags), "TOO_LARGE")

    def test_no_time_is_a_timeout(self) -> None:
        self.client.send("call", 1, method="db.readRuninfo", value=RUN, timeoutMs=0)
        answer = self.client.receive()
        # It may be answered before anyone looks at the clock.
        self.assertIn(answer.get("error", {}).get("code", "no error"), ("TIMEOUT", "no error"))

    def test_too_many_requests_are_refused_and_nothing_is_lost(self) -> None:
        for request_id in range(600):
            self.client.send("call", request_id, method="db.readRuninfo", value=RUN)
        answers = [self.client.receive() for _ in range(600)]
        self.assertEqual({answer["id"] for answer in answers}, set(range(600)))
        self.assertLessEqual({a["error"]["code"] for a in answers if a["kind"] == "error"}, {"TOO_MANY_REQUESTS"})

    def test_hostile_messages_are_answered_and_end_nothing(self) -> None:
        chance = random.Random(4)
        templates = [
            encode_message({"kind": "call", "id": 5, "method": "db.readRuninfo", "value": RUN, "timeoutMs": 1000}),
            encode_message(
                {
                    "kind": "call",
                    "id": 6,
                    "method": "db.readSyncdatalist",
                    "value": {"equipId": "a", "hightag": 1, "tags": TAGS},
                }
            ),
            encode_message({"kind": "credit", "id": 6, "credit": 1}),
            encode_message({"kind": "ping", "id": 6}),
        ]
        for _ in range(3000):
            parts = [bytes(part) for part in chance.choice(templates)]
            self.client.socket.send_multipart(mutated(parts, chance))
            while self.client.socket.poll(0):
                answer = self.client.receive()
                self.assertIn(answer["kind"], ("error", "result", "pong", "item", "end"))
        with Client(self.gateway.address) as other:
            self.assertEqual(other.value("db.readRunstatus", **RUN), 0)
        self.client.send("ping", 987)
        while self.client.receive() != {"sacla": 1, "kind": "pong", "id": 987}:
            pass
        self.assertIsNone(self.gateway.process.poll())


def mutated(parts: List[bytes], chance: random.Random) -> List[bytes]:
    how = chance.randrange(6)
    if how == 0:
        return [chance.getrandbits(8 * 20).to_bytes(20, "little") for _ in range(chance.randrange(1, 4))]
    if how == 1:
        return parts + [b"more"]
    if how == 2:
        return parts[:1] if len(parts) > 1 else [parts[0], b""]
    header = bytearray(parts[0])
    if how == 3:
        del header[chance.randrange(len(header)) :]
    else:
        for _ in range(chance.randrange(1, 4)):
            header[chance.randrange(len(header))] = chance.choice(b'{}[]":,0123456789-e.abc\x00\xff')
    return [bytes(header), *parts[1:]]


class Workers(unittest.TestCase):
    def test_a_worker_that_dies_fails_its_request_and_is_replaced(self) -> None:
        with Gateway(SACLA_STANDIN_CRASH_TAG="1008") as gateway, Client(gateway.address) as client:
            self.assertEqual(client.code("st.collect", detId=SENSORS[0], bl=3, runs=[10], tag=1008), "WORKER_LOST")
            for _ in range(4):
                self.assertEqual(client.code("st.collect", detId=SENSORS[0], bl=3, runs=[10], tag=1000), "no error")
            client.frames(5, credit=64)
            answers = [client.receive()]
            while answers[-1]["kind"] == "item":
                answers.append(client.receive())
            self.assertEqual(answers[-1]["error"]["code"], "WORKER_LOST")
            self.assertEqual([answer["seq"] for answer in answers[:-1]], list(range(len(answers) - 1)))
            self.assertEqual(client.value("db.readRunstatus", **RUN), 0)

    def test_every_worker_may_be_killed(self) -> None:
        with Gateway() as gateway, Client(gateway.address) as client:
            wait_until(lambda: len(gateway.workers()) == 4)
            first = set(gateway.workers())
            for pid in first:
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda: len(set(gateway.workers()) - first) == 4)
            self.assertEqual(client.value("db.readRunstatus", **RUN), 0)
            self.assertEqual(client.code("st.collect", detId=SENSORS[0], bl=3, runs=[10], tag=1000), "no error")

    def test_a_read_that_hangs_times_out_and_holds_up_nobody(self) -> None:
        with Gateway("--readers", "1", "--grace", "0.5", SACLA_STANDIN_HANG_TAG="1004") as gateway, Client(
            gateway.address
        ) as client:
            client.send(
                "call",
                1,
                method="st.collect",
                timeoutMs=200,
                value={"detId": SENSORS[0], "bl": 3, "runs": [10], "tag": 1004},
            )
            client.frames(2, credit=4, tags=[1000])
            self.assertEqual(client.receive()["error"]["code"], "TIMEOUT")
            self.assertEqual(client.value("db.readRunstatus", **RUN), 0)
            # The process is given up after a while, and the stream goes on in its successor.
            self.assertEqual(client.receive()["value"]["tag"], 1000)
            self.assertEqual(client.receive()["kind"], "end")
            client.frames(3, credit=4, tags=[1000, 1004], timeoutMs=300)
            self.assertEqual([client.receive()["kind"] for _ in range(2)], ["item", "error"])

    def test_a_version_that_lacks_functions_says_so(self) -> None:
        with Gateway(SACLA_STANDIN_QUIRKS="old,bytes,lists") as gateway, Client(gateway.address) as client:
            methods = client.value("facility.describe")["methods"]
            self.assertNotIn("db.readTaglistBydetid", methods)
            self.assertEqual(client.code("db.readTaglistBydetid", detId=SENSORS[0], **RUN), "UNSUPPORTED")
            self.assertEqual(client.value("db.readComment", **RUN), "powder")


class SlowClients(unittest.TestCase):
    def test_a_client_that_reads_nothing_makes_no_memory_grow(self) -> None:
        with Gateway(SACLA_STANDIN_WORLD="octal") as gateway, Client(gateway.address, RCVHWM=1) as slow:
            octal = {"detIds": [f"MPCCD-8N0-3-003-{i}" for i in range(1, 9)]}
            slow.frames(1, credit=2**50, tags=np.arange(1000, 3000, 2), params=octal)
            slow.frames(2, credit=2**50, tags=np.arange(1000, 3000, 2), params=octal)
            time.sleep(2)
            before = gateway.memory_mb()
            time.sleep(1)
            # 1000 shots of 16 MB each would be there to be sent.
            self.assertLess(gateway.memory_mb(), 1500)
            self.assertLess(gateway.memory_mb() - before, 200)
            with Client(gateway.address) as other:
                self.assertEqual(other.value("db.readRunstatus", **RUN), 0)
                other.frames(1, credit=1, tags=[1000], params=octal)
                self.assertEqual(other.receive()["value"]["tag"], 1000)
            self.assertEqual([slow.receive()["kind"] for _ in range(30)], ["item"] * 30)

    def test_a_client_that_goes_away_leaves_nothing_open(self) -> None:
        with Gateway(SACLA_STANDIN_WORLD="octal") as gateway:
            for _ in range(3):
                with Client(gateway.address) as client:
                    client.frames(1, credit=4, tags=np.arange(1000, 9000, 2), params={"detIds": ["MPCCD-8N0-3-003-1"]})
                    client.receive()
            with Client(gateway.address) as other:
                self.assertEqual(other.value("db.readRunstatus", **RUN), 0)


class Keys(unittest.TestCase):
    def test_beyond_this_machine_there_have_to_be_keys(self) -> None:
        for address in (
            "tcp://*:0",
            "tcp://0.0.0.0:0",
            "tcp://lo:0",
            "tcp://[::]:0",
            "tcp://192.0.2.1:0",
            "udp://127.0.0.1:1",
        ):
            gateway = Gateway(bind=address)
            self.assertEqual(gateway.address, "", address)
            self.assertIn("keys" if address.startswith("tcp") else "Cannot bind", gateway.said())
            self.assertEqual(gateway.stop(), 1)
        self.assertTrue(
            all(
                is_local(one)
                for one in ("tcp://127.0.0.1:5", "tcp://localhost:5", "tcp://[::1]:5", "tcp://127.9.9.9:*", "ipc:///a")
            )
        )

    def assert_old_greetings_are_refused(self, address: str) -> None:
        """How programs greeted before ZMTP 3, with a harmless ping behind, and what a browser sends."""
        ping = encode_message({"kind": "ping", "id": 1})[0]
        signature = b"\xff" + bytes(8) + b"\x7f"
        dealer = 5
        host, port = address[len("tcp://") :].rsplit(":", 1)
        for greeting in (
            bytes([1, 0, len(ping) + 1, 0]) + ping,
            signature + bytes([0, dealer, 1, 0, len(ping) + 1, 0]) + ping,
            signature + bytes([1, dealer, 0, 0, 0, len(ping)]) + ping,
            signature + b"\x03\x00PLAIN" + bytes(15 + 32),
            b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n",
        ):
            with sockets.create_connection((host, int(port)), timeout=PATIENCE_S) as raw:
                raw.sendall(greeting)
                answer = b""
                # Whether it hangs up or resets the connection depends on what it has not read.
                with contextlib.suppress(ConnectionResetError):
                    while True:
                        chunk = raw.recv(4096)
                        if not chunk:
                            break
                        answer += chunk
                self.assertNotIn(b"pong", answer)

    def test_without_keys_only_greetings_of_today_are_accepted(self) -> None:
        with Gateway() as gateway:
            self.assert_old_greetings_are_refused(gateway.address)
            with Client(gateway.address) as client:
                client.send("ping", 1)
                self.assertEqual(client.receive()["kind"], "pong")

    def test_only_known_keys_come_in(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            clients = os.path.join(folder, "clients")
            os.mkdir(clients)
            _, secret_file = zmq.auth.create_certificates(folder, "server")
            public_file, own_file = zmq.auth.create_certificates(folder, "laptop")
            shutil.move(public_file, clients)
            _, stranger_file = zmq.auth.create_certificates(folder, "stranger")
            os.chmod(secret_file, stat.S_IRUSR | stat.S_IWUSR)
            server_key = zmq.auth.load_certificate(secret_file)[0]
            arguments = ("--curve-server-key", secret_file, "--curve-clients", clients)
            with Gateway(*arguments, bind="tcp://*:*") as gateway:
                address = gateway.address.replace("0.0.0.0", "127.0.0.1")
                for key_file, expected in ((own_file, True), (stranger_file, False), (None, False)):
                    options: Any = {}
                    if key_file is not None:
                        public, secret = zmq.auth.load_certificate(key_file)
                        options = {"CURVE_SERVERKEY": server_key, "CURVE_PUBLICKEY": public, "CURVE_SECRETKEY": secret}
                    with Client(address, **options) as client:
                        client.send("ping", 1)
                        if expected:
                            self.assertEqual(client.receive()["kind"], "pong")
                        else:
                            self.assertTrue(client.nothing_comes(0.7))
                self.assert_old_greetings_are_refused(address)
            os.chmod(secret_file, 0o644)
            gateway = Gateway(*arguments)
            self.assertIn("chmod 600", gateway.said())
            self.assertEqual(gateway.stop(), 1)


class Stopping(unittest.TestCase):
    def test_it_ends_at_once_tells_its_clients_and_leaves_nothing(self) -> None:
        for how in (signal.SIGINT, signal.SIGTERM):
            with Gateway() as gateway, Client(gateway.address) as client:
                client.frames(1, credit=1)
                self.assertEqual(client.receive()["kind"], "item")
                workers = gateway.workers()
                gateway.process.send_signal(how)
                self.assertEqual(client.receive()["error"]["code"], "CLOSED")
                self.assertEqual(gateway.process.wait(PATIENCE_S), 0)
                self.assertEqual([pid for pid in workers if os.path.exists(f"/proc/{pid}")], [])

    def test_workers_do_not_outlive_a_server_that_is_killed(self) -> None:
        with Gateway() as gateway:
            wait_until(lambda: len(gateway.workers()) == 4)
            workers = gateway.workers()
            gateway.process.kill()
            wait_until(lambda: not any(is_alive(pid) for pid in workers))

    def test_without_dbpy_it_says_what_to_do(self) -> None:
        gateway = Gateway(standins=False)
        self.assertEqual(gateway.address, "")
        self.assertIn("PYTHONPATH", gateway.said())
        self.assertEqual(gateway.stop(), 1)

    def test_a_local_socket_serves_too(self) -> None:
        with tempfile.TemporaryDirectory() as folder, Gateway(bind=f"ipc://{folder}/sacla.sock") as gateway:
            with Client(gateway.address) as client:
                self.assertEqual(client.value("db.readRunstatus", **RUN), 0)


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Many(unittest.TestCase):
    def test_many_clients_at_once(self) -> None:
        with Gateway() as gateway:
            wrong: List[str] = []

            def use() -> None:
                with Client(gateway.address) as client:
                    for _ in range(30):
                        if client.value("db.readRunstatus", **RUN) != 0:
                            wrong.append("status")
                    client.frames(9, credit=64)
                    kinds = [client.receive()["kind"] for _ in range(7)]
                    if kinds != ["item"] * 6 + ["end"]:
                        wrong.append(str(kinds))

            threads = [threading.Thread(target=use) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(wrong, [])


class FullSocket:
    """A socket that has room for so many messages, and then for none; or whose client is gone."""

    def __init__(self, room: int, gone: bool = False) -> None:
        self.room = room
        self.gone = gone
        self.sent: List[Any] = []

    def send_multipart(self, parts: List[Any], *_: Any, **__: Any) -> None:
        if self.gone:
            raise zmq.ZMQError(zmq.EHOSTUNREACH)
        if self.room == 0:
            raise zmq.Again()
        self.room -= 1
        self.sent.append(parts[1])


class Waiting(unittest.TestCase):
    def test_answers_wait_in_order_up_to_a_bound(self) -> None:
        socket: Any = FullSocket(2)
        outbox = Outbox(socket)
        for number in range(100):
            outbox.send(b"a", [number])
        self.assertEqual((socket.sent, outbox.waits(b"a"), outbox.is_crowded(b"a")), ([0, 1], True, True))
        socket.room = 1000
        outbox.flush()
        self.assertEqual((socket.sent, bool(outbox), outbox.take_gone()), (list(range(100)), False, set()))
        socket.room = 0
        for number in range(MAX_WAITING + 1):
            outbox.send(b"a", [number])
        self.assertEqual(outbox.take_gone(), {b"a"})
        self.assertEqual(outbox.take_gone(), set())

    def test_a_client_that_is_gone_is_told_of_once(self) -> None:
        outbox = Outbox(FullSocket(0, gone=True))  # type: ignore[arg-type]
        outbox.send(b"a", [1])
        self.assertEqual((bool(outbox), outbox.take_gone()), (False, {b"a"}))
