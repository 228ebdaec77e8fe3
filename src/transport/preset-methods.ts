import * as v from "valibot";
import { beamline, row } from "./method-rows.ts";

const name = v.pipe(v.string(), v.nonEmpty(), v.maxLength(200));
const comment = v.pipe(v.string(), v.maxLength(500));

const preset = v.strictObject({
  name,
  comment: v.string(),
  /** ISO 8601, UTC. */
  time: v.string(),
  values: v.record(
    v.string(),
    v.strictObject({ device: v.string(), unit: v.string(), value: v.union([v.number(), v.string()]) }),
  ),
});

/** The experiment; where there is no experiment file the source. */
const owner = name;
/** What the page shows: what stands behind the # of its address. */
const place = v.pipe(v.string(), v.startsWith("#/"), v.maxLength(4000));

/** The rows of the method table for the presets and layouts that the server keeps in files. */
export const presetMethods = {
  "page.presets": row(
    v.strictObject({}),
    v.strictObject({ file: v.string(), presets: v.array(preset) }),
    false,
    "The presets of the server's file: where devices were, by name.",
  ),
  "page.savePreset": row(
    v.strictObject({ bl: beamline, name, comment }),
    preset,
    true,
    "Keeps where the devices of the experiment are now under a name; what the name stood for stays in its history.",
  ),
  "page.removePreset": row(
    v.strictObject({ name, comment }),
    v.strictObject({}),
    true,
    "Takes a preset off the list; its history stays.",
  ),
  "page.layouts": row(
    v.strictObject({ owner }),
    v.strictObject({ file: v.string(), layouts: v.array(v.strictObject({ name, place })) }),
    false,
    "The layouts of the page that are kept for an experiment.",
  ),
  "page.saveLayout": row(
    v.strictObject({ owner, name, place: v.nullable(place) }),
    v.strictObject({}),
    true,
    "Keeps a layout of the page under a name; `place` null: takes it off the list.",
  ),
} as const;

/** Whether a method is one of {@link presetMethods}. */
export function isPresetMethod(method: string): method is keyof typeof presetMethods {
  return Object.hasOwn(presetMethods, method);
}
