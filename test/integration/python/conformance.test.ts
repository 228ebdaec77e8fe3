import { afterAll, expect } from "vitest";
import { connect } from "../../../src/connect.ts";
import type { HttpServer } from "../../../src/server/http-server.ts";
import { gatewayOver, gatewayPython, itWithGateway } from "../../support/gateway.ts";
import { httpServer } from "../../support/http.ts";
import { itWithPython, runUnittest } from "../../support/python.ts";

const servers: HttpServer[] = [];

afterAll(async () => {
  for (const server of servers) await server.close();
});

async function serveSim(): Promise<string> {
  const server = await httpServer((await connect("sim:")).endpoint);
  servers.push(server);
  return server.address;
}

itWithGateway(
  "the same through the gateway, whose dbpy, stpy and olpy are these modules",
  async () => {
    const url = await gatewayOver(await serveSim());
    const count = await runUnittest("test_conformance", { SACLA_URL: url }, gatewayPython);
    expect(count).toBeGreaterThan(20);
  },
  300_000,
);

itWithPython(
  "every call of dbpy, stpy, olpy, ippy, ctdapy_xfel answers as scripts rely on",
  async () => {
    expect(await runUnittest("test_conformance", { SACLA_URL: await serveSim() })).toBeGreaterThan(20);
  },
  300_000,
);

itWithPython(
  "ecpy moves, opens, sets and takes runs under a lease, and a script that dies stops what moves",
  async () => {
    expect(await runUnittest("test_control", { SACLA_URL: await serveSim() })).toBe(3);
  },
  120_000,
);
