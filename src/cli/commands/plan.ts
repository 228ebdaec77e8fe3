import { Argument } from "commander";
import { problemsOf } from "../../scan/dry-run/dry-run.ts";
import { pathPicture } from "../../scan/index.ts";
import { type AddCommand, declare } from "../command.ts";
import { loadPlan } from "../load-plan.ts";
import { type ScanningOptions, withScanning } from "../scan-options.ts";
import { beamNow, estimatePlan, estimateText, runPlan } from "../scanning.ts";
import { contextOf } from "./scan.ts";

type Action = "check" | "dry-run" | "run";
interface Options extends ScanningOptions {
  readonly picture?: string;
}

/** `sacla plan check|dry-run|run FILE`. */
export const plan: AddCommand = (program, io) =>
  declare<Options, [Action, string]>(
    program,
    io,
    "plan",
    "look at a plan without doing anything (check, dry-run), or run it",
    (command) =>
      withScanning(
        command
          .addArgument(new Argument("<action>").choices(["check", "dry-run", "run"]))
          .argument("<file>", "module whose default export is a plan or makes one, or a table of positions (.csv)")
          .option("--picture <file>", "SVG of the path of a dry run"),
      ),
    async (session, options, [action, file]) => {
      const loaded = await loadPlan(file, session);
      if (action === "run")
        return await runPlan(session, options, loaded, { command: "plan", file, ...contextOf(options) });
      const found = await estimatePlan(session, options, loaded);
      const problems = problemsOf(loaded, found);
      const exitCode = problems.length === 0 ? 0 : 1;
      if (action === "check") {
        const text =
          problems.length === 0
            ? `${loaded.name}: OK: no problems found`
            : problems.map((why) => `problem: ${why}`).join("\n");
        return { json: { plan: loaded.name, problems }, text, exitCode };
      }
      if (options.picture !== undefined) session.io.writeFile(options.picture, pathPicture(found));
      const beam = problems.length === 0 ? await beamNow(session, options, loaded) : [];
      const { path, ...rest } = found;
      return {
        json: { ...rest, moves: path.length, beam },
        text: [estimateText(found, problems), ...beam].join("\n"),
        exitCode,
      };
    },
  );
