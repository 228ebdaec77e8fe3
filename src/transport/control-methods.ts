import * as v from "valibot";
import { isRecord } from "../core/guards.ts";
import { beamline as bl, count, row } from "./method-rows.ts";
import { requestMethods } from "./request-methods.ts";

const pulses = v.pipe(v.number(), v.integer(), v.minValue(-0x8000_0000), v.maxValue(0x7fff_ffff));
const text = v.pipe(v.string(), v.nonEmpty(), v.maxLength(500));
/** The secret that `lease.take` gives. */
const lease = text;
const value = v.union([v.number(), v.string()]);
const nothing = v.strictObject({});
const pair = v.pipe(v.tuple([v.number(), v.number()]), v.readonly());
const device = { name: text, syncdb: v.nullable(text), meaning: v.string() };

/** What a device is, as `ec.devices` answers and an experiment file says it for MADOCA. */
export const deviceInfo = v.variant("kind", [
  v.strictObject({
    kind: v.literal("axis"),
    ...device,
    limitsPulses: v.union([v.literal("unlimited"), pair]),
    speed: v.number(),
    speedLimits: pair,
    accelerationPulsesPerS2: v.number(),
    backlashPulses: v.number(),
  }),
  v.strictObject({ kind: v.literal("shutter"), ...device }),
  v.strictObject({
    kind: v.literal("setting"),
    role: v.picklist(["selector", "attenuator", "amplifier", "undulator-k", "accelerator"]),
    ...device,
    unit: v.string(),
    allowed: v.union([v.pipe(v.array(value), v.readonly()), v.strictObject({ from: v.number(), to: v.number() })]),
  }),
]);

const reading = v.strictObject({
  device: text,
  state: v.picklist(["ready", "moving", "locked", "fault"]),
  value,
  why: v.string(),
});
const runState = v.strictObject({
  run: count,
  state: v.picklist(["ready", "running", "paused", "stopping", "fault"]),
  shots: count,
});
const runRequest = { comment: v.string(), detectors: v.pipe(v.array(text), v.readonly()), shots: count };
const milliseconds = v.pipe(v.number(), v.minValue(0));
const holder = v.strictObject({ name: text, reason: text, sinceMs: milliseconds, expiresMs: milliseconds });

/** Shortest and longest time for which a lease holds without renewal. */
export const LEASE_TTL_MS = { min: 100, max: 600_000 } as const;

/** The rows of the method table by which the beamline is controlled; `withControl` of src/ec answers them. */
export const controlMethods = {
  "ec.devices": row(v.strictObject({ bl }), v.array(deviceInfo), false, "Axes, shutters and settings of a beamline."),
  "ec.read": row(v.strictObject({ bl, device: text }), reading, false, "Where a device is and whether it is at rest."),
  "ec.move": row(
    v.strictObject({ bl, lease, axis: text, pulses }),
    nothing,
    true,
    "Begins an absolute move and answers at once.",
    "Refused, with reasons, outside the limits and while the axis is moving, locked or at fault.",
  ),
  "ec.stop": row(
    v.strictObject({ bl, axis: v.nullable(text) }),
    nothing,
    true,
    "Stops an axis with its ramp; `axis` null: every axis of the beamline.",
    "Needs no lease.",
  ),
  "ec.preset": row(v.strictObject({ bl, lease, axis: text, pulses }), nothing, true, "Redefines the present position."),
  "ec.setSpeed": row(
    v.strictObject({ bl, lease, axis: text, pulsesPerSecond: v.number() }),
    nothing,
    true,
    "Sets the speed of later moves.",
  ),
  "ec.setShutter": row(
    v.strictObject({ bl, lease: v.nullable(lease), shutter: text, open: v.boolean() }),
    nothing,
    true,
    "Opens or closes a shutter.",
    "Closing needs no lease.",
  ),
  "ec.set": row(v.strictObject({ bl, lease, setting: text, value }), nothing, true, "Puts a setting on a value."),
  "ec.startRun": row(
    v.strictObject({ bl, lease, ...runRequest }),
    v.strictObject({ run: count }),
    true,
    "Starts a run.",
    "`shots` 0: until it is stopped.",
  ),
  "ec.pauseRun": row(v.strictObject({ bl }), nothing, true, "Pauses the run.", "Needs no lease."),
  "ec.resumeRun": row(v.strictObject({ bl, lease }), nothing, true, "Takes a paused run up again."),
  "ec.stopRun": row(v.strictObject({ bl, lease }), nothing, true, "Ends the run."),
  "ec.runState": row(v.strictObject({ bl }), runState, false, "The run that is on, or was last."),
  "ec.beam": row(
    v.strictObject({ bl }),
    v.strictObject({ on: v.boolean(), why: v.string() }),
    false,
    "Whether X-rays can reach the hutch, and if not why.",
  ),
  "lease.take": row(
    v.strictObject({
      bl,
      name: text,
      reason: text,
      ttlMs: v.pipe(v.number(), v.integer(), v.minValue(LEASE_TTL_MS.min), v.maxValue(LEASE_TTL_MS.max)),
    }),
    v.strictObject({
      lease,
      previous: v.nullable(v.strictObject({ name: text, reason: text, how: text, done: v.array(v.string()) })),
    }),
    true,
    "Takes the control of a beamline for `ttlMs`.",
    "`previous`: whose lease ended before, how, and what was done then to leave the beamline safe.",
  ),
  // It changes nothing at the facility, so that heartbeats do not fill the audit log; the secret is the permission.
  "lease.renew": {
    ...row(v.strictObject({ bl, lease }), nothing, false, "The heartbeat: the lease holds for its `ttlMs` from now."),
    hasSecret: true,
  },
  "lease.release": row(
    v.strictObject({ bl, lease }),
    nothing,
    true,
    "Gives the control back; axes still moving are stopped, all else stays as it is.",
  ),
  "lease.holder": row(
    v.strictObject({ bl }),
    v.nullable(holder),
    false,
    "Who controls the beamline.",
    "`sinceMs`: taken so long ago; `expiresMs`: ends so soon when it is not renewed. " +
      "Spans, not times of day, which two clocks never agree on.",
  ),
  ...requestMethods,
} as const;

/** A row of {@link controlMethods}. */
export type ControlMethod = keyof typeof controlMethods;

/** What makes safe whatever its parameters are; `ec.setShutter` does when it closes. */
const safeMaking: readonly string[] = ["ec.stop", "ec.pauseRun", "ec.stopRun", "lease.release", "request.cancel"];

/** Whether a call only makes safe: it stops, closes, pauses or gives back. Nothing may refuse, delay or limit it. */
export function makesSafe(method: string, value: unknown): boolean {
  if (method === "ec.setShutter") return isRecord(value) && value["open"] === false;
  if (method === "request.answer") return isRecord(value) && value["answer"] === "stop";
  return safeMaking.includes(method);
}

/** Whether a call must not wait for others: what makes safe, and the heartbeat without which a lease would end. */
export function isUrgent(method: string, value: unknown): boolean {
  return method === "lease.renew" || makesSafe(method, value);
}

/** Whether a method is one that `withControl` answers. */
export function isControlMethod(method: string): method is ControlMethod {
  return Object.hasOwn(controlMethods, method);
}
