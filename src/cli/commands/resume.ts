import { badArgument, isRecord } from "../../core/guards.ts";
import { Journal, type Plan, scan } from "../../scan/index.ts";
import { type AddCommand, declare } from "../command.ts";
import { loadPlan, runPlan, type ScanningOptions, withScanning } from "../scanning.ts";

/** `sacla resume JOURNAL`: goes on with a scan that was stopped, or whose program died. */
export const resume: AddCommand = (program, io) =>
  declare<ScanningOptions, [string]>(
    program,
    io,
    "resume",
    "go on with a scan that was stopped or whose program died",
    (command) => withScanning(command.argument("<journal>", "file that was given as --journal")),
    async (session, options, [path]) => {
      const context = Journal.context(path);
      const begunWith = isRecord(context["options"]) ? (context["options"] as Partial<ScanningOptions>) : {};
      // Those with a default are always given, so that the ones it was begun with come first.
      const own = { rate: begunWith.rate ?? options.rate, map: begunWith.map ?? options.map };
      return await runPlan(session, { ...begunWith, ...options, ...own }, await planOf(context, path), {}, path);
    },
    (options, [path]) => {
      const begunWith = Journal.context(path)["options"];
      return (
        options.url ?? (isRecord(begunWith) && typeof begunWith["url"] === "string" ? begunWith["url"] : undefined)
      );
    },
  );

async function planOf(context: Readonly<Record<string, unknown>>, path: string): Promise<Plan> {
  const { command, file, settings } = context as Readonly<Record<"command" | "file" | "settings", unknown>>;
  if (command === "plan" && typeof file === "string") return await loadPlan(file);
  if (command === "scan" && isRecord(settings)) return scan(settings as unknown as Parameters<typeof scan>[0]);
  throw badArgument(
    "journal",
    path,
    "one made by `sacla scan` or `sacla plan run`; resume those of a program with resumeScan",
  );
}
