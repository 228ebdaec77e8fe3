/**
 * Kills scans on once-only spots at random moments, or lets them sleep until another has gone on, and looks at the
 * beamline, which lives here, whether any spot was shot twice, any point lost or counted twice, and whether all was made
 * safe: `npm run chaos:scan -- [kills] [seed]`.
 * The beamline is the simulated facility under the real `withControl`; a scan is a program of its own that controls it
 * over ZeroMQ. Exit code 1 when anything was wrong.
 */
import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sleep } from "../src/core/async.ts";
import { Random } from "../src/core/random.ts";
import { TargetMap } from "../src/scan/index.ts";
import { bundled } from "../test/support/bundled.ts";
import { Beamline } from "./chaos-scan-beamline.ts";
import { delaysPs, SHOTS } from "./chaos-scan-setup.ts";

const worker = await bundled(fileURLToPath(new URL("./chaos-scan-worker.ts", import.meta.url)));
const SPOTS = 1000;
const SPOTS_PER_ROW = 40;
/** A program lives so long at most. */
const LONGEST_LIFE_MS = 1500;
/** Of those that do not end by themselves, so many are not killed but stopped, as by a computer that stands still. */
const ASLEEP_PART = 0.3;
/** They wake up so long after another has the lease, at most. */
const LONGEST_SLEEP_MS = 600;

/** What a chaos run found. */
export interface ChaosScanReport {
  readonly kills: number;
  /** Scans brought to their end. */
  readonly scans: number;
  /** Kills by what the devices were doing. */
  readonly moments: Readonly<Record<string, number>>;
  /** What the keeper of the lease did for the dead. */
  readonly madeSafe: Readonly<Record<string, number>>;
  /** Programs that slept until another had gone on, and then woke up beside it. */
  readonly slept: number;
  /** Programs that lost their lease because the computer stood still, and were resumed like the killed ones. */
  readonly leasesLost: number;
  /** Spots marked as spent whose shots are not known to have come: the price of never shooting one twice. */
  readonly spotsWasted: number;
  readonly faults: readonly string[];
}

interface ScanRow {
  readonly delay: number;
  readonly spot: number;
  readonly tags: readonly number[];
}

interface Ended {
  readonly how: "done" | "killed" | "asleep" | "lease lost" | "failed";
  readonly rows: readonly ScanRow[];
  readonly out: string;
  readonly doing: string;
}

/** A program that scans, loaded, waiting to be told to begin. */
class Program {
  readonly ready: Promise<void>;
  readonly #child: ChildProcess;
  readonly #closed: Promise<void>;
  #out = "";
  #how: Exclude<Ended["how"], "asleep"> = "failed";

  constructor(address: string, args: readonly string[]) {
    const child = fork(worker, [address, ...args], {
      execArgv: [],
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    this.#child = child;
    this.#closed = new Promise((resolve) => child.on("close", () => resolve()));
    this.ready = Promise.race([new Promise<void>((resolve) => child.once("message", () => resolve())), this.#closed]);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#out += text.slice(0, 2000);
      });
    }
  }

  /** Wakes it up; gives what is wrong with how it ends: it must have lost its lease. */
  async wake(): Promise<string[]> {
    this.#child.kill("SIGCONT");
    await this.#closed;
    return this.#how === "lease lost" ? [] : [`a program that slept ${this.#how}: ${this.#out}`];
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /**
   * Lets it scan, and kills it so many milliseconds after it has taken the lease.
   * @param before - how the lease before ended
   * @param sleeps - it is stopped instead
   * @param onBegun - when it has the lease
   */
  async run(
    beamline: Beamline,
    before: string | null,
    killAfterMs: number | null,
    sleeps: boolean,
    onBegun: () => void,
  ): Promise<Ended> {
    const child = this.#child;
    let fallAsleep = (): void => {};
    const asleep = new Promise<void>((resolve) => {
      fallAsleep = resolve;
    });
    let rows: readonly ScanRow[] = [];
    let doing = "nothing";
    let timer: NodeJS.Timeout | undefined;
    child.on("message", (message: { say: string; previous?: string | null; rows?: ScanRow[] }) => {
      if (message.say === "begun") {
        onBegun();
        if (message.previous !== before)
          beamline.faults.push(
            `the next program was told that the lease before it was ${message.previous}, not ${before}`,
          );
        if (killAfterMs === null) return;
        timer = setTimeout(() => {
          child.kill(sleeps ? "SIGSTOP" : "SIGKILL");
          if (sleeps) fallAsleep();
          void beamline.doing().then((what) => {
            doing = what;
          });
        }, killAfterMs);
      } else if (message.say === "done") {
        this.#how = "done";
        rows = message.rows ?? [];
      } else if (message.say === "lost") this.#how = "lease lost";
    });
    if (child.connected) child.send("go");
    const isAsleep = await Promise.race([this.#closed.then(() => false), asleep.then(() => true)]);
    clearTimeout(timer);
    if (this.#how === "failed" && child.signalCode === "SIGKILL") this.#how = "killed";
    return { how: isAsleep && this.#how === "failed" ? "asleep" : this.#how, rows, out: this.#out, doing };
  }
}

const placeOf = (spot: number): { readonly x: number; readonly y: number } => ({
  x: spot % SPOTS_PER_ROW,
  y: Math.floor(spot / SPOTS_PER_ROW),
});

/** What is wrong with a scan that was brought to its end. */
function faultsOf(beamline: Beamline, rows: readonly ScanRow[], mapPath: string, points: number): string[] {
  const faults: string[] = [];
  if (rows.map(({ delay }) => delay).join() !== delaysPs(points).join())
    faults.push(`the points are ${rows.length}, or not those asked`);
  const tags = rows.flatMap((row) => row.tags);
  if (new Set(tags).size !== SHOTS * points)
    faults.push(`${new Set(tags).size} different shots instead of ${SHOTS * points}`);
  for (const [spot, openings] of beamline.openings)
    if (openings > 1) faults.push(`spot ${spot} was exposed ${openings} times`);
  for (const row of rows)
    faults.push(
      ...beamline.faultsOfPoint(row.delay, placeOf(row.spot), row.tags).map((fault) => `point ${row.delay}: ${fault}`),
    );
  const map = TargetMap.open(mapPath);
  if (map.counts.shot !== points) faults.push(`the map says ${map.counts.shot} spots were shot`);
  for (let spot = 0; spot < SPOTS; spot++)
    if (map.state(spot) === "fresh" && beamline.hits(placeOf(spot)) > 0)
      faults.push(`spot ${spot} was hit, and its map says it is fresh`);
  map.close();
  return faults;
}

/** Kills scans of so many points `kills` times at moments spread over their duration, and brings each to its end. */
export async function chaosScan(
  kills: number,
  seed: number,
  points = 200,
  log: (line: string) => void = () => {},
): Promise<ChaosScanReport> {
  const folder = mkdtempSync(join(tmpdir(), "sacla-chaos-scan-"));
  const random = new Random(seed);
  const moments: Record<string, number> = {};
  const madeSafe: Record<string, number> = {};
  const faults: string[] = [];
  const asleep: Program[] = [];
  let [done, scans, slept, leasesLost, spotsWasted] = [0, 0, 0, 0, 0];
  try {
    while (done < kills) {
      const files = [join(folder, `${scans}.journal`), join(folder, `${scans}.map`)] as const;
      TargetMap.create(
        files[1],
        Array.from({ length: SPOTS }, (_, i) => placeOf(i)),
      ).close();
      const beamline = await Beamline.open(seed + scans, `ipc://${join(folder, `${scans}.socket`)}`);
      let program = new Program(beamline.address, [...files, String(points)]);
      let before: string | null = null;
      const woken: Promise<string[]>[] = [];
      for (let leases = 1; ; leases++) {
        await program.ready;
        beamline.expect(isBegun(files[1]));
        const [lifeMs, sleeps] = [random.uniform() * LONGEST_LIFE_MS, random.uniform() < ASLEEP_PART];
        const sleepMs = random.uniform() * LONGEST_SLEEP_MS;
        const wakeAll = (): void => {
          for (const one of asleep.splice(0)) woken.push(sleep(sleepMs).then(async () => await one.wake()));
        };
        const ended: Ended = await program.run(beamline, before, done < kills ? lifeMs : null, sleeps, wakeAll);
        if (ended.how === "done") {
          faults.push(...faultsOf(beamline, ended.rows, files[1], points).map((fault) => `scan ${scans}: ${fault}`));
          break;
        }
        if (ended.how === "failed") {
          faults.push(`scan ${scans} failed: ${ended.out}`);
          break;
        }
        if (ended.how === "lease lost") leasesLost++;
        else {
          done++;
          if (ended.how === "asleep") {
            slept++;
            asleep.push(program);
          }
          moments[ended.doing] = (moments[ended.doing] ?? 0) + 1;
        }
        // The next one loads while the lease of the dead one runs out.
        program = new Program(beamline.address, [...files, String(points)]);
        before = await beamline.leaseEnds(leases);
        if (before !== "expired") beamline.faults.push(`the lease of a dead program is ${before}`);
        log(`${done} kills, ${scans} scans, ${faults.length + beamline.faults.length} faults`);
      }
      beamline.faults.push(...(await Promise.all(woken)).flat());
      faults.push(...beamline.faults.map((fault) => `scan ${scans}: ${fault}`));
      for (const [what, times] of Object.entries(beamline.madeSafe)) madeSafe[what] = (madeSafe[what] ?? 0) + times;
      await beamline.close();
      const map = TargetMap.open(files[1]);
      spotsWasted += map.counts.spent + map.counts.missed;
      map.close();
      scans++;
      log(`${done} kills, ${scans} scans, ${faults.length} faults`);
    }
  } finally {
    for (const program of asleep) program.kill();
    rmSync(folder, { recursive: true, force: true });
  }
  return { kills: done, scans, moments, madeSafe, slept, leasesLost, spotsWasted, faults };
}

/** Whether the program had come so far that the next one resumes. */
function isBegun(path: string): boolean {
  const map = TargetMap.open(path);
  const { fresh } = map.counts;
  map.close();
  return fresh < SPOTS;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [kills = 100, seed = 1] = process.argv.slice(2).map(Number);
  const report = await chaosScan(kills, seed, 200, (line) => process.stderr.write(`\r${line}   `));
  console.log(`\n${JSON.stringify(report, null, 2)}`);
  process.exitCode = report.faults.length === 0 ? 0 : 1;
}
