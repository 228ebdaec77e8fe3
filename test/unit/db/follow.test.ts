import { describe, expect, it } from "vitest";
import { Db, type RunsOptions } from "../../../src/db/index.ts";
import type { DataSource } from "../../../src/source/data-source.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { TinySource, tinySource } from "../../support/tiny-source.ts";

const pollMs = 2;

function open(source: DataSource): Db {
  return new Db(inProcess(endpointOf(source)));
}

/** The first `count` runs of a loop; `before(n)` runs before the n-th is waited for. */
async function take(
  db: Db,
  options: RunsOptions,
  count: number,
  before: (n: number) => void = () => {},
): Promise<number[]> {
  const found: number[] = [];
  before(0);
  for await (const run of db.runs(options)) {
    expect(run.status).toBe(0);
    found.push(run.number);
    if (found.length === count) break;
    before(found.length);
  }
  return found;
}

describe("db.runs", () => {
  it("lists the last runs ascending, whatever their status", async () => {
    const db = open(tinySource());
    const list = async (options: RunsOptions): Promise<number[][]> => {
      const found: number[][] = [];
      for await (const { number: run, status } of db.runs(options)) found.push([run, status]);
      return found;
    };
    expect(await list({ bl: 3 })).toEqual([
      [10, 0],
      [11, 0],
      [12, 2],
    ]);
    expect(await list({ bl: 3, last: 2 })).toEqual([
      [11, 0],
      [12, 2],
    ]);
    expect(await db.beamlines()).toEqual([2, 3]);
  });

  it("refuses options it does not know or cannot use", () => {
    const db = open(tinySource());
    expect(() => db.runs({ bl: 3, last: 0 })).toThrow(/last is 0.*from 1/);
    expect(() => db.runs({ bl: 3, follow: true, pollMs: 0 })).toThrow(/pollMs/);
    expect(() => db.runs(JSON.parse('{"bl":3,"folow":true}'))).toThrow(/folow/);
  });

  it("with follow gives the newest run once it has stopped, and only once", async () => {
    const source = tinySource();
    const found = take(open(source), { bl: 3, follow: true, pollMs }, 2);
    const looks = (): number => source.asked.get("runStatus") ?? 0;
    const looksAgain = async (times: number): Promise<void> => {
      const before = looks();
      await expect.poll(looks).toBeGreaterThanOrEqual(before + times);
    };
    await looksAgain(2);
    source.setStatus(3, 12, 0);
    await expect.poll(() => source.asked.get("runs") ?? 0).toBeGreaterThan(0);
    await looksAgain(1);
    source.addRun(3, { run: 13, start: 4000, images: 2 });
    expect(await found).toEqual([12, 13]);
  });

  it("waits through a pause", async () => {
    const source = tinySource().setStatus(3, 12, 1);
    const status = source.runStatus.bind(source);
    let looks = 0;
    source.runStatus = (bl, run) => {
      looks++;
      if (looks === 5) source.setStatus(3, 12, 2);
      if (looks === 9) source.setStatus(3, 12, 0);
      return status(bl, run);
    };
    expect(await take(open(source), { bl: 3, follow: true, pollMs }, 1)).toEqual([12]);
    expect(looks).toBeGreaterThanOrEqual(9);
  });

  it("skips none of several runs that end between two polls", async () => {
    const source = tinySource().setStatus(3, 12, 0);
    const found = await take(open(source), { bl: 3, follow: true, pollMs }, 41, (n) => {
      // Forty runs, with gaps in the numbers, while the first one is being looked at.
      if (n === 1)
        for (let i = 1; i <= 40; i++) source.addRun(3, { run: 12 + 3 * i, start: 10_000 + i * 10, images: 2 });
    });
    expect(found).toEqual(Array.from({ length: 41 }, (_, i) => 12 + 3 * i));
  });

  it("skips none when a run begins in the middle of the look", async () => {
    const source = tinySource().setStatus(3, 12, 0);
    let next = 13;
    const runs = source.runs.bind(source);
    // Every answer is already old when it is read: nine runs come with each question.
    source.runs = (bl, last) => {
      for (let i = 0; i < 9; i++) source.addRun(bl, { run: next++, start: 10_000 + next * 10, images: 2 });
      return runs(bl, last);
    };
    const found = await take(open(source), { bl: 3, follow: true, pollMs, last: 0 }, 50);
    // The first question comes when run 21 is the newest already.
    expect(found).toEqual(Array.from({ length: 50 }, (_, i) => 22 + i));
  });

  it("does not let a run that never stops hold back the others, and still gives it when it stops", async () => {
    const source = tinySource();
    const found = await take(open(source), { bl: 3, follow: true, pollMs }, 3, (n) => {
      if (n === 0)
        setTimeout(
          () => source.addRun(3, { run: 13, start: 4000, images: 2 }).addRun(3, { run: 14, start: 5000, images: 2 }),
          10,
        );
      if (n === 2) source.setStatus(3, 12, 0);
    });
    expect(found).toEqual([13, 14, 12]);
  });

  it("begins with the last runs asked for, or with none", async () => {
    const source = tinySource().setStatus(3, 12, 0);
    expect(await take(open(source), { bl: 3, follow: true, pollMs, last: 3 }, 3)).toEqual([10, 11, 12]);
    const runs = source.runs.bind(source);
    let looks = 0;
    source.runs = (bl, last) => {
      if (++looks === 2) source.addRun(3, { run: 13, start: 4000, images: 2 });
      return runs(bl, last);
    };
    expect(await take(open(source), { bl: 3, follow: true, pollMs, last: 0 }, 1)).toEqual([13]);
  });

  it("begins on a beamline that has no run yet", async () => {
    const source = new TinySource({ 1: [] });
    setTimeout(() => source.addRun(1, { run: 1, start: 10, images: 1 }), 10);
    expect(await take(open(source), { bl: 1, follow: true, pollMs }, 1)).toEqual([1]);
    await expect(open(new TinySource({ 1: [] })).newestRun(1)).rejects.toMatchObject({
      code: "UNKNOWN_RUN",
      name: "APIError",
    });
  });

  it("throws ABORTED when the signal fires, at once and not at the next poll", async () => {
    const control = new AbortController();
    setTimeout(() => control.abort(), 20);
    // The next poll comes after the time that a test is given.
    await expect(
      take(open(tinySource()), { bl: 3, follow: true, pollMs: 86_400_000, signal: control.signal }, 1),
    ).rejects.toMatchObject({ code: "ABORTED" });
  });
});

describe("run.waitUntilStopped", () => {
  it("gives the run, refreshed, when it has stopped", async () => {
    const source = tinySource();
    const run = await open(source).newestRun(3);
    setTimeout(() => source.setStatus(3, 12, 0), 20);
    expect(await run.waitUntilStopped({ pollMs, timeoutMs: 200_000 })).toBe(run);
    expect(run.status).toBe(0);
  });

  it("gives up on a run that never stops, without another look afterwards", async () => {
    const source = tinySource();
    const run = await open(source).newestRun(3);
    await expect(run.waitUntilStopped({ pollMs, timeoutMs: 30 })).rejects.toMatchObject({
      code: "TIMEOUT",
      message: expect.stringContaining("Run 12"),
    });
    // Another poll comes after the time that a test is given.
    await expect(run.waitUntilStopped({ pollMs: 86_400_000, timeoutMs: 30 })).rejects.toMatchObject({
      code: "TIMEOUT",
    });
    const asked = source.asked.get("runStatus");
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(source.asked.get("runStatus")).toBe(asked);
  });

  it("looks once even when no time is allowed, and ends on abort", async () => {
    const db = open(tinySource());
    expect((await (await db.run(3, 10)).waitUntilStopped({ timeoutMs: 0 })).number).toBe(10);
    const running = await db.run(3, 12);
    await expect(running.waitUntilStopped({ timeoutMs: 0 })).rejects.toMatchObject({ code: "TIMEOUT" });
    await expect(running.waitUntilStopped({ signal: AbortSignal.timeout(10) })).rejects.toMatchObject({
      code: "ABORTED",
    });
    await expect(running.waitUntilStopped({ pollMs: -1 })).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
  });
});
