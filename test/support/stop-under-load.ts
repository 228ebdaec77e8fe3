import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setThreadPriority } from "../../src/cli/thread-priority.ts";
import { connect } from "../../src/connect.ts";
import { isSaclaError } from "../../src/core/errors.ts";
import { Random } from "../../src/core/random.ts";
import type { Endpoint } from "../../src/transport/endpoint.ts";
import { bundled } from "./bundled.ts";

export interface StopOptions {
  readonly seed: number;
  /** Ends after so many stops and so many seconds, whichever is later. */
  readonly stops: number;
  readonly seconds: number;
  readonly clients: number;
  readonly say: (line: string) => void;
}

export interface StopReport {
  /** Time from the call of a stop to its answer, ms, ascending. */
  readonly ms: Float64Array;
  /** Stops after which the axis did not come to rest short of where it was sent. */
  readonly notStopped: number;
  readonly failed: number;
  /** Renewals of the lease that were refused or had no answer. */
  readonly leaseLost: number;
  readonly renewals: number;
  /** Stops that are not in the audit at the end. */
  readonly notBooked: number;
  /** Resident memory of the server, MB: the most in the first half and in the second. */
  readonly rssMb: { readonly early: number; readonly late: number };
  /** The last line of the readers. */
  readonly readers: string;
}

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const BL = 3;
const TTL_MS = 3000;
const TARGET = 45_000;
/**
 * Blocks the main loop of the server half of the time, and fills the disk of its audit while there is the file `flag`.
 */
const hindrance = (flag: string): string => `
  import fs from "node:fs";
  import { syncBuiltinESMExports } from "node:module";
  import { isMainThread } from "node:worker_threads";
  if (isMainThread)
    setInterval(() => { const end = performance.now() + 400; while (performance.now() < end); }, 800).unref();
  const { writeSync } = fs;
  fs.writeSync = (file, bytes, ...rest) => {
    if (Buffer.isBuffer(bytes) && bytes.includes('"outcome":') && fs.existsSync(${JSON.stringify(flag)}))
      throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
    return writeSync(file, bytes, ...rest);
  };
  syncBuiltinESMExports();`;

/**
 * Stops axes again and again, over both carriers, while readers do their worst to the server, the disk of its audit is
 * full and its main loop is busy.
 */
export async function stopUnderLoad({ seed, stops, seconds, clients, say }: StopOptions): Promise<StopReport> {
  const folder = mkdtempSync(join(tmpdir(), "sacla-stop-"));
  const [flag, audit] = [join(folder, "full"), join(folder, "audit.jsonl")];
  const hinder = `data:text/javascript,${encodeURIComponent(hindrance(flag))}`;
  const serve = ["serve", "sim:", "--zmq", "tcp://127.0.0.1:*", "--http", "127.0.0.1:0", "--json", "--audit", audit];
  const server = spawn(process.execPath, ["--import", hinder, await bundled(), ...serve], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const { addresses } = JSON.parse(await firstLine(server)) as { addresses: [zmq: string, http: string] };
  const [zmq, http] = addresses;
  const worst = [await bundled(path("./worst-readers.ts")), zmq, http, String(clients), String(seed)];
  const reading = spawn(process.execPath, worst, { stdio: ["ignore", "pipe", "inherit"] });
  let readers = "";
  reading.stdout.setEncoding("utf8").on("data", (text: string) => {
    readers = text.trim().split("\n").at(-1) ?? readers;
  });
  // Who measures must not wait for the processor itself, where the system permits that.
  setThreadPriority(-10);
  const facilities = [await connect(zmq), await connect(http)];
  const [holder, other] = facilities.map(({ endpoint }) => endpoint) as [Endpoint, Endpoint];
  const ms: number[] = [];
  const counts = { notStopped: 0, failed: 0, leaseLost: 0, renewals: 0 };
  const rss = { early: 0, late: 0 };
  try {
    await firstLine(reading);
    const begun = performance.now();
    const isOver = (): boolean => ms.length >= stops && performance.now() - begun >= 1000 * seconds;
    const { lease } = await holder.call("lease.take", { bl: BL, name: "bench", reason: "stops", ttlMs: TTL_MS });
    const devices = await holder.call("ec.devices", { bl: BL });
    const axes = devices
      .filter((info) => info.kind === "axis" && info.speed === 10_000)
      .map(({ name }) => name)
      .slice(0, 6);
    const renewing = async (): Promise<void> => {
      while (!isOver()) {
        counts.renewals++;
        await holder.call("lease.renew", { bl: BL, lease }).catch(() => counts.leaseLost++);
        await pause(TTL_MS / 4);
      }
    };
    const watching = async (): Promise<void> => {
      for (let told = 0; !isOver(); told++) {
        const now = rssOf(server);
        const half = performance.now() - begun < 500 * seconds ? "early" : "late";
        rss[half] = Math.max(rss[half], now);
        const s = Math.round((performance.now() - begun) / 1000);
        if (told % 10 === 0) say(JSON.stringify({ s, stops: ms.length, rss: now, readers }));
        await pause(1000);
      }
    };
    /** Where an axis is when it is at rest. */
    const rest = async (axis: string): Promise<number> => {
      for (const late = performance.now() + 10_000; performance.now() < late; await pause(20)) {
        const { state, value } = await holder.call("ec.read", { bl: BL, device: axis });
        if (state === "ready") return Number(value);
      }
      return NaN;
    };
    const stop = async (axis: string, i: number): Promise<void> => {
      const asked = performance.now();
      await (i % 2 === 0 ? holder : other).call("ec.stop", { bl: BL, axis });
      ms.push(performance.now() - asked);
    };
    const random = new Random(seed);
    const stopping = async (): Promise<void> => {
      for (let round = 0; !isOver(); round++) {
        try {
          const from = await Promise.all(axes.map(rest));
          const to = from.map((at) => (at > 0 ? -TARGET : TARGET));
          await Promise.all(axes.map((axis, i) => holder.call("ec.move", { bl: BL, lease, axis, pulses: to[i] ?? 0 })));
          await pause(10 + 40 * random.uniform());
          writeFileSync(flag, "");
          await Promise.all(axes.map((axis, i) => stop(axis, round + i)));
          rmSync(flag);
          const after = await Promise.all(axes.map(rest));
          // At full speed the ramp is 1250 pulses long; what was not stopped goes on to its target.
          counts.notStopped += after.filter((at, i) => !(Math.abs(at - (to[i] ?? at)) > 1000)).length;
        } catch (error) {
          counts.failed++;
          rmSync(flag, { force: true });
          say(isSaclaError(error) ? `${error.code}: ${error.message}` : String(error));
          await pause(100);
        }
      }
    };
    await Promise.all([renewing(), watching(), stopping()]);
    await holder.call("lease.release", { bl: BL, lease });
  } finally {
    reading.kill("SIGKILL");
    await Promise.all(facilities.map((facility) => facility.close()));
    const ended = new Promise((resolve) => server.once("close", resolve));
    server.kill("SIGINT");
    await ended;
  }
  const lines = readFileSync(audit, "utf8").split("\n");
  const booked = lines.filter((line) => /"method":"ec.stop".*"outcome":"ok"/.test(line)).length;
  rmSync(folder, { recursive: true });
  return {
    ms: Float64Array.from(ms).sort(),
    ...counts,
    notBooked: Math.max(0, ms.length - booked),
    rssMb: rss,
    readers,
  };
}

async function firstLine(child: ChildProcess): Promise<string> {
  return await new Promise((resolve, reject) => {
    let text = "";
    child.stdout?.on("data", (bytes: Buffer) => {
      text += bytes.toString();
      if (text.includes("\n")) resolve(text.slice(0, text.indexOf("\n")));
    });
    child.once("exit", (code) => reject(new Error(`a process ended with ${code}`)));
  });
}

/** Resident memory of a process, MB; 0 where the system does not say. */
function rssOf({ pid }: ChildProcess): number {
  try {
    return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024);
  } catch {
    return 0;
  }
}

/** The share `part` of sorted times is at most this. */
export function quantile(sorted: Float64Array, part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)] ?? NaN;
}

/** Lines of a histogram of sorted times, by powers of two. */
export function histogram(sorted: Float64Array): string[] {
  const lines: string[] = [];
  for (let low = 0, high = 1; low < (sorted.at(-1) ?? 0); low = high, high *= 2) {
    const count = sorted.filter((ms) => ms >= low && ms < high).length;
    const bar = "█".repeat(Math.ceil((60 * count) / sorted.length));
    lines.push(`${String(low).padStart(6)} … ${String(high).padStart(6)} ms  ${String(count).padStart(7)}  ${bar}`);
  }
  return lines;
}
