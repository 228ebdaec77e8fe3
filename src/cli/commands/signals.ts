import { oneLine } from "../../core/printable.ts";
import { type AddCommand, declare } from "../command.ts";

/** `sacla signals PATTERN`: equipment ids by part of the name or by glob. */
export const signals: AddCommand = (program, io) =>
  declare<object, [string]>(
    program,
    io,
    "signals",
    "search the names of 0-D signals",
    (command) => command.argument("[pattern]", "part of the name, or a glob with * and ?", ""),
    async ({ facility, signal }, _options, [pattern]) => {
      const names = await facility.db.searchSignals(pattern, { signal });
      return {
        json: { pattern, signals: names },
        text: names.length > 0 ? names.map(oneLine).join("\n") : `no signal has ${JSON.stringify(pattern)} in its name`,
      };
    },
  );
