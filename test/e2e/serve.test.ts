import type { ChildProcess } from "node:child_process";
import { readdirSync } from "node:fs";
import { connect as connectSocket } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Finished, sacla } from "../support/cli.ts";
import { temporaryFolder } from "../support/temporary.ts";

const folder = temporaryFolder();

interface Serving {
  readonly child: ChildProcess;
  readonly zmq: string;
  readonly http: string;
  readonly ended: Promise<Finished>;
}

/** A server in a process of its own, once it says that it is ready. */
async function serving(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Serving> {
  const ready = deferred<[ChildProcess, string]>();
  const ended = sacla(
    folder,
    ["serve", ...args, "--zmq", "tcp://127.0.0.1:*", "--http", "127.0.0.1:0", "--json"],
    env,
    (child, out) => {
      if (out.endsWith("\n")) ready.resolve([child, out]);
    },
  );
  const first = await Promise.race([ready.promise, ended]);
  if (!Array.isArray(first)) throw new Error(`the server ended: ${first.err}`);
  const [child, out] = first;
  const { addresses } = JSON.parse(out) as { addresses: [zmq: string, http: string] };
  return { child, zmq: addresses[0], http: addresses[1], ended };
}

function deferred<T>(): { promise: Promise<T>; resolve(value: T): void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

describe("sacla serve in a process of its own", () => {
  it("answers JSON and scripts with SACLA_URL alike, and ends with 0 at Ctrl+C, leaving nothing behind", async () => {
    const { child, zmq, http, ended } = await serving(["sim:?clock=virtual"]);
    const asked = await fetch(`${http}/v1/db/listRuns?bl=3&last=5`);
    const runs = (await asked.json()) as number[];
    expect([asked.status, runs.length > 0]).toEqual([200, true]);
    expect(await (await fetch(`${http}/health`)).json()).toMatchObject({ status: "ok" });
    const answers: unknown[] = [];
    for (const SACLA_URL of ["sim:?clock=virtual", zmq, http]) {
      const { code, out, err } = await sacla(folder, ["info", String(runs[0]), "--bl", "3", "--json"], { SACLA_URL });
      expect([code, err]).toEqual([0, ""]);
      answers.push(JSON.parse(out));
    }
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[2]).toEqual(answers[0]);
    // Somebody who has asked for a stream and does not read it.
    const { port } = new URL(http);
    const stalled = connectSocket(Number(port), "127.0.0.1").pause();
    stalled.on("error", () => {});
    const tags = JSON.stringify(
      (await (await fetch(`${http}/v1/db/readTaglistByrun?bl=3&run=${runs[0]}`)).json()) as number[],
    );
    const detectors = (await (await fetch(`${http}/v1/db/readDetidlist?bl=3&run=${runs[0]}`)).json()) as string[];
    const detIds = JSON.stringify(detectors.filter((id) => id.endsWith("-1")).slice(0, 1));
    stalled.write(
      `GET /v1/st/frames?bl=3&run=${runs[0]}&roi=null&tags=${tags}&detIds=${detIds} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`,
    );
    await expect.poll(async () => await (await fetch(`${http}/metrics`)).text()).toContain("sacla_open_streams 1");
    child.kill("SIGINT");
    const { code, out, err } = await ended;
    expect([code, out.split("\n").length]).toEqual([0, 2]);
    expect(
      err
        .trim()
        .split("\n")
        .every((line) => line.startsWith("{")),
    ).toBe(true);
    await expect(fetch(`${http}/health`)).rejects.toThrow();
    expect(readdirSync(folder)).toEqual([]);
    stalled.destroy();
  });

  it("lets in who has a key, over both carriers, and nobody else", async () => {
    const keys = join(folder, "keys.json");
    const made = await sacla(folder, ["keys", "new", "laptop", "--keys", keys, "--json"]);
    const { token } = JSON.parse(made.out) as { token: string };
    await sacla(folder, ["keys", "new", "node", "--keys", keys, "--curve", join(folder, "node.key")]);
    const { child, zmq, http, ended } = await serving(["sim:?clock=virtual", "--keys", keys]);
    const runs = (env: Readonly<Record<string, string>>): Promise<Finished> => sacla(folder, ["runs", "--json"], env);
    expect(await runs({ SACLA_URL: http, SACLA_TOKEN: token })).toMatchObject({ code: 0, err: "" });
    expect(await runs({ SACLA_URL: zmq, SACLA_KEY_FILE: join(folder, "node.key") })).toMatchObject({
      code: 0,
      err: "",
    });
    expect(await runs({ SACLA_URL: http })).toMatchObject({
      code: 1,
      out: expect.stringContaining("NOT_AUTHENTICATED"),
    });
    await sacla(folder, ["keys", "revoke", "laptop", "--keys", keys]);
    expect(await runs({ SACLA_URL: http, SACLA_TOKEN: token })).toMatchObject({
      code: 1,
      out: expect.stringContaining("NOT_AUTHENTICATED"),
    });
    child.kill("SIGTERM");
    expect((await ended).code).toBe(0);
  });
});
