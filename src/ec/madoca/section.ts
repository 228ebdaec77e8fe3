import * as v from "valibot";
import { deviceInfo } from "../../transport/control-methods.ts";

const object = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_]+$/, "a MADOCA object name of letters, digits and _"));

/** The part `madoca` of an experiment file: where the server is, and which object stands for which device. */
export const madocaSection = v.strictObject({
  host: v.pipe(v.string(), v.nonEmpty()),
  port: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535)), 10_101),
  devices: v.array(v.strictObject({ object, info: deviceInfo, words: v.optional(v.picklist(["on-off", "open-close"]), "on-off") })),
  beam: v.optional(object),
});

/** See docs/experiment-file.md. */
export type MadocaSection = v.InferOutput<typeof madocaSection>;
