/**
 * From the shot to the pixels of the page: an octal of the simulated facility, the page open in Chromium, and viewers besides, of
 * which one takes nothing. `npm run bench:page [VIEWERS] [SECONDS] [SECONDS OF WARM-UP]`
 */
import { once, setMaxListeners } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CallParams } from "../src/transport/methods.ts";
import { PACKED_TYPE } from "../src/transport/packed.ts";
import { buildPage } from "../test/support/build-page.ts";
import { openBrowser, openPage, view } from "../test/support/page.ts";
import { pageProcesses } from "../test/support/processes.ts";
import { row } from "./rows.ts";

/** An octal of the simulated facility. */
const octalDetector = "MPCCD-8N0-3-002";

const look: Omit<CallParams<"page.live">, "bl" | "detId" | "after" | "waitMs"> = {
  dark: null,
  mean: 1,
  what: "all",
  hits: null,
  region: null,
  side: 800,
  rois: [],
  profile: null,
};

/** The head of an answer and the beginning of what it holds are in so many bytes. */
const MOST_HEAD = 3000;
/** Pictures that all other viewers have got. */
let pictures = 0;

const [viewers = "20", seconds = "20", warmUp = "20"] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "sacla-bench-"));
await buildPage();
const server = await view(folder, ["sim:"]);
const browser = await openBrowser();
try {
  await measure("the page alone", 0);
  await measure(`and ${viewers} viewers, one of which takes nothing`, Number(viewers));
} finally {
  await browser.close();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
}

async function measure(what: string, others: number): Promise<void> {
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  // Else those who watch would go on for ever after a failure.
  using _ending = { [Symbol.dispose]: () => stop.abort() };
  const watching = Array.from({ length: others }, (_, i) => (i === 0 ? stall() : watch(stop.signal)));
  const { page } = await openPage(browser, server.address, `live?det=${octalDetector}`);
  await page.getByText(/· raw/).first().waitFor({ timeout: 120_000 });
  const state = async (): Promise<{ drawn: number; ms: number }> => {
    const { drawn, shotToScreen } = (await page.evaluate("({ ...document.documentElement.dataset })")) as Record<
      string,
      string
    >;
    return { drawn: Number(drawn), ms: Number(shotToScreen) };
  };
  await page.waitForTimeout(1000 * Number(warmUp));
  const spent = processorMs();
  const seen = pictures;
  const own = process.cpuUsage();
  const times: number[] = [];
  const before = await state();
  const until = performance.now() + 1000 * Number(seconds);
  while (performance.now() < until) {
    await page.waitForTimeout(100);
    times.push((await state()).ms);
  }
  const drawn = (await state()).drawn - before.drawn;
  const now = processorMs();
  // What the other viewers take here would be spent on their own computers.
  const { user, system } = process.cpuUsage(own);
  times.sort((a, b) => a - b);
  const at = (share: number): string => (times[Math.floor(share * (times.length - 1))] ?? NaN).toFixed(0);
  console.log(
    `${what}: ${(drawn / Number(seconds)).toFixed(1)} pictures/s, shot → pixels ${at(0.5)} ms median, ${at(0.95)} ms 95 %`,
  );
  row({ what: `pictures drawn, ${what}`, unit: "/s", sacla: drawn / Number(seconds), goal: 10, atLeast: true });
  row({ what: `shot → pixels, ${what}`, unit: "ms", sacla: times[times.length >> 1] ?? NaN, goal: 200 });
  const each = Object.entries(now).map(([name, ms]) => `${name} ${((ms - (spent[name] ?? 0)) / drawn).toFixed(0)}`);
  if (others > 1)
    console.log(
      `  pictures that each other viewer got: ${((pictures - seen) / (others - 1) / Number(seconds)).toFixed(1)}/s`,
    );
  each.push(`the viewers and this bench ${((user + system) / 1000 / drawn).toFixed(0)}`);
  console.log(
    `  processor ms for each picture drawn: ${each.join(", ")}; load ${readFileSync("/proc/loadavg", "utf8")}`,
  );
  stop.abort();
  await Promise.all(watching);
  await page.close();
}

/** Processor time of each kind of process so far. */
function processorMs(): Record<string, number> {
  const found: Record<string, number> = {};
  for (const { pid, kind } of pageProcesses()) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
      // Linux counts in hundredths of a second.
      found[kind] = (found[kind] ?? 0) + 10 * (Number(stat[11]) + Number(stat[12]));
    } catch {
      // It has ended.
    }
  }
  return found;
}

/**
 * Asks as a page of another computer does, at most 15 times a second: takes all of the answer, and draws nothing. By a bare
 * socket into one buffer: what the viewers' computers would do must take as little of this one as may be.
 */
async function watch(signal: AbortSignal): Promise<void> {
  let after: number | null = null;
  let answered = (_seq: number | null): void => {};
  let head = "";
  let taken = 0;
  const take = (bytes: Buffer): void => {
    // Of the answer itself only its beginning, where the number of the picture is.
    if (head.length < MOST_HEAD) head += bytes.toString("latin1", 0, MOST_HEAD);
    taken += bytes.byteLength;
    const end = head.indexOf("\r\n\r\n");
    if (end < 0 || taken < end + 4 + Number(/content-length: (\d+)/i.exec(head)?.[1])) return;
    const [, seq] = /"frame":\{"seq":(\d+)/.exec(head) ?? [];
    head = "";
    taken = 0;
    answered(seq === undefined ? null : Number(seq));
  };
  const { hostname, port, host } = new URL(server.address);
  const buffer = Buffer.alloc(1 << 20);
  const callback = (count: number): boolean => {
    take(buffer.subarray(0, count));
    return true;
  };
  const socket = connect({ host: hostname, port: Number(port), onread: { buffer, callback } });
  signal.addEventListener("abort", () => socket.destroy(), { once: true });
  socket.on("error", () => {});
  socket.on("close", () => answered(null));
  while (!signal.aborted && !socket.destroyed) {
    const params: CallParams<"page.live"> = { bl: 3, detId: octalDetector, ...look, after, waitMs: 100 };
    const body = JSON.stringify(params);
    const came = new Promise<number | null>((resolve) => {
      answered = resolve;
    });
    const headers = `Host: ${host}\r\nAccept: ${PACKED_TYPE}\r\nContent-Type: application/json`;
    socket.write(`POST /v1/page/live HTTP/1.1\r\n${headers}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    const seq = await came;
    pictures += seq === null ? 0 : 1;
    after = seq ?? after;
    await new Promise((resolve) => setTimeout(resolve, seq === null ? 100 : 66));
  }
}

/** Asks, and reads nothing of the answer. */
async function stall(): Promise<void> {
  const asked = request(`${server.address}/v1/page/live`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
  });
  asked.end(JSON.stringify({ bl: 3, detId: octalDetector, ...look, side: 2400, after: null, waitMs: 1000 }));
  const [answer] = await once(asked, "response");
  answer.pause();
  setTimeout(() => asked.destroy(), 1000 * Number(seconds));
}
