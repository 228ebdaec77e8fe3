import { badArgument, isRecord } from "../../core/guards.ts";
import { count, Journal, type OptimiseOptions, optimise, type Plan, scan } from "../../scan/index.ts";
import { type AddCommand, type CommandResult, declare, type Session } from "../command.ts";
import { runShared, runSweeps } from "../delay-sweeps.ts";
import { loadPlan } from "../load-plan.ts";
import { newestJournal } from "../scan-journal.ts";
import { type ScanningOptions, withScanning } from "../scan-options.ts";
import { runPlan } from "../scanning.ts";
import { runAlign } from "../sdo-align.ts";
import { runEdge } from "./energy.ts";
import { runRock } from "./rock.ts";
import { runLearn, runZero } from "./sdo.ts";

/** `sacla resume JOURNAL`: goes on with a scan that was stopped, or whose program died. */
export const resume: AddCommand = (program, io) =>
  declare<ScanningOptions, [string | undefined]>(
    program,
    io,
    "resume",
    "go on with a scan that was stopped or whose program died",
    (command) =>
      withScanning(
        command.argument("[journal]", "journal of the scan (default: the newest of yours that is not done)"),
      ),
    async (session, options, [given]) => {
      const path = given ?? newestJournal(io);
      const context = Journal.context(path);
      const begunWith = begunWithOf(context);
      // Those with a default are always given, so that the ones it was begun with come first.
      const own = { rate: begunWith.rate ?? options.rate, map: begunWith.map ?? options.map };
      const all = { ...begunWith, ...options, ...own };
      const { command, settings } = context as Readonly<Record<"command" | "settings", unknown>>;
      const goOn = goingOn[String(command)];
      if (goOn !== undefined && isRecord(settings)) return await goOn(session, all, settings as never, {}, path);
      return await runPlan(session, all, await planOf(session, context, path), {}, path);
    },
    (typed, [path]) => {
      const { url, bl, experiment } = begunWithOf(Journal.context(path ?? newestJournal(io)));
      return { url: typed.url ?? url, bl: typed.bl ?? bl, experiment: typed.experiment ?? experiment };
    },
  );

type GoOn<S> = (
  session: Session,
  options: ScanningOptions,
  settings: S,
  context: Readonly<Record<string, unknown>>,
  resumes: string,
) => Promise<CommandResult>;

/** Commands that say something of their own when their plan ends. */
const goingOn: Readonly<Record<string, GoOn<never>>> = {
  rock: runRock,
  "delay-scan live": runSweeps,
  "delay-scan shared": runShared,
  "energy edge": runEdge,
  "sdo align": runAlign,
  "sdo learn": runLearn,
  "sdo zero": runZero,
};

/** The options that the scan was begun with. */
function begunWithOf(context: Readonly<Record<string, unknown>>): Partial<ScanningOptions> {
  return isRecord(context["options"]) ? (context["options"] as Partial<ScanningOptions>) : {};
}

async function planOf(session: Session, context: Readonly<Record<string, unknown>>, path: string): Promise<Plan> {
  const { command, file, settings } = context as Readonly<Record<"command" | "file" | "settings", unknown>>;
  if (command === "plan" && typeof file === "string") return await loadPlan(file, session);
  if (command === "raster" && isRecord(settings)) return count(settings as unknown as Parameters<typeof count>[0]);
  if (command === "scan" && isRecord(settings)) return scan(settings as unknown as Parameters<typeof scan>[0]);
  if (command === "optimise" && isRecord(settings)) return optimise(settings as unknown as OptimiseOptions);
  throw badArgument("journal", path, "one made by a command of sacla; resume those of a program with resumeScan");
}
