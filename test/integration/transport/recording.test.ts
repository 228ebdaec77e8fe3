import { existsSync, readdirSync, readFileSync, readlinkSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isSaclaError } from "../../../src/core/errors.ts";
import { withControl } from "../../../src/ec/index.ts";
import { createSimulatedFacility } from "../../../src/facility/index.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import type { Endpoint } from "../../../src/transport/endpoint.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { replayRecording } from "../../../src/transport/wrappers/recording.ts";
import { withRecording } from "../../../src/transport/wrappers/with-recording.ts";
import { runProgram } from "../../support/cli.ts";
import { rounds } from "../../support/full.ts";
import { itNeeding } from "../../support/optional.ts";
import { bareShot, ScriptedEndpoint, unreachable } from "../../support/scripted-endpoint.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { tinySource } from "../../support/tiny-source.ts";
import { ToyDriver } from "../../support/toy-driver.ts";

const folder = temporaryFolder();
let files = 0;
const newPath = (): string => join(folder, `${files++}.recording`);
const openFiles = "/proc/self/fd";
const of = { bl: 3, run: 10 };
const frames = (...tags: number[]) => ({
  ...of,
  detIds: ["MPCCD-2N0-1-006-1"],
  tags: Uint32Array.from(tags),
  roi: null,
});

/** What an open file of this process is; empty when it was closed meanwhile. */
function targetOf(descriptor: string): string {
  try {
    return readlinkSync(join(openFiles, descriptor));
  } catch {
    return "";
  }
}

/** Records what `session` asks of `inner`, and gives the file. */
async function record(inner: Endpoint, session: (endpoint: Endpoint) => Promise<unknown>): Promise<string> {
  const path = newPath();
  const endpoint = await withRecording(inner, path);
  await session(endpoint);
  await endpoint.close();
  return path;
}

async function tagsOf(endpoint: Endpoint, params: ReturnType<typeof frames>): Promise<(number | string)[]> {
  const seen: (number | string)[] = [];
  try {
    for await (const { tag } of endpoint.stream("st.frames", params)) seen.push(tag);
  } catch (error) {
    seen.push(isSaclaError(error) ? error.code : String(error));
  }
  return seen;
}

describe("a recording", () => {
  itNeeding(
    existsSync(openFiles),
    "needs /proc",
    "leaves no file open when what it records cannot be closed",
    async () => {
      const path = newPath();
      const inner = new ScriptedEndpoint({});
      inner.close = async () => await Promise.reject(unreachable());
      const endpoint = await withRecording(inner, path);
      const isOpen = (): boolean => readdirSync(openFiles).map(targetOf).includes(path);
      expect(isOpen()).toBe(true);
      await expect(endpoint.close()).rejects.toMatchObject({ code: "UNREACHABLE" });
      expect(isOpen()).toBe(false);
    },
  );

  it("holds no secret of a lease, and answers a program that takes leases as it was answered", async () => {
    const [bl, axis] = [3, "bl3_st2_pm001"];
    const secrets: string[] = [];
    const session = async (endpoint: Endpoint): Promise<unknown[]> => {
      const answers: unknown[] = [];
      const ask = async (work: Promise<unknown>): Promise<void> => {
        answers.push(await work.catch((error: unknown) => (isSaclaError(error) ? error.toString() : error)));
      };
      for (let n = 0; n < 2; n++) {
        const { lease } = await endpoint.call("lease.take", { bl, name: "night", reason: "test", ttlMs: 600_000 });
        secrets.push(lease);
        await ask(endpoint.call("lease.renew", { bl, lease }));
        await ask(endpoint.call("ec.setShutter", { bl, lease, shutter: "bl3_lh1_shutter1", open: true }));
        await ask(endpoint.call("ec.setShutter", { bl, lease: null, shutter: "bl3_lh1_shutter1", open: false }));
        await ask(endpoint.call("ec.move", { bl, lease, axis, pulses: 5 + n }));
        await ask(endpoint.call("lease.release", { bl, lease }));
        await ask(endpoint.call("lease.renew", { bl, lease }));
      }
      return answers;
    };
    let recorded: unknown[] = [];
    const inner = withControl(endpointOf(tinySource()), new ToyDriver());
    const path = await record(inner, async (endpoint) => {
      recorded = await session(endpoint);
    });
    const bytes = readFileSync(path, "latin1");
    expect(secrets.map((secret) => [secret.length, bytes.includes(secret)])).toEqual([
      [36, false],
      [36, false],
    ]);
    const replay = await replayRecording(path);
    expect(await session(replay)).toEqual(recorded);
    expect(secrets.slice(2)).toEqual(["lease 1", "lease 2"]);
    // Not even in the message that says what is not there.
    const unknown = replay.call("ec.move", { bl, lease: secrets[0] ?? "", axis, pulses: 9 });
    await expect(unknown).rejects.toMatchObject({ message: expect.stringContaining('"lease":"(hidden)"') });
    await replay.close();
  });

  it("answers a repeated question in the recorded order, the last answer again", async () => {
    const newest = { bl: 3 };
    const path = await record(new ScriptedEndpoint({ calls: [10, unreachable(), 12] }), async (endpoint) => {
      for (let n = 0; n < 3; n++) await endpoint.call("db.readRunnumberNewest", newest).catch(() => {});
    });
    const replay = await replayRecording(path);
    const ask = () =>
      replay
        .call("db.readRunnumberNewest", newest)
        .catch((error: unknown) => (isSaclaError(error) ? error.code : String(error)));
    expect([await ask(), await ask(), await ask(), await ask()]).toEqual([10, "UNREACHABLE", 12, 12]);
    await replay.close();
    const again = await replayRecording(path);
    expect(await again.call("db.readRunnumberNewest", newest)).toBe(10);
    await again.close();
  });

  it("says what is recorded for a method when it is asked something else", async () => {
    const path = await record(inProcess(endpointOf(tinySource())), async (endpoint) => {
      await endpoint.call("db.readRuninfo", of);
      await tagsOf(endpoint, frames(1000, 1002));
    });
    const replay = await replayRecording(path);
    await expect(replay.call("db.readRuninfo", { bl: 3, run: 11 })).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringMatching(
        /no answer to db\.readRuninfo \{"bl":3,"run":11\}.*asked 1 times.*\{"bl":3,"run":10\}/,
      ),
    });
    await expect(replay.call("db.readComment", of)).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringContaining("recorded are db.readRuninfo, st.frames"),
    });
    const other = (async () => {
      for await (const _ of replay.stream("st.frames", frames(1000))) return;
    })();
    await expect(other).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringContaining('"tags":"2 from 1000 to 1002"'),
    });
    await replay.close();
  });

  it("knows a question by its parameters, not by their order", async () => {
    const path = await record(inProcess(endpointOf(tinySource())), (endpoint) =>
      endpoint.call("db.readRunstatus", { bl: 3, run: 10 }),
    );
    const replay = await replayRecording(path);
    expect(await replay.call("db.readRunstatus", { run: 10, bl: 3 })).toBe(0);
    await replay.close();
  });

  it("gives as many items as were read, and then says so", async () => {
    const path = await record(inProcess(endpointOf(tinySource())), async (endpoint) => {
      let n = 0;
      for await (const _ of endpoint.stream("st.frames", frames(1000, 1002, 1004))) if (++n === 2) break;
    });
    const replay = await replayRecording(path);
    expect(await tagsOf(replay, frames(1000, 1002, 1004))).toEqual([1000, 1002, "UNSUPPORTED"]);
    await replay.close();
  });

  it("gives an error in the middle of a stream where it came", async () => {
    const path = await record(new ScriptedEndpoint({ streams: [[bareShot(1), unreachable()]] }), (endpoint) =>
      tagsOf(endpoint, frames(1, 2)),
    );
    const replay = await replayRecording(path);
    expect(await tagsOf(replay, frames(1, 2))).toEqual([1, "UNREACHABLE"]);
    await replay.close();
  });

  it("leaves out what the caller ended itself", async () => {
    const path = await record(new ScriptedEndpoint({ calls: ["hang"] }), async (endpoint) => {
      const controller = new AbortController();
      setTimeout(() => controller.abort(), 5);
      await endpoint.call("db.readRunstatus", of, { signal: controller.signal }).catch(() => {});
    });
    const replay = await replayRecording(path);
    await expect(replay.call("db.readRunstatus", of)).rejects.toMatchObject({ code: "UNSUPPORTED" });
    await replay.close();
  });

  it("keeps apart what was asked at the same time", async () => {
    const asked = [frames(1000, 1002, 1004), frames(1004, 1002), frames(1008)];
    const path = await record(inProcess(endpointOf(tinySource())), (endpoint) =>
      Promise.all([
        ...asked.map((params) => tagsOf(endpoint, params)),
        endpoint.call("db.readTaglistByrun", of),
        endpoint.call("db.readComment", of),
      ]),
    );
    const replay = await replayRecording(path);
    for (const params of asked) expect(await tagsOf(replay, params)).toEqual([...params.tags]);
    expect(await replay.call("db.readComment", of)).toBe("powder");
    await replay.close();
  });

  it("refuses a file that is there, that is not there, and that is no recording", async () => {
    const path = await record(inProcess(endpointOf(tinySource())), (endpoint) => endpoint.call("db.readRuninfo", of));
    await expect(withRecording(new ScriptedEndpoint({}), path)).rejects.toMatchObject({ code: "FILE_EXISTS" });
    await expect(withRecording(new ScriptedEndpoint({}), join(folder, "no", "such"))).rejects.toMatchObject({
      code: "WRITE_FAILED",
    });
    await expect(replayRecording(join(folder, "none"))).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    for (const text of ["run.h5 is not this file", '\u0001\0\0\0\u0008\0\0\0{"a": 1}', "\u0001"]) {
      const other = newPath();
      writeFileSync(other, text);
      await expect(replayRecording(other), text).rejects.toMatchObject({
        code: "BAD_MESSAGE",
        message: expect.stringContaining("is no recording"),
      });
    }
  });

  it("says at which byte it is damaged", async () => {
    const path = await record(inProcess(endpointOf(tinySource())), async (endpoint) => {
      await endpoint.call("db.readRuninfo", of);
      await endpoint.call("db.readComment", of);
    });
    const bytes = readFileSync(path);
    const at = bytes.indexOf('{"sacla"', Math.floor(bytes.length / 2));
    bytes[at] = 0;
    writeFileSync(path, bytes);
    await expect(replayRecording(path)).rejects.toMatchObject({ code: "BAD_MESSAGE", details: { offset: at - 8 } });
  });

  it("has all whole messages wherever it is cut off", async () => {
    const session = async (endpoint: Endpoint): Promise<unknown[]> => {
      const answers: unknown[] = [];
      for (const run of [10, 11, 12])
        answers.push(
          await endpoint
            .call("db.readRuninfo", { bl: 3, run })
            .catch((error: unknown) => isSaclaError(error) && error.code),
        );
      answers.push(...(await tagsOf(endpoint, frames(1000, 1002, 1004))));
      return answers;
    };
    let whole: unknown[] = [];
    const path = await record(inProcess(endpointOf(tinySource())), async (endpoint) => {
      whole = await session(endpoint);
    });
    const bytes = readFileSync(path);
    const cut = newPath();
    const firstMessage = bytes.indexOf('{"sacla"', 16) - 8;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: firstMessage, max: bytes.length }), async (length) => {
        writeFileSync(cut, bytes.subarray(0, length));
        const replay = await replayRecording(cut);
        const answers = await session(replay);
        await replay.close();
        const known = answers.indexOf("UNSUPPORTED");
        if (known < 0) expect([answers, length]).toEqual([whole, bytes.length]);
        else {
          expect(answers.slice(0, known)).toEqual(whole.slice(0, known));
          expect(answers.slice(known).every((answer) => answer === "UNSUPPORTED")).toBe(true);
        }
      }),
      { numRuns: rounds(200) },
    );
  });

  it("reads more messages than fit in one reading of the file, and larger ones", async () => {
    const calls = Array.from({ length: 3000 }, (_, i) =>
      i === 1500 ? Array(20_000).fill(`detector ${i}`) : [`detector ${i}`],
    );
    const path = await record(new ScriptedEndpoint({ calls }), async (endpoint) => {
      for (let run = 0; run < calls.length; run++) await endpoint.call("db.readDetidlist", { bl: 3, run });
    });
    const replay = await replayRecording(path);
    for (const run of [0, 700, 1499, 1500, 1501, 2999])
      expect(await replay.call("db.readDetidlist", { bl: 3, run })).toEqual(calls[run]);
    await replay.close();
  });

  it("can be read when the program that wrote it was killed", async () => {
    const path = newPath();
    const given = (out: string): number[] => out.split("\n").slice(0, -1).map(Number);
    const { code, out } = await runProgram(
      folder,
      fileURLToPath(new URL("../../support/record-forever.ts", import.meta.url)),
      [path],
      {},
      (child, text) => {
        if (given(text).length >= 5) child.kill("SIGKILL");
      },
    );
    expect(code).toBeNull();
    // As if the last write had been cut short, which a kill seldom manages.
    truncateSync(path, statSync(path).size - 100);
    const run = { bl: 3, run: 651264 };
    const replay = await replayRecording(path);
    const real = inProcess(endpointOf(createSimulatedFacility()));
    const tags = await replay.call("db.readTaglistByrun", run);
    const params = { ...run, detIds: ["MPCCD-2B1-M03-001-1"], tags, roi: null };
    const live = real.stream("st.frames", params)[Symbol.asyncIterator]();
    let n = 0;
    const reading = (async () => {
      for await (const { tag, frames: got } of replay.stream("st.frames", params)) {
        const { value } = await live.next();
        // Not by toEqual, which takes a second for a million pixels.
        const read = Float32Array.from(got[0]?.data ?? []);
        const differs = Float32Array.from(value?.frames[0]?.data ?? []).findIndex((pixel, i) => read[i] !== pixel);
        expect([tag, read.length, differs]).toEqual([value?.tag, 512 * 1024, -1]);
        n++;
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: "UNSUPPORTED" });
    expect(n).toBeGreaterThanOrEqual(given(out).length - 1);
    await live.return?.();
    await Promise.all([replay.close(), real.close()]);
  });
});
