import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { withControl } from "../../../src/ec/index.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import type { Endpoint } from "../../../src/transport/endpoint.ts";
import { cli } from "../../support/fake-io.ts";
import { httpServer } from "../../support/http.ts";
import { TinySource } from "../../support/tiny-source.ts";
import { ToyDriver } from "../../support/toy-driver.ts";

/** A text by which somebody else would clear the terminal, rename its window, write over a line and add one. */
const forged = "error FORGED: the shutter is open";
const text = (what: string): string => `${what}\x1b[2J\x1b]0;x\x07\x9b31m\r\u202e\u2066${what}\n${forged}`;
const obeyed = /[^\P{Cc}\n]|[\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

let server: Awaited<ReturnType<typeof httpServer>>;
let lease: Endpoint;
beforeAll(async () => {
  const runs = [{ run: 10, start: 1000, images: 5, comment: text("comment") }];
  const source = new TinySource({ 3: runs }).setSignal(text("xfel_bl_3_tc_bm_1_pd/charge"), text("unit"), () => 1);
  const driver = new ToyDriver();
  const devices = await driver.devices(3);
  driver.devices = async () => devices.map((info) => ({ ...info, meaning: text("meaning") }));
  const { read } = driver;
  driver.read = async (device) => ({ ...(await read.call(driver, device)), state: "locked", why: text("why") });
  driver.beam = async () => ({ on: false, why: text("beam") });
  lease = withControl(endpointOf(source), driver);
  server = await httpServer(lease);
  await lease.call("lease.take", { bl: 3, name: text("name"), reason: text("reason"), ttlMs: 600_000 });
});
afterAll(async () => {
  await server.close();
});

const commands: readonly (readonly string[])[] = [
  ["runs", "--bl", "3"],
  ["info", "10", "--bl", "3"],
  ["signals", "--bl", "3"],
  ["detectors", "10", "--bl", "3"],
  ["values", "10", "--bl", "3", "--signal", text("xfel_bl_3_tc_bm_1_pd/charge")],
  ["values", "10", "--bl", "3", "--signal", text("unknown")],
  ["tags", "10", "--bl", "3"],
  ["axes", "--bl", "3"],
  ["axes", text("pattern"), "--bl", "3"],
  ["lease", "--bl", "3"],
  ["shutter", "bl3_lh1_shutter1", "--bl", "3"],
  ["shutter", "bl3_lh1_shutter1", "open", "--yes", "--bl", "3"],
  ["move", "bl3_st2_pm001=5", "--yes", "--bl", "3"],
  ["set", "bl3_st2_pd1_gain", "1", "--yes", "--bl", "3"],
  ["run", "state", "--bl", "3"],
  ["stop", "--bl", "3"],
  ["image", "10", "--detector", text("no"), "--bl", "3"],
  ["command\x1b[2J\u202e"],
];

describe("names, reasons, comments and errors of others", () => {
  it("are shown on a terminal, which obeys none of them", async () => {
    for (const command of commands) {
      const { out, err } = await cli([...command, ...(command.length > 1 ? ["--url", server.address] : [])], {
        isTerminal: false,
      });
      const all = `${out}${err}`;
      expect([command, all.length > 0]).toEqual([command, true]);
      expect([command, all]).toEqual([command, expect.not.stringMatching(obeyed)]);
      expect([command, all.split("\n").filter((line) => line.startsWith(forged))]).toEqual([command, []]);
    }
  });

  it("stay whole in --json", async () => {
    const json = async (...command: string[]): Promise<unknown> => {
      const { out } = await cli([...command, "--bl", "3", "--url", server.address, "--json"]);
      expect(out).not.toMatch(obeyed);
      return JSON.parse(out);
    };
    expect(await json("runs")).toMatchObject({ runs: [{ comment: text("comment") }] });
    expect(await json("lease")).toMatchObject({ holder: { name: text("name"), reason: text("reason") } });
    expect(await json("signals")).toMatchObject({ signals: [text("xfel_bl_3_tc_bm_1_pd/charge")] });
    expect(await json("shutter", "bl3_lh1_shutter1")).toMatchObject({ why: text("why") });
    const held = await json("shutter", "bl3_lh1_shutter1", "open", "--yes");
    expect(held).toMatchObject({ error: { code: "LEASE_HELD", details: { reason: text("reason") } } });
  });
});
