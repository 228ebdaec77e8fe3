import { describe, expect, it } from "vitest";
import { Db } from "../../../src/db/index.ts";
import { correct, darkAverage, histogram, mean, quickLook, reduce } from "../../../src/reduce/index.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { St } from "../../../src/st/index.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { counting } from "../../support/counting.ts";
import { itInFull } from "../../support/full.ts";
import { facility } from "../../support/simulated-shots.ts";
import { of } from "../../unit/reduce/stack.ts";

const endpoint = inProcess(endpointOf(facility));
const [db, st] = [new Db(endpoint), new St(endpoint)];
const [bl, number] = [3, 1_360_991];
const sensor = "MPCCD-2N0-M02-001-1";
const detector = { id: "MPCCD-2N0-M02-001", sensors: [sensor] };
const limit = 6;

describe("quickLook", () => {
  it("asks 13 questions of a stopped run of eight sensors, none twice, and opens two streams", async () => {
    const counted = counting(endpoint);
    const run = await new Db(counted).run(bl, 1_520_000);
    const [octal] = (await run.detectors()).filter(({ sensors }) => sensors.length === 8);
    const look = await quickLook(new St(counted), run, octal ?? detector, { limit: 3 });
    expect([look.sensors.length, look.tags.dark.length, look.tags.exposed.length]).toEqual([8, 3, 3]);
    expect(new Set(counted.asked).size).toBe(counted.asked.length);
    const streams = counted.asked.filter((question) => question.startsWith("st.frames"));
    expect([counted.asked.length - streams.length, streams.length]).toEqual([13, 2]);
  });

  itInFull("gives photons in the same two passes, as dark, common mode, gain and photons in a chain do", async () => {
    const run = await db.run(bl, number);
    const info = await st.detectorInfo(bl, number, sensor);
    const steps = [
      correct.commonMode(),
      correct.gain({ [sensor]: 1.25 }),
      correct.photons({
        detectors: [info],
        spectrometer: "xfel_bl_3_tc_spec_1/energy",
        configuredEv: await run.photonEnergyEv(),
      }),
    ];
    const bins = { from: -1, to: 5, binWidth: 0.02 };
    const passes: string[] = [];
    const onProgress = (step: string): void => void (passes.at(-1) === step || passes.push(step));
    const look = await quickLook(st, run, detector, { corrections: steps, histogram: bins, limit, onProgress });
    expect(passes).toEqual(["dark", "exposed"]);

    const shots = (tags: Iterable<number>) =>
      st.shots({ run, detectors: [sensor], tags, signals: ["xfel_bl_3_tc_spec_1/energy"] });
    const dark = await darkAverage(shots(look.tags.dark));
    const { average, spectrum, ledger } = await reduce(
      shots(look.tags.exposed),
      { average: mean(), spectrum: histogram(bins) },
      { corrections: [correct.dark(dark), ...steps] },
    );
    const [found] = look.sensors;
    expect(found?.correctedMean.data.every((x, i) => Object.is(x, of(average, sensor).data[i]))).toBe(true);
    expect(found?.histogram).toEqual(of(spectrum, sensor));
    expect(look.ledger.notes).toEqual(ledger.notes);
    expect(Object.values(look.ledger.notes ?? {}).reduce((a, b) => a + b, 0)).toBeGreaterThanOrEqual(limit);

    // Without the chain the same pixels are in ADU: a photon is E / (3.65 · absGain) of them.
    const plain = await quickLook(st, run, detector, { limit });
    expect(plain.ledger.notes).toBeUndefined();
    const level = (image: { readonly data: Float64Array } | undefined): number =>
      image?.data.reduce((a, b) => Math.max(a, b)) ?? NaN;
    const perPhoton = (await run.photonEnergyEv()) / 3.65 / (info.absGain ?? NaN);
    expect(level(plain.sensors[0]?.correctedMean) / level(found?.correctedMean) / 1.25 / perPhoton).toBeCloseTo(1, 1);
  });

  it("drops the shots that a correction refuses, with the reason", async () => {
    const run = await db.run(bl, number);
    const signal = "xfel_bl_3_tc_bm_1_pd/charge";
    const charges = (await run.column(signal, await run.exposedTags())).values.slice(0, limit);
    const middle = [...charges].sort((a, b) => a - b)[limit / 2] ?? NaN;
    const { ledger, tags } = await quickLook(st, run, detector, {
      dark: "none",
      corrections: [correct.normalise({ equipId: signal, limits: [middle, 1], reference: middle })],
      limit,
    });
    const dropped = ledger.dropped.find(({ reason }) => reason === "i0-out-of-limits")?.tags.length;
    expect([dropped, tags.exposed.length]).toEqual([limit / 2, limit / 2]);
  });
});
