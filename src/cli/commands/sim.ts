import { rmSync, statSync } from "node:fs";
import { Argument } from "commander";
import { SaclaError } from "../../core/errors.ts";
import { timeText } from "../../core/time-text.ts";
import { type AddCommand, print } from "../command.ts";
import { simFile } from "../kept-sim.ts";
import { readSettings } from "../settings.ts";

interface Options {
  readonly url?: string;
  readonly json?: boolean;
}

/** `sacla sim show|reset`: what commands have changed in the simulated facility, and how it begins anew. */
export const sim: AddCommand = (program, io) => {
  program
    .command("sim")
    .description("tell whether devices of the simulated facility were moved, or put all back as it begins: reset")
    .addArgument(new Argument("[what]", "show, or reset: forget every move and setting").choices(["show", "reset"]))
    .option("--url <address>", "which simulated facility: sim:, sim:?seed=7 (default: the one in use, else sim:)")
    .option("--json", "print one JSON object")
    .action((what: "show" | "reset" | undefined, { url, json }: Options) => {
      const asked = url ?? readSettings(io).values.url ?? "sim:";
      const address = /^sim:/i.test(asked) ? asked : "sim:";
      const file = simFile(io, address);
      if (file === undefined)
        throw new SaclaError("BAD_ARGUMENT", "The environment names no folder to keep changes in: set XDG_STATE_HOME.");
      const used = statSync(file, { throwIfNoEntry: false })?.mtime;
      if (what === "reset") rmSync(file, { force: true });
      const kept =
        used === undefined
          ? "is as it begins: nothing has been changed"
          : `has its devices where they were left ${timeText(used)}, kept in ${file}`;
      print(io, json === true, {
        json: { url: address, file, changed: used?.toISOString() ?? null, reset: what === "reset" },
        text: what === "reset" ? `${address} begins anew` : `${address} ${kept}`,
      });
    });
};
