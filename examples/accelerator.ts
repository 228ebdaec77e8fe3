/**
 * Requests to the operators of the accelerator: asked, answered, carried out, verified by 0-D signals, kept or put back.
 * These operators are hostile: now prompt, now slow, now they offer half of it, decline, or are not there.
 * Run: npx tsx node_modules/sacla/examples/accelerator.ts
 */
import { connect } from "sacla";
import { defineExperiment } from "sacla/ec";
import { controlBeamline, Engine, optimise, plan, point, request, shots } from "sacla/scan";

const experiment = defineExperiment({
  name: "two colours",
  bl: 3,
  signals: { delay: { id: "xfel_mon_bpm_bl3_chicane_1_delay/summary" } },
  settings: { probeDelayFs: { device: "bl3_chicane1" }, pumpFel: { device: "bl3_pump_fel" } },
} as const);

await using facility = await connect("sim:?clock=virtual&operators=hostile&seed=3");
await using control = await facility.ec.control(3, {
  name: "night shift",
  reason: "two colours",
  experiment,
  pollMs: 2,
});

// What would become of it, without asking anybody.
for (const row of await control.previewRequest({ probeDelayFs: 60 }))
  console.log(`${row.name}: ${row.now} → ${row.willBe} ${row.unit}, verified by ${row.verifiedBy}`);

for (const probeDelayFs of [30, 60, 120, 200]) {
  try {
    const { probeDelayFs: kept } = await control.request(
      { probeDelayFs },
      // Operators who are not there: two seconds are enough here. What they offer instead is taken.
      { answerMs: 2000, agree: () => true },
    );
    const { mean = NaN, standardError = NaN } = kept?.evidence ?? {};
    console.log(
      `${probeDelayFs} fs: kept at ${kept?.value} fs, seen: ${mean.toFixed(1)} ± ${standardError.toFixed(1)} fs`,
    );
  } catch (error) {
    if (error instanceof Error) console.log(`${probeDelayFs} fs: ${error.message}`);
  }
}

// The same in a plan: what is not verified ends it, and the value before is there again.
const series = plan("delays", {}, function* () {
  for (const probeDelayFs of [20, 40]) {
    yield* request({ probeDelayFs }, { reason: "series", answerSeconds: 2 });
    yield* point({ probeDelayFs }, yield* shots({ count: 20, signals: ["delay"], beam: "off" }));
  }
});
try {
  const beamline = controlBeamline(facility, control, { experiment, monitor: "delay", beam: "off", pollMs: 2 });
  const { points } = await new Engine(beamline).run(series);
  console.log(`the series has ${points} points`);
} catch (error) {
  if (error instanceof Error) console.log(`the series ended: ${error.message}`);
}

// Knobs of the machine, tuned for more light: each change is a request of its own.
await using tuned = await connect("sim:?clock=virtual&seed=3");
await using machine = await tuned.ec.control(3, { name: "night shift", reason: "more light", pollMs: 2 });
const knob = { from: -1, to: 1, step: 0.4, by: "request", start: 0 } as const;
const charge = "xfel_bl_3_tc_bm_1_pd/charge";
const tuning = optimise({
  knobs: { bl3_quad_1: knob, bl3_taper_1: knob },
  signalName: charge,
  shots: { count: 5, signals: [charge] },
  shutter: "bl3_shutter1",
  budget: 150,
});
const { result } = await new Engine(controlBeamline(tuned, machine, { monitor: charge, pollMs: 2 })).run(tuning);
if (result !== undefined) {
  const { best, start, isBetter, at, shots: used } = result;
  const gain = 100 * (best.mean / start.mean - 1);
  console.log(`tuned with ${used} shots: ${gain.toFixed(0)} % more light (significant: ${isBetter}) at`, at);
}

console.log("the dialogue, with the shot at which each was said or done:");
for (const { shot, id, event, by, why } of (await facility.ec.requestLog(3)).slice(0, 12))
  console.log(`  ${shot?.join("/")}  request ${id}  ${event}  by ${by}${why === "" ? "" : `: ${why}`}`);
