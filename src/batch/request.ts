import * as v from "valibot";
import { badArgument, isRecord } from "../core/guards.ts";
import { digestOf } from "../reduce/index.ts";
import { checkAgainst } from "../transport/check.ts";

/** An object with no other keys; whoever misspells one is told those there are. */
const strict = <const E extends v.ObjectEntries>(entries: E) =>
  v.strictObject(entries, ({ expected, input }) => {
    if (expected === "never") return `left out, or one of ${Object.keys(entries).join(", ")}`;
    return input === undefined ? "given" : "an object";
  });

const text = v.pipe(v.string(), v.nonEmpty());
const finite = v.pipe(v.number(), v.finite());
const positive = v.pipe(finite, v.gtValue(0));
const whole = v.pipe(v.number(), v.integer(), v.minValue(0));
const least1 = v.pipe(v.number(), v.integer(), v.minValue(1));
const pair = v.tuple([finite, finite]);
const roi = strict({ rows: v.tuple([whole, whole]), columns: v.tuple([whole, whole]) });
const bySensor = v.union([positive, v.record(text, positive)], "a number above 0, or one for each sensor");
const readNoise = v.union(
  [v.literal("dark"), positive, v.record(text, positive)],
  'a number above 0, one for each sensor, or "dark": as the dark shots say',
);

/** An image of each sensor: `group/SENSOR`, or as a reducer of an earlier reduction wrote it. */
const maps = strict({ file: text, group: text });

const corrections = v.variant("kind", [
  strict({
    kind: v.literal("mask"),
    pixels: v.union([v.literal("known"), maps], '"known" (the bad pixels of the detector) or { file, group }'),
  }),
  strict({ kind: v.literal("commonMode"), ports: v.optional(least1), withinAdu: v.optional(positive) }),
  strict({
    kind: v.literal("gain"),
    relative: v.union([maps, v.record(text, positive)], "a number above 0 for each sensor, or { file, group }"),
  }),
  strict({ kind: v.literal("photons"), spectrometer: v.optional(text) }),
  strict({ kind: v.literal("normalise"), equipId: text, limits: pair, reference: positive }),
  strict({
    kind: v.literal("between"),
    low: v.optional(finite),
    high: v.optional(finite),
    otherwise: v.optional(v.picklist([0, "missing"])),
  }),
  strict({ kind: v.literal("scale"), factor: positive }),
]);

/** On and off apart: the reducer once for pumped and once for unpumped shots. */
const by = v.optional(v.literal("on-off"));
const bins = { from: v.optional(finite), to: v.optional(finite), binWidth: v.optional(positive) };
const geometry = v.union(
  [
    strict({
      distanceMm: positive,
      centreUm: strict({ x: finite, y: finite }),
      rot1Deg: v.optional(finite),
      rot2Deg: v.optional(finite),
      rot3Deg: v.optional(finite),
    }),
    // As `sacla calibrate` and pyFAI write it.
    strict({ poni: text, view: v.optional(v.picklist(["source", "detector"])) }),
  ],
  "{ distanceMm, centreUm, … } or { poni: FILE }",
);
const radialUnit = v.picklist(["r_um", "r_mm", "2th_deg", "2th_rad", "q_A^-1", "q_nm^-1"]);
const radialAxis = v.union(
  [
    strict({ unit: radialUnit, from: v.optional(finite), to: finite, bins: least1 }),
    strict({ unit: radialUnit, edges: v.array(finite) }),
  ],
  "{ unit, from, to, bins } or { unit, edges }",
);
const photon = { aduPerPhoton: bySensor };
const speckle = { ...photon, noiseAdu: readNoise };

const reducers = v.variant("kind", [
  strict({ kind: v.literal("mean"), by }),
  strict({ kind: v.literal("variance"), ddof: v.optional(v.picklist([0, 1])), by }),
  strict({ kind: v.literal("minMax"), by }),
  strict({ kind: v.literal("histogram"), ...bins, by }),
  strict({ kind: v.literal("pixelHistogram"), from: finite, to: finite, binWidth: positive, roi: v.optional(roi), by }),
  strict({ kind: v.literal("roiSum"), roi, between: v.optional(pair), by }),
  strict({
    kind: v.literal("roiSeries"),
    rois: v.pipe(v.array(roi), v.minLength(1)),
    between: v.optional(pair),
    by,
  }),
  strict({ kind: v.literal("projections"), by }),
  strict({
    kind: v.literal("radialProfile"),
    binUm: v.optional(positive),
    maxUm: v.optional(positive),
    axis: v.optional(radialAxis),
    centreUm: v.optional(strict({ x: finite, y: finite })),
    geometry: v.optional(geometry),
    photonEnergyEv: v.optional(positive),
    azimuth: v.optional(
      v.union([strict({ sectors: least1 }), strict({ edgesDeg: v.array(finite) })], "{ sectors } or { edgesDeg }"),
    ),
    solidAngle: v.optional(v.boolean()),
    split: v.optional(v.picklist(["no", "area"])),
    errors: v.optional(v.picklist(["poisson", "shots"])),
    aduPerPhoton: v.optional(positive),
    perShot: v.optional(strict({ from: finite, to: finite })),
    by,
  }),
  strict({ kind: v.literal("covariance"), equipId: text, scale: v.optional(positive), by }),
  strict({
    kind: v.literal("normalised"),
    equipId: text,
    reference: positive,
    method: v.optional(v.picklist(["ratio-of-sums", "mean-of-ratios"])),
    by,
  }),
  strict({ kind: v.literal("photonCounts"), ...photon, threshold: v.optional(positive), by }),
  strict({
    kind: v.literal("droplets"),
    ...photon,
    noiseAdu: v.optional(readNoise),
    seed: v.optional(positive),
    low: v.optional(positive),
    by,
  }),
  strict({ kind: v.literal("speckleContrast"), ...speckle, by }),
  strict({
    kind: v.literal("speckleDelays"),
    ...speckle,
    equipId: text,
    edges: v.array(finite),
    oneBranch: v.optional(strict({ contrast: finite, contrastError: finite })),
    branchShare: v.optional(positive),
    by,
  }),
  strict({
    kind: v.literal("hits"),
    threshold: finite,
    minPixels: v.optional(whole),
    minPeaks: v.optional(whole),
    snr: v.optional(finite),
    by,
  }),
  strict({
    kind: v.literal("darkMaps"),
    hotSigma: v.optional(positive),
    noisySigma: v.optional(positive),
    deadNoise: v.optional(positive),
    by,
  }),
]);

const stage = strict({ equipId: text, fsPerPulse: finite, zeroPulse: finite });
/** An equipment id, or the delay of a pump–probe experiment in fs. */
const axisValue = v.union(
  [
    text,
    strict({
      delay: strict({
        stage,
        sign: v.optional(v.picklist([1, -1])),
        jitter: v.optional(
          strict({
            // "run": what the source itself says of the run; else the facility's CSV.
            edges: text,
            fsPerPixel: finite,
            zeroPixel: finite,
            limits: v.optional(pair),
            estimator: v.optional(v.picklist(["fitting", "derivative"])),
            stage: v.optional(stage),
          }),
        ),
      }),
    }),
  ],
  "an equipment id, or { delay: { stage, … } }",
);
const axis = v.union(
  [
    strict({ name: text, of: axisValue, from: finite, to: finite, step: positive }),
    strict({ name: text, of: axisValue, edges: v.array(finite) }),
    strict({ name: text, of: axisValue, targets: v.array(finite), tolerance: v.pipe(finite, v.minValue(0)) }),
  ],
  "{ name, of } with { from, to, step }, { edges } or { targets, tolerance }",
);
const cube = strict({
  axes: v.pipe(v.array(axis), v.minLength(1), v.maxLength(3)),
  // Pumped and unpumped shots apart.
  labels: v.optional(v.boolean(), false),
  images: v.optional(v.record(text, reducers)),
  sums: v.optional(v.record(text, strict({ detector: text, roi: v.optional(roi) }))),
  signals: v.optional(v.array(text)),
  normaliseBy: v.optional(text),
});

/** The schema of a request file; docs/reduction-request.schema.json is made of it. */
export const requestSchema = strict({
  $schema: v.optional(v.string()),
  detectors: v.optional(v.pipe(v.array(text), v.minLength(1))),
  shots: v.optional(v.picklist(["exposed", "dark", "all", "on", "off"]), "exposed"),
  where: v.optional(v.array(text), []),
  limit: v.optional(least1),
  dark: v.optional(
    v.union([v.picklist(["head", "none"]), least1], '"head", "none" or the number of a dark run'),
    "head",
  ),
  corrections: v.optional(v.array(corrections), []),
  reducers: v.optional(v.record(text, reducers), {}),
  cubes: v.optional(v.record(text, cube), {}),
});

/**
 * What shall be made of the shots of a run: which shots, the dark, corrections, reducers by name, cubes by name. The
 * content of a request file, see docs/batch.md.
 */
export type ReductionRequest = v.InferInput<typeof requestSchema>;
/** A request with its defaults. */
export type CheckedRequest = v.InferOutput<typeof requestSchema>;
/** One reducer of a request. */
export type ReducerRequest = CheckedRequest["reducers"][string];
/** One correction of a request. */
export type CorrectionRequest = CheckedRequest["corrections"][number];
/** One cube of a request. */
export type CubeRequest = CheckedRequest["cubes"][string];
/** What an axis of a cube sorts by. */
export type AxisValueRequest = CubeRequest["axes"][number]["of"];

/** Names that stand beside those of reducers in the result file. */
const taken = ["ledger", "provenance", "cubes"];

/**
 * A request with its defaults, if it is one.
 * @throws BAD_ARGUMENT naming the first part that is not as docs/reduction-request.schema.json says
 */
export function checkReductionRequest(request: unknown): CheckedRequest {
  // An object of this package's own, so that what a kind of reducer is called is said first.
  for (const [part, known] of [
    ["reducers", reducers],
    ["corrections", corrections],
  ] as const)
    checkKinds(request, part, known);
  const checked = checkAgainst(requestSchema, request, "BAD_ARGUMENT", "the request");
  for (const name of [...Object.keys(checked.reducers), ...Object.keys(checked.cubes)])
    if (taken.includes(name) || !/^[A-Za-z_][\w.-]*$/.test(name))
      throw badArgument(
        "the name of a reducer or cube",
        name,
        `letters, digits, "_", "." and "-", a letter first, and not ${taken.join(", ")}`,
      );
  if (Object.keys(checked.reducers).length + Object.keys(checked.cubes).length === 0)
    throw badArgument("reducers and cubes of the request", "none", "one or more");
  return checked;
}

function checkKinds(request: unknown, part: string, known: typeof reducers | typeof corrections): void {
  const entries = isRecord(request) ? request[part] : undefined;
  if (typeof entries !== "object" || entries === null) return;
  const kinds = known.options.map((option) => option.entries.kind.literal);
  for (const [name, entry] of Object.entries(entries)) {
    const kind: unknown = isRecord(entry) ? entry["kind"] : undefined;
    if (!kinds.some((each) => each === kind)) throw badArgument(`kind of ${part}.${name}`, kind, kinds.join(", "));
  }
}

/** By this two requests are told apart. */
export function requestDigest({ $schema: _, ...request }: CheckedRequest): string {
  return digestOf(request);
}
