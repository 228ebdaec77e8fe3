import type { Command } from "commander";
import { sleep } from "../core/async.ts";
import { isSaclaError, SaclaError, toSaclaError } from "../core/errors.ts";
import { oneLine } from "../core/printable.ts";
import type { Control, ControlView, DeviceInfo, Experiment, Move, MoveView, SettingInfo } from "../ec/index.ts";
import { textTable } from "../plot/text.ts";
import type { CommandResult, CommonOptions, Session } from "./command.ts";
import { StatusLine } from "./progress.ts";

/** Options of every command that changes something. */
export interface ChangeOptions extends CommonOptions {
  readonly dryRun?: boolean | undefined;
  readonly yes?: boolean | undefined;
  readonly reason?: string | undefined;
}

export function withChange(command: Command): Command {
  return command
    .option("--dry-run", "print what would be done, and do nothing")
    .option("-y, --yes", "do not ask for confirmation")
    .option("--as <name>", "your name: others see it while you hold the lease (default: the login name)")
    .option("--reason <text>", "why you take control; shown to others while you hold the lease");
}

/** What can be looked at without the lease. */
export async function view({ facility, bl, experiment }: Session): Promise<ControlView> {
  return await facility.ec.view(bl, { experiment });
}

/** Shows, asks, takes the lease, does; `what` tells others why. Nobody is kept waiting while the question stands. */
export async function change<T>(
  session: Session,
  options: ChangeOptions,
  what: string,
  shown: string,
  work: (control: Control, experiment: Experiment | undefined) => Promise<T>,
): Promise<{ readonly done: true; readonly value: T } | { readonly done: false }> {
  if (options.dryRun === true) return { done: false };
  const { io, facility, bl, experiment, person, pollMs } = session;
  if (options.yes !== true) {
    io.err(`${shown}\n`);
    if (io.confirm === undefined)
      throw new SaclaError("BAD_ARGUMENT", "Nobody can be asked here, so nothing was done; say --yes or --dry-run.");
    if (!(await io.confirm("Do it?"))) return { done: false };
  }
  const reason = options.reason ?? what;
  await using control = await facility.ec.control(bl, { name: person, reason, experiment, pollMs });
  return { done: true, value: await work(control, experiment) };
}

/** A value in a table: numbers without digits that only binary fractions have. */
export function cell(value: number | string | null): number | string {
  return value === null ? "" : typeof value === "number" ? Number(value.toPrecision(9)) : value;
}

/** What an experiment calls a device, by its control name or its SyncDB name; "" when it does not. */
export function namesOf(experiment: Experiment | undefined): (info: DeviceInfo) => string {
  const names = new Map<string, string>();
  for (const part of [experiment?.axes, experiment?.shutters, experiment?.settings])
    for (const [name, { device }] of Object.entries(part ?? {})) names.set(device, name);
  return ({ name, syncdb }) => names.get(name) ?? names.get(syncdb ?? "") ?? "";
}

/** What a setting takes. */
export function allowedText({ allowed }: SettingInfo): string {
  return "from" in allowed ? `${allowed.from} … ${allowed.to}` : allowed.join(", ");
}

/** The table now → will be. */
function moveTable(move: MoveView): string {
  return textTable(
    ["name", "now", "will be", "unit", "distance", "s", "limits", "problem"],
    move
      .table()
      .map((row) => [
        row.name,
        cell(row.now),
        cell(row.willBe),
        row.unit,
        cell(row.distance),
        row.seconds === null ? "" : row.seconds.toFixed(1),
        row.limits,
        row.problem,
      ]),
  );
}

/** How long stopped axes may take to run down their ramps. */
const LONGEST_RAMP_MS = 5000;

/** Where the axes of a move came to rest that was stopped on its way. */
async function whereStopped(control: Control, move: Move): Promise<string> {
  const axes = move.table().filter(({ distance }) => distance !== null);
  const until = performance.now() + LONGEST_RAMP_MS;
  const places = axes.map(async ({ name, unit }) => {
    let { state, position } = await control.axis(name).read();
    while (state === "moving" && performance.now() < until) {
      await sleep(50);
      ({ state, position } = await control.axis(name).read());
    }
    return `${name} ${state === "moving" ? "still moves, near" : "was stopped at"} ${cell(position)} ${unit}`;
  });
  return (await Promise.allSettled(places))
    .map((place) => (place.status === "fulfilled" ? place.value : toSaclaError(place.reason).message))
    .join("\n");
}

/** Between two looks at axes that move, ms. */
const READBACK_MS = 200;

/** Moves; a terminal shows where the axes are meanwhile. */
async function withReadback({ io, signal }: Session, control: Control, move: Move): Promise<Record<string, number>> {
  if (!io.isTerminal) return await move.go({ signal });
  const axes = move.table().filter(({ distance }) => distance !== null);
  const line = new StatusLine(io);
  const ended = new AbortController();
  const show = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      const places = await Promise.all(
        axes.map(async ({ name, willBe, unit }) => {
          const { position } = await control.axis(name).read(ended.signal);
          return `${name} ${Number(position.toPrecision(6))} → ${cell(willBe)} ${unit}`.trimEnd();
        }),
      );
      if (!ended.signal.aborted) line.draw(places.join(", "));
      await sleep(READBACK_MS, ended.signal);
    }
  };
  // A look that fails is the move's to tell.
  const shown = show().catch(() => {});
  try {
    return await move.go({ signal });
  } finally {
    ended.abort();
    await shown;
    line.clear();
  }
}

/** Shows a move, asks, does it. */
export async function doMove(
  session: Session,
  options: ChangeOptions,
  what: string,
  looked: MoveView,
  again: (control: Control) => Promise<Move>,
): Promise<CommandResult> {
  const table = moveTable(looked);
  const isPossible = looked.problems.length === 0;
  const json = { table: looked.table(), problems: looked.problems, seconds: looked.seconds };
  if (!isPossible || options.dryRun === true) {
    const text = isPossible
      ? `${table}\nnothing was done (dry run)`
      : `${table}\nnothing was done: ${oneLine(looked.problems.join("; "))}`;
    return { json: { ...json, done: false }, text, exitCode: isPossible ? 0 : 1 };
  }
  const outcome = await change(session, options, what, table, async (control) => {
    const move = await again(control);
    try {
      return await withReadback(session, control, move);
    } catch (error) {
      if (isSaclaError(error, "ABORTED")) session.io.err(`${await whereStopped(control, move)}\n`);
      throw error;
    }
  });
  if (!outcome.done) return { json: { ...json, done: false }, text: "nothing was done", exitCode: 1 };
  const at = Object.entries(outcome.value).map(([name, value]) => `${name} is at ${cell(value)}`);
  for (const { name, willBe, distance } of looked.table()) if (distance === null) at.push(`${name} is ${willBe}`);
  return { json: { ...json, done: true, at: outcome.value }, text: [table, ...at].join("\n") };
}
