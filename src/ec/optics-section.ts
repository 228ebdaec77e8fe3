import * as v from "valibot";

const text = v.pipe(v.string(), v.nonEmpty());
const finite = v.pipe(v.number(), v.finite());
const hkl = v.pipe(v.strictTuple([v.number(), v.number(), v.number()]), v.readonly());

const drive = v.variant("kind", [
  v.strictObject({ kind: v.literal("direct"), degPerPulse: finite }),
  v.strictObject({
    kind: v.picklist(["sine-bar", "tangent-arm"]),
    pulsesPerMm: finite,
    armMm: finite,
    startDeg: finite,
  }),
]);

const crystal = v.strictObject({
  axis: text,
  hkl: v.optional(hkl),
  drive,
  zeroPulse: v.optional(finite),
  refraction: v.optional(v.boolean()),
  gapMm: v.optional(finite),
});

const monitor = v.strictObject({ signalName: text, normaliseBy: text });

/**
 * The part `optics` of an experiment file: which axes are the crystals of a monochromator and of split-delay optics.
 * See docs/optics.md.
 */
export const opticsSection = v.strictObject({
  monochromator: v.optional(v.strictObject({ first: crystal, second: v.optional(crystal) })),
  splitDelay: v.optional(
    v.strictObject({
      hkl: v.optional(hkl),
      channelGapMm: finite,
      refraction: v.optional(v.boolean()),
      axes: v.strictObject({
        bs: text,
        br1: text,
        br2: text,
        bm: text,
        cc1: text,
        cc2: text,
        br1Gap: text,
        br2Gap: text,
      }),
      correction: v.optional(text),
      monitors: v.optional(v.record(v.string(), monitor), {}),
      visibility: v.optional(text),
      correlation: v.optional(text),
      position: v.optional(v.strictObject({ signalName: text, branch: text })),
    }),
  ),
});
