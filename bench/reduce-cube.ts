/**
 * Images sorted into the bins of a cube, and into classes: what one image costs with the kernel and in the plain way,
 * for a scan that stands (10 shots a step) and one that jumps between all its bins.
 *
 * tsx -C sacla-source bench/reduce-cube.ts [repetitions] [images]
 */
import ndarray from "ndarray";
import {
  byClass,
  Cube,
  correct,
  createStack,
  histogram,
  mean,
  type Reducer,
  reduce,
  shotsFrom,
  variance,
} from "sacla/reduce";
import { alternate, type Contestant, columnsOf, type Finished, load, machine, table, timed } from "./reduce-harness.ts";
import { row } from "./rows.ts";

const repetitions = Number(process.argv[2] ?? 5);
const images = Number(process.argv[3] ?? 200);
const [rows, columns, bins] = [1024, 512, 20];
const detId = "MPCCD-2N0-M02-001-1";

const stack = createStack([images, rows, columns]);
let state = 1;
for (let i = 0; i < stack.data.length; i++) {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  stack.data[i] = 90 + (state >>> 27) + ((state & 0xffff) < 600 ? 154 : 0);
}
const level = Float64Array.from({ length: rows * columns }, (_, i) => 100 + (i % 40) / 40);
const corrections = [correct.dark({ mean: { [detId]: ndarray(level, [rows, columns]) } })];
const makes: Readonly<Record<string, () => Reducer<unknown>>> = {
  mean: () => mean(),
  variance: () => variance(),
  histogram: () => histogram(),
};
const binOf: Readonly<Record<string, (tag: number) => number>> = {
  stands: (tag) => Math.floor((tag / images) * bins),
  jumps: (tag) => (Math.imul(tag, 0x9e37_79b1) >>> 8) % bins,
};

/** Does `reducer way scan`: each of them one word. */
class Sacla implements Contestant {
  readonly name = "sacla";

  async run(work: string): Promise<Finished> {
    const [name = "", way = "", where = ""] = work.split(" ");
    const made = makes[name]?.();
    if (made === undefined) throw new Error(work);
    const reducer = way.endsWith("plain") ? { ...made, kernel: undefined } : made;
    const bin = binOf[where];
    return await timed(async () => {
      const shots = shotsFrom({ [detId]: stack });
      if (bin === undefined) {
        const asked =
          where === "classes" ? byClass(reducer, ["on", "off"], (tag) => (tag % 2 === 0 ? "on" : "off")) : reducer;
        const { ledger } = await reduce(shots, { asked });
        return () => [ledger.used];
      }
      const axes = [
        {
          name: "delay",
          of: { signals: [], read: ({ tag }: { tag: number }) => bin(tag) },
          from: -0.5,
          to: bins - 0.5,
          step: 1,
        },
      ];
      const scan = new Cube({
        axes,
        values: { images: { reducer } },
        corrections: way.startsWith("dark") ? corrections : [],
      });
      await scan.update(shots);
      return () => [scan.ledger.used];
    });
  }

  close(): void {}
}

const contestant = new Sacla();
const before = load();
const works = Object.keys(makes).flatMap((name) => [
  `${name} kernel whole`,
  `${name} plain whole`,
  `${name} kernel classes`,
  `${name} plain classes`,
  ...Object.keys(binOf).flatMap((where) =>
    ["kernel", "plain", "dark-kernel", "dark-plain"].map((way) => `${name} ${way} ${where}`),
  ),
]);
const timings = await alternate(
  works.map((work) => ({ label: work, contestant, work })),
  repetitions,
);
console.log(
  `${images} images of ${rows} × ${columns} uint16 into one answer, 2 classes or ${bins} bins; dark: after subtracting one, so of float32`,
);
console.log(`${machine()}; medians of ${repetitions} alternating runs; load before ${before}, after ${load()}\n`);
const lines = [...timings].map(([label, timing]) => [
  label,
  ...columnsOf(timing),
  (timing.median / images).toFixed(2),
  (timing.cpu / images).toFixed(2),
]);
console.log(table(["work", "ms", "min–max", "CPU ms", "ms/image", "CPU ms/image"], lines));

console.log("");
for (const name of Object.keys(makes)) {
  const whole = timings.get(`${name} kernel whole`);
  for (const where of ["classes", ...Object.keys(binOf)]) {
    const sorted = timings.get(`${name} kernel ${where}`);
    if (whole === undefined || sorted === undefined) throw new Error(`${name} ${where} was not measured`);
    row({
      what: `${name}, ${where === "classes" ? "2 classes" : `${bins} bins, a scan that ${where}`}`,
      unit: "ms/image",
      sacla: sorted.median / images,
      reference: { name: "sacla, one answer", value: whole.median / images },
      byProcessor: sorted.cpu / whole.cpu,
    });
  }
}
