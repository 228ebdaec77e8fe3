/**
 * Dialogues with hostile operators about a hostile machine, with beam trips and kills: `npm run chaos:requests -- [seed]
 * [dialogues]`. The machine lives here and outlives the processes that ask it; each process has the log that the one
 * before it had written when it was killed, its last line perhaps half. Looked for: a state that the log does not
 * explain, a change that is neither verified nor put back, a value of the machine that no line says, something done to
 * the machine before its line was on the disk. Exit code 1 when anything was found.
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sleep } from "../src/core/async.ts";
import type { Clock } from "../src/core/clock.ts";
import { SaclaError, toSaclaError } from "../src/core/errors.ts";
import { Random } from "../src/core/random.ts";
import { GuardedDriver } from "../src/ec/guarded-driver.ts";
import { RequestLog } from "../src/ec/index.ts";
import { RequestDesk } from "../src/ec/requests/desk.ts";
import { hasEnded, requestsOf } from "../src/ec/requests/request-state.ts";
import type { AcceleratorRequest } from "../src/transport/request-methods.ts";
import { chicane, chicaneSignal, HostileMachine } from "../test/support/hostile-machine.ts";

/** What came of all dialogues. */
export interface ChaosRequestsReport {
  readonly dialogues: number;
  readonly kills: number;
  /** Requests by how they ended. */
  readonly ends: Readonly<Record<string, number>>;
  readonly faults: readonly string[];
}

const BL = 3;
/** Worlds side by side, each with a machine and a log of its own. */
const WORLDS = 4;
/** A request has ended by then, whatever happened. */
const LONGEST_MS = 20_000;
const times = { pollMs: 2, stillPolls: 5, verifyMs: 250, againMs: 5, inFlightMs: 120, closeMs: 500 };
const DRIVER_MS = 25;

/** A process that keeps the requests, until it is killed. */
class Life {
  readonly desk: RequestDesk;
  readonly log: RequestLog;
  readonly path: string;
  lease = "";
  #isAlive = true;

  private constructor(path: string, log: RequestLog, machine: HostileMachine) {
    this.path = path;
    this.log = log;
    const isAlive = (): boolean => this.#isAlive;
    this.desk = new RequestDesk({
      driver: new GuardedDriver(machine.driver(isAlive), DRIVER_MS),
      log,
      clock: mortalClock(isAlive),
      holder: (_, lease) => {
        if (lease === this.lease && lease !== "") return "chaos";
        throw new SaclaError("LEASE_LOST", "The lease has ended.");
      },
      find: async () => chicane,
      times,
    });
  }

  static async begin(path: string, machine: HostileMachine): Promise<Life> {
    const life = new Life(path, await RequestLog.open(path), machine);
    await life.desk.recover();
    return life;
  }

  kill(): void {
    this.#isAlive = false;
  }
}

/** A dead process waits for ever. */
function mortalClock(isAlive: () => boolean): Clock {
  const now = (): number => performance.now() / 1000;
  return {
    now,
    until: async (seconds, signal) => {
      const left = Math.max(0, 1000 * (seconds - now()));
      if (!isAlive()) await new Promise(() => {});
      await sleep(Math.ceil(left), signal);
      if (!isAlive()) await new Promise(() => {});
    },
  };
}

/** One machine, one log, and dialogues one after the other. */
class World {
  readonly faults: string[] = [];
  readonly ends = new Map<string, number>();
  kills = 0;
  readonly #random: Random;
  readonly #machine: HostileMachine;
  readonly #folder: string;
  #life: Life | undefined;
  #lives = 0;
  #setsSeen = 0;

  constructor(seed: number, folder: string) {
    this.#random = new Random(seed);
    this.#machine = new HostileMachine(new Random(seed + 1));
    this.#folder = folder;
  }

  async run(dialogues: number): Promise<void> {
    this.#life = await Life.begin(join(this.#folder, "0.jsonl"), this.#machine);
    for (let i = 0; i < dialogues; i++) {
      try {
        await this.#dialogue();
        await this.#settle();
        this.#check();
      } catch (error) {
        this.faults.push(toSaclaError(error).message);
      }
    }
    await this.#now.desk.close();
    for (const { state } of requestsOf(this.#now.log.entries).values())
      this.ends.set(state, (this.ends.get(state) ?? 0) + 1);
  }

  get #now(): Life {
    if (this.#life === undefined) throw new Error("no process");
    return this.#life;
  }

  #chance(share: number): boolean {
    return this.#random.uniform() < share;
  }

  async #dialogue(): Promise<void> {
    const random = this.#random;
    const machine = this.#machine;
    const isBad = this.#chance(0.5);
    machine.hostility = isBad ? { stuck: 0.2, refused: 0.2, silent: 0.15, broken: 0.05 } : calm;
    machine.mode = this.#chance(0.05) ? "tuning" : "normal";
    const isTripped = this.#chance(0.1);
    const over = new AbortController();
    const killer = this.#chance(0.2) ? this.#killAfter(200 * random.uniform(), over.signal) : undefined;
    this.#now.lease = `lease ${random.uint32()}`;
    const { lease } = this.#now;
    try {
      // Some are out of range or too far, and are refused.
      const to = Math.round(10 * (320 * random.uniform() - 10)) / 10;
      const near = Math.max(0, Math.min(300, machine.value + 105 * (2 * random.uniform() - 1)));
      const wanted = this.#chance(0.1) ? to : Math.round(10 * near) / 10;
      const { id } = await this.#asked(lease, wanted);
      const operators = this.#operators(id, over.signal);
      await this.#requester(id, lease, isTripped, over.signal);
      over.abort();
      await operators;
    } catch {
      // Refusals, and calls to a process that was killed meanwhile: what became of the request is looked at below.
    } finally {
      over.abort();
      await killer;
    }
  }

  async #asked(lease: string, to: number): Promise<AcceleratorRequest> {
    const params = { bl: BL, lease, parameter: chicane.name, to, reason: "chaos", verification: null };
    return await bounded(this.#now.desk.propose({ ...params, answerMs: 1 + Math.floor(60 * this.#random.uniform()) }));
  }

  /** Says one thing, perhaps late, perhaps another after it, perhaps nothing. */
  async #operators(id: number, signal: AbortSignal): Promise<void> {
    const random = this.#random;
    const says = ["accept", "accept", "accept", "accept", "accept", "change", "decline", "absent"] as const;
    try {
      for (let n = 0; n < 3; n++) {
        const what = says[Math.floor(random.uniform() * says.length)] ?? "accept";
        await sleep(20 * random.uniform(), signal);
        if (what === "absent") return;
        const answer = n > 0 && this.#chance(0.15) ? "stop" : what;
        const to = answer === "change" ? Math.round(300 * random.uniform()) : null;
        await this.#now.desk.answer({ bl: BL, id, operator: "chaos", answer, to, why: "chaos" }).catch(() => {});
        if (this.#chance(0.7)) return;
      }
    } catch {
      // Nobody waits any more.
    }
  }

  /** Agrees or not, verifies or lies, gives up, loses its lease, or vanishes. */
  async #requester(id: number, lease: string, isTripped: boolean, signal: AbortSignal): Promise<void> {
    const random = this.#random;
    const { desk } = this.#now;
    const until = performance.now() + 400;
    while (performance.now() < until && this.#now.desk === desk) {
      const request = desk.list(BL, 20).find((other) => other.id === id);
      if (request === undefined || hasEnded(request.state)) return;
      if (this.#chance(0.01)) {
        await bounded(desk.cancel({ bl: BL, id, by: "chaos", why: "changed its mind" }));
      }
      if (this.#chance(0.005)) {
        this.#now.lease = "";
        desk.leaseEnded(BL, "expired");
      }
      if (this.#chance(0.005)) return;
      if (request.state === "offered") {
        if (this.#chance(0.5)) await bounded(desk.agree({ bl: BL, lease, id }));
        else await bounded(desk.cancel({ bl: BL, id, by: "chaos", why: "not that value" }));
      }
      if (request.state === "verifying" && !isTripped) await this.#verify(request, lease);
      await sleep(2 + 6 * random.uniform(), signal);
    }
  }

  async #verify(request: AcceleratorRequest, lease: string): Promise<void> {
    const { id, verifyFrom } = request;
    const { desk } = this.#now;
    const machine = this.#machine;
    const lies = this.#chance(0.1);
    const first = [202501, lies ? 1 : machine.tag] as const;
    if (!lies && verifyFrom !== null && first[1] < verifyFrom[1]) return;
    const values = Array.from({ length: 20 }, () => machine.measured());
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const spread = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
    const shown = { signal: chicaneSignal, mean, standardError: Math.sqrt(spread / values.length), shots: 20 };
    const evidence = { ...shown, first, last: [202501, machine.tag] as const };
    const at = machine.value;
    const kept = await bounded(desk.keep({ bl: BL, lease, id, evidence }));
    if (lies) this.faults.push(`request ${id} was kept by shots of before the change`);
    // Noise of the mean is 0.7: four times that beyond the tolerance of 5.
    if (Math.abs(at - Number(kept.to)) > 8) this.faults.push(`request ${id} was kept at ${at}, not ${kept.to}`);
  }

  async #killAfter(ms: number, signal: AbortSignal): Promise<void> {
    await sleep(ms, signal).catch(() => {});
    const before = this.#now;
    before.kill();
    this.kills++;
    const path = join(this.#folder, `${++this.#lives}.jsonl`);
    copyFileSync(before.path, path);
    // Killed while it wrote: the last line is half there, and what it was about to do it has not done.
    const text = readFileSync(path);
    const last = text.lastIndexOf(0x0a, text.length - 2) + 1;
    const line = text.subarray(last).toString();
    const isHarmless = /"event":"(accepted|arrived|proposed|expired|withdrawn|declined)"/.test(line);
    if (isHarmless && this.#chance(0.5)) truncateSync(path, last + Math.floor((text.length - last) / 2));
    this.#life = await Life.begin(path, this.#machine);
  }

  /** Until nothing is open any more. */
  async #settle(): Promise<void> {
    const until = performance.now() + LONGEST_MS;
    this.#now.lease = "";
    this.#now.desk.leaseEnded(BL, "expired");
    while (this.#now.desk.list(BL, 50).some(({ state }) => !hasEnded(state))) {
      if (performance.now() > until) {
        const open = this.#now.desk.list(BL, 50).filter(({ state }) => !hasEnded(state));
        throw new Error(`not ended: ${JSON.stringify(open)}`);
      }
      await sleep(3);
    }
    await this.#now.log.sync();
  }

  #check(): void {
    const { desk, path } = this.#now;
    const { entries, damage } = RequestLog.read(path);
    if (damage !== "") this.faults.push(damage);
    // Throws for a line that cannot follow those before.
    const told = requestsOf(entries);
    for (const request of desk.list(BL, 50))
      if (JSON.stringify(told.get(request.id)) !== JSON.stringify(request))
        this.faults.push(`request ${request.id} is ${request.state}, and its log says ${told.get(request.id)?.state}`);
    this.#checkMachine(entries, told);
  }

  #checkMachine(entries: ReturnType<typeof RequestLog.read>["entries"], told: ReturnType<typeof requestsOf>): void {
    let value = 0;
    const mayBeSet = new Set<number>();
    for (const { event, id } of entries) {
      const request = told.get(id);
      if (request === undefined) continue;
      if (event === "ramping")
        mayBeSet.add(Number(request.state === "rolled-back" ? rampedTo(entries, id) : request.to));
      if (event === "rolling-back") mayBeSet.add(Number(request.from));
      if (event === "kept" || event === "rolled-back") value = Number(request.to);
      if (event === "kept" && request.evidence === null) this.faults.push(`request ${id} was kept without evidence`);
    }
    if (Math.abs(this.#machine.value - value) > 0.31)
      this.faults.push(`the machine is at ${this.#machine.value}, and the log says ${value}`);
    for (const set of this.#machine.sets.slice(this.#setsSeen))
      if (!mayBeSet.has(set)) this.faults.push(`the machine was set to ${set}, of which no line speaks`);
    this.#setsSeen = this.#machine.sets.length;
  }
}

const calm = { stuck: 0, refused: 0, silent: 0, broken: 0 };

/** What was asked for last before the ramp began. */
function rampedTo(entries: ReturnType<typeof RequestLog.read>["entries"], id: number): unknown {
  let to: unknown;
  for (const { id: of, event, data } of entries) {
    if (of !== id) continue;
    if (event === "proposed") to = data["asked"];
    if (event === "offered") to = data["to"];
    if (event === "ramping") return to;
  }
  return to;
}

/** A call to a process that was killed gets no answer. */
async function bounded<T>(answer: Promise<T>): Promise<T> {
  answer.catch(() => {});
  return await Promise.race([
    answer,
    sleep(1000).then(() => {
      throw new Error("no answer");
    }),
  ]);
}

/** @param dialogues - over all worlds */
export async function chaosRequests(seed: number, dialogues: number): Promise<ChaosRequestsReport> {
  const folder = mkdtempSync(join(tmpdir(), "sacla-chaos-requests-"));
  try {
    const worlds = Array.from({ length: WORLDS }, (_, i) => {
      return new World(1000 * seed + i, mkdtempSync(join(folder, "world-")));
    });
    await Promise.all(worlds.map(async (world) => await world.run(Math.ceil(dialogues / WORLDS))));
    const ends: Record<string, number> = {};
    for (const world of worlds) for (const [end, count] of world.ends) ends[end] = (ends[end] ?? 0) + count;
    return {
      dialogues: WORLDS * Math.ceil(dialogues / WORLDS),
      kills: worlds.reduce((sum, world) => sum + world.kills, 0),
      ends,
      faults: worlds.flatMap(({ faults }, i) => faults.map((fault) => `world ${i}: ${fault}`)),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [seed = 1, dialogues = 1000] = process.argv.slice(2).map(Number);
  const report = await chaosRequests(seed, dialogues);
  console.log(JSON.stringify(report, null, 2));
  process.exit(report.faults.length === 0 ? 0 : 1);
}
