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

/** Processes that this one has begun, by kind: Chromium's as it names them, `server` and `reading` of `sacla view`. */
export function pageProcesses(): { readonly pid: number; readonly kind: string }[] {
  const found: { pid: number; kind: string }[] = [];
  const waiting = [process.pid];
  for (let pid = waiting.pop(); pid !== undefined; pid = waiting.pop()) {
    try {
      waiting.push(...childrenOf(pid, ""));
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      const own = command.includes("reading-process") ? "reading" : command.includes("view") ? "server" : "";
      const kind = /--type=([\w-]+)/.exec(command)?.[1] ?? own;
      if (kind !== "") found.push({ pid, kind });
    } catch {
      // It has ended.
    }
  }
  return found;
}
