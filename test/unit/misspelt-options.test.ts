import { describe, expect, it } from "vitest";
import { connect, type Facility } from "../../src/connect.ts";
import { madocaDriver } from "../../src/ec/index.ts";
import * as scans from "../../src/scan/index.ts";
import { httpApp } from "../../src/server/http-app.ts";
import { Limits } from "../../src/server/limits.ts";
import { serve } from "../../src/server/serve.ts";
import { Service } from "../../src/server/service.ts";

/** Options as a plain script has them, which no compiler checks. */
type Loose = (...args: readonly unknown[]) => unknown;
const loose = (of: unknown): Loose => of as Loose;

const point = { shots: 1 };
const step = { from: 0, to: 1, points: 2 };
const devices = { axes: { x: { limits: "unlimited", speed: 1 } } };
const plan = scans.scan({ axis: "x", ...step, ...point });

/** What refuses a misspelt option at once, given options with one: by the name of what is called and of the option. */
const sync: readonly (readonly [what: string, key: string, given: object, call: (options: object) => unknown])[] = [
  ["count", "shuter", point, loose(scans.count)],
  ["scan", "shuter", { axis: "x", ...step, ...point }, loose(scans.scan)],
  ["scanRelative", "shuter", { axis: "x", ...step, ...point }, loose(scans.scanRelative)],
  ["scanList", "positons", { axis: "x", positions: [1], ...point }, loose(scans.scanList)],
  ["scanLog", "shuter", { axis: "x", ...step, from: 0.1, ...point }, loose(scans.scanLog)],
  ["scanRegions", "setleSeconds", { axis: "x", regions: [], ...point }, loose(scans.scanRegions)],
  ["scanPoints", "shuter", { points: [{ x: 1 }], ...point }, loose(scans.scanPoints)],
  ["grid", "snak", { axes: [{ axis: "x", ...step }], ...point }, loose(scans.grid)],
  [
    "raster",
    "pich",
    { x: "x", y: "y", columns: 2, rows: 2, pitch: 1, corner: { x: 0, y: 0 }, ...point },
    loose(scans.raster),
  ],
  [
    "adaptiveScan",
    "leestStep",
    { axis: "x", from: 0, to: 1, signalName: "s", change: 1, leastStep: 0.1, greatestStep: 1, ...point },
    loose(scans.adaptiveScan),
  ],
  ["rockingCurve", "shap", { axis: "x", signalName: "s", ...step, ...point }, loose(scans.rockingCurve)],
  ["goToPeak", "normalizeBy", { axis: "x", signalName: "s", ...step, ...point }, loose(scans.goToPeak)],
  ["alignCentroid", "round", {}, (options) => loose(scans.alignCentroid)([], options)],
  ["flyScan", "shuter", { axis: "x", from: 0, to: 1, shots: 10 }, loose(scans.flyScan)],
  ["shots", "sigals", { count: 1 }, (shots) => scans.count({ shots } as never)],
  ["budget", "second", {}, (budget) => scans.count({ shots: { count: 1, budget } } as never)],
  [
    "condition",
    "betwen",
    { signalName: "s", equals: 1 },
    (one) => scans.count({ shots: { count: 1, conditions: [one] } } as never),
  ],
  [
    "freshSpots",
    "befor",
    { map: "chip", shutter: "main" },
    (freshSpots) => scans.count({ shots: 1, freshSpots } as never),
  ],
  ["plan", "adaptiv", {}, (options) => loose(scans.plan)("p", {}, function* () {}, options)],
  ["Engine", "jurnal", {}, (options) => new scans.Engine(scans.virtualBeamline(devices as never), options)],
  ["dryRun", "trys", { devices }, (options) => loose(scans.dryRun)(plan, options)],
  ["virtual devices", "ratHz", devices, loose(scans.virtualBeamline)],
  ["virtualBeamline", "falt", {}, (options) => loose(scans.virtualBeamline)(devices, options)],
  ["DocumentStream", "unit", {}, (options) => new scans.DocumentStream(() => {}, options)],
  ["Limits", "opn", {}, (options) => new Limits(options)],
  ["Service", "audt", {}, (options) => new Service({} as never, options)],
  ["httpApp", "pongms", {}, (options) => httpApp({} as never, options)],
  ["madocaDriver", "timeoutMS", { bl: 3, madoca: {} }, loose(madocaDriver)],
];

/** The same of what answers later. */
const late: readonly (readonly [what: string, key: string, call: (facility: Facility, options: object) => unknown])[] =
  [
    ["connect", "tokn", (_, options) => connect("sim:", options)],
    ["serve", "htp", ({ endpoint }, options) => serve(endpoint, options)],
    ["serveHttp", "hots", ({ endpoint }, http) => serve(endpoint, { http: { port: 0, ...http } })],
    ["retry", "atempts", (_, retry) => connect("sim:", { retry })],
    ["ec.view", "experimnt", ({ ec }, options) => ec.view(3, options)],
    ["estimate", "rateHZ", async ({ ec }, options) => await scans.estimate(plan, await ec.view(3), options)],
    [
      "moveTo",
      "timeotMs",
      async ({ ec }, options) => {
        await using control = await ec.control(3, { name: "test", reason: "options" });
        await control.axis("bl3_st2_pm001").moveTo(1, options);
      },
    ],
    ["call", "timeoutms", ({ ec }, options) => ec.devices(3, options)],
    ["call", "sinal", ({ db }, options) => db.readRunnumberNewest(3, options)],
    ["call", "timeotMs", ({ db }, options) => db.run(3, -1, options)],
    ["call", "timeotMs", ({ st }, options) => st.detectorInfo(3, 206178, "MPCCD-8B0-2-008-1", options)],
    ["call", "timeotMs", ({ live }, options) => live.readDetidlist(3, options)],
    [
      "runs",
      "folow",
      ({ db }, options) =>
        db
          .runs({ bl: 3, ...options })
          [Symbol.asyncIterator]()
          .next(),
    ],
    ["detectors", "sinal", async ({ db }, options) => await (await db.run(3, 206178)).detectors(options)],
  ];

const refusal = (what: string, key: string): object =>
  expect.objectContaining({
    code: "BAD_ARGUMENT",
    message: expect.stringMatching(`${what}.* has no option "${key}"\\. (Did you mean \\w+\\? )?Its options are .`),
  });

describe("a misspelt option is an error, not a silent default", () => {
  it.each(sync)("%s (%s)", (what, key, given, call) => {
    if (what !== "condition") expect(() => call({ ...given, [key]: undefined })).toThrow(refusal(what, key));
    expect(() => call({ ...given, [key]: 1 })).toThrow(refusal(what, key));
  });

  it.each(late)("%s (%s)", async (what, key, call) => {
    await using facility = await connect("sim:?clock=virtual");
    await expect((async () => await call(facility, { [key]: 1 }))()).rejects.toThrow(refusal(what, key));
  });
});
