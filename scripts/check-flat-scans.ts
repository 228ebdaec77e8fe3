/**
 * Fits peaks, steps and decays to scans without any, and counts what passes as one:
 * `npm run check:flat-scans -- SEED COUNT [SHOTS …]`. Those that drive an axis are tried COUNT times at each number of
 * shots, other shapes and other kinds of flat scans a tenth as often. Ends with 1 when more than 1 in 1000 passes.
 */
import { hash, Random } from "../src/core/random.ts";
import { driving, finders, flatScans, flats } from "./coverage/flat-scans.ts";

const [seed = 1, count = 10_000, ...asked] = process.argv.slice(2).map(Number);
const isDriving = (name: string): boolean => driving.some((own) => own === name);
const others = (Object.keys(finders) as (keyof typeof finders)[]).filter((name) => !isDriving(name));
let isWrong = false;

/** Prints a row: of how many scans how many passed. */
function tried(kind: keyof typeof flats, shots: number, scans: number, find: readonly (keyof typeof finders)[]): void {
  const passed = flatScans(new Random(hash(seed, kind, shots, find.join())), shots, scans, { kind, find });
  const words = Object.entries(passed).map(([what, number]) => `${what} ${number}`);
  console.log(`| ${kind} | ${shots} | ${scans} | ${words.join(", ")} |`);
  isWrong ||= Object.values(passed).some((number) => number > Math.max(1, scans / 1000));
}

for (const shots of asked.length > 0 ? asked : [1, 3, 10, 100]) {
  tried("flat", shots, count, driving);
  tried("flat", shots, Math.ceil(count / 10), others);
  for (const kind of Object.keys(flats) as (keyof typeof flats)[])
    if (kind !== "flat") tried(kind, shots, Math.ceil(count / 10), driving);
}
process.exitCode = isWrong ? 1 : 0;
