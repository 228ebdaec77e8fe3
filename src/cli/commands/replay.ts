import { connect } from "../../connect.ts";
import { counted } from "../../core/show.ts";
import { provenanceOf, replay as replayFile } from "../../hdf5/index.ts";
import { type AddCommand, print } from "../command.ts";
import { StepProgress } from "../progress.ts";

/** `sacla replay FILE`: makes a converted file again and compares. */
export const replay: AddCommand = (program, io) => {
  program
    .command("replay")
    .description(
      "repeat the conversion that a file of sacla convert records, and compare; exit code 1 when the files differ",
    )
    .argument("<file>", "HDF5 file written by sacla convert")
    .option("--url <address>", "where to read (default: the address in the file)")
    .option("--json", "print one JSON object")
    .action(async (path: string, { url, json }: { url?: string; json?: boolean }) => {
      const { request, source, ledger, versions } = await provenanceOf(path);
      await using facility = await connect(url ?? source.url ?? "sim:");
      const progress = new StepProgress(io, `replay ${path}`);
      const { isSame, difference, added } = await replayFile(facility, path, {
        signal: io.signal,
        onProgress: progress.update,
      }).finally(() => progress.end());
      const shots = counted(ledger.used, "shot");
      const same =
        added === undefined
          ? "the same to the last byte"
          : `the same, but for signals added since: ${added.join(", ")}`;
      const verdict = isSame ? same : `different: ${difference}`;
      print(io, json === true, {
        json: { file: path, isSame, difference, ...(added === undefined ? {} : { added }), request, source, versions },
        text: `${path}: run ${request.run} of ${source.url ?? "an unnamed source"}, ${shots}: ${verdict}`,
        exitCode: isSame ? 0 : 1,
      });
    });
};
