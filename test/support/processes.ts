import { readdirSync, readFileSync } from "node:fs";

/** Children of a process, of all its threads, in whose command line `part` stands. Linux alone says. */
export function childrenOf(pid: number, part: string): number[] {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks)
    .flatMap((task) => readFileSync(`${tasks}/${task}/children`, "utf8").split(" "))
    .filter((text) => text !== "")
    .map(Number)
    .filter((child) => readFileSync(`/proc/${child}/cmdline`, "utf8").includes(part));
}

export function isAlive(pid: number): boolean {
  try {
    // One that has ended and is not taken notice of yet has no memory map any more.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
