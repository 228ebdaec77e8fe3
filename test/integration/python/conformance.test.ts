import { join } from "node:path";
import { afterAll, expect } from "vitest";
import { connect } from "../../../src/connect.ts";
import { Db } from "../../../src/db/index.ts";
import { convert } from "../../../src/hdf5/index.ts";
import { Keys, newCurveKey } from "../../../src/server/keys.ts";
import { Service } from "../../../src/server/service.ts";
import { serveZmq } from "../../../src/server/zmq-server.ts";
import { endpointOf } from "../../../src/source/index.ts";
import { St } from "../../../src/st/index.ts";
import { inProcess } from "../../../src/transport/index.ts";
import { gatewayOver, gatewayPython, itWithGateway } from "../../support/gateway.ts";
import { httpServer } from "../../support/http.ts";
import { itNeeding, pythonWith } from "../../support/optional.ts";
import { itWithPython, runPython, runUnittest } from "../../support/python.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { tinySource } from "../../support/tiny-source.ts";

const folder = temporaryFolder();
const servers: { close(): Promise<void> }[] = [];

afterAll(async () => {
  for (const server of servers) await server.close();
});

async function serveSim(): Promise<string> {
  const server = await httpServer((await connect("sim:")).endpoint);
  servers.push(server);
  return server.address;
}

let shared: Promise<string> | undefined;

/** One facility for tests that only read. */
async function readSim(): Promise<string> {
  shared ??= serveSim();
  return await shared;
}

itWithGateway("the same through the gateway, whose dbpy, stpy and olpy are these modules", async () => {
  const url = await gatewayOver(await readSim());
  const count = await runUnittest("test_conformance", { SACLA_URL: url }, gatewayPython);
  expect(count).toBeGreaterThan(20);
});

itWithPython("a server that is started again is waited for", async () => {
  expect(await runUnittest("waits", {})).toBe(1);
});

itWithPython("every call of dbpy, stpy, olpy, ippy, ctdapy_xfel answers as scripts rely on", async () => {
  expect(await runUnittest("test_conformance", { SACLA_URL: await readSim() })).toBeGreaterThan(20);
});

itWithPython(
  "ecpy moves, opens, sets and takes runs under a lease, and a script that dies stops what moves",
  async () => {
    expect(await runUnittest("test_control", { SACLA_URL: await serveSim() })).toBe(3);
  },
);

const curvePython = pythonWith("numpy", "zmq", "cryptography");

itNeeding(
  curvePython !== undefined,
  "no Python with numpy, zmq and cryptography; set SACLA_TEST_PYTHON",
  "over ZeroMQ with CURVE keys dbpy, stpy and olpy answer the same, and ecpy controls where the key may",
  async () => {
    const keys = join(folder, "keys.json");
    const file = (name: string): string => join(folder, `${name}.json`);
    newCurveKey(keys, "hutch", "control", file("hutch"));
    newCurveKey(keys, "office", "read", file("office"));
    const { endpoint } = await connect("sim:");
    const server = await serveZmq(new Service(endpoint, {}), "tcp://127.0.0.1:*", { keys: Keys.open(keys) });
    servers.push(server);
    const env = (name: string): Record<string, string> => ({ SACLA_URL: server.address, SACLA_KEY_FILE: file(name) });
    expect(await runUnittest("test_conformance", env("office"), curvePython)).toBeGreaterThan(20);
    expect(await runUnittest("test_control", env("hutch"), curvePython)).toBe(3);
    const take = "import sacla_python.install, ecpy\necpy.control(3, 'office', 'not allowed')";
    const { isGood, err } = await runPython(["-c", take], env("office"), curvePython);
    expect([isGood, err]).toEqual([false, expect.stringContaining("NOT_ALLOWED")]);
  },
);

itWithPython(
  "images of a file on this computer are read from the file, and are those of the server until it changes",
  async () => {
    const path = join(folder, "tiny.h5");
    const endpoint = inProcess(endpointOf(tinySource()));
    await convert({ db: new Db(endpoint), st: new St(endpoint) }, { bl: 3, run: 10 }, path);
    await using file = await connect(path);
    const server = await httpServer(file.endpoint);
    servers.push(server);
    const env = { SACLA_URL: server.address, SACLA_TEST_RUN: "10", SACLA_TEST_DETECTOR: "MPCCD-2N0-1-006-1" };
    expect(await runUnittest("file_images", env)).toBe(1);
  },
);
