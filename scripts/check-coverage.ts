/**
 * Tries every number with an error bar many times against its truth: `npm run check:coverage -- SEED COUNT`. Prints a
 * table; with `--write` it goes to docs/accuracy.md. Ends with 1 when an interval does not hold what it says.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { hash, Random } from "../src/core/random.ts";
import { type Covered, coverageOf, holds } from "./coverage/cover.ts";
import { cases as fits } from "./coverage/fits.ts";
import { cases as photons } from "./coverage/photons.ts";
import { cases as reductions } from "./coverage/reductions.ts";
import { cases as rings } from "./coverage/rings.ts";

const subjects = { fits, photons, reductions, rings };

const words = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const [seed = 1, repeats = 500] = words.slice(0, 2).map(Number);
const only = words[2];
const rows: Covered[] = [];
for (const [subject, cases] of Object.entries(subjects)) {
  if (only !== undefined && only !== subject) continue;
  for (const [i, one] of cases.entries()) {
    const covered = await coverageOf(one, new Random(hash(seed, subject, i)), repeats);
    rows.push(...covered);
    for (const row of covered) console.log(lineOf(row));
  }
}
const wrong = rows.filter((row) => !holds(row));
console.log(
  `${rows.length - wrong.length} of ${rows.length} intervals hold what they say (seed ${seed}, ${repeats} repeats)`,
);
if (process.argv.includes("--write")) writePage(rows);
process.exitCode = wrong.length === 0 ? 0 : 1;

function percent(fraction: number): string {
  return (100 * fraction).toFixed(1);
}

function lineOf(row: Covered): string {
  const { what, shots, signal, name, found, within1, within3, meanPull } = row;
  const cells = [what, shots, signal, name, percent(found), percent(within1), percent(within3), meanPull.toFixed(2)];
  return `| ${cells.join(" | ")} |${holds(row) ? "" : " MISSED"}`;
}

function writePage(all: readonly Covered[]): void {
  const path = new URL("../docs/accuracy.md", import.meta.url);
  const page = readFileSync(path, "utf8");
  const [before = ""] = page.split("<!-- table -->");
  const header =
    "| what | shots | signal | number | found, % | within 1 σ, % | within 3 σ, % | mean (value − truth)/σ |\n" +
    "|---|---|---|---|---|---|---|---|";
  const made = `Made by \`npm run check:coverage -- ${seed} ${repeats} --write\`.`;
  writeFileSync(path, `${before}<!-- table -->\n${made}\n\n${header}\n${all.map(lineOf).join("\n")}\n`);
}
