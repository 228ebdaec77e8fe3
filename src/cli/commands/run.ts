import { Argument } from "commander";
import { show } from "../../core/errors.ts";
import { counted } from "../../core/show.ts";
import { isShutterClosed, xrayShutter } from "../../ec/xray-shutter.ts";
import { type AddCommand, collect, declare, parseWhole, type Session } from "../command.ts";
import { type ChangeOptions, change, view, withChange } from "../control.ts";

type Action = "start" | "pause" | "resume" | "stop" | "state";
interface Options extends ChangeOptions {
  readonly comment: string;
  readonly detector: readonly string[];
  readonly shots: number;
}

/** `sacla run start|pause|resume|stop|state`. */
export const run: AddCommand = (program, io) =>
  declare<Options, [Action]>(
    program,
    io,
    "run",
    "start, pause, resume or stop a run, or print its state; pausing needs no lease and no confirmation",
    (command) =>
      withChange(
        command
          .addArgument(new Argument("<action>").choices(["start", "pause", "resume", "stop", "state"]))
          .option("--comment <text>", "comment of the run to start", "")
          .option(
            "--detector <id>",
            "detector of the run to start: id or name in the experiment; can be repeated",
            collect,
            [],
          )
          .option("--shots <count>", "shots of the run to start; 0: until it is stopped", parseWhole, 0),
      ),
    async (session, options, [action]) => {
      const looking = await view(session);
      const before = await looking.runState();
      const told = `run ${before.run} is ${before.state}`;
      if (action === "start" || action === "resume") await warnOfClosedShutter(session);
      if (action === "state") return { json: before, text: told };
      if (action === "pause" && options.dryRun !== true) {
        await looking.pauseRun();
        // A run that was ending or had ended is not paused: what is told is what it is.
        const after = await looking.runState();
        return { json: { before, after, action, done: true }, text: `run ${after.run} is ${after.state}` };
      }
      const { comment, detector, shots } = options;
      const { experiment } = session;
      const ids = detector.map((name) => experiment?.detectors[name]?.id ?? name);
      const wanted =
        `${shots === 0 ? "any number of shots" : counted(shots, "shot")}, ` +
        `${ids.length === 0 ? "the usual detectors" : ids.join(", ")}, comment ${show(comment)}`;
      const shown = action === "start" ? `${told}; start one of ${wanted}` : `${told}; ${action} it`;
      const outcome = await change(session, options, `${action} a run`, shown, async (control) => {
        if (action === "start") await control.startRun({ comment, detectors: ids, shots });
        else if (action === "resume") await control.resumeRun();
        else await control.stopRun();
        return await control.runState();
      });
      if (!outcome.done)
        return {
          json: { before, action, done: false },
          text: `${shown}; nothing was done`,
          exitCode: options.dryRun === true ? 0 : 1,
        };
      const { value: after } = outcome;
      return { json: { before, after, action, done: true }, text: `run ${after.run} is ${after.state}` };
    },
  );

async function warnOfClosedShutter({ facility, bl, io }: Session): Promise<void> {
  const shutter = await xrayShutter(facility, bl);
  if (shutter === undefined || !(await isShutterClosed(facility, bl, shutter.name))) return;
  io.err(
    `warning: the ${shutter.meaning} ${shutter.name} is closed, so the shots will be dark; ` +
      `to open it: sacla shutter ${shutter.name} open\n`,
  );
}
