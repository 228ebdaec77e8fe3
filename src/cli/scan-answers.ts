import { type Clipped, clippedIn } from "../core/clipped.ts";
import { SaclaError } from "../core/errors.ts";
import { quantityWithError } from "../core/quantities.ts";
import { answerText, type ScanAnswer, type ShotsTaken } from "../scan/index.ts";
import type { CommandResult, Session } from "./command.ts";
import { type ChangeOptions, doMove, view } from "./control.ts";

/** Where an axis goes after a scan: to the fitted peak, or the centre of gravity; of a step both are its middle. */
export type GoTo = "peak" | "centre";

/** The answers of a scan, a line each. */
export function answerLines(answers: readonly ScanAnswer[], units: Readonly<Record<string, string>>): string[] {
  return answers.map((answer) => answerText(answer, units));
}

/**
 * Goes to what was found in the first signal that has something, from the side where the scan began, after asking.
 * Nothing moves where nothing was found.
 * @param from - where the scan began
 * @throws NO_PEAK with the reason
 */
export async function goToAnswer(
  session: Session,
  options: ChangeOptions,
  answers: readonly ScanAnswer[],
  to: GoTo,
  from: number,
  unit: string,
): Promise<CommandResult> {
  const found = answers.find(({ kind }) => kind !== "none");
  if (found === undefined) throw nothingFound(answers);
  const { axis, signal, kind, centre, centreError, gravity } = found;
  const place = to === "peak" || kind === "step" ? { centre, centreError } : gravity;
  if (place === null || place.centre === null)
    throw new SaclaError(
      "NO_PEAK",
      `The ${kind} of ${signal} is cut by an end of the scan, so it has no centre of gravity.`,
    );
  const target = place.centre;
  const said = quantityWithError(target, place.centreError ?? NaN, unit);
  session.io.err(`${axis} goes to the ${kind === "step" ? "step" : to} of ${signal}: ${said}\n`);
  const looked = await (await view(session)).plan({ [axis]: target });
  return await doMove(session, options, `go to ${to}`, looked, async (control) => {
    // From the side where the scan began, so that backlash is that of the scan.
    if (options.dryRun !== true) await (await control.plan({ [axis]: from })).go({ signal: session.signal });
    return await control.plan({ [axis]: target });
  });
}

function nothingFound(answers: readonly ScanAnswer[]): SaclaError {
  const why =
    answers.length === 0
      ? "the scan has no signal; name one with --signal"
      : answers.map(({ signal, why: reason }) => `${signal}: ${reason}`).join("; ");
  return new SaclaError("NO_PEAK", `There is nothing to go to, so nothing moved: ${why}.`, { details: { why } });
}

/** Lines that say of which signals no shot has a number, and why. */
export function withoutNumber(all: readonly ShotsTaken[]): string[] {
  const signals = new Set(all.flatMap(({ missing }) => Object.keys(missing ?? {})));
  return [...signals].flatMap((signal) => {
    const hasNumber = all.some(({ values }) => values[signal]?.some((value) => value !== null) === true);
    if (hasNumber) return [];
    const reasons = new Map<string, number>();
    for (const { missing } of all)
      for (const [reason, count] of Object.entries(missing?.[signal] ?? {}))
        reasons.set(reason, (reasons.get(reason) ?? 0) + count);
    return (
      `${signal} has no number in any ` +
      `shot: ${[...reasons].map(([reason, count]) => `${count} ${reason}`).join(", ")}`
    );
  });
}

/** Signals that are cut off at their greatest reading, over all points of a scan. */
export function clippedSignals(all: readonly ShotsTaken[]): ({ readonly signal: string } & Clipped)[] {
  const signals = new Set(all.flatMap(({ values }) => Object.keys(values)));
  return [...signals].flatMap((signal) => {
    const found = clippedIn(
      signal,
      all.flatMap(({ values }) => values[signal] ?? []),
    );
    return found === null ? [] : [{ signal, ...found }];
  });
}
