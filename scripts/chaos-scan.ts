/**
 * Kills scans on once-only spots at random moments and looks at the devices, which live here, whether any spot was shot
 * twice, any point lost or counted twice: `npm run chaos:scan -- [kills] [seed]`. Exit code 1 when one was.
 */
import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Random } from "../src/core/random.ts";
import { TargetMap } from "../src/scan/index.ts";

const worker = fileURLToPath(new URL("./chaos-scan-worker.ts", import.meta.url));
const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
const POINTS = 200;
const SPOTS = 1000;
const MOVE_MS = 1;
const SHOT_MS = 1;

/** What a chaos run found. */
export interface ChaosScanReport {
  readonly kills: number;
  /** Scans brought to their end. */
  readonly scans: number;
  /** Kills by what the devices were doing. */
  readonly moments: Readonly<Record<string, number>>;
  /** Spots marked as spent whose shots are not known to have come: the price of never shooting one twice. */
  readonly spotsWasted: number;
  readonly faults: readonly string[];
}

interface ScanRow {
  readonly delay: number;
  readonly spot: number;
  readonly tags: readonly number[];
}

/** The devices, which outlive the program that controls them, and the keeper of its lease. */
class Devices {
  readonly faults: string[] = [];
  /** Openings of the shutter by spot, and the tags that fell on it. */
  readonly openings = new Map<string, number>();
  readonly tagsOn = new Map<string, number[]>();
  doing = "nothing";
  #at: Record<string, number> = {};
  #isMoving = false;
  #isOpen = false;
  #isSafeSeen = false;
  #tag = 0;
  #holder = 0;

  /** A new program takes the lease. @param isResumed - it must make everything safe before it does anything else */
  take(isResumed: boolean): number {
    this.#isSafeSeen = !isResumed;
    return ++this.#holder;
  }

  /** The program is gone: what moved stops, the shutter closes, and its commands count no more. */
  leaseEnds(): void {
    this.#holder++;
    this.#isMoving = false;
    this.#isOpen = false;
    this.doing = "nothing";
  }

  get isSafe(): boolean {
    return !this.#isMoving && !this.#isOpen;
  }

  async answer(holder: number, name: string, args: readonly unknown[]): Promise<unknown> {
    if (holder !== this.#holder) return undefined;
    if (name !== "safe" && !this.#isSafeSeen) this.faults.push(`a resumed scan did ${name} before the safe state`);
    this.doing = name === "shutter" ? (args[1] === true ? "opening" : "closing") : name;
    const result = await this.#do(holder, name, args);
    if (holder === this.#holder) this.doing = "nothing";
    return result;
  }

  async #do(holder: number, name: string, args: readonly unknown[]): Promise<unknown> {
    switch (name) {
      case "safe":
        this.#isSafeSeen = true;
        this.#isMoving = false;
        this.#isOpen = false;
        return null;
      case "where":
        return Object.fromEntries((args[0] as string[]).map((axis) => [axis, this.#at[axis] ?? 0]));
      case "move":
        return await this.#move(holder, args[0] as Record<string, number>);
      case "shutter":
        await later(MOVE_MS);
        if (holder === this.#holder) this.#shutter(args[1] === true);
        return null;
      case "shots":
        return await this.#shots(holder, Number(args[0]));
      default:
        return null;
    }
  }

  async #move(holder: number, to: Record<string, number>): Promise<unknown> {
    if (this.#isOpen) this.faults.push("moved with the shutter open");
    this.#isMoving = true;
    await later(MOVE_MS);
    if (holder !== this.#holder) return null;
    this.#isMoving = false;
    this.#at = { ...this.#at, ...to };
    return to;
  }

  get #spot(): string {
    return `${this.#at["x"]} ${this.#at["y"]}`;
  }

  #shutter(open: boolean): void {
    if (open && this.#isMoving) this.faults.push("opened the shutter while moving");
    if (open) this.openings.set(this.#spot, (this.openings.get(this.#spot) ?? 0) + 1);
    this.#isOpen = open;
  }

  async #shots(holder: number, count: number): Promise<unknown> {
    const tags: number[] = [];
    for (let i = 0; i < count; i++) {
      await later(SHOT_MS);
      if (holder !== this.#holder) return null;
      if (!this.#isOpen) this.faults.push("took shots with the shutter closed");
      this.#tag += 2;
      tags.push(this.#tag);
      const before = this.tagsOn.get(this.#spot) ?? [];
      this.tagsOn.set(this.#spot, [...before, this.#tag]);
    }
    return { outcome: "done", attempts: 1, ledger: { asked: count, used: count, dropped: [] }, tags, values: {}, heldSeconds: 0 };
  }
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

interface Ended {
  readonly rows: readonly ScanRow[] | undefined;
  readonly out: string;
  readonly milliseconds: number;
  readonly doing: string;
}

/** Runs the worker on the devices, and kills it so many milliseconds after it has begun. */
async function run(devices: Devices, files: readonly string[], isResumed: boolean, killAfterMs: number | null): Promise<Ended> {
  const child: ChildProcess = fork(worker, files, { execArgv: ["-C", "sacla-source", "--import", tsx], stdio: ["ignore", "pipe", "pipe", "ipc"] });
  const holder = devices.take(isResumed);
  let rows: readonly ScanRow[] | undefined;
  let [out, doing, begun] = ["", "nothing", 0];
  let timer: NodeJS.Timeout | undefined;
  const isAlive = (): boolean => child.exitCode === null && child.signalCode === null && child.connected;
  child.on("message", (message: { id: number; name: string; args: unknown[]; say?: string; rows?: ScanRow[] }) => {
    if (message.say === "begun") {
      begun = performance.now();
      if (killAfterMs !== null) {
        timer = setTimeout(() => {
          doing = devices.doing;
          child.kill("SIGKILL");
        }, killAfterMs);
      }
    } else if (message.say === "done") rows = message.rows;
    else void devices.answer(holder, message.name, message.args).then((answer) => isAlive() && child.send({ id: message.id, answer }, () => {}));
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      out += text.slice(0, 2000);
    });
  }
  await new Promise<void>((resolve) => child.on("close", () => resolve()));
  clearTimeout(timer);
  devices.leaseEnds();
  return { rows, out, milliseconds: performance.now() - begun, doing };
}

/** What is wrong with a scan that was brought to its end. */
function faultsOf(name: string, devices: Devices, rows: readonly ScanRow[], mapPath: string): string[] {
  const faults = devices.faults.map((fault) => `${name}: ${fault}`);
  if (rows.map(({ delay }) => delay).join() !== Array.from({ length: POINTS }, (_, i) => i).join())
    faults.push(`${name}: the points are ${rows.length}, or not those asked`);
  const tags = rows.flatMap((row) => row.tags);
  if (new Set(tags).size !== 2 * POINTS) faults.push(`${name}: ${new Set(tags).size} different shots instead of ${2 * POINTS}`);
  for (const [spot, openings] of devices.openings) if (openings > 1) faults.push(`${name}: spot ${spot} was exposed ${openings} times`);
  for (const { spot, tags: taken } of rows) {
    const on = devices.tagsOn.get(`${spot % 40} ${Math.floor(spot / 40)}`) ?? [];
    if (on.join() !== taken.join()) faults.push(`${name}: spot ${spot} got the shots ${on.join()}, and its point says ${taken.join()}`);
  }
  const map = TargetMap.open(mapPath);
  if (map.counts.shot !== POINTS) faults.push(`${name}: the map says ${map.counts.shot} spots were shot`);
  map.close();
  return faults;
}

/** Kills scans `kills` times at moments spread over their whole duration, and brings each to its end. */
export async function chaosScan(kills: number, seed: number, log: (line: string) => void = () => {}): Promise<ChaosScanReport> {
  const folder = mkdtempSync(join(tmpdir(), "sacla-chaos-scan-"));
  const random = new Random(seed);
  const moments: Record<string, number> = {};
  const faults: string[] = [];
  let [done, scans, spotsWasted, wholeMs] = [0, 0, 0, 0];
  try {
    while (done < kills || scans < 2) {
      const name = `scan ${scans}`;
      const files = [join(folder, `${scans}.journal`), join(folder, `${scans}.map`)] as const;
      TargetMap.create(
        files[1],
        Array.from({ length: SPOTS }, (_, i) => ({ x: i % 40, y: Math.floor(i / 40) })),
      ).close();
      const devices = new Devices();
      let ended: Ended;
      let isResumed = false;
      do {
        // The first one is not killed: it tells how long a scan takes.
        const killAfter = scans === 0 || done >= kills ? null : random.uniform() * wholeMs * 0.6;
        ended = await run(devices, files, isResumed, killAfter);
        if (scans === 0) wholeMs = ended.milliseconds;
        if (!devices.isSafe) faults.push(`${name}: not safe after the program was gone`);
        if (ended.rows === undefined) {
          if (killAfter === null || ended.out !== "") {
            faults.push(`${name}: did not end: ${ended.out}`);
            break;
          }
          done++;
          moments[ended.doing] = (moments[ended.doing] ?? 0) + 1;
        }
        isResumed = isBegun(files[1]);
      } while (ended.rows === undefined);
      if (ended.rows !== undefined) faults.push(...faultsOf(name, devices, ended.rows, files[1]));
      const map = TargetMap.open(files[1]);
      spotsWasted += map.counts.spent + map.counts.missed;
      map.close();
      scans++;
      log(`${done} kills, ${scans} scans, ${faults.length} faults`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return { kills: done, scans, moments, spotsWasted, faults };
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
  const report = await chaosScan(kills, seed, (line) => process.stderr.write(`\r${line}   `));
  console.log(`\n${JSON.stringify(report, null, 2)}`);
  process.exitCode = report.faults.length === 0 ? 0 : 1;
}
