/** What all benches have in common: a row of sacla beside who does the same, with its goal. */
import { appendFileSync, readFileSync } from "node:fs";
import { basename } from "node:path";

export interface BenchRow {
  readonly what: string;
  readonly unit: string;
  readonly sacla: number;
  /** Who does the same, and what it takes: null where it is not there. Without it the goal is of sacla's own number. */
  readonly reference?: { readonly name: string; readonly value: number | null };
  /** Of sacla ÷ reference, or of sacla's number; without it nothing is asked. */
  readonly goal?: number;
  /** The goal is the least, not the most. @default false */
  readonly atLeast?: boolean;
  /** Sacla ÷ reference by processor time, which holds on a machine that others use too. */
  readonly byProcessor?: number;
}

/** As `bench/all.ts` reads them: a row, or why there is none. */
export type Noted = { readonly bench: string } & (BenchRow | { readonly noPeer: string });

/** File to which `bench/all.ts` has rows appended, a line of JSON each. */
const file = process.env["SACLA_BENCH_ROWS"];

function note(noted: BenchRow | { readonly noPeer: string }): void {
  const bench = basename(process.argv[1] ?? "", ".ts");
  if (file !== undefined) appendFileSync(file, `${JSON.stringify({ bench, ...noted })}\n`);
}

/** Prints a row, and notes it for the table of all. */
export function row(measured: BenchRow): void {
  note(measured);
  const [what, ours, reference, ratio, byProcessor, goal, verdict] = cells(measured);
  const against =
    reference === "" ? ours : `${ratio} (${ours}; ${reference}${byProcessor && `; processor ${byProcessor}`})`;
  console.log(`${what}: ${against}${goal && `, goal ${goal}`}${verdict && `: ${verdict}`}`);
}

/** Notes that a bench has nothing to compare with. */
export function noPeer(why: string): void {
  note({ noPeer: why });
}

/** What, sacla, reference, ratio, ratio by processor time, goal, met or missed. */
export function cells({ what, unit, sacla, reference, goal, atLeast = false, byProcessor }: BenchRow): string[] {
  const hasPeer = reference !== undefined && reference.value !== null;
  const value = reference === undefined ? sacla : sacla / (reference.value ?? NaN);
  const isMet = atLeast ? value >= (goal ?? NaN) : value <= (goal ?? NaN);
  return [
    what,
    `${short(sacla)} ${unit}`.trim(),
    reference === undefined ? "" : hasPeer ? `${reference.name} ${short(reference.value ?? NaN)}` : "no peer",
    hasPeer ? short(value) : "",
    byProcessor === undefined || !hasPeer ? "" : short(byProcessor),
    goal === undefined ? "" : `${atLeast ? "≥" : "≤"} ${goal}`,
    goal === undefined || Number.isNaN(value) ? "" : isMet ? "met" : "MISSED",
  ];
}

function short(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** Rows of a file, in the order in which they were measured. */
export function readRows(path: string): Noted[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Noted);
}
