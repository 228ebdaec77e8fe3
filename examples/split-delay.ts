/** Split-delay optics: align the crystals, find where the delay is 0, then hold 1 ps at another photon energy. */
import { connect } from "sacla";
import { Experiment } from "sacla/ec";
import { SplitDelay } from "sacla/optics";
import { controlBeamline, Engine, findZeroDelay, learnSplitDelay } from "sacla/scan";

const experiment = await Experiment.load(new URL("optics.json", import.meta.url).pathname);
const { splitDelay } = experiment.optics;
if (splitDelay === undefined) throw new Error("the experiment has no split-delay optics");
const { monitors, correction: _, visibility: __, ...definition } = splitDelay;
const optics = new SplitDelay(definition);

await using facility = await connect("sim:?clock=virtual");
await using control = await facility.ec.control(3, {
  name: "split-delay example",
  reason: "find delay 0",
  experiment,
  pollMs: 5,
});
await control.axis("sdo_height").moveTo(5);
const beamline = controlBeamline(facility, control, { experiment, monitor: "i0", pollMs: 5 });
const engine = new Engine(beamline);
const photonEnergyEv = 10_000;
const learntAt = new Date().toISOString();

const signals = [
  ...new Set(Object.values(monitors).flatMap(({ signalName, normaliseBy }) => [signalName, normaliseBy])),
];
const shots = { count: 6, signals };
const aligning = { optics, photonEnergyEv, delaysPs: [0, 4], monitors, points: 25, shots, shutter: "xrays", learntAt };
const { result: learnt } = await engine.run(learnSplitDelay(aligning));
for (const [axis, { coefficients }] of Object.entries(learnt?.axes ?? {}))
  console.log(
    `${axis}: ${((coefficients[0] ?? NaN) * 1e6 * (Math.PI / 180)).toFixed(1)} µrad from where the geometry says`,
  );

const zero = findZeroDelay({
  optics: optics.with(learnt),
  photonEnergyEv,
  from: -0.05,
  to: 0.05,
  points: 41,
  signalName: "visibility",
  shots: { count: 5, signals: ["visibility"] },
  shutter: "xrays",
  learntAt,
});
const { result } = await engine.run(zero);
if (result === null || result === undefined) throw new Error("delay 0 was not found");
const { fit, correction } = result;
console.log(`delay 0 was called ${(1000 * fit.centre).toFixed(2)} ± ${(1000 * fit.centreError).toFixed(2)} fs`);

const corrected = optics.with(correction);
const move = await control.plan(corrected.positions({ delayPs: 1, photonEnergyEv: 9000 }));
console.table(move.table().map(({ name, now, willBe, unit }) => ({ name, now, willBe, unit })));
const { delayPs, photonEnergyEv: ev } = corrected.knobs(await move.go());
console.log(`delay ${delayPs.toFixed(4)} ps at ${ev.toFixed(1)} eV`);
