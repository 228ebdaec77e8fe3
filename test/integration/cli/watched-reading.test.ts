import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import { WatchedReading } from "../../../src/cli/watched-reading.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const folder = temporaryFolder();

/** A process that blocks, the first time before or after it has said that it is ready, and serves the second time. */
function blocking(when: "before" | "after"): { entry: URL; mark: string } {
  const [path, mark] = [join(folder, `${when}.mjs`), join(folder, `${when}.mark`)];
  writeFileSync(
    path,
    `import { existsSync, writeFileSync } from "node:fs";
const block = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
process.on("disconnect", () => process.exit());
process.on("message", ({ kind, task }) => {
  if (kind === "close") process.exit();
  if (kind === "ping") process.send({ kind: "pong" });
  if (kind !== "read") return;
  const isFirst = !existsSync(task.url);
  writeFileSync(task.url, "");
  if (isFirst && ${when === "before"}) block();
  process.send({ kind: "ready" });
  if (isFirst) setTimeout(block, 50);
});`,
  );
  return { entry: pathToFileURL(path), mark };
}

function readingOf({ entry, mark }: { entry: URL; mark: string }, pingMs: number): [WatchedReading, string[]] {
  const log: string[] = [];
  const logger = {
    ...silentLogger,
    error: (fields: object) => log.push(String((fields as { reason: string }).reason)),
  };
  const options = {
    url: mark,
    folder,
    zmq: [],
    limits: {},
    logger,
    bl: 3,
    karabo: { karaboDetector: [], karaboSignal: [] },
    page: {},
  };
  return [new WatchedReading(options, {}, { entry, pingMs }), log];
}

it("ends a process that gives no sign of life, and starts it again", async () => {
  const [reading, log] = readingOf(blocking("after"), 500);
  const moves: boolean[] = [];
  reading.onMove((isThere) => moves.push(isThere));
  await reading.start();
  await expect.poll(() => moves, { timeout: 60_000 }).toEqual([true, false, true]);
  expect(log).toEqual(["it has given no sign of life for 3 s"]);
  await reading.close();
});

it("does not wait for ever for a process that blocks before it is ready", async () => {
  const { entry, mark } = blocking("before");
  const [reading] = readingOf({ entry, mark }, 500);
  await expect(reading.start()).rejects.toMatchObject({
    code: "INTERNAL",
    message: "The process that reads cannot start: it has given no sign of life for 3 s.",
  });
  expect(existsSync(mark)).toBe(true);
  await reading.close();
});
