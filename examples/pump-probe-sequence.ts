/**
 * The users' experiment of the talk: a SASE FEL pumps a crystal, a monochromatic FEL probes it. Each area of the
 * crystal is aligned and measured with a weak beam, then pumped and probed once with full intensity. Numbers are those
 * of the talk.
 * Run: npx tsx node_modules/sacla/examples/pump-probe-sequence.ts
 */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { connect } from "sacla";
import { defineExperiment } from "sacla/ec";
import { linePlot } from "sacla/plot";
import {
  checkpoint,
  confirm,
  controlBeamline,
  Engine,
  goToPeak,
  gridPositions,
  move,
  once,
  onePulse,
  type PlanSteps,
  plan,
  point,
  type Row,
  request,
  type ShotsTaken,
  set,
  shots,
  spot,
  summary,
  TargetMap,
  withRun,
  withShutterOpen,
} from "sacla/scan";

const experiment = defineExperiment({
  name: "FEL pump, FEL probe",
  bl: 3,
  axes: {
    x: { device: "bl3_st2_pm040", unit: "mm", pulsesPerUnit: 1000, limits: [-5, 5] },
    y: { device: "bl3_st2_pm041", unit: "mm", pulsesPerUnit: 1000, limits: [-5, 5] },
    theta: { device: "bl3_st4_pm036", unit: "deg", pulsesPerUnit: 1e4, limits: [-1, 1] },
  },
  signals: {
    monitor: { id: "xfel_bl_3_st_2_pd_user_1_fitting_peak/voltage" },
    bragg: { id: "xfel_bl_3_st_4_pd_user_3_fitting_peak/voltage" },
  },
  shutters: { xrays: { device: "bl3_shutter1" } },
  settings: {
    probeDelayFs: { device: "bl3_chicane1" },
    pumpFel: { device: "bl3_pump_fel" },
    monitor_gain: { device: "bl3_st2_pd1_gain" },
    bragg_gain: { device: "bl3_st4_pd3_gain" },
    attenuator: { device: "bl3_attenuator1" },
    pulses: { device: "bl3_selector1" },
  },
} as const);

const delaysFs = [0, 30, 60, 120, 200, 300];
const repeats = 2;
const seen = { signalName: "monitor", between: [0.01, 1] } as const;
const looking = { signals: ["bragg", "monitor"], conditions: [seen] } as const;
const good = (count: number) => ({ ...looking, count, budget: { shots: 10 * count + 20 } });

/** Both photodiodes look at the beam behind the attenuator: the less light, the more gain. */
function* gains(gain: number): PlanSteps {
  yield* set("monitor_gain", gain);
  yield* set("bragg_gain", gain);
}

/** A rocking curve from `reach` below to `reach` above, then to its peak. */
const peakNear = (centre: number, reach: number, points: number) =>
  goToPeak({
    axis: "theta",
    from: centre - reach,
    to: centre + reach,
    points,
    signalName: "bragg",
    normaliseBy: "monitor",
    shots: good(5),
    shutter: "xrays",
  });

/** One pulse on the area: it does not survive another one. */
const onePumpedPulse = () =>
  once(onePulse({ ...looking, shutter: "xrays", selector: "pulses", budget: { shots: 30 } }));

/** Reflected over incoming. */
const reflectivity = (taken: ShotsTaken): number => summary(taken, "bragg").mean / summary(taken, "monitor").mean;

function* steps(): PlanSteps {
  yield* gains(10);
  yield* set("attenuator", 400);
  let { centre } = yield* peakNear(0, 0.25, 151).steps(); // Once, to know where about it is.
  for (const delay of delaysFs) {
    yield* request({ probeDelayFs: delay }); // 13: by the operators, verified in the chicane
    for (let repeat = 1; repeat <= repeats; repeat++) {
      yield* checkpoint();
      const area = yield* spot("crystal");
      yield* move(area.at); // 1
      yield* request({ pumpFel: "off" }); // 2: by the operators, verified in the spectrometer
      yield* gains(10); // 3
      yield* set("attenuator", 400); // 4
      ({ centre } = yield* peakNear(centre, 0.015, 21).steps()); // 5, 6
      const reference = yield* withRun({ comment: `reference ${delay} fs` }, withShutterOpen("xrays", shots(good(60)))); // 7
      yield* request({ pumpFel: "on" }); // 8: by the operators
      yield* gains(1); // 9
      yield* set("attenuator", 0); // 10
      const pumped = yield* withRun({ comment: `pumped ${delay} fs` }, onePumpedPulse()); // 11
      yield* set("pulses", 1); // All of them again, for the next rocking curve.
      yield* confirm("crystal", area, pumped.outcome === "done");
      const change = reflectivity(pumped) / reflectivity(reference) - 1;
      yield* point({ delay, repeat, theta: centre, change, ...area.at }, pumped); // With the number of its run.
    } // 12
  } // 14
}

/** Where it goes depends on where the peaks are found. */
const sequence = plan("pump-probe sequence", { delaysFs, repeats }, steps, { adaptive: true });

await mkdir("out", { recursive: true });
await rm("out/crystal.map", { force: true }); // The simulated crystal is new each time.
const axis = (name: string, points: number) => ({ axis: name, from: 0, to: 0.2 * (points - 1), points });
const crystal = TargetMap.create("out/crystal.map", gridPositions([axis("y", 3), axis("x", 6)], true));

await using facility = await connect("sim:?clock=virtual");
await using control = await facility.ec.control(3, {
  name: "pump-probe example",
  reason: "FEL pump, FEL probe",
  experiment,
  pollMs: 2,
});
const beamline = controlBeamline(facility, control, { experiment, monitor: "monitor", pollMs: 2 });

const [delays, changes, runs]: [number[], number[], number[]] = [[], [], []];
const curve = {
  point({ data, taken }: Row): void {
    if (data["change"] === undefined) return; // A point of a rocking curve.
    delays.push(data["delay"] ?? NaN);
    changes.push(100 * data["change"]);
    runs.push(taken?.run ?? NaN);
  },
};
const { shots: account } = await new Engine(beamline, { maps: { crystal }, callbacks: [curve] }).run(sequence);
crystal.close();

await writeFile(
  "out/pump-probe.svg",
  linePlot([{ x: delays, y: changes, style: "points" }], {
    xLabel: "delay of the probe (fs)",
    yLabel: "change of reflectivity (%)",
  }),
);
for (const delay of delaysFs)
  console.log(
    `${delay} fs: ${changes
      .filter((_, i) => delays[i] === delay)
      .map((change) => `${change.toFixed(1)} %`)
      .join(", ")}`,
  );
console.log(
  `the pumped shots are in the runs ${runs.slice(0, 3).join(", ")} … ${runs.at(-1)}; ` +
    `the operators were asked ${(await facility.ec.requests(3, 1000)).length} times`,
);
console.log(`${account.used} of ${account.asked} shots used; left out:`, account.dropped);
console.log("areas of the crystal:", crystal.counts);
