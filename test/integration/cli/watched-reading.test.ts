import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import { WatchedReading } from "../../../src/cli/watched-reading.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const folder = temporaryFolder();

/** A process that blocks, the first time before or after it has said that it is ready, and serves the second time. */
function blocking(when: "before" | "after"): Program {
  const [path, mark] = [join(folder, `${when}.mjs`), join(folder, `${when}.mark`)];
  writeFileSync(
    path,
    `import { existsSync, readFileSync, writeFileSync } from "node:fs";
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

interface Program {
  readonly entry: URL;
  readonly mark: string;
}

/** A process that is killed at other moments each time it is started, and serves in the end. */
function dying(): Program {
  const [path, mark] = [join(folder, "dying.mjs"), join(folder, "dying.mark")];
  writeFileSync(
    path,
    `import { appendFileSync, readFileSync } from "node:fs";
const die = () => process.kill(process.pid, "SIGKILL");
process.on("disconnect", () => process.exit());
appendFileSync(${JSON.stringify(mark)}, "x");
const time = readFileSync(${JSON.stringify(mark)}).length;
if (time === 3) die();
process.on("message", ({ kind }) => {
  if (kind === "close") process.exit();
  if (kind !== "read") return;
  if (time === 4) die();
  if (time === 2) process.stderr.write("no memory", die);
  process.send({ kind: "ready" }, () => {
    if (time === 1 || time === 5) die();
    if (time === 6) setTimeout(die, 50);
  });
});`,
  );
  return { entry: pathToFileURL(path), mark };
}

function readingOf({ entry, mark }: Program, pingMs: number): [WatchedReading, string[]] {
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
  return [new WatchedReading(options, {}, { entry, pingMs, againMs: 20 }), log];
}

it("ends a process that gives no sign of life, and starts it again", async () => {
  const [reading, log] = readingOf(blocking("after"), 500);
  const moves: boolean[] = [];
  reading.onMove((isThere) => moves.push(isThere));
  await reading.start();
  await expect.poll(() => moves).toEqual([true, false, true]);
  expect(log).toEqual(["it has given no sign of life for 3 s"]);
  await reading.close();
});

it("has the process make ready what a page that is being loaded will ask", async () => {
  const [path, mark] = [join(folder, "looking.mjs"), join(folder, "looking.mark")];
  writeFileSync(
    path,
    `import { writeFileSync } from "node:fs";
process.on("disconnect", () => process.exit());
process.on("message", ({ kind }) => {
  if (kind === "close") process.exit();
  if (kind === "read") process.send({ kind: "ready" });
  if (kind === "look") writeFileSync(${JSON.stringify(mark)}, "");
});`,
  );
  const [reading] = readingOf({ entry: pathToFileURL(path), mark }, 10_000);
  await reading.start();
  reading.lookAhead();
  await expect.poll(() => existsSync(mark)).toBe(true);
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

it("goes on after deaths at any moment: as it begins, while it opens the source, as it says that it is ready, later", async () => {
  const program = dying();
  const [reading, log] = readingOf(program, 10_000);
  const moves: boolean[] = [];
  reading.onMove((isThere) => moves.push(isThere));
  await reading.start();
  const starts = (): number => readFileSync(program.mark).length;
  await expect.poll(() => [starts(), moves.at(-1)]).toEqual([7, true]);
  expect(log).toHaveLength(6);
  for (const reason of log) expect(reason).toContain("it ended by SIGKILL");
  // Told that it is there only when it has said so, and each time that it is not.
  expect(moves.filter((isThere) => !isThere)).toHaveLength(6);
  await reading.close();
  await reading.close();
});
