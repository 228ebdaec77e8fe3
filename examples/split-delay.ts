/**
 * Split-delay optics: align both branches at delay 0, then hold 1 ps at another photon energy.
 * Run: npx tsx node_modules/sacla/examples/split-delay.ts
 */
import { connect } from "sacla";
import { Experiment } from "sacla/ec";
import { SplitDelay } from "sacla/optics";
import { alignSplitDelay, controlBeamline, Engine } from "sacla/scan";

const experiment = await Experiment.load(new URL("optics.json", import.meta.url).pathname);
const { splitDelay } = experiment.optics;
if (splitDelay === undefined) throw new Error("the experiment has no split-delay optics");
const { monitors, visibility, correlation, position, correction: _, ...definition } = splitDelay;
if (visibility === undefined || correlation === undefined || position === undefined)
  throw new Error("the experiment does not say which signals the alignment needs");
const optics = new SplitDelay(definition);

await using facility = await connect("sim:?clock=virtual");
await using control = await facility.ec.control(3, {
  name: "split-delay example",
  reason: "align",
  experiment,
  pollMs: 5,
});
await control.axis("sdo_height").moveTo(5);
const beamline = controlBeamline(facility, control, { experiment, monitor: "i0", pollMs: 5 });
const engine = new Engine(beamline);
const align = alignSplitDelay({
  optics,
  photonEnergyEv: 10_000,
  monitors,
  visibility,
  correlation,
  position,
  shots: 8,
  shutter: "xrays",
  learntAt: new Date().toISOString(),
});
const { result } = await engine.run(align);
console.table(
  result?.steps.map(({ step, found, error, unit, outcome, why }) => ({ step, found, error, unit, outcome, why })),
);
if (result?.isDone !== true) throw new Error("the split-delay optics are not aligned");

const corrected = optics.with(result.correction);
const move = await control.plan(corrected.positions({ delayPs: 1, photonEnergyEv: 9000 }));
console.table(move.table().map(({ name, now, willBe, unit }) => ({ name, now, willBe, unit })));
const { delayPs, photonEnergyEv: ev } = corrected.knobs(await move.go());
console.log(`delay ${delayPs.toFixed(4)} ps at ${ev.toFixed(1)} eV`);
