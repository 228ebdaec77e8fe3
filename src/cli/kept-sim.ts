import { join } from "node:path";
import { hash } from "../core/random.ts";
import { type Address, addressOf, type OpenScheme } from "../transport/open.ts";
import type { Io } from "./io.ts";
import { userFolder } from "./settings.ts";

/** How commands open `sim:`: what they change is there at the next command, until `sacla sim reset`. */
export function keptSim(io: Pick<Io, "env" | "err">): OpenScheme {
  return async (address) => {
    const { keptScheme } = await import("../facility/scheme.ts");
    const open = keptScheme(
      ({ options }) => fileOf(io, options),
      (path, why) =>
        io.err(`warning: the changes of the simulated facility are not kept: ${path}: ${why} (sacla sim reset)\n`),
    );
    return await open(address);
  };
}

/** Whether an address is that of a rehearsal: its time passes when somebody waits for it or asks again. */
export function isRehearsal(url: string): boolean {
  return /^sim:.*[?&]clock=virtual/i.test(url);
}

/** The file of a `sim:` address; undefined where the environment names no folder for it. */
export function simFile(io: Pick<Io, "env">, url: string): string | undefined {
  return fileOf(io, addressOf(url, url.replace(/^sim:/i, "")).options);
}

function fileOf({ env }: Pick<Io, "env">, options: Address["options"]): string | undefined {
  const folder = userFolder(env, "state");
  const said = [...options].filter(([name]) => name !== "clock").map(([name, value]) => `${name}=${value}`);
  const end = said.length === 0 ? "" : `-${hash(said.sort().join("&")).toString(16)}`;
  return folder === undefined ? undefined : join(folder, `sim${end}.jsonl`);
}
