import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isSaclaError } from "../../src/core/errors.ts";
import type { ControlDriver, DeviceInfo } from "../../src/ec/index.ts";
import { checkAgainst } from "../../src/transport/check.ts";
import { controlMethods } from "../../src/transport/control-methods.ts";
import { WAIT_MS } from "../support/until.ts";

/** A driver under test, with the little that the contract must know of it. */
export interface DriverSubject {
  readonly name: string;
  open(): Promise<{ driver: ControlDriver; close(): Promise<void> }>;
  readonly bl: number;
  /** An axis that may go 1000 pulses up from where it is, at 2000 pulses/s or faster. */
  readonly axis: string;
  readonly shutter: string;
  readonly setting: string;
  /** Two values the setting takes. */
  readonly values: readonly [number | string, number | string];
  /** Whether it controls runs. */
  readonly runs: boolean;
}

/** What every ControlDriver promises, whatever it drives. */
export function controlDriverContract(subject: DriverSubject): void {
  const { bl, axis, shutter, setting, values } = subject;

  describe(`the ControlDriver contract over ${subject.name}`, () => {
    let driver: ControlDriver;
    let close: () => Promise<void>;
    beforeAll(async () => {
      ({ driver, close } = await subject.open());
    });
    afterAll(async () => await close());

    const until = async (what: string, is: () => Promise<boolean>): Promise<void> => {
      for (const end = Date.now() + WAIT_MS; !(await is()); ) {
        if (Date.now() > end) throw new Error(`${what} did not come`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    };
    const atRest = async (device: string): Promise<void> =>
      await until(`rest of ${device}`, async () => (await driver.read(device)).state === "ready");
    const at = async (device: string): Promise<number> => Number((await driver.read(device)).value);
    const infoOf = async (name: string): Promise<DeviceInfo | undefined> =>
      (await driver.devices(bl)).find((device) => device.name === name);

    it("lists devices that follow the method table, each name once", async () => {
      const devices = await driver.devices(bl);
      checkAgainst(controlMethods["ec.devices"].result, devices, "BAD_MESSAGE", "devices");
      const names = devices.map(({ name }) => name);
      expect(new Set(names).size).toBe(names.length);
      expect(names).toEqual(expect.arrayContaining([axis, shutter, setting]));
      for (const name of names)
        checkAgainst(controlMethods["ec.read"].result, await driver.read(name), "BAD_MESSAGE", name);
    });

    it("begins a move at once, tells that it moves, and comes to where it was sent", async () => {
      await atRest(axis);
      const from = await at(axis);
      await driver.move(axis, from + 1000);
      await until(
        "the end of the move",
        async () => (await driver.read(axis)).state === "ready" && (await at(axis)) === from + 1000,
      );
      await driver.move(axis, from);
      await until("the way back", async () => (await driver.read(axis)).state === "ready" && (await at(axis)) === from);
    });

    it("stops on the way and then is at rest where it stopped; stopping an axis at rest is no error", async () => {
      const from = await at(axis);
      await driver.move(axis, from + 1000);
      await driver.stop(axis);
      await atRest(axis);
      const stopped = await at(axis);
      expect(Math.abs(stopped - from)).toBeLessThanOrEqual(1000);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(await at(axis)).toBe(stopped);
      await driver.stop(axis);
      expect(await at(axis)).toBe(stopped);
    });

    it("redefines the present position without moving", async () => {
      const from = await at(axis);
      await driver.preset(axis, from + 7);
      expect(await at(axis)).toBe(from + 7);
      await driver.preset(axis, from);
      expect(await at(axis)).toBe(from);
    });

    it("takes a speed within its limits and tells it", async () => {
      const before = await infoOf(axis);
      if (before?.kind !== "axis") throw new Error("no axis");
      const slow = Math.max(before.speedLimits[0], Math.round(before.speed / 2));
      await driver.setSpeed(axis, slow);
      expect(await infoOf(axis)).toMatchObject({ speed: slow });
      await driver.setSpeed(axis, before.speed);
    });

    it("opens and closes a shutter", async () => {
      await driver.setShutter(shutter, true);
      await until("open", async () => (await driver.read(shutter)).value === "open");
      await driver.setShutter(shutter, false);
      await until(
        "closed",
        async () => (await driver.read(shutter)).value === "closed" && (await driver.read(shutter)).state === "ready",
      );
    });

    it("puts a setting on a value and reads it back", async () => {
      for (const value of values) {
        await driver.set(setting, value);
        await until(
          `${value}`,
          async () => (await driver.read(setting)).state === "ready" && (await driver.read(setting)).value === value,
        );
      }
    });

    it("refuses devices it has not, with a code", async () => {
      for (const work of [
        () => driver.read("bl9_none"),
        () => driver.move("bl9_none", 1),
        () => driver.setShutter("bl9_none", true),
      ]) {
        const error: unknown = await work().then(
          () => null,
          (failure: unknown) => failure,
        );
        expect(isSaclaError(error, "UNKNOWN_DEVICE")).toBe(true);
      }
    });

    it(subject.runs ? "starts, pauses, resumes and stops a run" : "says that it controls no runs", async () => {
      if (!subject.runs) {
        await expect(driver.startRun(bl, { comment: "", detectors: [], shots: 10 })).rejects.toMatchObject({
          code: "UNSUPPORTED",
        });
        return;
      }
      const inState = (state: string) => until(state, async () => (await driver.runState(bl)).state === state);
      await inState("ready");
      const { run } = await driver.startRun(bl, { comment: "contract", detectors: [], shots: 0 });
      await inState("running");
      expect((await driver.runState(bl)).run).toBe(run);
      await driver.pauseRun(bl);
      await inState("paused");
      await driver.resumeRun(bl);
      await inState("running");
      await driver.stopRun(bl);
      await inState("ready");
    });

    it("tells whether there is beam, with a reason when not", async () => {
      const { on, why } = await driver.beam(bl);
      expect(on ? why === "" : why !== "").toBe(true);
    });
  });
}
