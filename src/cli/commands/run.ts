import { Argument } from "commander";
import { type AddCommand, declare, parseWhole } from "../command.ts";
import { type ChangeOptions, change, view, withChange } from "../control.ts";

type Action = "start" | "pause" | "resume" | "stop" | "state";
interface Options extends ChangeOptions {
  readonly comment: string;
  readonly detectors: readonly string[];
  readonly shots: number;
}

/** `sacla run start|pause|resume|stop|state`. */
export const run: AddCommand = (program, io) =>
  declare<Options, [Action]>(
    program,
    io,
    "run",
    "start, pause, resume or stop a run, or tell its state; pausing needs neither lease nor question",
    (command) =>
      withChange(
        command
          .addArgument(new Argument("<action>").choices(["start", "pause", "resume", "stop", "state"]))
          .option("--comment <text>", "of the run to start", "")
          .option("--detectors <ids>", "of the run to start, with commas between", (text: string) => text.split(","), [])
          .option("--shots <count>", "of the run to start; 0: until it is stopped", parseWhole, 0),
      ),
    async (session, options, [action]) => {
      const looking = await view(session, options);
      const before = await looking.runState();
      const told = `run ${before.run} is ${before.state}`;
      if (action === "state") return { json: before, text: told };
      if (action === "pause" && options.dryRun !== true) {
        await looking.pauseRun();
        return { json: { before, action, done: true }, text: `run ${before.run} was paused` };
      }
      const { comment, detectors, shots } = options;
      const shown = action === "start" ? `${told}; start one of ${shots === 0 ? "any number of" : shots} shots: ${comment}` : `${told}; ${action} it`;
      const outcome = await change(session, options, `${action} a run`, shown, async (control) => {
        if (action === "start") await control.startRun({ comment, detectors, shots });
        else if (action === "resume") await control.resumeRun();
        else await control.stopRun();
        return await control.runState();
      });
      if (!outcome.done) return { json: { before, action, done: false }, text: `${shown}; nothing was done`, exitCode: options.dryRun === true ? 0 : 1 };
      const { value: after } = outcome;
      return { json: { before, after, action, done: true }, text: `run ${after.run} is ${after.state}` };
    },
  );
