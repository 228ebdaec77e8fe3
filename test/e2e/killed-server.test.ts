import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { connect, isSaclaError } from "../../src/index.ts";
import { bundled } from "../support/bundled.ts";
import { tinyPixel } from "../support/tiny-source.ts";

const program = await bundled(fileURLToPath(new URL("../support/serve-slowly.ts", import.meta.url)));
const running = new Set<ChildProcess>();
const sensor = "MPCCD-2N0-1-006-1";
const all = Array.from({ length: 60 }, (_, i) => 5000 + 2 * i);

/** Starts a server of its own process; ports as the program takes them. */
async function start(...ports: string[]): Promise<{ addresses: string[]; kill(): Promise<void> }> {
  const child = spawn(process.execPath, [program, ...ports], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  running.add(child);
  const failed = once(child, "exit").then(() => Promise.reject(new Error("the server ended before it listened")));
  failed.catch(() => {});
  const [line] = (await Promise.race([once(createInterface(child.stdout), "line"), failed])) as [string];
  const kill = async (): Promise<void> => {
    running.delete(child);
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  };
  return { addresses: line.split(" "), kill };
}

const portOf = (address: string): string => /:(\d+)\/?$/.exec(address)?.[1] ?? "";

afterAll(() => {
  for (const child of running) child.kill("SIGKILL");
});

describe.each([
  [0, "ZeroMQ"],
  [1, "HTTP"],
])("a server that is killed in the middle of a stream (%i, %s)", (carrier) => {
  it("and comes back: every shot comes, once, with its own pixels", async () => {
    const first = await start();
    await using facility = await connect(first.addresses[carrier], {
      retry: { attempts: 100, firstWaitMs: 50, longestWaitMs: 200 },
    });
    const shots = facility.shots({ run: { bl: 3, number: 20 }, detectors: [sensor], tags: all });
    const seen: number[] = [];
    let second: Awaited<ReturnType<typeof start>> | undefined;
    for await (const shot of shots) {
      seen.push(shot.tag);
      expect(shot.images[sensor]?.data[0]).toBe(tinyPixel(sensor, shot.tag, 0, 0));
      if (seen.length !== 10) continue;
      await first.kill();
      second = await start(...first.addresses.map(portOf));
    }
    expect(seen).toEqual(all);
    expect(shots.ledger).toEqual({ asked: 60, used: 60, dropped: [] });
    await facility.close();
    await second?.kill();
  });

  it("and does not come back: the error names the tags that are missing, within the deadline, and the ledger has them", async () => {
    const server = await start();
    const deadlineMs = 3000;
    await using facility = await connect(server.addresses[carrier], {
      retry: { attempts: 1000, firstWaitMs: 50, longestWaitMs: 200, deadlineMs },
    });
    const shots = facility.shots({ run: { bl: 3, number: 20 }, detectors: [sensor], tags: all });
    const seen: number[] = [];
    let killed = 0;
    const reading = (async () => {
      for await (const shot of shots) {
        seen.push(shot.tag);
        if (seen.length !== 10) continue;
        await server.kill();
        killed = performance.now();
      }
    })();
    const error: unknown = await reading.catch((cause: unknown) => cause);
    const left = all.slice(seen.length);
    expect(isSaclaError(error, "UNREACHABLE", "TIMEOUT") && error.details).toMatchObject({
      missing: left,
      missingCount: left.length,
    });
    expect(String(error)).toContain(`${left.length} tags have not come: ${left[0]} … 5118`);
    expect(left.length).toBeGreaterThan(30);
    expect(shots.ledger).toEqual({ asked: 60, used: seen.length, dropped: [{ reason: "not-read", tags: left }] });
    // The server's silence is noticed in 15 s at most; then the deadline begins.
    expect(performance.now() - killed).toBeLessThan(15_000 + deadlineMs + 10_000);
  });
});
