import { once } from "node:events";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";
import { realClock } from "../../../src/core/clock.ts";
import { SaclaError } from "../../../src/core/errors.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { Limits } from "../../../src/server/limits.ts";
import { askPicture, servePictures } from "../../../src/server/relay/picture-socket.ts";
import { sharedPictures } from "../../../src/server/relay/shared-pictures.ts";
import { Service } from "../../../src/server/service.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { encodeMessage } from "../../../src/transport/codec.ts";
import { httpEndpoint } from "../../../src/transport/http/client.ts";
import type { CallParams } from "../../../src/transport/methods.ts";
import { packParts } from "../../../src/transport/packed.ts";
import { httpServer } from "../../support/http.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { tinySource } from "../../support/tiny-source.ts";
import { until } from "../../support/until.ts";

type Params = CallParams<"page.live">;

const folder = temporaryFolder();
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const look = {
  bl: 3,
  detId: "MPCCD-8N0-3-002",
  dark: null,
  mean: 1,
  what: "all",
  hits: null,
  region: null,
  side: 16,
  rois: [],
  profile: null,
} as const;
const wanted: Params = { ...look, rois: [], after: null, waitMs: 200 };
const metrics = { observe: () => {}, openStreams: () => {}, sentBytes: () => {} };
let count = 0;

/** A server behind that has the picture `newest.seq`; gives the address before it, and what was asked behind. */
async function before(newest: { seq: number; error?: SaclaError }, limits = new Limits()) {
  const asked: Params[] = [];
  const socketPath = join(folder, `pictures${count++}`);
  const source = endpointOf(tinySource());
  const call = async (_method: string, params: unknown): Promise<never> => {
    const { after, waitMs } = params as Params;
    asked.push(params as Params);
    await sleep(20);
    for (let at = 0; at < waitMs && after === newest.seq; at += 10) await sleep(10);
    const { seq, error } = newest;
    if (error !== undefined) throw error;
    return { frame: after === seq ? null : frameOf(seq), counts, now: 1, error: null, quiet: null } as never;
  };
  const behind = await servePictures(new Service({ ...source, call }), socketPath);
  closing.push(() => behind.close());
  const shared = sharedPictures(() => socketPath, { limits, metrics, logger: silentLogger });
  const relay = { socketPath: join(folder, "nobody"), owns: () => false, shared };
  const server = await httpServer(endpointOf(tinySource()), { relay });
  closing.push(() => server.close());
  return { address: server.address, asked };
}

const counts = { used: 1, dropped: {}, perSecond: 1 };

function frameOf(seq: number) {
  return {
    ...{ seq, bl: 3, detId: look.detId, hightag: 1, run: 1, tag: seq, time: 1, latencyMs: 1, cameAt: 1, reducedMs: 1 },
    ...{
      shots: 1,
      what: "all",
      pumped: null,
      dark: null,
      missing: [],
      rois: [],
      rings: null,
      hits: null,
      numbers: null,
    },
    picture: {
      ...{ size: [2, 2], shown: { rows: [0, 2], columns: [0, 2] }, step: 1, shape: [2, 2], low: 0, high: seq },
      ...{ levels: Uint16Array.of(0, 1, 2, seq), percent: new Float64Array(0), quantiles: new Float64Array(0) },
      ...{ pixelSizeUm: null, beam: null },
    },
  };
}

it("asks for a picture once for all who look, and gives each the newest that it does not have", async () => {
  const newest = { seq: 1 };
  const { address, asked } = await before(newest);
  const viewers = Array.from({ length: 20 }, () => httpEndpoint(address));
  const seen = async (after: number | null): Promise<(number | undefined)[]> =>
    await Promise.all(
      viewers.map(async (viewer) => {
        for (;;) {
          const { frame } = await viewer.call("page.live", { ...wanted, after, waitMs: 1000 });
          if (frame !== null) return frame.picture.levels[3];
        }
      }),
    );
  expect(await seen(null)).toEqual(Array(20).fill(1));
  setTimeout(() => {
    newest.seq = 2;
  }, 50);
  expect(await seen(1)).toEqual(Array(20).fill(2));
  // Where the machine is slow some come when it is no longer fresh.
  expect(asked.length).toBeLessThan(10);
  const soFar = asked.length;
  // Another part of the picture is a question of its own, also when nothing new comes.
  const [viewer] = viewers;
  const part = await viewer?.call("page.live", { ...wanted, after: null, region: { rows: [0, 1], columns: [0, 1] } });
  expect([part?.frame?.seq, asked.length]).toEqual([2, soFar + 1]);
  // Nothing newer comes: told after the time that one waits, not that of somebody else.
  const began = performance.now();
  void viewer?.call("page.live", { ...wanted, after: 2, waitMs: 30 });
  expect((await viewers[1]?.call("page.live", { ...wanted, after: 2 }))?.frame).toBeNull();
  expect(performance.now() - began).toBeGreaterThan(190);
  // The server behind was restarted, and counts anew.
  newest.seq = 1;
  expect(await seen(2)).toEqual(Array(20).fill(1));
});

it("answers in JSON as well, tells a failure to all, and keeps the limits of each client", async () => {
  const newest: { seq: number; error?: SaclaError } = { seq: 7 };
  const { address } = await before(newest, new Limits({ requestsPerSecond: 3 }, { ...realClock(), now: () => 0 }));
  const ask = async (): Promise<[number, { frame?: { seq: number }; error?: { code: string } }]> => {
    const answer = await fetch(`${address}/v1/page/live`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(wanted),
    });
    return [answer.status, (await answer.json()) as object];
  };
  const [status, { frame }] = await ask();
  expect([status, frame?.seq]).toEqual([200, 7]);
  newest.error = new SaclaError("UNKNOWN_DETECTOR", "There is no such detector.");
  await sleep(100);
  expect((await Promise.all([ask(), ask()])).map(([of, { error }]) => [of, error?.code])).toEqual(
    Array(2).fill([404, "UNKNOWN_DETECTOR"]),
  );
  expect((await ask())[0]).toBe(429);
});

it("says that the server behind is away when it ends within an answer, or answers in another way", async () => {
  for (const answer of [
    Uint8Array.of(2, 0, 0, 0, 80, 0),
    Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"),
    Buffer.alloc(0),
  ]) {
    const socketPath = join(folder, `pictures${count++}`);
    const behind = createServer((socket) => socket.once("data", () => socket.end(answer)));
    await new Promise<void>((resolve) => behind.listen(socketPath, resolve));
    await expect(askPicture(socketPath, wanted)).rejects.toMatchObject({ code: "UNREACHABLE" });
    await new Promise((resolve) => behind.close(resolve));
    await expect(askPicture(socketPath, wanted)).rejects.toMatchObject({ code: "UNREACHABLE" });
  }
});

it("gives up a picture whose asker has gone", async () => {
  const socketPath = join(folder, `pictures${count++}`);
  let isStopped = false;
  let tellAsked = (): void => {};
  const isAsked = new Promise<void>((resolve) => {
    tellAsked = resolve;
  });
  const call = async (_method: string, _params: unknown, options?: { signal?: AbortSignal }): Promise<never> => {
    tellAsked();
    await once(options?.signal ?? new EventTarget(), "abort");
    isStopped = true;
    throw new SaclaError("ABORTED", "It has gone.");
  };
  const behind = await servePictures(new Service({ ...endpointOf(tinySource()), call }), socketPath);
  closing.push(() => behind.close());
  const asker = connect(socketPath);
  asker.write(packParts(encodeMessage({ kind: "call", id: 0, method: "page.live", value: wanted })));
  await isAsked;
  asker.destroy();
  await until(() => isStopped);
});
