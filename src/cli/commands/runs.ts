import { oneLine } from "../../core/printable.ts";
import { runStatusWord } from "../../core/run-status.ts";
import { plainTime, type Zone, zoneName } from "../../core/time-text.ts";
import type { Run } from "../../db/index.ts";
import { textTable } from "../../plot/text.ts";
import { type AddCommand, declare, parseCount } from "../command.ts";

interface Options {
  readonly last: number;
  readonly follow?: boolean;
}

/** `sacla runs`: the last runs of a beamline, or each as it ends. */
export const runs: AddCommand = (program, io) =>
  declare<Options, []>(
    program,
    io,
    "runs",
    "list the last runs of a beamline, or follow them as they end",
    (command) =>
      command
        .option("-n, --last <count>", "number of runs", parseCount, 10)
        .option("-f, --follow", "print each run when it stops (with --json one JSON object per line), until Ctrl+C"),
    async ({ facility, bl, signal, zone }, { last, follow, json }) => {
      const found: Run[] = [];
      for await (const run of facility.runs({ bl, last, signal, ...(follow === true ? { follow } : {}) })) {
        if (follow !== true) found.push(run);
        else io.out(json === true ? `${JSON.stringify(summary(run))}\n` : `${oneLine(row(run, zone).join("  "))}\n`);
      }
      // The name of a source also says what it lacks, such as files of a folder that cannot be read.
      const { name } = await facility.endpoint.call("facility.describe", {}, { signal });
      const table = textTable(
        ["run", "status", `start (${zoneName(zone)})`, "s", "tags", "comment"],
        found.map((run) => row(run, zone)),
      );
      return {
        json: { bl, source: name, runs: found.map(summary) },
        text: `${table}\nbeamline ${bl} of ${oneLine(name)}`,
      };
    },
  );

function summary(run: Run): object {
  const { number, status, comment, hightag, info } = run;
  return {
    run: number,
    status,
    starttime: info.starttime,
    stoptime: info.stoptime,
    hightag,
    startTag: info.start_tagnumber,
    endTag: info.end_tagnumber,
    comment,
  };
}

function row(run: Run, zone: Zone): (string | number)[] {
  const seconds = (run.info.stoptime - run.info.starttime).toFixed(0);
  return [
    run.number,
    runStatusWord(run.status),
    plainTime(run.startTime, zone),
    Number(seconds),
    run.info.total_tagnumber,
    run.comment,
  ];
}
