import { afterEach, describe, expect, it } from "vitest";
import { type ControlDriver, madocaDriver } from "../../../src/ec/index.ts";
import { parseComplement, parseReply } from "../../../src/ec/madoca/text.ts";
import { type MadocaQuirks, MadocaServer, objectOf } from "../../support/madoca-server.ts";
import { ToyDriver, toyDevices } from "../../support/toy-driver.ts";

const axis = "bl3_st2_pm001";
const object = objectOf(axis);
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function open(
  quirks: MadocaQuirks = {},
  timeoutMs = 10_000,
): Promise<{ server: MadocaServer; toy: ToyDriver; driver: ControlDriver; port: number }> {
  const toy = new ToyDriver();
  const server = new MadocaServer(toy, quirks);
  const port = await server.listen();
  const devices = toyDevices.map((info) => ({ object: objectOf(info.name), info, words: "on-off" as const }));
  const driver = madocaDriver({ bl: 3, madoca: { host: "127.0.0.1", port, devices }, timeoutMs });
  closers.push(async () => {
    await driver.close();
    await server.close();
  });
  return { server, toy, driver, port };
}

describe("MADOCA text", () => {
  it("is read as the facility's clients read it", () => {
    expect(parseReply("bl_32in_plc_mbs/get/1128_blrs_root_blanc4deb/open/0")).toEqual({
      object: "bl_32in_plc_mbs",
      verb: "get",
      complement: "open",
      status: 0,
    });
    expect(parseReply("bl_32in_id_gap/get/27354_blrs_bladmin_bl32aws/locked_44.999000mm/0\r\n").complement).toBe(
      "locked_44.999000mm",
    );
    expect(parseComplement("locked_44.999000mm")).toEqual({ word: "locked", value: 44.999, unit: "mm" });
    expect(parseComplement("inactive_-1234pulse")).toEqual({ word: "inactive", value: -1234, unit: "pulse" });
    expect(parseComplement("99.5mA")).toEqual({ word: "", value: 99.5, unit: "mA" });
    expect(parseComplement("500pulse")).toEqual({ word: "", value: 500, unit: "pulse" });
    expect(parseComplement("open")).toEqual({ word: "open", value: null, unit: "" });
    expect(() => parseReply("nonsense")).toThrow(/object\/verb\/subject\/complement\/status/);
    expect(() => parseReply("a/b/c/d/e")).toThrow(/status/);
  });
});

describe("the MADOCA driver", () => {
  it("speaks the messages of the table", async () => {
    const { server, driver } = await open();
    await driver.move(axis, -1500);
    await driver.stop(axis);
    await driver.preset(axis, 7);
    await driver.setSpeed(axis, 1_200_000);
    await driver.setShutter("bl3_lh1_shutter1", true);
    expect(await driver.read(axis)).toEqual({ device: axis, state: "ready", value: 7, why: "" });
    expect(server.requests).toEqual([
      `put/${object}/-1500pulse`,
      `put/${object}/stop`,
      `put/${object}_preset/7pulse`,
      `put/${object}_speed/1200000pps`,
      "put/bl_3_lh1_shutter1/on",
      `get/${object}/query`,
    ]);
  });

  it("tells locked, failed and moving devices apart, and what it does not understand", async () => {
    const { server, driver } = await open();
    const states: [string, object][] = [
      ["locked_44pulse/0", { state: "locked", value: 44, why: "MADOCA says locked_44pulse" }],
      ["locked/0", { state: "locked", value: "unknown" }],
      ["fail/-1", { state: "fault", why: "the answer was fail, status -1" }],
      ["moving_5pulse/0", { state: "moving", value: 5 }],
      ["active_5pulse/0", { state: "moving", value: 5 }],
      ["500pulse/0", { state: "ready", value: 500 }],
    ];
    for (const [answer, expected] of states) {
      server.scripted.set(object, answer);
      expect(await driver.read(axis), answer).toMatchObject(expected);
    }
    for (const answer of ["inactive/0", "inactive_1.5mm/0"]) {
      server.scripted.set(object, answer);
      await expect(driver.read(axis), answer).rejects.toMatchObject({ code: "DEVICE_FAULT" });
    }
    const refusals: [string, string][] = [
      ["locked/-1", "INTERLOCK"],
      ["busy/-1", "DEVICE_BUSY"],
      ["fail/-1", "DEVICE_FAULT"],
      ["ok/1", "DEVICE_FAULT"],
    ];
    for (const [answer, code] of refusals) {
      server.scripted.set(object, answer);
      await expect(driver.move(axis, 1), answer).rejects.toMatchObject({ code });
    }
  });

  it("reads a setting whose value is a word, and one that is on its way to it", async () => {
    const { server, port } = await open();
    const selector = {
      kind: "setting" as const,
      role: "selector" as const,
      name: "bl3_selector1",
      syncdb: null,
      meaning: "",
      unit: "",
      allowed: ["off", "single", 1, 2],
    };
    const devices = [{ object: "bl_3_selector1", info: selector, words: "on-off" as const }];
    const driver = madocaDriver({ bl: 3, madoca: { host: "127.0.0.1", port, devices } });
    closers.push(() => driver.close());
    const readings: [string, object][] = [
      ["inactive_off/0", { state: "ready", value: "off" }],
      ["single/0", { state: "ready", value: "single" }],
      ["off/0", { state: "ready", value: "off" }],
      ["inactive_2/0", { state: "ready", value: 2 }],
      ["2/0", { state: "ready", value: 2 }],
      ["moving_off/0", { state: "moving", value: "off" }],
      ["active/0", { state: "moving", value: "active" }],
      ["locked_single/0", { state: "locked", value: "single", why: "MADOCA says locked_single" }],
      ["fail/-1", { state: "fault", value: "fail" }],
    ];
    for (const [answer, expected] of readings) {
      server.scripted.set("bl_3_selector1", answer);
      expect(await driver.read("bl3_selector1"), answer).toMatchObject(expected);
    }
  });

  it("answers each of many questions at once with its own answer, in pieces and without line breaks", async () => {
    const { driver } = await open({ newline: false, piece: 5 }, 10_000);
    for (const [i, name] of ["bl3_st2_pm001", "bl3_st2_pm002", "bl3_st2_pm004"].entries())
      await driver.preset(name, 100 + i);
    const names = Array.from(
      { length: 12 },
      (_, i) => ["bl3_st2_pm001", "bl3_st2_pm002", "bl3_st2_pm004"][i % 3] ?? "",
    );
    const readings = await Promise.all(names.map((name) => driver.read(name)));
    expect(readings.map(({ device, value }) => [device, value])).toEqual(names.map((name, i) => [name, 100 + (i % 3)]));
  });

  it("never sends what waited too long, and keeps no stop waiting", async () => {
    const { server, driver } = await open({}, 1500);
    server.scripted.set(`get/${object}/query`, "silence");
    const reading = driver.read(axis).catch((error: unknown) => error);
    const moving = driver.move(axis, 5).catch((error: unknown) => error);
    await driver.stop(axis);
    expect(server.requests).toContain(`put/${object}/stop`);
    expect(await reading).toMatchObject({ code: "TIMEOUT" });
    expect(await moving).toMatchObject({ code: "TIMEOUT" });
    expect(server.requests.filter((request) => request.startsWith("put") && !request.endsWith("stop"))).toEqual([]);
    server.scripted.clear();
    expect(await driver.read(axis)).toMatchObject({ state: "ready" });
  });

  it("comes back after the server was away; a get is asked again, a put is not", async () => {
    const { server, driver, toy } = await open({}, 5000);
    await driver.read(axis);
    server.scripted.set(`put/${object}/5pulse`, "hang up");
    await expect(driver.move(axis, 5)).rejects.toMatchObject({ code: "UNREACHABLE" });
    expect(server.requests.filter((request) => request.includes("5pulse"))).toHaveLength(1);
    expect(await driver.read(axis)).toMatchObject({ value: 0 });
    server.hangUp();
    expect(await driver.read(axis)).toMatchObject({ value: 0 });
    expect(toy.moves(axis)).toBe(0);
  });

  it("does not trust an answer to another question, nor one without end", async () => {
    const { server, driver } = await open({}, 1500);
    server.scripted.set(object, `x/0\n`.padStart(9000, "y"));
    await expect(driver.read(axis)).rejects.toMatchObject({ code: "BAD_MESSAGE" });
    server.scripted.set(object, "nonsense");
    await expect(driver.read(axis)).rejects.toMatchObject({ code: expect.stringMatching(/BAD_MESSAGE|TIMEOUT/) });
    server.scripted.clear();
    expect(await driver.read(axis)).toMatchObject({ state: "ready" });
  });

  it("says so when there is no server", async () => {
    const driver = madocaDriver({
      bl: 3,
      madoca: {
        host: "127.0.0.1",
        port: 1,
        devices: toyDevices.map((info) => ({ object: objectOf(info.name), info, words: "on-off" as const })),
      },
    });
    await expect(driver.read(axis)).rejects.toMatchObject({ code: "UNREACHABLE" });
    await driver.close();
  });
});
