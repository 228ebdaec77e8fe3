/**
 * Keeps the live page open on an octal of the simulated facility at its full rate, and prints each minute what it holds,
 * one JSON line. `npm run soak:page -- [MINUTES]`. Fails when memory grows from the first third of the minutes to the
 * last, when the page reports a fault, or when pictures stop.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CDPSession, Page } from "playwright-core";
import { buildPage } from "../test/support/build-page.ts";
import { openBrowser, openPage, view } from "../test/support/page.ts";
import { pageProcesses } from "../test/support/processes.ts";

/**
 * In MB, but pictures drawn so far and nodes of the document. `heap`: of JavaScript after a collection. `renderer` holds
 * also what the inspector, by which Playwright drives the page, keeps of each answer: hundreds of MB, and more each minute.
 */
interface Minute extends Readonly<Record<string, number>> {
  readonly minute: number;
  readonly drawn: number;
  readonly nodes: number;
  readonly heap: number;
}

/** What each may hold more in the last third, in MB. */
const MORE: Readonly<Record<string, number>> = { heap: 5, renderer: 60, "gpu-process": 60, server: 60, reading: 100 };
const MB = 2 ** 20;

const minutes = Number(process.argv[2] ?? "30");
const folder = mkdtempSync(join(tmpdir(), "sacla-soak-"));
await buildPage();
const server = await view(folder, ["sim:"]);
const browser = await openBrowser();
try {
  const { page, faults } = await openPage(browser, server.address, "live?det=MPCCD-8N0-3-002");
  await page.getByText(/· raw/).first().waitFor({ timeout: 120_000 });
  const inspector = await page.context().newCDPSession(page);
  const seen: Minute[] = [];
  for (let minute = 1; minute <= minutes; minute++) {
    await page.waitForTimeout(60_000);
    const now = await look(page, inspector, minute);
    seen.push(now);
    console.log(JSON.stringify(now));
  }
  const complaints = [...faults, ...complaintsOf(seen)];
  if (complaints.length > 0) throw new Error(complaints.join("; "));
} finally {
  await browser.close();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
}

async function look(page: Page, inspector: CDPSession, minute: number): Promise<Minute> {
  await inspector.send("HeapProfiler.collectGarbage");
  const { usedSize } = await inspector.send("Runtime.getHeapUsage");
  const { nodes } = await inspector.send("Memory.getDOMCounters");
  const drawn = Number(await page.evaluate("document.documentElement.dataset.drawn"));
  const held: Record<string, number> = {};
  for (const { pid, kind } of pageProcesses())
    if (kind in MORE) held[kind] = Math.round((held[kind] ?? 0) + residentOf(pid) / MB);
  return { minute, drawn, nodes, heap: Math.round((10 * usedSize) / MB) / 10, ...held };
}

/** Bytes of a process in memory; 0 when it has ended. */
function residentOf(pid: number): number {
  try {
    return 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

function complaintsOf(seen: readonly Minute[]): string[] {
  const third = Math.ceil(seen.length / 3);
  const middle = (name: string, of: readonly Minute[]): number =>
    of.map((minute) => minute[name] ?? 0).toSorted((a, b) => a - b)[of.length >> 1] ?? NaN;
  const grown = Object.entries(MORE).flatMap(([name, more]) => {
    const [early, late] = [middle(name, seen.slice(0, third)), middle(name, seen.slice(-third))];
    return late > early + more ? [`${name} grew from ${early} to ${late} MB`] : [];
  });
  const stopped = seen.filter(({ drawn }, i) => i > 0 && drawn <= (seen[i - 1]?.drawn ?? 0));
  return [...grown, ...stopped.map(({ minute }) => `no picture in minute ${minute}`)];
}
