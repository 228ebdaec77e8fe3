/**
 * From the shot to the pixels of the page: an octal of the simulated facility, the page open in Chromium, and viewers besides, of
 * which one takes nothing. `npm run bench:page [VIEWERS] [SECONDS] [SECONDS OF WARM-UP]`
 */
import { once, setMaxListeners } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { Agent, type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CallParams } from "../src/transport/methods.ts";
import { PACKED_TYPE } from "../src/transport/packed.ts";
import { buildPage, openBrowser, openPage, view } from "../test/support/page.ts";
import { childrenOf } from "../test/support/processes.ts";
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
  const times: number[] = [];
  const before = await state();
  const until = performance.now() + 1000 * Number(seconds);
  while (performance.now() < until) {
    await page.waitForTimeout(100);
    times.push((await state()).ms);
  }
  const drawn = (await state()).drawn - before.drawn;
  const now = processorMs();
  times.sort((a, b) => a - b);
  const at = (share: number): string => (times[Math.floor(share * (times.length - 1))] ?? NaN).toFixed(0);
  console.log(
    `${what}: ${(drawn / Number(seconds)).toFixed(1)} pictures/s, shot → pixels ${at(0.5)} ms median, ${at(0.95)} ms 95 %`,
  );
  row({ what: `pictures drawn, ${what}`, unit: "/s", sacla: drawn / Number(seconds), goal: 10, atLeast: true });
  row({ what: `shot → pixels, ${what}`, unit: "ms", sacla: times[times.length >> 1] ?? NaN, goal: 200 });
  const each = Object.entries(now).map(([name, ms]) => `${name} ${((ms - (spent[name] ?? 0)) / drawn).toFixed(0)}`);
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
  const waiting = [process.pid];
  for (let pid = waiting.pop(); pid !== undefined; pid = waiting.pop()) {
    try {
      waiting.push(...childrenOf(pid, ""));
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      const [, kind = command.includes("reading-process") ? "reading" : command.includes("view") ? "server" : ""] =
        /--type=([\w-]+)/.exec(command) ?? [];
      if (kind === "") continue;
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
      // Linux counts in hundredths of a second.
      found[kind] = (found[kind] ?? 0) + 10 * (Number(stat[11]) + Number(stat[12]));
    } catch {
      // It has ended.
    }
  }
  return found;
}

/** Asks as a page of another computer does, at most 15 times a second: reads all of the answer, and draws nothing. */
async function watch(signal: AbortSignal): Promise<void> {
  const agent = new Agent({ keepAlive: true });
  let after: number | null = null;
  while (!signal.aborted) {
    const seq: number | undefined = await seenBy(agent, after, signal).catch(() => undefined);
    after = seq ?? after;
    await new Promise((resolve) => setTimeout(resolve, seq === undefined ? 100 : 66));
  }
  agent.destroy();
}

/** The number of the next picture; undefined: there is none. */
async function seenBy(agent: Agent, after: number | null, signal: AbortSignal): Promise<number | undefined> {
  const params: CallParams<"page.live"> = { bl: 3, detId: octalDetector, ...look, after, waitMs: 100 };
  const headers = { Accept: PACKED_TYPE, "Content-Type": "application/json" };
  const asked = request(`${server.address}/v1/page/live`, { method: "POST", headers, agent, signal });
  asked.end(JSON.stringify(params));
  const [answer] = (await once(asked, "response")) as [IncomingMessage];
  let start = "";
  for await (const chunk of answer as AsyncIterable<Buffer>) if (start.length < 500) start += chunk.toString("latin1");
  const [, seq] = /"frame":\{"seq":(\d+)/.exec(start) ?? [];
  return seq === undefined ? undefined : Number(seq);
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
