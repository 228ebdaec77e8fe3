/**
 * Tries every number with an error bar many times against its truth: `npm run check:coverage -- SEED COUNT [CASES …]`.
 * CASES are subjects (fits, photons, reductions, rings), or how the name of a case begins ("fitPeak gaussian"). Prints
 * a table; with `--write` its rows go to docs/accuracy.md in place of those of the same cases. Ends with 1 when an
 * interval does not hold what it says.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { hash, Random } from "../src/core/random.ts";
import { type Covered, coverageOf, holds, studentWithin } from "./coverage/cover.ts";
import { cases as fits } from "./coverage/fits.ts";
import { cases as photons } from "./coverage/photons.ts";
import { cases as reductions } from "./coverage/reductions.ts";
import { cases as rings } from "./coverage/rings.ts";

const subjects = { fits, photons, reductions, rings };
const all = Object.entries(subjects).flatMap(([subject, cases]) => cases.map((one) => ({ subject, one })));

const words = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const [seed = 1, repeats = 500] = words.slice(0, 2).map(Number);
const asked = words.slice(2);
const chosen = all.filter(
  ({ subject, one }) =>
    asked.length === 0 || asked.some((word) => word === subject || keyOf(one).startsWith(`| ${word}`)),
);
if (chosen.length === 0)
  throw new Error(`no case of ${asked.join(", ")}; subjects: ${Object.keys(subjects).join(", ")}`);
const rows: Covered[] = [];
for (const { one } of chosen) {
  const covered = await coverageOf(one, new Random(hash(seed, keyOf(one))), repeats);
  rows.push(...covered);
  for (const row of covered) console.log(`${lineOf(row)}${holds(row) ? "" : " MISSED"}`);
}
const wrong = rows.filter((row) => !holds(row));
console.log(
  `${rows.length - wrong.length} of ${rows.length} intervals hold what they say (seed ${seed}, ${repeats} repeats)`,
);
if (process.argv.includes("--write")) writePage(rows);
process.exitCode = wrong.length === 0 ? 0 : 1;

/** How the rows of a case begin. */
function keyOf({ what, shots, signal }: Pick<Covered, "what" | "shots" | "signal">): string {
  return `| ${what} | ${shots} | ${signal} |`;
}

function percent(fraction: number): string {
  return (100 * fraction).toFixed(1);
}

function lineOf(row: Covered): string {
  const { name, found, within1, within3, meanPull, freedom, tooFew } = row;
  const expected =
    freedom === undefined ? [68.3, 99.7] : [studentWithin(1, freedom), studentWithin(3, freedom)].map(percent);
  const cells = [name, repeats, percent(found), percent(within1), percent(within3), meanPull.toFixed(2)];
  const note = tooFew ? "too few shots" : freedom === undefined ? "" : `t: ${expected.join(", ")}`;
  return `${keyOf(row)} ${[...cells, note].join(" | ")} |`;
}

/** Rows of other cases stay; cases stand in the order of the check. */
function writePage(made: readonly Covered[]): void {
  const path = new URL("../docs/accuracy.md", import.meta.url);
  const page = readFileSync(path, "utf8");
  const [before = "", table = "", after = ""] = page.split(/<!-- (?:table|end of table) -->/);
  const old = table.split("\n");
  const lines = all.flatMap(({ one }) => {
    const key = keyOf(one);
    const mine = made.filter((row) => keyOf(row) === key).map(lineOf);
    return mine.length > 0 ? mine : old.filter((line) => line.startsWith(key));
  });
  const header =
    "| what | shots | signal | number | tries | found, % | within 1 σ, % | within 3 σ, % | mean pull | expected |\n" +
    "|---|---|---|---|---|---|---|---|---|---|";
  writeFileSync(
    path,
    `${before}<!-- table -->\n\n${header}\n${lines.join("\n")}\n\n<!-- end of table -->${after || "\n"}`,
  );
}
