import { InvalidArgumentError, Option } from "commander";
import { type DetectorGroup, Detectors } from "../../core/detectors.ts";
import { isSaclaError } from "../../core/errors.ts";
import type { NdArray } from "../../core/ndarray.ts";
import { defined } from "../../core/options.ts";
import { oneLine } from "../../core/printable.ts";
import { quantity } from "../../core/quantities.ts";
import { counted } from "../../core/show.ts";
import type { Run } from "../../db/index.ts";
import { whyNoShots } from "../../db/why-no-shots.ts";
import type { Assembler } from "../../ip/index.ts";
import type { LivePolicy, LiveShot, LiveShots } from "../../live/index.ts";
import { darkMean } from "../../reduce/dark-average.ts";
import { assemblerFor } from "../../reduce/index.ts";
import { axesOf } from "../../reduce/picture.ts";
import { ledgerLine } from "../average-run.ts";
import { simulatedMark } from "../caption.ts";
import { parseDark } from "../choices.ts";
import {
  type AddCommand,
  type CommandResult,
  type CommonOptions,
  collect,
  declare,
  parseCount,
  parseNumber,
  parseWhole,
  type Session,
} from "../command.ts";
import { LiveView } from "../live-view.ts";
import { type PngOptions, viewWords, withPngOptions, writePicture } from "../picture.ts";
import { StatusLine } from "../progress.ts";

interface Options extends PngOptions, CommonOptions {
  readonly detector?: string;
  readonly signal: readonly string[];
  readonly policy: LivePolicy;
  readonly limit?: number;
  readonly untilRunEnd?: boolean;
  readonly every: number;
  /** A run, `auto` or `none`; false: `--no-dark`. */
  readonly dark?: string | false;
  readonly darkRun?: number;
  readonly hitAdu?: number;
  readonly hitPixels: number;
}

/** `sacla live`: what the beam does now, as one line and one picture. */
export const live: AddCommand = (program, io) =>
  declare<Options, []>(
    program,
    io,
    "live",
    "follow the beam: rate, latency, lost shots, mean or hit rate, and a picture that is renewed; until Ctrl+C",
    (command) =>
      withPngOptions(
        command
          .option("-d, --detector <id>", "detector or sensor (default: the one with the most sensors)")
          .addOption(
            new Option("-s, --signal <id>", "also show the newest value of this signal; repeat for more")
              .argParser(collect)
              .default([], "none"),
          )
          .addOption(
            new Option("--policy <name>", "newest: skip shots when slow; every: none while the facility has it")
              .choices(["newest", "every"])
              .default("newest"),
          )
          .option("-n, --limit <shots>", "stop after this many shots", parseCount)
          .option("--until-run-end", "stop when the current run ends (or the next one, if none is active)")
          .option(
            "--every <seconds>",
            "seconds between two pictures, the mean of the shots in between",
            parseSeconds,
            2,
          )
          .option(
            "--dark <from>",
            "auto: the newest run with dark shots, where there is one; none; or a run",
            parseDark,
          )
          .option("--no-dark", "subtract no dark")
          .addOption(new Option("--dark-run <run>", "the same as --dark RUN").argParser(parseWhole).hideHelp())
          .option("--hit-adu <adu>", "count hits: a pixel above this is lit", parseNumber)
          .option("--hit-pixels <count>", "a shot with so many lit pixels is a hit", parseWhole, 20),
      ),
    async (session, options) => await follow(session, options),
  );

async function follow(session: Session, options: Options): Promise<CommandResult> {
  const { facility, bl, signal } = session;
  const group = await liveDetector(session, options.detector);
  const shots = facility.live.shots({
    bl,
    detectors: group.sensors,
    signals: options.signal,
    policy: options.policy,
    missing: "partial",
    signal,
    ...defined({ limit: options.limit, untilRunEnd: options.untilRunEnd }),
  });
  const dark = await liveDark(session, group, options);
  const screen = new Screen(session, options, group, shots, dark);
  try {
    for await (const shot of shots) await screen.show(shot);
  } catch (error) {
    screen.stop();
    // Ctrl+C is how one leaves.
    if (!isSaclaError(error, "ABORTED")) throw error;
  }
  await screen.end();
  const summary = {
    bl,
    detector: group.id,
    ...shots.counts,
    latencyMs: screen.latency,
    dark: dark?.run ?? null,
    picture: screen.file,
  };
  return {
    json: summary,
    text: `${ledgerLine(shots.ledger)}${screen.file === null ? "" : `; picture: ${screen.file}`}`,
  };
}

function parseSeconds(text: string): number {
  const seconds = parseNumber(text);
  if (seconds < 0) throw new InvalidArgumentError("It must be a number of seconds, 0 or more.");
  return seconds;
}

/** The detector a user named, or the one with the most sensors. @throws UNKNOWN_DETECTOR */
async function liveDetector({ facility, bl, signal }: Session, id: string | undefined): Promise<DetectorGroup> {
  const ids = await facility.live.readDetidlist(bl, { signal });
  return new Detectors(ids, `The live data of beamline ${bl}`, {}, facility.endpoint.names).findOrLargest(id);
}

/** What is subtracted from each shot. */
interface LiveDark {
  readonly run: number;
  readonly shots: number;
  readonly mean: Readonly<Record<string, NdArray<Float64Array>>>;
}

/** Enough that the noise of the dark is a third of that of one shot; the picture begins soon. */
const DARK_SHOTS = 10;

/** The dark of a run that was named, all of it; else of the newest run that has some. Undefined: nothing. */
async function liveDark(session: Session, group: DetectorGroup, options: Options): Promise<LiveDark | undefined> {
  const { facility, bl, signal } = session;
  const { dark = "auto", darkRun } = options;
  if (darkRun === undefined && (dark === false || dark === "none")) return undefined;
  const named = darkRun ?? (dark !== false && /^\d+$/.test(dark) ? Number(dark) : undefined);
  const run = named === undefined ? await newestDark(session, group) : await facility.run(bl, named);
  if (run === undefined) return undefined;
  const tags = named === undefined ? (await run.darkTags(undefined, { signal })).slice(0, DARK_SHOTS) : undefined;
  const { mean, ledger } = await session.progress(`dark of run ${run.number}`, (update) =>
    darkMean(facility.shots({ run, detectors: group.sensors, signal, ...defined({ tags }) }), {
      onProgress: update,
    }),
  );
  return { run: run.number, shots: ledger.used, mean };
}

/**
 * Undefined where no run near the newest has dark shots, for a source that keeps no runs, and for cameras: without
 * X-rays they see as much.
 */
async function newestDark({ facility, bl, signal }: Session, group: DetectorGroup): Promise<Run | undefined> {
  try {
    let stopped: Run | undefined;
    for await (const run of facility.runs({ bl, last: 5, signal })) if (run.status === 0) stopped = run;
    const found = await (stopped && facility.db.nearestDark(stopped, { detector: group.id, within: 10, signal }));
    const [sensor = group.id] = group.sensors;
    return found === undefined || (await found.detectorInfo(sensor, { signal })).geometry === null ? undefined : found;
  } catch (error) {
    if (isSaclaError(error, "ABORTED")) throw error;
    return undefined;
  }
}

/** Redraws the line at most this often. */
const LINE_MS = 250;
/** After this long without a shot it says so and, asked so often, why. */
const QUIET_MS = 2000;

/** The line and the picture. */
class Screen {
  file: string | null = null;
  /** Mean latency of the last window, ms. */
  latency: number | null = null;
  readonly #session: Session;
  readonly #options: Options;
  readonly #group: DetectorGroup;
  readonly #shots: LiveShots;
  readonly #view: LiveView;
  readonly #dark: LiveDark | undefined;
  readonly #timer: NodeJS.Timeout;
  readonly #status: StatusLine;
  #values = "";
  #pictureAt: number;
  #lineAt = 0;
  #assembler: Assembler | null | undefined;
  #why = "beam stopped, or between runs?";
  #askedWhyAt = 0;
  #isOver = false;
  /** The shot after which a pipe was told that no other comes. */
  #toldAt = -1;

  constructor(session: Session, options: Options, group: DetectorGroup, shots: LiveShots, dark: LiveDark | undefined) {
    const now = performance.now();
    this.#session = session;
    this.#status = new StatusLine(session.io);
    this.#options = options;
    this.#group = group;
    this.#shots = shots;
    const { hitAdu, hitPixels } = options;
    this.#view = new LiveView({ hitPixels, ...defined({ hitAdu, dark: dark?.mean }) }, now);
    this.#dark = dark;
    this.#pictureAt = now;
    // Also tells when no shots come any more.
    this.#timer = setInterval(() => {
      const now = performance.now();
      if (now - Math.max(this.#view.lastAt, this.#askedWhyAt) > QUIET_MS) void this.#tellWhy(now);
      this.#drawLine(now);
    }, LINE_MS);
  }

  async show(shot: LiveShot): Promise<void> {
    const now = performance.now();
    this.#view.add(shot, now);
    this.#values = this.#options.signal
      .map((id) => {
        const value = shot.value(id);
        return `  ${id} ${"value" in value ? quantity(value.value, value.unit) : value.reason}`;
      })
      .join("");
    if (now - this.#pictureAt >= this.#options.every * 1000) await this.#renew(now);
  }

  /** Finds out why no shot comes, and tells a pipe once; a terminal has its line. */
  async #tellWhy(now: number): Promise<void> {
    const { io } = this.#session;
    this.#askedWhyAt = now;
    const { facility, bl, signal } = this.#session;
    const limits = { signal, timeoutMs: QUIET_MS };
    this.#why = await whyNoShots(facility.db, bl, "see sacla run start", limits).catch(() => this.#why);
    const { lastAt } = this.#view;
    if (io.isTerminal || this.#isOver || this.#toldAt === lastAt || lastAt > now) return;
    this.#toldAt = lastAt;
    io.err(`no shot for ${((performance.now() - lastAt) / 1000).toFixed(0)} s: ${this.#why}\n`);
  }

  /** Draws no more. */
  stop(): void {
    this.#isOver = true;
    clearInterval(this.#timer);
    this.#status.clear();
  }

  /** Stops with a last picture. */
  async end(): Promise<void> {
    const now = performance.now();
    if (this.#view.window(now).shots > 0) await this.#renew(now);
    this.stop();
  }

  /** A new picture, and in a pipe a new line. */
  async #renew(now: number): Promise<void> {
    const { io } = this.#session;
    this.latency = Math.round(this.#view.window(now).latencyMs);
    await this.#drawPicture(now);
    if (!io.isTerminal && this.#options.json !== true) io.out(`${oneLine(this.#line(now))}\n`);
    else this.#drawLine(now);
    this.#view.restart(now);
    this.#pictureAt = now;
  }

  async #drawPicture(now: number): Promise<void> {
    const { io, bl, time } = this.#session;
    const means = this.#view.means();
    if (this.#assembler === undefined) this.#assembler = await this.#makeAssembler();
    const assembler = this.#assembler;
    const picture = assembler?.assemble(means) ?? Object.values(means)[0];
    if (picture === undefined) return;
    const { id } = this.#group;
    const { shots } = this.#view.window(now);
    const dark =
      this.#dark === undefined
        ? "raw (no dark subtracted)"
        : `less the dark of run ${this.#dark.run} (mean of ${counted(this.#dark.shots, "shot")})`;
    const seen = assembler === null ? "" : `, ${viewWords(assembler.view)}`;
    const newest = `newest shot ${this.#view.ageMs} ms old when it came`;
    const simulated = await simulatedMark(this.#session);
    const written = await writePicture(io, picture, this.#options, `live-bl${bl}-${id}`, {
      title: `${id}, run ${this.#view.run}: mean of the last ${shots === 1 ? "shot" : `${shots} shots`}`,
      lines: [`${dark}, to tag ${this.#view.tag}${seen}`, `${newest}, drawn at ${time(new Date())}${simulated}`],
      ...(assembler === null ? {} : { positions: axesOf(assembler) }),
    });
    this.file = written.file;
  }

  async #makeAssembler(): Promise<Assembler | null> {
    const { facility, bl, signal } = this.#session;
    const { sensors } = this.#group;
    if (sensors.length < 2) return null;
    const run = await facility.run(bl, this.#view.run);
    const infos = await Promise.all(sensors.map(async (sensor) => await run.detectorInfo(sensor)));
    return await assemblerFor(run, infos, "source", "nearest", signal);
  }

  #drawLine(now: number): void {
    if (!this.#session.io.isTerminal || now - this.#lineAt < LINE_MS / 2) return;
    this.#lineAt = now;
    this.#status.draw(this.#line(now));
  }

  #line(now: number): string {
    const { perSecond, latencyMs, maxLatencyMs, meanAdu, hitShare, shots } = this.#view.window(now);
    const { used, dropped } = this.#shots.counts;
    const quietMs = now - this.#view.lastAt;
    if (shots === 0 && quietMs > QUIET_MS)
      return `no shot for ${(quietMs / 1000).toFixed(0)} s (${this.#why}); ${used} so far`;
    if (shots === 0) return `waiting for shots; ${used} so far`;
    const lost = Object.entries(dropped)
      .map(([reason, n]) => `${n} ${reason}`)
      .join(", ");
    const signal =
      hitShare === null
        ? `mean ${meanAdu.toFixed(2)} ADU`
        : `hits ${(100 * hitShare).toFixed(0)} %, mean ${meanAdu.toFixed(2)} ADU`;
    return [
      `run ${this.#view.run}  tag ${this.#view.tag}`,
      `${perSecond.toFixed(1)} shots/s`,
      `latency ${latencyMs.toFixed(0)} ms (max ${maxLatencyMs.toFixed(0)})`,
      `${used} used${lost === "" ? "" : `, dropped: ${lost}`}`,
      `${signal}, ${this.#dark === undefined ? "raw" : `less dark of run ${this.#dark.run}`}${this.#values}`,
    ].join("  ");
  }
}
