import * as v from "valibot";
import { deviceInfo } from "../../transport/control-methods.ts";
import type { DeviceInfo } from "../driver.ts";

const object = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_]+$/, "a MADOCA object name of letters, digits and _"));

/** In MADOCA's text units are glued on, and "/" and "_" part fields. */
function isSpeakable(info: DeviceInfo): boolean {
  if (info.kind !== "setting") return true;
  const { unit, allowed } = info;
  return (
    /^[A-Za-z%]*$/.test(unit) &&
    ("from" in allowed || allowed.every((value) => /^[A-Za-z0-9.+-]+$/.test(String(value))))
  );
}

/** Two entries for one device, or two devices on one object, would move what nobody asked for. */
function isEachOnce(
  devices: readonly { readonly object: string; readonly info: { readonly name: string } }[],
): boolean {
  return [devices.map((device) => device.object), devices.map(({ info }) => info.name)].every(
    (names) => new Set(names).size === names.length,
  );
}

const device = v.strictObject({
  object,
  info: v.pipe(
    deviceInfo,
    v.check(
      (info) => isSpeakable(info),
      "a device whose unit is letters or % (um, deg), and whose values are numbers or words of letters and digits",
    ),
  ),
  words: v.optional(v.picklist(["on-off", "open-close"]), "on-off"),
});

/** The part `madoca` of an experiment file: where the server is, and which object stands for which device. */
export const madocaSection = v.strictObject({
  host: v.pipe(v.string(), v.nonEmpty()),
  port: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535)), 10_101),
  devices: v.pipe(
    v.array(device),
    v.check((devices) => isEachOnce(devices), "a list with each object once and each device once"),
  ),
  beam: v.optional(object),
});

/** See docs/experiment-file.md. */
export type MadocaSection = v.InferOutput<typeof madocaSection>;
