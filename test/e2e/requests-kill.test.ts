import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { RequestLog } from "../../src/ec/index.ts";
import { sacla } from "../support/cli.ts";
import { cli } from "../support/fake-io.ts";
import { childrenOf, isAlive } from "../support/processes.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { until } from "../support/until.ts";

const folder = temporaryFolder();

/** `sacla serve` in a process of its own, once it listens. */
async function served(requests: string): Promise<{ child: ChildProcess; url: string; ended: Promise<unknown> }> {
  let found: { child: ChildProcess; url: string } | undefined;
  const args = ["serve", "sim:?operators=prompt", "--http", "127.0.0.1:0", "--requests", requests];
  const ended = sacla(folder, args, {}, (child, out) => {
    const url = /SACLA_URL=(http:\S+)/.exec(out)?.[1];
    if (url !== undefined) found ??= { child, url };
  });
  await until(() => found !== undefined);
  if (found === undefined) throw new Error("the server does not listen");
  return { ...found, ended };
}

it("a server killed with SIGKILL while the accelerator ramps: the next one knows, and puts back what was not verified", async () => {
  const file = join(folder, "requests.jsonl");
  const first = await served(file);
  const asked = cli(["requests", "ask", "bl3_chicane1=60", "--yes", "--url", first.url]);
  const events = (): string[] => RequestLog.read(file).entries.map(({ event }) => event);
  await until(() => events().includes("ramping"));
  const pids = childrenOf(first.child.pid ?? NaN, "sacla");
  first.child.kill("SIGKILL");
  await first.ended;
  // What was begun is on the disk, and no process of the server is left.
  expect(["ramping", "arrived"]).toContain(events().at(-1));
  await until(() => pids.every((pid) => !isAlive(pid)));

  const second = await served(file);
  try {
    await until(() => events().at(-1) === "rolled-back");
    expect(RequestLog.read(file).damage).toBe("");
    const again = await cli(["requests", "ask", "bl3_chicane1=5", "--yes", "--url", second.url]);
    expect([again.code, again.out]).toEqual([0, expect.stringMatching(/bl3_chicane1 is 5: /)]);
    // It waits a minute for its server to come back.
    expect((await asked).code).not.toBe(0);
  } finally {
    second.child.kill("SIGINT");
    await second.ended;
  }
});
