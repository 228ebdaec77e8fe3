import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type Finished, sacla } from "../support/cli.ts";
import { cli } from "../support/fake-io.ts";
import { temporaryFolder } from "../support/temporary.ts";

const fixture = fileURLToPath(new URL("../../fixtures/tiny-octal.h5", import.meta.url));

describe("sacla replay-live", () => {
  it("serves a run as if live to other programs, over ZeroMQ, HTTP and karabo-bridge, until Ctrl+C", async () => {
    const addresses = ["--zmq", "tcp://127.0.0.1:*", "--http", "0", "--karabo-bridge", "tcp://127.0.0.1:*"];
    let child: { kill(signal: "SIGINT"): boolean } | undefined;
    let served: Promise<Finished> = Promise.reject(new Error("not started"));
    served.catch(() => {});
    const ready = new Promise<string>((resolve, reject) => {
      served = sacla(
        temporaryFolder(),
        ["replay-live", "300001", "--source", fixture, "--speed", "max", "--json", ...addresses],
        {},
        (process, out) => {
          child = process;
          resolve(out);
        },
      );
      served.then(({ err }) => reject(new Error(err)), reject);
    });
    const {
      bl,
      addresses: places,
      karaboBridge,
    } = JSON.parse(await ready) as { bl: number; addresses: [string, string]; karaboBridge: string };
    expect([bl, places.length, karaboBridge]).toEqual([2, 2, expect.stringMatching(/^tcp:\/\/127\.0\.0\.1:\d+$/)]);
    const follow = ["live", "--bl", "2", "-d", "MPCCD-8B0-2-010", "--policy", "every", "--json"];
    const first = await cli([...follow, "--url", places[0], "--until-run-end"]);
    // It may say that it waits: on a slow computer shots do not come at once.
    const besides = first.err.replaceAll(/^no shot for \d+ s: .*\n/gm, "");
    expect([first.code, besides]).toEqual([0, ""]);
    expect(JSON.parse(first.out)).toMatchObject({ detector: "MPCCD-8B0-2-010", used: 9, dropped: {} });
    expect([...first.files.keys()]).toEqual(["live-bl2-MPCCD-8B0-2-010.png"]);
    // The run has stopped now, as any other.
    const runs = await cli(["runs", "--bl", "2", "--json", "--url", places[1]]);
    expect(JSON.parse(runs.out)).toMatchObject({ runs: [{ run: 300001, status: 0 }] });
    child?.kill("SIGINT");
    expect((await served).code).toBe(0);
  });

  it("refuses a run that is not there and a speed that is none", async () => {
    const unknown = await cli(["replay-live", "1", "--source", fixture]);
    expect([unknown.code, unknown.err.includes("UNKNOWN_RUN")]).toEqual([1, true]);
    const still = await cli(["replay-live", "300001", "--source", fixture, "--speed", "0"]);
    expect(still.code).toBe(2);
  });
});
