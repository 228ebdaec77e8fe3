import { randomUUID } from "node:crypto";
import { closeSync, fstatSync, openSync, readFileSync, readlinkSync } from "node:fs";
import { hostname, uptime } from "node:os";
import { sleep } from "../core/async.ts";
import { SaclaError, show } from "../core/errors.ts";
import { isRecord } from "../core/guards.ts";
import { any, integer, optional, resolveOptions } from "../core/options.ts";
import { AppendLog, readLog } from "./append-log.ts";

/** A process that has claimed a file: enough to find it, and to tell whether it still lives. */
interface Claim {
  readonly id: string;
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly host: string;
  /** Of the computer, until it is started anew. Empty where the system does not say, as the next two. */
  readonly bootId: string;
  /** Process ids mean something only within it: a container has its own. */
  readonly pidNamespace: string;
  readonly pid: number;
  /** Of the process, in ticks since the computer was started: an id is used again, an id with its start is not. */
  readonly startTime: string;
  /** Where it can be reached; empty when nowhere. */
  readonly addresses: readonly string[];
  /** The ids of the claims it found without a living process. */
  readonly after: readonly string[];
}

export interface FileOwnerOptions {
  /** Where this process can be reached, for the message to another that wants the file. @default [] */
  readonly addresses?: readonly string[] | undefined;
  /** How often a living owner gives a sign of life. @default 2000 */
  readonly beatMs?: number | undefined;
  /** How long one on another computer may give none before it is taken for dead. @default 20000 */
  readonly silenceMs?: number | undefined;
}

/**
 * One living process at a time has a file, by a log of claims beside it: the first claim whose process lives and has
 * not given it back. Appending to a file is one step for the system, so of several that start at the same instant one
 * wins. Claims are never removed, so nobody can take a claim for another one.
 *
 * A process of this computer lives when its id and start time are those of a running one. One of another computer (a
 * file on a network disk) lives while it gives signs of life: the time of the file.
 */
export class FileOwner {
  readonly #log: AppendLog;
  readonly #claim: Claim;
  readonly #beats: NodeJS.Timeout;
  /** One sentence for each owner before, which had not given the file back. */
  readonly takenOver: readonly string[];
  #size: number;
  #isClosed = false;

  private constructor(log: AppendLog, claim: Claim, takenOver: readonly string[], beatMs: number) {
    this.#log = log;
    this.#claim = claim;
    this.takenOver = takenOver;
    this.#size = log.size;
    this.#beats = setInterval(() => log.touch(), beatMs);
    this.#beats.unref();
  }

  /**
   * @param path - of the log of claims
   * @throws FILE_IN_USE naming the living owner; nothing has been changed then @throws WRITE_FAILED
   */
  static async claim(path: string, options: FileOwnerOptions = {}): Promise<FileOwner> {
    const {
      addresses = [],
      beatMs,
      silenceMs,
    } = resolveOptions("FileOwner.claim", options, {
      addresses: any,
      beatMs: optional(integer(1), 2000),
      silenceMs: optional(integer(1), 20_000),
    });
    const dead = new Map<string, string>();
    const refuseLiving = async (mine?: string): Promise<void> => {
      for (const claim of openClaims(path)) {
        if (claim.id === mine) return;
        const fate = dead.get(claim.id) ?? fateOf(claim, path) ?? (await fateOfFar(claim, path, beatMs, silenceMs));
        if (fate === "lives") throw inUse(path, claim);
        dead.set(claim.id, fate);
      }
    };
    await refuseLiving();
    const log = AppendLog.join(path);
    const claim: Claim = { ...thisProcess(), id: randomUUID(), addresses, after: [...dead.keys()] };
    try {
      log.append({ claim });
      await log.sync();
      // Of those that came at the same instant, the first has it.
      await refuseLiving(claim.id);
    } catch (error) {
      giveBack(log, claim.id);
      throw error;
    }
    return new FileOwner(log, claim, [...dead.values()], beatMs);
  }

  /** Where this process can be reached, once that is known. */
  serves(addresses: readonly string[]): void {
    this.#log.append({ claim: { ...this.#claim, addresses } });
    this.#size = this.#log.size;
  }

  /**
   * To be asked before whatever only the owner may do: this process may have slept so long that another computer took
   * it for dead.
   * @throws FILE_IN_USE @throws WRITE_FAILED when the log of claims was moved or deleted
   */
  check(): void {
    this.#log.checkThere();
    const { size } = this.#log;
    if (size === this.#size) return;
    const next = claimsIn(this.#log.path).find(({ after }) => after.includes(this.#claim.id));
    if (next !== undefined) throw inUse(this.#log.path, next);
    this.#size = size;
  }

  /** Gives the file back. A second call does nothing. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#beats);
    giveBack(this.#log, this.#claim.id);
  }
}

function giveBack(log: AppendLog, id: string): void {
  try {
    log.append({ gone: id });
  } catch {
    // It is free as soon as this process has ended.
  }
  log.close();
}

function thisProcess(): Omit<Claim, "id" | "addresses" | "after"> {
  return {
    time: new Date().toISOString(),
    host: hostname(),
    bootId: bootId(),
    pidNamespace: pidNamespace(),
    pid: process.pid,
    startTime: processStart(process.pid) ?? "",
  };
}

function bootId(): string {
  return readOr("", () => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim());
}

function pidNamespace(): string {
  return readOr("", () => readlinkSync("/proc/self/ns/pid"));
}

function readOr(otherwise: string, read: () => string): string {
  try {
    return read();
  } catch {
    return otherwise;
  }
}

/**
 * When a process began, in ticks since the computer was started: it tells the process from a later one with the same
 * id (proc(5), field 22 of /proc/PID/stat). Null when no such process runs, "" when the system does not say.
 */
export function processStart(pid: number): string | null {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it is somebody else's.
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return null;
  }
  const stat = readOr("", () => readFileSync(`/proc/${pid}/stat`, "latin1"));
  // The name of the program stands in parentheses and may hold anything.
  const [state, ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return state === "Z" || state === "X" ? null : (fields[18] ?? "");
}

/** "lives", or a sentence how it ended; undefined when that cannot be seen from here. */
function fateOf(claim: Claim, path: string): string | undefined {
  const { host, pid, startTime } = claim;
  const isHere = claim.bootId === bootId() && claim.pidNamespace === pidNamespace() && host === hostname();
  if (isHere) {
    const running = processStart(pid);
    if (running === null) return `${nameOf(claim)} has ended without giving the file back.`;
    if (running === startTime) return "lives";
    return `${nameOf(claim)} has ended; another program has its process id now.`;
  }
  const started = Date.now() - 1000 * uptime();
  if (host === hostname() && claim.pidNamespace === pidNamespace() && lastBeat(path) < started)
    return `${nameOf(claim)} ended when the computer was started anew.`;
  return undefined;
}

/** As {@link fateOf}, of a process of another computer or container. */
async function fateOfFar(claim: Claim, path: string, beatMs: number, silenceMs: number): Promise<string> {
  const last = lastBeat(path);
  for (let waited = 0; waited < silenceMs; waited += beatMs) {
    await sleep(beatMs);
    if (lastBeat(path) !== last) return "lives";
  }
  return `${nameOf(claim)} has given no sign of life for ${silenceMs / 1000} s.`;
}

/** Opened for it, because a network disk remembers for a while what it knew of a file. */
function lastBeat(path: string): number {
  const file = openSync(path, "r");
  try {
    return fstatSync(file).mtimeMs;
  } finally {
    closeSync(file);
  }
}

function nameOf({ pid, host, time }: Claim): string {
  return `Process ${pid} of ${host}, which had it since ${time},`;
}

function inUse(path: string, { pid, host, time, addresses }: Claim): SaclaError {
  const where = addresses.length === 0 ? "" : ` at ${addresses.join(" and ")}`;
  const text = `${show(path)} belongs to process ${pid} of ${host}, which runs since ${time}${where}.`;
  return new SaclaError("FILE_IN_USE", text, { details: { path, pid, host, since: time, addresses } });
}

/** Claims that were not given back and that no later claim found dead, in their order. */
function openClaims(path: string): readonly Claim[] {
  const all = claimsIn(path);
  const over = new Set(all.flatMap(({ after }) => after));
  for (const { value } of readLog("The log of claims", path))
    if (isRecord(value) && typeof value["gone"] === "string") over.add(value["gone"]);
  return all.filter(({ id }) => !over.has(id));
}

/** Each claim once, at the place where it was made. */
function claimsIn(path: string): readonly Claim[] {
  const claims = new Map<string, Claim>();
  for (const { value } of readLog("The log of claims", path)) {
    const claim = isRecord(value) ? value["claim"] : undefined;
    if (isClaim(claim)) claims.set(claim.id, claim);
  }
  return [...claims.values()];
}

function isClaim(value: unknown): value is Claim {
  if (!isRecord(value)) return false;
  const { addresses, after, pid } = value;
  return (
    ["id", "time", "host", "bootId", "pidNamespace", "startTime"].every((key) => typeof value[key] === "string") &&
    typeof pid === "number" &&
    [addresses, after].every((list) => Array.isArray(list) && list.every((entry) => typeof entry === "string"))
  );
}
