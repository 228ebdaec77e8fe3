/**
 * Finds edges of made runs of the timing monitor and compares them with their truth:
 * `npm run check:timing -- SEED COUNT [KINDS …]`. KINDS are how names of sets begin. Prints a table in fs of a scale of
 * 2.6 fs per pixel. Ends with 1 when positions scatter too much, an edge is far off, or errors do not hold the truth.
 */
import { EdgeFinder } from "../src/timing/index.ts";
import { makeTimingSet, type TimingSet, timingSets } from "./coverage/timing-sets.ts";

const FS_PER_PIXEL = 2.6;
const FAR_FS = 100;

const words = process.argv.slice(2);
const [seed = 1, count = 4] = words.slice(0, 2).map(Number);
const asked = words.slice(2);
const chosen = Object.entries(timingSets).filter(
  ([name]) => asked.length === 0 || asked.some((word) => name.startsWith(word)),
);
if (chosen.length === 0) throw new Error(`no set of ${asked.join(", ")}; sets: ${Object.keys(timingSets).join(", ")}`);

console.log(
  "| set | usable | fit: median, σ | derivative | 1 σ, 3 σ, % | far | second flagged | false | learn, find ms |",
);
console.log("|---|---|---|---|---|---|---|---|---|");
for (const [name, set] of chosen) tryOn(name, set);

function tryOn(name: string, set: TimingSet): void {
  const fits: number[] = [];
  const slopes: number[] = [];
  const pulls: number[] = [];
  const n = { single: 0, usable: 0, far: 0, second: 0, told: 0, none: 0, falseEdges: 0 };
  const ms = { learn: 0, find: 0, shots: 0 };
  for (let k = 0; k < count; k++) {
    const shots = makeTimingSet(name, seed + k, set);
    const from = process.cpuUsage().user;
    const finder = EdgeFinder.learn(shots, { axis: set.axis });
    const learnt = process.cpuUsage().user;
    const found = shots.map(({ image }) => finder.find(image));
    ms.learn += (learnt - from) / 1000;
    ms.find += (process.cpuUsage().user - learnt) / 1000;
    ms.shots += shots.length;
    for (const [i, { edgePx, secondPx }] of shots.entries()) {
      const edge = found[i];
      if (edge === undefined) continue;
      const wrong = edge.fittingPx - edgePx;
      if (Number.isNaN(edgePx)) {
        n.none++;
        if (edge.usable) n.falseEdges++;
        continue;
      }
      if (edge.usable && Math.abs(FS_PER_PIXEL * wrong) > FAR_FS) n.far++;
      if (!Number.isNaN(secondPx)) {
        n.second++;
        if (edge.flags.includes("second-edge")) n.told++;
        continue;
      }
      n.single++;
      if (!edge.usable) continue;
      n.usable++;
      fits.push(FS_PER_PIXEL * wrong);
      slopes.push(FS_PER_PIXEL * (edge.derivativePx - edgePx));
      pulls.push(Math.abs(wrong) / edge.errorPx);
    }
  }
  const within = (sigmas: number): number => pulls.filter((pull) => pull < sigmas).length / pulls.length;
  const percent = (share: number): string => (100 * share).toFixed(1);
  const place = (values: readonly number[]): string =>
    `${middle(values).toFixed(2)}, ${robustSigma(values).toFixed(2)}`;
  const cells = [
    name,
    `${n.usable}/${n.single}`,
    place(fits),
    place(slopes),
    `${percent(within(1))}, ${percent(within(3))}`,
    n.far,
    `${n.told}/${n.second}`,
    `${n.falseEdges}/${n.none}`,
    `${(ms.learn / count).toFixed(0)}, ${(ms.find / ms.shots).toFixed(2)}`,
  ];
  console.log(`| ${cells.join(" | ")} |`);
  // What 1 σ holds of so many edges, with a chance of 1 in 1000 to be outside.
  const play = 3.3 * Math.sqrt((0.683 * 0.317) / pulls.length) + 0.05;
  const good =
    robustSigma(fits) < 5 &&
    Math.abs(middle(fits)) < 4 &&
    n.far <= 0.02 * n.usable &&
    n.usable > 0.95 * n.single &&
    Math.abs(within(1) - 0.683) < play;
  if (!good) process.exitCode = 1;
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

function robustSigma(values: readonly number[]): number {
  const median = middle(values);
  return 1.4826 * middle(values.map((value) => Math.abs(value - median)));
}
