import { readFileSync, writeFileSync } from "node:fs";

/** Lets the process that has a file of leases be one that was killed: its process id belongs to another program. */
export function asKilled(leases: string): void {
  changeClaims(leases, { startTime: "1" });
}

/** Changes what all who have claimed a file of leases have said of themselves. */
export function changeClaims(leases: string, changes: object): void {
  const lines = readFileSync(`${leases}.owner`, "utf8").trimEnd().split("\n");
  const changed = lines.map((line) => {
    const entry = JSON.parse(line) as { claim?: object };
    return JSON.stringify(entry.claim === undefined ? entry : { claim: { ...entry.claim, ...changes } });
  });
  writeFileSync(`${leases}.owner`, changed.map((line) => `${line}\n`).join(""));
}
