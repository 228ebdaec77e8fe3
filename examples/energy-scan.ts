/**
 * A channel-cut monochromator: align its second crystal, then calibrate its energy at an absorption edge.
 * Run: npx tsx node_modules/sacla/examples/energy-scan.ts
 */
import { connect } from "sacla";
import { Experiment, toPosition, toPulses } from "sacla/ec";
import { ChannelCut } from "sacla/optics";
import { controlBeamline, Engine, edgeScan, energyAxis, rock } from "sacla/scan";

const experiment = await Experiment.load(new URL("optics.json", import.meta.url).pathname);
await using facility = await connect("sim:?clock=virtual");
await using control = await facility.ec.control(3, {
  name: "energy scan example",
  reason: "calibrate the monochromator",
  experiment,
  pollMs: 5,
});
const beamline = controlBeamline(facility, control, { experiment, monitor: "i0", pollMs: 5 });
const engine = new Engine(beamline);

const edgeEv = 9978.2; // L2 of ytterbium
const first = new ChannelCut({ drive: { kind: "direct", degPerPulse: 4e-6 } });
const startDeg = first.angleDeg(edgeEv + 7);
await control.setting("foil_diode_gain").set(10);
await control.setting("foil_i0_gain").set(10);
await (await control.plan({ mono_height: 5, mono_1: startDeg, mono_2: startDeg })).go();

const aligned = await engine.run(
  rock({
    axis: "mono_2",
    go: "peak",
    from: startDeg - 0.01,
    to: startDeg + 0.01,
    points: 51,
    signalName: "i0_mono",
    normaliseBy: "i0",
    shots: { count: 8, signals: ["i0_mono", "i0"] },
    shutter: "xrays",
  }),
);
const offset = (aligned.result?.standsAt ?? NaN) - startDeg;
console.log(`the second crystal stands ${((offset * 1e6 * Math.PI) / 180).toFixed(1)} µrad from the first`);

// Both go together. The second one takes along what was found between them, as a zero of its own.
const second = new ChannelCut({ drive: { kind: "direct", degPerPulse: -4e-6 }, zeroPulse: -offset / 4e-6 });
const crystals = [
  { axis: "mono_1", crystal: first },
  { axis: "mono_2", crystal: second },
].map(({ axis, crystal }) => {
  const { definition } = control.axis(axis);
  return {
    axis,
    crystal,
    toPosition: (pulses: number) => toPosition(definition, pulses),
    toPulses: (position: number) => toPulses(definition, position),
  };
});
const [one, two] = crystals;
if (one === undefined || two === undefined) throw new Error("a monochromator has two crystals");

await control.setting("foil").set("Yb");
const { result } = await engine.run(
  edgeScan({
    axis: energyAxis([one, two]),
    edgeEv,
    from: edgeEv - 20,
    to: edgeEv + 20,
    points: 31,
    signalName: "foil_diode",
    normaliseBy: "foil_i0",
    shots: { count: 20, signals: ["foil_diode", "foil_i0"] },
    shutter: "xrays",
  }),
);
if (result === null || result === undefined) throw new Error("the edge was not found");
const { offEv, errorEv } = result;
console.log(`the edge was seen ${offEv.toFixed(2)} ± ${errorEv.toFixed(2)} eV from where it is`);
const pulseError = errorEv / Math.abs(first.evPerPulse(edgeEv));
const calibrated = first.calibrated({ pulse: first.pulses(edgeEv + offEv), pulseError, energyEv: edgeEv });
console.log(
  `zero of the first crystal: ${calibrated.zeroPulse.toFixed(0)} ± ${calibrated.zeroPulseError.toFixed(0)} pulses`,
);
