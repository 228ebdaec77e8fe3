/**
 * Pictures of an octal detector drawn by the simulated facility on one core, beside numpy making the same picture: dark,
 * powder, and one sensor in dense scattering.
 *
 * npm run bench:facility -- [repetitions] [shots]
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createSimulatedFacility, VirtualClock } from "../src/facility/index.ts";
import {
  alternate,
  type Contestant,
  columnsOf,
  inTemporaryFolder,
  load,
  machine,
  Program,
  pythonWith,
  rowOf,
  table,
  timed,
} from "./reduce-harness.ts";
import { row } from "./rows.ts";

const [repetitions = 5, count = 10] = process.argv.slice(2).map(Number);
/** Octals a second that a rehearsal at 60 Hz takes, with room. */
const GOAL = 90;

interface Case {
  readonly name: string;
  readonly bl: number;
  readonly run: number;
  readonly ids: readonly string[];
  /** Place of the first shot in the run. */
  readonly from: number;
}

const sensorsOf = (id: string): string[] => Array.from({ length: 8 }, (_, i) => `${id}-${i + 1}`);
const cases: readonly Case[] = [
  { name: "octal, dark", bl: 3, run: 1_520_000, ids: sensorsOf("MPCCD-8N0-3-002"), from: 0 },
  { name: "octal, powder", bl: 3, run: 1_520_000, ids: sensorsOf("MPCCD-8N0-3-002"), from: 100 },
  { name: "octal, bright powder", bl: 2, run: 220_934, ids: sensorsOf("MPCCD-8B0-2-008"), from: 0 },
  { name: "one sensor, dense", bl: 3, run: 1_081_050, ids: ["MPCCD-1N0-M06-002"], from: 150 },
];

const facility = createSimulatedFacility({ clock: new VirtualClock(), missingRate: 0 });
const out = new Uint16Array(1024 * 512);
const ours: Contestant = {
  name: "sacla/facility",
  run: async (work) =>
    await timed(async () => {
      const { bl, run, ids, from } = cases[Number(work)] ?? raise(work);
      for (const tag of facility.tags(bl, run).slice(from, from + count))
        for (const id of ids) facility.readFrame(bl, run, id, tag, out);
      return () => [];
    }),
  close: () => {},
};

function raise(work: string): never {
  throw new Error(`no case ${work}`);
}

await inTemporaryFolder(async (folder) => {
  // What numpy draws from: of each sensor the pedestal, and the photons that are expected (0 in the dark).
  cases.forEach(({ bl, run, ids, from }, k) => {
    const truths = ids.map((id) => facility.truth.sensor(bl, run, id));
    const write = (name: string, parts: readonly Float32Array[]): void =>
      writeFileSync(join(folder, `${name}${k}.f32`), Buffer.concat(parts.map((part) => Buffer.from(part.buffer))));
    write(
      "pedestal",
      truths.map(({ pedestalAdu }) => pedestalAdu),
    );
    write(
      "expected",
      truths.map(({ expectedPhotons }) => (from === 0 && bl === 3 ? expectedPhotons.fill(0) : expectedPhotons)),
    );
  });
  const script = fileURLToPath(new URL("facility.py", import.meta.url));
  const numpy = await Program.start("numpy", pythonWith("numpy"), [script, folder, String(count)]);
  try {
    const rows = cases.flatMap(({ name }, k) =>
      [ours, numpy].map((contestant) => ({ label: `${name}: ${contestant.name}`, contestant, work: String(k) })),
    );
    const times = await alternate(rows, repetitions);
    console.log(`${machine()}; load ${load()}; ${count} shots, ${repetitions} repetitions`);
    const lines = cases.flatMap(({ name }) => {
      const [own, other] = [ours, numpy].map((contestant) => times.get(`${name}: ${contestant.name}`));
      const rate = (1000 * count) / (own?.cpu ?? NaN);
      return [
        [`${name}: sacla`, ...(own === undefined ? [] : columnsOf(own)), `${rate.toFixed(0)}/s`],
        [
          `${name}: numpy`,
          ...(other === undefined ? [] : columnsOf(other)),
          `sacla ÷ numpy ${((own?.cpu ?? NaN) / (other?.cpu ?? NaN)).toPrecision(2)}`,
        ],
      ];
    });
    console.log(`${table(["all shots", "ms, median", "least–most", "processor ms", "by processor time"], lines)}\n`);
    for (const { name } of cases) {
      const [own, other] = [ours, numpy].map((contestant) => times.get(`${name}: ${contestant.name}`));
      row({
        what: `${name}, by processor time`,
        unit: "/s",
        sacla: (1000 * count) / (own?.cpu ?? NaN),
        goal: GOAL,
        atLeast: true,
      });
      rowOf(name, own, "numpy", other, 1);
    }
  } finally {
    numpy.close();
  }
});
