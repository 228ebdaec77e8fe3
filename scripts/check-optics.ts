/**
 * The procedures for split-delay optics and the monochromator on simulated facilities that hide their truth: `npm run
 * check:optics -- SEED COUNT [KINDS …]`. Prints a row for each number of docs/accuracy.md. Exit code 1 when a bar is
 * missed or errors do not hold the truth.
 */
import { fileURLToPath } from "node:url";
import { Experiment } from "../src/ec/index.ts";
import {
  createSimulatedFacility,
  type FacilityTruth,
  RehearsalClock,
  simulatedEndpoint,
} from "../src/facility/index.ts";
import { Facility } from "../src/index.ts";
import { ChannelCut, SplitDelay } from "../src/optics/index.ts";
import { offsetsAt } from "../src/optics/split-delay-correction.ts";
import {
  alignSplitDelay,
  type Beamline,
  controlBeamline,
  Engine,
  edgeScan,
  energyAxis,
  findZeroDelay,
  learnSplitDelay,
  move,
  plan,
  rock,
  set,
} from "../src/scan/index.ts";
import { inProcess } from "../src/transport/index.ts";

const experiment = await Experiment.load(new URL("../examples/optics.json", import.meta.url).pathname);
const { splitDelay } = experiment.optics;
if (splitDelay === undefined) throw new Error("the example experiment has no split-delay optics");
const { monitors, visibility, correlation, position, correction: _, ...definition } = splitDelay;
if (visibility === undefined || correlation === undefined || position === undefined)
  throw new Error("the example experiment does not name the signals of the alignment");
const alignment = { monitors, visibility, correlation, position };
const optics = new SplitDelay(definition);
const learntAt = "2026-11-29T12:00:00+09:00";
const signals = [
  ...new Set(Object.values(monitors).flatMap(({ signalName, normaliseBy }) => [signalName, normaliseBy])),
];
const DEG_PER_PULSE = 4e-6;
/** Errors of rocking curves are too small, as docs/accuracy.md says: the row tells them, and is judged by its bar. */
const CRYSTAL = "crystal, after rocking curves";

/** A number that was found: how far it is from the truth, with its error; NaN where it has none. */
export interface Found {
  readonly what: string;
  readonly unit: string;
  readonly off: number;
  readonly error: number;
  /** The most it may be off; Infinity: it is judged by its error alone. */
  readonly bar: number;
}

interface Bench {
  readonly beamline: Beamline;
  readonly truth: FacilityTruth;
}

/** What is tried, on the facility of a seed. */
export const opticsTrials: Readonly<Record<string, (seed: number) => Promise<readonly Found[]>>> = {
  "split-delay": async (seed) => await atFacility(seed, splitDelayOf),
  monochromator: async (seed) => await atFacility(seed, monochromatorOf),
};

async function atFacility<R>(seed: number, work: (bench: Bench) => Promise<R>): Promise<R> {
  const simulated = createSimulatedFacility({ seed, clock: new RehearsalClock() });
  await using facility = new Facility(inProcess(simulatedEndpoint(simulated)));
  await using control = await facility.ec.control(3, {
    name: "check",
    reason: "optics",
    experiment,
    pollMs: 2,
    // A busy computer may keep it waiting for longer than the usual lease.
    ttlMs: 600_000,
  });
  const beamline = controlBeamline(facility, control, { experiment, monitor: "i0", pollMs: 2 });
  return await work({ beamline, truth: simulated.truth });
}

/** What the delay really is, from where everything stands. */
async function trueDelayPs({ beamline, truth }: Bench): Promise<number> {
  const hidden = truth.device(3, "split-delay");
  const at = await beamline.where(optics.axisNames);
  const zero = ((hidden["bsZero"] ?? NaN) * DEG_PER_PULSE * Math.PI) / 180;
  const theta = ((at["sdo_bs"] ?? NaN) * Math.PI) / 180 - zero;
  const gaps = (at["sdo_br1_gap"] ?? NaN) + (at["sdo_br2_gap"] ?? NaN);
  return (2 * Math.sin(theta) * (gaps - 10 - 2 * (hidden["gapZeroMm"] ?? NaN))) / 0.299792458;
}

/** What the alignment leaves: truth of photon energy, place and delay of one branch against the other. */
async function alignedOf(bench: Bench, engine: Engine): Promise<{ aligned: SplitDelay; found: Found[] }> {
  const { beamline, truth } = bench;
  const options = { optics, photonEnergyEv: 10_000, ...alignment, shots: 10, shutter: "xrays", learntAt };
  const { result } = await engine.run(alignSplitDelay(options));
  if (result?.isDone !== true) throw new Error(`not aligned: ${JSON.stringify(result?.steps)}`);
  const hidden = truth.device(3, "split-delay");
  const at = await beamline.where(optics.axisNames);
  const gaps = [at["sdo_br1_gap"] ?? NaN, at["sdo_br2_gap"] ?? NaN] as const;
  // What each crystal really is off, µrad, and how far the delay branch is beside the other, µm: as in the simulator.
  const real = (name: string, i?: 0 | 1): number => {
    const deg = (at[`sdo_${name}`] ?? NaN) - (hidden[`${name}Zero`] ?? NaN) * DEG_PER_PULSE;
    const tilt = i === undefined ? 0 : (hidden[`${name}TiltUradPerMm`] ?? NaN) * (gaps[i] - 5);
    return deg * (Math.PI / 180) * 1e6 + tilt;
  };
  const [bs, br1, br2, bm, cc1, cc2] = [
    real("bs"),
    real("br1", 0),
    real("br2", 1),
    real("bm"),
    real("cc1"),
    real("cc2"),
  ];
  const beside =
    2000 * Math.cos(bs * 1e-6) * (gaps[0] - gaps[1] - (hidden["gapDifferenceMm"] ?? NaN)) + 2 * (bs - br1 - br2 + bm);
  // What stayed is as far off as was found; what moved stands at a whole pulse.
  const judged = (name: string, unit: string, off: number, bar: number, pulse: number, sign: 1 | -1): Found => {
    const step = result.steps.find((each) => each.step.startsWith(name));
    const scale = unit === "fs" ? 1000 : 1;
    const stayed = step?.outcome === "stayed" ? sign * scale * step.found : 0;
    const error = Math.hypot(scale * (step?.error ?? NaN), pulse / Math.sqrt(12));
    return { what: `alignment: ${name}`, unit, off: off - stayed, error, bar };
  };
  const energies = (cc1 + cc2) / 2 - (bs + br1 + br2 + bm) / 4;
  const aligned = optics.with(result.correction);
  // Where the last step moved nothing, what it found tells of the place itself.
  const knownPs = result.steps.at(-1)?.outcome === "moved" ? aligned.knobs(at).delayPs : 0;
  const found = [
    judged("sdo_cc1 and sdo_cc2 together", "µrad", energies, 4, 0.07, -1),
    judged("place of the delay branch", "µm", beside, 15, 0.27, 1),
    judged("delay 0 by visibility", "fs", 1000 * ((await trueDelayPs(bench)) - knownPs), 1, 0, -1),
  ];
  return { aligned, found };
}

async function splitDelayOf(bench: Bench): Promise<readonly Found[]> {
  const { beamline, truth } = bench;
  const engine = new Engine(beamline);
  await engine.run(plan("in", {}, () => move({ sdo_height: 5 })));
  const { aligned, found } = await alignedOf(bench, engine);
  const learn = learnSplitDelay({
    optics: aligned,
    photonEnergyEv: 10_000,
    delaysPs: [-1, 5],
    monitors,
    points: 27,
    halfUrad: 120,
    shots: { count: 8, signals },
    shutter: "xrays",
    learntAt,
  });
  const { result: correction } = await engine.run(learn);
  if (correction === undefined) throw new Error("the rocking curves were stopped");
  const learnt = optics.with(correction);
  const hidden = truth.device(3, "split-delay");
  const degOf = (urad: number): number => (urad * 1e-6 * 180) / Math.PI;
  for (const delayPs of [-0.5, 4]) {
    const gap = optics.gapMm({ delayPs, photonEnergyEv: 10_000 });
    const plain = optics.positions({ delayPs, photonEnergyEv: 10_000 });
    const positions = learnt.positions({ delayPs, photonEnergyEv: 10_000 });
    for (const name of ["br1", "br2"]) {
      // Parallel to the splitter, as it stands with its own zero.
      const tilt = degOf((hidden[`${name}TiltUradPerMm`] ?? NaN) * (gap - 5));
      const wanted = ((hidden[`${name}Zero`] ?? NaN) - (hidden["bsZero"] ?? NaN)) * DEG_PER_PULSE - tilt;
      const off = (positions[`sdo_${name}`] ?? NaN) - (plain[`sdo_${name}`] ?? NaN) - wanted;
      const { error = NaN } = offsetsAt(correction, gap)[`sdo_${name}`] ?? {};
      found.push({ what: CRYSTAL, unit: "µrad", off: off / degOf(1), error: error / degOf(1), bar: 4 });
    }
  }
  const zeroBy = async (by: string, signalName: string, half: number, bar: number) => {
    const zero = findZeroDelay({
      optics: learnt,
      photonEnergyEv: 10_000,
      from: -half,
      to: half,
      points: 41,
      signalName,
      shots: { count: 10, signals: [signalName] },
      shutter: "xrays",
      learntAt,
    });
    const { result } = await engine.run(zero);
    if (result === undefined) throw new Error("the scan was stopped");
    // What was found is the zero; 0.1 µm of both gaps is 0.43 fs, so the optics stand as near to it as pulses allow.
    const standsAt = 1000 * (await trueDelayPs(bench));
    found.push(
      {
        what: `delay 0 by ${by}`,
        unit: "fs",
        off: standsAt - 1000 * result.standsAtPs,
        error: 1000 * result.fit.centreError,
        bar,
      },
      { what: `where it stands, by ${by}`, unit: "fs", off: standsAt, error: NaN, bar },
    );
    return result;
  };
  await zeroBy("cross-correlation", "correlation", 0.15, 5);
  const fine = await zeroBy("interference", "visibility", 0.05, 1);
  const all = optics.with(fine.correction);
  for (const photonEnergyEv of [5000, 15_000]) {
    await engine.run(plan("go", {}, () => move(all.positions({ delayPs: 1, photonEnergyEv }))));
    const off = 1000 * ((await trueDelayPs(bench)) - 1);
    found.push({ what: `1 ps held at ${photonEnergyEv / 1000} keV`, unit: "fs", off, error: NaN, bar: 1 });
  }
  const before = await beamline.where(optics.axisNames);
  const beyond = engine.run(plan("go", {}, () => move(optics.positions({ delayPs: 0, photonEnergyEv: 4400 }))));
  const code = await beyond.then(
    () => "",
    (error: unknown) => (error as { code?: string }).code,
  );
  const stayed = JSON.stringify(await beamline.where(optics.axisNames)) === JSON.stringify(before);
  if (code !== "LIMIT" || !stayed) throw new Error("a move beyond the limits was not refused before anything moved");
  return found;
}

async function monochromatorOf({ beamline, truth }: Bench): Promise<readonly Found[]> {
  const engine = new Engine(beamline);
  const crystal = (sign: 1 | -1) => new ChannelCut({ drive: { kind: "direct", degPerPulse: sign * DEG_PER_PULSE } });
  const mono = (name: string, sign: 1 | -1) => ({
    axis: name,
    crystal: crystal(sign),
    toPosition: (pulses: number) => sign * pulses * DEG_PER_PULSE,
    toPulses: (position: number) => (sign * position) / DEG_PER_PULSE,
  });
  const start = crystal(1).pulses(9985) * DEG_PER_PULSE;
  await engine.run(
    plan("in", {}, function* () {
      yield* set("foil_diode_gain", 10);
      yield* set("foil_i0_gain", 10);
      yield* move({ mono_height: 5, mono_1: start, mono_2: start });
    }),
  );
  const aligned = await engine.run(
    rock({
      axis: "mono_2",
      go: "peak",
      from: start - 0.01,
      to: start + 0.01,
      points: 51,
      signalName: "i0_mono",
      normaliseBy: "i0",
      shots: { count: 12, signals: ["i0_mono", "i0"] },
      shutter: "xrays",
    }),
  );
  const { firstZero = NaN, secondZero = NaN } = truth.device(3, "channel-cut");
  const { fit, standsAt = NaN } = aligned.result ?? {};
  const uradOf = (deg: number): number => (deg * 1e6 * Math.PI) / 180;
  const offset = standsAt - start;
  const rocked = {
    what: "second crystal, by its rocking curve",
    unit: "µrad",
    off: uradOf(offset - (secondZero - firstZero) * DEG_PER_PULSE),
    // The stage stands at whole pulses.
    error: Math.hypot(uradOf(fit?.centreError ?? NaN), uradOf(DEG_PER_PULSE) / Math.sqrt(12)),
    bar: Infinity,
  };
  // The second crystal goes with the first, by what was found between them.
  const second = { ...mono("mono_2", -1), toPosition: (pulses: number) => -pulses * DEG_PER_PULSE + offset };
  await engine.run(plan("foil", {}, () => set("foil", "Yb")));
  const edge = await engine.run(
    edgeScan({
      axis: energyAxis([mono("mono_1", 1), second]),
      edgeEv: 9978.2,
      from: 9958,
      to: 9998,
      points: 41,
      signalName: "foil_diode",
      normaliseBy: "foil_i0",
      shots: { count: 30, signals: ["foil_diode", "foil_i0"] },
      shutter: "xrays",
    }),
  );
  const { offEv = NaN, errorEv = NaN } = edge.result ?? {};
  const calibrated = crystal(1).calibrated({
    pulse: crystal(1).pulses(9978.2 + offEv),
    pulseError: errorEv / Math.abs(crystal(1).evPerPulse(9978.2)),
    energyEv: 9978.2,
  });
  const evPerPulse = Math.abs(crystal(1).evPerPulse(9978.2));
  const off = (calibrated.zeroPulse - firstZero) * evPerPulse;
  return [rocked, { what: "energy, by an absorption edge", unit: "eV", off, error: calibrated.errorEv, bar: Infinity }];
}

/** Rows of a table, and whether bars are kept and errors hold the truth. */
export function opticsTable(all: readonly Found[]): { readonly rows: readonly string[]; readonly isGood: boolean } {
  let isGood = true;
  const rows = [...new Set(all.map(({ what }) => what))].map((what) => {
    const some = all.filter((each) => each.what === what);
    const [{ unit, bar } = { unit: "", bar: NaN }] = some;
    const worst = Math.max(...some.map(({ off }) => Math.abs(off)));
    const rms = Math.hypot(...some.map(({ off }) => off)) / Math.sqrt(some.length);
    const kept = some.filter(({ off }) => Math.abs(off) <= bar).length;
    const known = some.filter(({ error }) => Number.isFinite(error));
    const within = (sigmas: number): number => known.filter(({ off, error }) => Math.abs(off) <= sigmas * error).length;
    const holds = what === CRYSTAL || within(4) === known.length;
    if (kept < some.length || !holds) isGood = false;
    const share = (count: number): string => (known.length === 0 ? "" : String(count));
    const cells = [what, unit, some.length, rms.toFixed(2), worst.toFixed(2), share(within(1)), share(within(3))];
    return `| ${[...cells, bar === Infinity ? "" : `${kept} within ${bar}`].join(" | ")} |`;
  });
  return { rows, isGood };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const words = process.argv.slice(2);
  const [seed = 1001, count = 100] = words.slice(0, 2).map(Number);
  const kinds = words.length > 2 ? words.slice(2) : Object.keys(opticsTrials);
  const all: Found[] = [];
  let failed = 0;
  for (let k = seed; k < seed + count; k++)
    for (const kind of kinds) {
      try {
        const trial = opticsTrials[kind];
        if (trial === undefined) throw new Error(`no ${kind}; there are ${Object.keys(opticsTrials).join(", ")}`);
        all.push(...(await trial(k)));
      } catch (error) {
        failed++;
        console.log(`seed ${k}, ${kind}: ${String(error)}`);
      }
    }
  const { rows, isGood } = opticsTable(all);
  console.log("| what | unit | tries | rms off | worst | within 1 σ | within 3 σ | bar |");
  console.log("|---|---|---|---|---|---|---|---|");
  for (const row of rows) console.log(row);
  process.exitCode = isGood && failed === 0 ? 0 : 1;
}
