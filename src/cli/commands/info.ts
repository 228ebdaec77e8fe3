import { isSaclaError } from "../../core/errors.ts";
import { runStatusWord } from "../../core/run-status.ts";
import type { Run, RunTags } from "../../db/index.ts";
import { textTable } from "../../plot/text.ts";
import { type AddCommand, declare, findRun, runArgument } from "../command.ts";

/** `sacla info RUN`: all that is recorded of a run, and where its dark shots are. */
export const info: AddCommand = (program, io) =>
  declare<object, [number | "newest"]>(
    program,
    io,
    "info",
    "show what is recorded about a run",
    (command) => command.addArgument(runArgument()),
    async (session, _options, [number]) => {
      const run = await findRun(session, number);
      const { signal } = session;
      const tags = await run.tags({ signal });
      const detectors = await run.detectors({ signal });
      const photonEnergyEv = await photonEnergy(run, signal);
      const dark = await darkShots(run, signal);
      const rows: [string, string][] = [
        ["run", `${run.number} of beamline ${run.bl}`],
        ["status", run.status === 0 ? "stopped (ready to read)" : runStatusWord(run.status)],
        ["start", session.time(run.startTime)],
        ["stop", session.time(run.stopTime)],
        ["comment", run.comment],
        ["HighTag", String(run.hightag)],
        [
          "tags",
          `${run.info.start_tagnumber} to ${run.info.end_tagnumber} (excluded), ${run.info.total_tagnumber} at 60 Hz`,
        ],
        ["shots", `${tags.length}, every ${tags.step === 1 ? "tag" : `${tags.step} tags`}`],
        [
          "dark shots",
          typeof dark === "string" ? dark : `${dark.length} at the head (${dark.basis?.rule ?? "no rule"})`,
        ],
        ["photon energy", photonEnergyEv === null ? "unknown" : `${photonEnergyEv.toFixed(1)} eV (configured)`],
        [
          "detectors",
          detectors
            .map(({ id, sensors }) => (sensors.length > 1 ? `${id} (${sensors.length} sensors)` : id))
            .join(", "),
        ],
      ];
      return {
        json: {
          bl: run.bl,
          run: run.number,
          ...run.info,
          shots: tags.length,
          step: tags.step,
          ...(typeof dark === "string"
            ? { dark: null, darkUnknown: dark }
            : { dark: dark.length, darkEvidence: dark.basis }),
          photonEnergyEv,
          detectors,
        },
        text: textTable(["", ""], rows),
      };
    },
  );

/** Null where a file has none. */
async function photonEnergy(run: Run, signal: AbortSignal): Promise<number | null> {
  try {
    return await run.photonEnergyEv({ signal });
  } catch (error) {
    if (!isSaclaError(error, "UNSUPPORTED")) throw error;
    return null;
  }
}

/** The dark shots, or why they cannot be told from the others: the rest of a run is worth showing without them. */
async function darkShots(run: Run, signal: AbortSignal): Promise<RunTags | string> {
  try {
    return await run.darkTags(undefined, { signal });
  } catch (error) {
    if (!isSaclaError(error, "UNKNOWN_SIGNAL", "NO_DARK", "UNSUPPORTED")) throw error;
    return error.message;
  }
}
