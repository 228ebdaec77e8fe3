import { existsSync } from "node:fs";
import { type Command, InvalidArgumentError, Option } from "commander";
import { isSaclaError, SaclaError, toSaclaError } from "../core/errors.ts";
import { droppedWords, reasonsByTag } from "../core/ledger.ts";
import { counted } from "../core/show.ts";
import { durationText } from "../core/time-text.ts";
import { parseCondition, parseTagList, type Run, type RunTags } from "../db/index.ts";
import type { DarkSource } from "../reduce/index.ts";
import { collect, parseCount, parseWhole, type Session } from "./command.ts";
import { readText } from "./read-text.ts";
import { asDarkRule } from "./settings.ts";

/** What `--tags` takes. */
export const tagsMeaning = "only these: a tag list (a file, as sacla tags -o writes it), or FIRST-LAST";

const shotChoices = ["all", "dark", "exposed", "on", "off"] as const;
type ShotChoice = (typeof shotChoices)[number];

/** Options that say which shots; the same for every command that looks at shots of a run. */
export interface ChoiceOptions {
  readonly class?: ShotChoice | undefined;
  readonly where: readonly string[];
  readonly tags?: string | undefined;
  readonly limit?: number | undefined;
}

/** Options that say what is subtracted. */
export interface DarkOptions {
  /** A rule of {@link asDarkRule}; true: `--dark` alone, the head; false: `--no-dark`. */
  readonly dark?: string | boolean | undefined;
  readonly darkRun?: number | undefined;
}

/** Adds the options of {@link ChoiceOptions}. @param usual - the class without `--class` */
export function withChoice(command: Command, usual: string): Command {
  return command
    .addOption(new Option("--class <class>", `which shots (default: ${usual})`).choices(shotChoices))
    .option(
      "--where <condition>",
      'only shots where a signal fulfils a condition: "i0 > 5nC", or a band, "4nC < i0 < 6nC"; can be repeated',
      collect,
      [],
    )
    .option("--tags <tags>", tagsMeaning)
    .option("-n, --limit <shots>", "at most this many shots", parseCount);
}

/** Adds the options of {@link DarkOptions}. @param usual - what is subtracted without `--dark` */
export function withDark(command: Command, usual = "head, where the run has one"): Command {
  return command
    .option(
      "--dark [from]",
      "subtract a dark: head (of the run), auto (else of the run nearest in time), none, or a dark run " +
        `(default: ${usual})`,
      parseDark,
    )
    .option("--no-dark", "subtract no dark")
    .addOption(new Option("--dark-run <run>", "the same as --dark RUN").argParser(parseWhole).hideHelp());
}

/** A commander parser for `--dark`. */
export function parseDark(text: string): string {
  try {
    return asDarkRule("--dark", text);
  } catch (error) {
    throw new InvalidArgumentError(toSaclaError(error).message);
  }
}

/** Shots that were chosen, and what they are, in words. */
export interface Chosen {
  readonly tags: RunTags;
  /** What so many of them are called: "pumped shots", "shot with i0 > 5nC". */
  words(count: number): string;
}

/**
 * The shots of a run that the options name. The ledger has why the others are not among them.
 * @throws UNKNOWN_SIGNAL, BAD_ARGUMENT, FILE_NOT_FOUND, NO_SHOTS when there is none
 */
export async function chooseShots(
  session: Session,
  run: Run,
  options: ChoiceOptions,
  usual: ShotChoice,
): Promise<Chosen> {
  const conditions = options.where.map(parseCondition);
  const [choice, ofChoice] = await chosenClass(session, run, options.class, usual);
  let found = ofChoice;
  const base = found.basis;
  const reasons = reasonsByTag(found.ledger?.dropped ?? []);
  const narrow = (kept: RunTags, why: string): void => {
    const named = reasonsByTag(kept.ledger?.dropped ?? []);
    for (const tag of found) if (!kept.has(tag)) reasons.set(tag, named.get(tag) ?? why);
    found = kept;
  };
  if (options.tags !== undefined) narrow(await listedTags(run, found, options.tags, session.signal), "not-listed");
  for (const { equipId, holds } of conditions)
    narrow(await found.where(equipId, holds, { signal: session.signal }), "condition");
  const all = await run.tags({ signal: session.signal });
  const tags = all.select((tag) => (found.has(tag) ? null : (reasons.get(tag) ?? `not-${choice}`)), base);
  if (tags.length === 0) throw noShots(run, choice, options, tags);
  return { tags, words: (count) => wordsOf(choice, options, count) };
}

/** Without a signal of the shutter, as in many files of other programs, all shots are taken where no class is named. */
async function chosenClass(
  { io, signal }: Session,
  run: Run,
  named: ShotChoice | undefined,
  usual: ShotChoice,
): Promise<[choice: ShotChoice, tags: RunTags]> {
  const choice = named ?? usual;
  try {
    return [choice, await ofClass(run, choice, signal)];
  } catch (error) {
    if (named !== undefined || !isSaclaError(error, "UNKNOWN_SIGNAL")) throw error;
    io.err(
      `warning: run ${run.number} has no signal of the shutter, so all its shots are taken, whether dark or exposed; ` +
        "choose some with --tags or --where\n",
    );
    return ["all", await ofClass(run, "all", signal)];
  }
}

function noShots(run: Run, choice: ShotChoice, options: ChoiceOptions, { ledger }: RunTags): SaclaError {
  const dropped = ledger?.dropped ?? [];
  const allDark = choice !== "dark" && dropped.length === 1 && dropped[0]?.reason === "dark";
  const closed = allDark ? " (the X-ray shutter was closed all the time)" : "";
  const why = dropped.length === 0 ? "" : `: of its ${ledger?.asked} shots ${droppedWords(dropped)}${closed}`;
  return new SaclaError("NO_SHOTS", `Run ${run.number} has no ${wordsOf(choice, options, 0)}${why}.`, {
    details: { ledger: ledger ?? null },
  });
}

/** Where the dark comes from. Without a word of the user: the head of the run where it has dark shots, else nowhere. */
export async function chooseDark(
  session: Session,
  run: Run,
  detectors: readonly string[],
  { dark, darkRun, class: choice }: DarkOptions & Pick<ChoiceOptions, "class">,
): Promise<DarkSource> {
  if (darkRun !== undefined) return await session.facility.run(run.bl, darkRun);
  if (dark === false || dark === "none") return "none";
  if (dark === true || dark === "head") return "head";
  if (dark === "auto") return await nearestDark(session, run, detectors);
  if (dark !== undefined) return await session.facility.run(run.bl, Number(dark));
  // The mean of dark shots is wanted as it is.
  if (choice === "dark") return "none";
  const why = await whyNoDark(session, run);
  if (why === undefined) return "head";
  session.io.err(
    `warning: run ${run.number} has no dark shots at its head${why}, so nothing is subtracted; ` +
      "take the nearest run that has some, --dark auto, or name one, --dark RUN\n",
  );
  return "none";
}

/** The run nearest in time that has dark shots of all the detectors, told with how far it is. @throws NO_DARK */
async function nearestDark(
  { facility, io, signal }: Session,
  run: Run,
  detectors: readonly string[],
): Promise<DarkSource> {
  const found = await facility.db.nearestDark(run, { detector: detectors, signal });
  if (found === undefined)
    throw new SaclaError("NO_DARK", `No run near run ${run.number} has dark shots of ${detectors.join(", ")}.`);
  if (found.number === run.number) return "head";
  const seconds = found.info.starttime - run.info.starttime;
  const far = durationText(Math.abs(seconds));
  io.err(`dark: of run ${found.number}, which began ${far} ${seconds < 0 ? "before" : "after"} run ${run.number}\n`);
  return found;
}

/** Undefined where the head of a run has dark shots; else what there is to say besides. */
async function whyNoDark(session: Session, run: Run): Promise<string | undefined> {
  try {
    const { length } = await run.darkTags(undefined, { signal: session.signal });
    return length > 0 ? undefined : "";
  } catch (error) {
    // Files of other programs often lack the shutter's signal.
    if (!isSaclaError(error, "UNKNOWN_SIGNAL")) throw error;
    return " that can be told: the source has no signal of the shutter";
  }
}

/** What was subtracted, for titles and answers. */
export function darkWords(run: Run, dark: DarkSource, shots?: number): string {
  if (dark === "none") return "raw (no dark subtracted)";
  const of = shots === undefined ? "" : ` (mean of ${counted(shots, "shot")})`;
  return dark === "head" || dark.number === run.number
    ? `less the dark of the run${of}`
    : `less the dark of run ${dark.number}${of}`;
}

/** `--class`, as people call its shots. */
function wordsOf(choice: ShotChoice, { where, tags }: ChoiceOptions, count: number): string {
  const kinds = { all: "", dark: "dark ", exposed: "exposed ", on: "pumped ", off: "unpumped " };
  const limits = [...(tags === undefined ? [] : [`of ${tags}`]), ...where.map((text) => `with ${text.trim()}`)];
  return [`${kinds[choice]}shot${count === 1 ? "" : "s"}`, ...limits].join(" ");
}

async function ofClass(run: Run, wanted: ShotChoice, signal: AbortSignal): Promise<RunTags> {
  if (wanted === "all") return await run.tags({ signal });
  if (wanted === "dark") return await run.darkTags(undefined, { signal });
  if (wanted === "exposed") return await run.exposedTags(undefined, { signal });
  return await (wanted === "on" ? run.on({ signal }) : run.off({ signal }));
}

/** The tags that `--tags` names. @throws BAD_ARGUMENT for one that the run does not have */
export async function listedTags(run: Run, among: RunTags, text: string, signal: AbortSignal): Promise<RunTags> {
  const [, first, last] = /^(\d+)-(\d+)$/.exec(text) ?? [];
  if (first !== undefined && last !== undefined && !existsSync(text)) return among.between(Number(first), Number(last));
  const { tags } = parseTagList(readText(text, "The tag list"));
  const all = await run.tags({ signal });
  const stranger = tags.find((tag) => !all.has(tag));
  if (stranger !== undefined)
    throw new SaclaError(
      "BAD_ARGUMENT",
      `Tag ${stranger} of ${text} is not one of the ${all.length} of run ${run.number}.`,
    );
  const wanted = new Set(tags);
  return among.filter((tag) => wanted.has(tag));
}
