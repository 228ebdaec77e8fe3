/**
 * A driver for a device of your own, in one small file, rehearsed before the beam time: no hardware is needed to run
 * it.
 * Run: npx tsx node_modules/sacla/examples/custom-device.ts
 */
import { connect, Facility, SaclaError } from "sacla";
import { type ControlDriver, defineExperiment, withControl } from "sacla/ec";

/** A needle valve on a serial line. Limits, leases, waits and the safe state are not its business. */
class NeedleValve implements ControlDriver {
  readonly name = "the needle valve";
  #pulses = 0;
  #target = 0;

  async devices() {
    const info = { name: "bl3_st2_valve", syncdb: null, meaning: "helium flow" };
    return [
      {
        kind: "axis",
        ...info,
        limitsPulses: [0, 4000],
        speed: 8000,
        speedLimits: [1, 8000],
        accelerationPulsesPerS2: 1e6,
        backlashPulses: 0,
      } as const,
    ];
  }
  async read(device: string) {
    // Here a real driver asks its controller where it is; this one goes 400 pulses each time it is asked.
    this.#pulses += Math.sign(this.#target - this.#pulses) * Math.min(400, Math.abs(this.#target - this.#pulses));
    return {
      device,
      state: this.#pulses === this.#target ? ("ready" as const) : ("moving" as const),
      value: this.#pulses,
      why: "",
    };
  }
  async move(_axis: string, pulses: number) {
    this.#target = pulses;
  }
  async stop() {
    this.#target = this.#pulses;
  }
  async preset(_axis: string, pulses: number) {
    this.#pulses = this.#target = pulses;
  }
  setSpeed = cannot;
  setShutter = cannot;
  set = cannot;
  startRun = cannot;
  pauseRun = cannot;
  resumeRun = cannot;
  stopRun = cannot;
  runState = cannot;
  async beam() {
    return { on: true, why: "" };
  }
  async close() {}
}

async function cannot(): Promise<never> {
  throw new SaclaError("UNSUPPORTED", "The needle valve can only be turned.");
}

const experiment = defineExperiment({
  name: "helium jet",
  bl: 3,
  axes: {
    flow: {
      device: "bl3_st2_valve",
      unit: "ml/min",
      pulsesPerUnit: 200,
      limits: [0, 15],
      approach: { from: "below", by: 0.5 },
    },
  },
});

await using simulated = await connect("sim:");
await using facility = new Facility(withControl(simulated.endpoint, new NeedleValve()));
await using control = await facility.ec.control(3, { name: "rehearsal", reason: "custom device", experiment });

const move = await control.plan({ flow: 10 });
for (const { name, now, willBe, unit, limits } of move.table())
  console.log(`${name}: ${now} → ${willBe} ${unit}, limits ${limits}`);
await move.go();
console.log(`flow is ${await control.axis("flow").position()} ml/min`);
try {
  await control.axis("flow").moveTo(16);
} catch (error) {
  if (error instanceof SaclaError) console.log(`${error.code}: ${error.message}`);
}
