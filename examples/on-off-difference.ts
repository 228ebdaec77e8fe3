// The difference between pumped and unpumped shots, each normalised by the beam monitor, with its error.
// Run: npx tsx node_modules/sacla/examples/on-off-difference.ts
import { connect, darkAverage, reduce, roiSum } from "sacla";

await using facility = await connect();

const detector = "MPCCD-8N0-3-002-3";
const run = await facility.run(3, 1520000);
const i0 = "xfel_bl_3_tc_bm_1_pd/charge";
const { dark: darkTags, on, off, basis } = await run.labels();
console.log(`${darkTags.length} dark, ${on.length} on, ${off.length} off, told by`, basis.laser.signals);

const dark = await darkAverage(facility.shots({ run, detectors: [detector], tags: darkTags }));
const roi = { rows: [0, 1024], columns: [0, 512] } as const;

async function normalised(tags: typeof on): Promise<{ mean: number; error: number; used: number; asked: number }> {
  const lit = await tags.where(i0, (coulomb) => coulomb > 1e-9);
  const { signal, ledger } = await reduce(
    facility.shots({ run, detectors: [detector], tags: lit }),
    { signal: roiSum(roi) },
    { dark },
  );
  const series = signal[detector] ?? { tags: new Uint32Array(0), sums: new Float64Array(0) };
  const charge = await run.column(i0, series.tags);
  const values = Array.from(series.sums, (sum, i) => sum / ((charge.values[i] ?? NaN) * 1e9));
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / (values.length - 1);
  return { mean, error: Math.sqrt(variance / values.length), used: ledger.used, asked: tags.length };
}

const pumped = await normalised(on);
const unpumped = await normalised(off);
const difference = pumped.mean / unpumped.mean - 1;
const error = (pumped.mean / unpumped.mean) * Math.hypot(pumped.error / pumped.mean, unpumped.error / unpumped.mean);
console.log(`on: ${pumped.used} of ${pumped.asked} shots, off: ${unpumped.used} of ${unpumped.asked}`);
console.log(`on/off − 1 = (${(100 * difference).toFixed(2)} ± ${(100 * error).toFixed(2)}) %`);
