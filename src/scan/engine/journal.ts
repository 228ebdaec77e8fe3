import { randomUUID } from "node:crypto";
import { errorCatalogue, SaclaError, show, toSaclaError } from "../../core/errors.ts";
import { isRecord } from "../../core/guards.ts";
import { AppendLog } from "../../files/index.ts";
import { isWork } from "../messages/message-kinds.ts";
import type { Message, MessageResult, Plan } from "../messages/messages.ts";

/** What a journal knows of one message. */
interface PastMessage {
  /** The message as JSON. */
  readonly did: string;
  /** Milliseconds on the clock of the beamline. */
  readonly begunMs: number;
  readonly endedMs?: number;
  readonly got?: MessageResult;
  readonly failed?: SaclaError;
  /** Of the intent to start a run: the newest one there was. */
  readonly newestRun?: number | undefined;
  /** The run that took the place of the plan's before this message was done. */
  readonly run?: number;
}

/** How a scan was begun. */
interface JournalHeader {
  readonly uid: string;
  readonly plan: string;
  /** Settings of the plan as JSON. */
  readonly settings: string;
  /** Unix milliseconds. */
  readonly time: number;
}

/**
 * What a scan meant to do and what came of it, on the disk before it is done: an intent before each message acts, its
 * answer after it. With it a scan goes on after the death of its program: the answers are given to the same plan again
 * until the place is reached where it stopped.
 */
export class Journal {
  readonly header: JournalHeader;
  /** By number of the message. Empty for a new scan. */
  readonly past: ReadonlyMap<number, PastMessage>;
  /** How an earlier process ended it; undefined when that was killed. */
  readonly ended: string | undefined;
  readonly #log: AppendLog;

  private constructor(
    log: AppendLog,
    header: JournalHeader,
    past: ReadonlyMap<number, PastMessage>,
    ended: string | undefined,
  ) {
    this.#log = log;
    this.header = header;
    this.past = past;
    this.ended = ended;
  }

  /** A journal for a new scan. @throws FILE_EXISTS, WRITE_FAILED */
  static create(path: string, plan: Plan, context: Readonly<Record<string, unknown>> = {}): Journal {
    const header = { uid: randomUUID(), plan: plan.name, settings: JSON.stringify(plan.settings), time: Date.now() };
    return new Journal(AppendLog.create(path, { journal: 1, ...header, context }), header, new Map(), undefined);
  }

  /** The journal of a scan that was begun. @throws FILE_NOT_FOUND, FILE_DAMAGED, WRITE_FAILED */
  static open(path: string): Journal {
    const { log, lines } = AppendLog.open(path);
    try {
      const header = headerIn(lines[0]);
      if (header === undefined)
        throw new SaclaError("FILE_DAMAGED", `${show(path)} is no journal of a scan.`, { details: { path } });
      const past = new Map<number, PastMessage>();
      let ended: string | undefined;
      for (const line of lines.slice(1)) ended = takeLine(past, line);
      if (ended === undefined) forgetLostConnection(past);
      return new Journal(log, header, past, ended);
    } catch (error) {
      log.close();
      throw error;
    }
  }

  /** What was given to `create` as context: for programs that resume. @throws as {@link Journal.open} */
  static context(path: string): Readonly<Record<string, unknown>> {
    const { log, lines } = AppendLog.open(path);
    log.close();
    const first = lines[0];
    return isRecord(first) && isRecord(first["context"]) ? first["context"] : {};
  }

  /** How many points are done. */
  get points(): number {
    return [...this.past.values()].filter(
      ({ did, endedMs }) => endedMs !== undefined && did.startsWith('{"kind":"point"'),
    ).length;
  }

  get path(): string {
    return this.#log.path;
  }

  /** @throws PLAN_CHANGED */
  checkPlan(plan: Plan): void {
    const settings = JSON.stringify(plan.settings);
    if (plan.name === this.header.plan && settings === this.header.settings) return;
    throw new SaclaError(
      "PLAN_CHANGED",
      `${show(this.path)} is the journal of ${this.header.plan} ${this.header.settings}, not of ${plan.name} ` +
        `${settings}.`,
      {
        details: { path: this.path },
      },
    );
  }

  /** To be written before a message acts. */
  intent(n: number, did: string, nowMs: number): void {
    this.#log.append({ n, t: nowMs, do: did });
  }

  /** After its intent: what is known of runs before message `n` acts. */
  noteRuns(n: number, runs: Pick<PastMessage, "newestRun" | "run">, nowMs: number): void {
    this.#log.append({ n, t: nowMs, ...runs });
  }

  result(n: number, answer: MessageResult, nowMs: number): void {
    this.#log.append({ n, t: nowMs, got: answer });
  }

  /** Intent and answer at once, of what takes no time. */
  done(n: number, did: string, answer: MessageResult, nowMs: number): void {
    this.#log.append({ n, t: nowMs, do: did, got: answer });
  }

  failure(n: number, error: unknown, nowMs: number): void {
    const { code, message } = toSaclaError(error);
    this.#log.append({ n, t: nowMs, failed: { code, message } });
  }

  /** The scan was left before or at message `n`: a resumed scan does it anew and knows nothing of what came after. */
  left(n: number, why: string): void {
    this.#log.append({ left: n, why });
  }

  /** Another process goes on with it: one that has slept and wakes up writes nothing more. */
  resumed(): void {
    this.#log.append({ resumed: Date.now() });
  }

  end(): void {
    this.#log.append({ end: "done" });
  }

  get isDirty(): boolean {
    return this.#log.isDirty;
  }

  async sync(): Promise<void> {
    await this.#log.sync();
  }

  close(): void {
    this.#log.close();
  }
}

/** A message as it is written and compared; the shots of a point are those of the message before. */
export function messageText(message: Message): string {
  return JSON.stringify(message.kind === "point" ? { kind: "point", data: message.data } : message);
}

function headerIn(line: unknown): JournalHeader | undefined {
  if (!isRecord(line) || line["journal"] !== 1) return undefined;
  const { uid, plan, settings, time } = line as Readonly<Record<"uid" | "plan" | "settings" | "time", unknown>>;
  if (typeof uid !== "string" || typeof plan !== "string" || typeof settings !== "string" || typeof time !== "number")
    return undefined;
  return { uid, plan, settings, time };
}

/** Takes in one line; gives how the scan has ended so far. */
function takeLine(past: Map<number, PastMessage>, line: unknown): string | undefined {
  if (!isRecord(line)) return undefined;
  const { n, t, left, end, why } = line as Readonly<Record<"n" | "t" | "left" | "end" | "why", unknown>>;
  if (typeof end === "string") return end;
  if (typeof left === "number") {
    forgetAfter(past, left);
    const at = past.get(left);
    // Its intent stays: what must not be repeated may have begun. A run that had begun has been ended.
    if (at !== undefined) past.set(left, { did: at.did, begunMs: at.begunMs, ...runsOf(at), newestRun: undefined });
    return String(why);
  }
  if (typeof n !== "number" || typeof t !== "number") return undefined;
  const before = past.get(n);
  const did = typeof line["do"] === "string" ? line["do"] : before?.did;
  if (did === undefined) return undefined;
  const begunMs = typeof line["do"] === "string" ? t : (before?.begunMs ?? t);
  // Done anew: what came after it the first time was the cleanup of a process that died in it.
  if (typeof line["do"] === "string" && past.has(n + 1)) forgetAfter(past, n);
  const { got, failed } = line as Readonly<Record<"got" | "failed", unknown>>;
  const begun = { did, begunMs, ...runsOf(before), ...runsOf(line) };
  if (isAnswer(got)) past.set(n, { ...begun, endedMs: t, got });
  // The lease of the process that wrote it: the one that resumes has its own.
  else if (isRecord(failed) && failed["code"] === "LEASE_LOST") past.set(n, begun);
  // A run that was refused has not begun: a later one is not it.
  else if (isRecord(failed)) past.set(n, { ...begun, newestRun: undefined, endedMs: t, failed: rebuilt(failed) });
  else past.set(n, begun);
  return undefined;
}

/**
 * A process whose connection failed, and that died in its cleanup: the one that resumes has its own connection, and
 * does anew what failed. When shots came after the failure, the plan had caught it and gone on.
 */
function forgetLostConnection(past: Map<number, PastMessage>): void {
  let lost: number | undefined;
  for (const [n, { did, failed }] of [...past].sort(([a], [b]) => b - a)) {
    if (failed?.code === "UNREACHABLE") lost = n;
    else if (isWork(JSON.parse(did) as Message)) break;
  }
  if (lost !== undefined) takeLine(past, { left: lost, why: "UNREACHABLE" });
}

function forgetAfter(past: Map<number, PastMessage>, n: number): void {
  for (const key of [...past.keys()]) if (key > n) past.delete(key);
}

/** What a line, or all lines of a message so far, say of runs. */
function runsOf(
  line: Readonly<Record<string, unknown>> | PastMessage | undefined,
): Pick<PastMessage, "newestRun" | "run"> {
  const { newestRun, run } = (line ?? {}) as Readonly<Record<"newestRun" | "run", unknown>>;
  return { ...(typeof newestRun === "number" ? { newestRun } : {}), ...(typeof run === "number" ? { run } : {}) };
}

function rebuilt(failed: Readonly<Record<string, unknown>>): SaclaError {
  const code = failed["code"];
  return new SaclaError(isErrorCode(code) ? code : "INTERNAL", String(failed["message"]));
}

function isErrorCode(code: unknown): code is SaclaError["code"] {
  return typeof code === "string" && Object.hasOwn(errorCatalogue, code);
}

function isAnswer(value: unknown): value is MessageResult {
  return (
    isRecord(value) &&
    ["positions", "shots", "fly", "spot", "run", "request", "nothing"].includes(String(value["kind"]))
  );
}
