import { counted } from "../../core/show.ts";
import { addSignals as addColumns } from "../../hdf5/index.ts";
import { type AddCommand, declare, findRun, runArgument } from "../command.ts";

/** `sacla add-signals RUN FILE SIGNAL…`: 0-D signals of a source into an HDF5 file that is there. */
export const addSignals: AddCommand = (program, io) =>
  declare<{ readonly replace?: boolean }, [number | "newest", string, string[]]>(
    program,
    io,
    "add-signals",
    "add 0-D signals of a run to an HDF5 file in the DataConvert layout (H5AddDBInfo); nothing else in it changes",
    (command) =>
      command
        .addArgument(runArgument())
        .argument("<file>", "HDF5 file that has the run")
        .argument("<signals...>", "names of the experiment, equipment ids, or BM1; find them with sacla signals")
        .option("--replace", "write over signals that the file has with other values"),
    async (session, { replace = false }, [number, file, names]) => {
      const run = await findRun(session, number);
      const table = await run.table(names, undefined, { signal: session.signal });
      const added = await addColumns(
        file,
        run.number,
        table.columns.map((column) => ({
          equipId: column.equipId,
          unit: column.unit,
          tags: column.tags.values,
          // As DataConvert does: infinity for saturated.
          values: column.values.map((value, i) => (column.reason(i) === "saturated" ? Infinity : value)),
        })),
        { replace },
      );
      const lines = added.signals.map(
        ({ path, numbers, wasThere }) =>
          `${path}: ${counted(numbers, "number")}${wasThere ? ", was there already" : ""}`,
      );
      return {
        json: { ...added },
        text: [...lines, `run ${run.number} in ${file}, ${counted(added.shots, "shot")}`].join("\n"),
      };
    },
  );
