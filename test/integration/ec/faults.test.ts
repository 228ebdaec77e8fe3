import { readFileSync, writeFileSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { sleep } from "../../../src/core/async.ts";
import { isSaclaError } from "../../../src/core/errors.ts";
import { type Control, defineExperiment, Ec, withControl } from "../../../src/ec/index.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { tinySource } from "../../support/tiny-source.ts";
import { ToyDriver, type ToyFault } from "../../support/toy-driver.ts";

const definition = {
  name: "faults",
  bl: 3,
  axes: {
    delay: { device: "bl3_st2_pm001", unit: "ps", pulsesPerUnit: 150, limits: [-300, 300] },
    sample_x: { device: "bl3_st2_pm002", unit: "mm", pulsesPerUnit: 1000, limits: "unlimited" },
    unset: { device: "bl3_st2_pm003", unit: "mm", pulsesPerUnit: 1000, limits: "unlimited" },
  },
  shutters: { pump: { device: "bl3_lh1_shutter1" } },
  settings: { gain: { device: "bl3_st2_pd1_gain" } },
} as const;
const experiment = defineExperiment(definition);
type Experiment = Control<typeof definition>;

const delay = "bl3_st2_pm001";
const sampleX = "bl3_st2_pm002";
const pump = "bl3_lh1_shutter1";
const gain = "bl3_st2_pd1_gain";

/** One call under one fault, what must come of it, and the words of the reason. */
interface Case {
  readonly fault: string;
  readonly call: string;
  readonly device: string;
  readonly toy?: ToyFault;
  /** Comes while the call is under way. */
  readonly midway?: boolean;
  readonly work: (control: Experiment) => Promise<unknown>;
  readonly code: string;
  readonly says: string;
  readonly after: string;
  readonly isSafe: (toy: ToyDriver) => boolean;
}

const isStopped = (toy: ToyDriver): boolean => !toy.isMoving(delay) && !toy.isMoving(sampleX);
const neverMoved = (toy: ToyDriver): boolean => !toy.calls.some((call) => call.startsWith("move"));
const move = { call: "move", device: delay, work: (control: Experiment) => control.axis("delay").moveTo(200) };
const both = {
  call: "composite move",
  device: sampleX,
  work: async (control: Experiment) => (await control.plan({ delay: 200, sample_x: 30 })).go(),
};
const open = {
  call: "open shutter",
  device: pump,
  work: (control: Experiment) => control.shutter("pump").open(),
  isSafe: (toy: ToyDriver) => !toy.isOpen(pump),
};
const set = {
  call: "set",
  device: gain,
  work: (control: Experiment) => control.setting("gain").set(2),
  isSafe: () => true,
};
const start = {
  call: "start run",
  device: "run",
  work: (control: Experiment) => control.startRun({ comment: "", detectors: [], shots: 0 }),
  isSafe: () => true,
};

const stopped = { after: "stopped", isSafe: isStopped };
const unmoved = { after: "nothing moved", isSafe: neverMoved };
const cases: readonly Case[] = [
  { fault: "stuck", toy: "stuck", ...move, code: "DEVICE_FAULT", says: "is stuck: it has not moved for", ...stopped },
  { fault: "slip", toy: "slip", ...move, code: "DEVICE_FAULT", says: "stopped short or slipped", ...stopped },
  { fault: "late", toy: "late", ...move, code: "DEVICE_FAULT", says: "came too late", ...stopped },
  { fault: "refused", toy: "refused", ...move, code: "DEVICE_BUSY", says: "used by another program", ...stopped },
  {
    fault: "limit",
    ...move,
    work: (control) => control.axis("delay").moveTo(301),
    code: "LIMIT",
    says: "its limits are -300 to 300 ps",
    ...unmoved,
  },
  {
    fault: "hard limit",
    ...move,
    work: (control) => control.axis("sample_x").moveTo(101),
    code: "LIMIT",
    says: "its limits are -100000 to 100000 pulses",
    ...unmoved,
  },
  {
    fault: "limits 0,0",
    ...move,
    work: (control) => control.axis("unset").moveTo(1),
    code: "LIMIT",
    says: 'an axis without limits says "unlimited"',
    ...unmoved,
  },
  { fault: "interlock", toy: "locked", ...move, code: "INTERLOCK", says: "hutch door open", ...unmoved },
  {
    fault: "interlock on the way",
    toy: "locked",
    midway: true,
    ...move,
    code: "INTERLOCK",
    says: "was locked on its way",
    ...stopped,
  },
  { fault: "fault", toy: "fault", ...move, code: "DEVICE_FAULT", says: "driver overheated", ...unmoved },
  {
    fault: "fault on the way",
    toy: "fault",
    midway: true,
    ...move,
    code: "DEVICE_FAULT",
    says: "driver overheated",
    ...stopped,
  },
  { fault: "no answer", toy: "hang", ...move, code: "DEVICE_FAULT", says: "gave no answer within", ...stopped },
  { fault: "disconnect", toy: "disconnect", ...move, code: "DEVICE_FAULT", says: "ECONNRESET", ...unmoved },
  {
    fault: "disconnect on the way",
    toy: "disconnect",
    midway: true,
    ...move,
    code: "DEVICE_FAULT",
    says: "could not be stopped",
    after: "stopped when the connection is back",
    isSafe: isStopped,
  },
  {
    fault: "beam trip",
    ...move,
    work: async (control) => await refuseWithout(control),
    code: "none",
    says: "klystron trip",
    ...unmoved,
  },
  {
    fault: "stuck",
    toy: "stuck",
    ...both,
    code: "DEVICE_FAULT",
    says: "The other axes were stopped: delay at",
    ...stopped,
  },
  { fault: "slip", toy: "slip", ...both, code: "DEVICE_FAULT", says: "stopped short or slipped", ...stopped },
  {
    fault: "limit",
    ...both,
    work: async (control) => (await control.plan({ delay: 1, sample_x: 101 })).go(),
    code: "LIMIT",
    says: "Nothing was moved. sample_x: its limits are",
    ...unmoved,
  },
  {
    fault: "interlock",
    toy: "locked",
    ...both,
    code: "INTERLOCK",
    says: "Nothing was moved. sample_x: it is locked: hutch door open",
    ...unmoved,
  },
  {
    fault: "disconnect on the way",
    toy: "disconnect",
    midway: true,
    ...both,
    code: "DEVICE_FAULT",
    says: "ECONNRESET",
    after: "stopped when the connection is back",
    isSafe: isStopped,
  },
  {
    fault: "stuck",
    toy: "stuck",
    ...open,
    code: "DEVICE_FAULT",
    says: 'is stuck: it was asked for "open"',
    after: "closed",
  },
  { fault: "refused", toy: "refused", ...open, code: "DEVICE_BUSY", says: "used by another program", after: "closed" },
  { fault: "interlock", toy: "locked", ...open, code: "INTERLOCK", says: "hutch door open", after: "closed" },
  { fault: "no answer", toy: "hang", ...open, code: "DEVICE_FAULT", says: "was closed to be safe", after: "closed" },
  { fault: "disconnect", toy: "disconnect", ...open, code: "DEVICE_FAULT", says: "ECONNRESET", after: "closed" },
  {
    fault: "stuck",
    toy: "stuck",
    ...set,
    code: "DEVICE_FAULT",
    says: "is stuck: it was asked for 2 but is 0",
    after: "as it was",
  },
  {
    fault: "refused",
    toy: "refused",
    ...set,
    code: "DEVICE_BUSY",
    says: "used by another program",
    after: "as it was",
  },
  {
    fault: "limit",
    ...set,
    work: (control) => control.setting("gain").set(9),
    code: "LIMIT",
    says: "it takes 0, 1, 2, 3",
    after: "as it was",
  },
  { fault: "interlock", toy: "locked", ...set, code: "INTERLOCK", says: "hutch door open", after: "as it was" },
  { fault: "no answer", toy: "hang", ...set, code: "DEVICE_FAULT", says: "gave no answer within", after: "as it was" },
  { fault: "disconnect", toy: "disconnect", ...set, code: "DEVICE_FAULT", says: "ECONNRESET", after: "as it was" },
  {
    fault: "refused",
    toy: "refused",
    ...start,
    code: "DEVICE_BUSY",
    says: "used by another program",
    after: "not started",
  },
  { fault: "no answer", toy: "hang", ...start, code: "DEVICE_FAULT", says: "was paused to be safe", after: "paused" },
  { fault: "disconnect", toy: "disconnect", ...start, code: "DEVICE_FAULT", says: "ECONNRESET", after: "paused" },
];

async function refuseWithout(control: Experiment): Promise<void> {
  const { on, why } = await control.beam();
  if (!on) throw new Error(why);
}

async function run(one: Case): Promise<string> {
  const toy = new ToyDriver();
  toy.beamOn = one.fault !== "beam trip";
  const endpoint = inProcess(withControl(endpointOf(tinySource()), toy, { driverTimeoutMs: 250 }));
  const control = await new Ec(endpoint).control(3, {
    name: "test",
    reason: one.fault,
    experiment,
    pollMs: 10,
    marginMs: 500,
  });
  if (one.toy !== undefined && one.midway !== true) toy.faults.set(one.device, one.toy);
  const started = performance.now();
  const error: unknown = await within(10_000, async () => {
    const end = one.work(control).then(
      () => undefined,
      (failure: unknown) => failure,
    );
    if (one.midway === true) {
      while (!toy.isMoving(one.device)) await sleep(1);
      if (one.toy !== undefined) toy.faults.set(one.device, one.toy);
    }
    return await end;
  });
  const ms = performance.now() - started;
  expect(ms).toBeLessThan(10_000);
  const code = isSaclaError(error) ? error.code : "none";
  expect(error instanceof Error ? error.message : String(error)).toContain(one.says);
  expect(code).toBe(one.code);
  if (one.toy === "disconnect" || one.toy === "hang") {
    toy.faults.clear();
    toy.letGo();
  }
  while (!one.isSafe(toy)) await sleep(5);
  await control.release();
  await endpoint.close();
  const shown = code === "none" ? "no error: `beam()` is off" : `\`${code}\``;
  return `| ${one.call} | ${one.fault} | ${shown} | … ${one.says} … | ${one.after} |`;
}

async function within<T>(ms: number, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await Promise.race([
      work(),
      new Promise<never>((_, reject) => (timer = setTimeout(() => reject(new Error("not bounded")), ms))),
    ]);
  } finally {
    clearTimeout(timer);
  }
}

describe("every device call under every fault", () => {
  const rows: string[] = [];
  // Time passes by itself, and none of it while something is computed or this process is halted: on a slow computer the
  // same happens at the same moments.
  let isOver = false;
  beforeAll(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"] });
    const pass = async (): Promise<void> => {
      for (; !isOver; await setImmediate()) await vi.advanceTimersByTimeAsync(2);
    };
    void pass();
  });
  afterAll(() => {
    isOver = true;
    vi.useRealTimers();
  });

  for (const [i, one] of cases.entries()) {
    it.concurrent(`${one.call}, ${one.fault}: ${one.code}`, async () => {
      rows[i] = await run(one);
    });
  }

  it("is what docs/control.md says (made with SACLA_UPDATE_DOCS=1)", () => {
    const path = new URL("../../../docs/control.md", import.meta.url);
    const page = readFileSync(path, "utf8");
    const table = ["| call | fault | error | it says | afterwards |", "| --- | --- | --- | --- | --- |", ...rows].join(
      "\n",
    );
    const made = page.replace(
      /(<!-- faults -->\n)[\s\S]*(\n<!-- \/faults -->)/,
      (_, before: string, after: string) => `${before}\n${table}\n${after}`,
    );
    if (process.env["SACLA_UPDATE_DOCS"] !== undefined) writeFileSync(path, made);
    expect(rows).toHaveLength(cases.length);
    expect(page.includes(table) || process.env["SACLA_UPDATE_DOCS"] !== undefined).toBe(true);
  });
});
