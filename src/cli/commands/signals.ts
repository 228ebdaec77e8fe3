import { oneLine } from "../../core/printable.ts";
import { searchByMeaning, signalMeaning } from "../../db/index.ts";
import { textTable } from "../../plot/text.ts";
import { type AddCommand, declare } from "../command.ts";

/** `sacla signals PATTERN`: equipment ids by part of the name, by glob, or by what they are. */
export const signals: AddCommand = (program, io) =>
  declare<object, [string]>(
    program,
    io,
    "signals",
    "search the 0-D signals by part of the name or by what they are: BM1, photodiode, laser",
    (command) =>
      command.argument("[pattern]", "part of the name, a glob with * and ?, or words of what it is: BM1", ""),
    async ({ facility, experiment, signal }, _options, [pattern]) => {
      const exact = await facility.db.searchSignals(pattern, { signal });
      const own = ownNames(experiment?.signals ?? {}, pattern);
      const found =
        exact.length > 0 || /[*?]/.test(pattern)
          ? exact
          : searchByMeaning(await facility.db.readEquiplist({ signal }), pattern);
      const rows = found.map((id) => [oneLine(id), signalMeaning(id)]);
      const lines = [
        ...(own.length === 0 ? [] : [textTable(["name", "signal", "meaning"], own), ""]),
        rows.length > 0 ? textTable(["", ""], rows) : `no signal has ${JSON.stringify(pattern)} in its name or meaning`,
      ];
      return {
        json: { pattern, signals: found, names: Object.fromEntries(own.map(([name = "", id]) => [name, id])) },
        text: lines.join("\n"),
      };
    },
  );

/** Names of the experiment in which, or in whose meaning, the pattern is. */
function ownNames(
  signalsOf: Readonly<Record<string, { readonly id: string; readonly meaning: string }>>,
  pattern: string,
): string[][] {
  const wanted = pattern.toLowerCase();
  return Object.entries(signalsOf)
    .filter(([name, { id, meaning }]) => [name, id, meaning].some((text) => text.toLowerCase().includes(wanted)))
    .map(([name, { id, meaning }]) => [name, id, meaning]);
}
