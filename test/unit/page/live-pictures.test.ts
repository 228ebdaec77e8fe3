import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { connect } from "../../../src/connect.ts";
import { Live } from "../../../src/live/index.ts";
import { LivePictures } from "../../../src/page/live-pictures.ts";

const look = { region: null, side: 100, rois: [], profile: null };

it("LivePictures waits for the first picture as for any other", async () => {
  await using facility = await connect("sim:?clock=virtual");
  // No shot comes.
  const endpoint: typeof facility.endpoint = {
    call: async (method, params, options) => await facility.endpoint.call(method, params, options),
    stream: (_method, _params, options) => ({
      async *[Symbol.asyncIterator]() {
        await new Promise((resolve) => options?.signal?.addEventListener("abort", resolve));
      },
    }),
    close: async () => {},
  };
  const subject = { bl: 3, detId: "MPCCD-2N0-M02-001", dark: null, mean: 1, what: "all", hits: null } as const;
  const pictures = new LivePictures({ ...facility, live: new Live(endpoint) }, subject);
  const stop = new AbortController();
  // A number from before the server was started says as little as none.
  const asked = [null, 17].map((after) => pictures.next({ ...subject, ...look, after, waitMs: 600_000 }, stop.signal));
  let answers = 0;
  for (const answer of asked) void answer.then(() => answers++);
  for (let turn = 0; turn < 50; turn++) await setImmediate();
  expect(answers).toBe(0);
  stop.abort();
  expect((await Promise.all(asked)).map(({ frame }) => frame)).toEqual([null, null]);
  pictures.close();
});

it("LivePictures reads no shot before somebody has seen the picture of the one before", async () => {
  await using facility = await connect("sim:");
  let read = 0;
  const endpoint: typeof facility.endpoint = {
    call: async (method, params, options) => await facility.endpoint.call(method, params, options),
    stream: (method, params, options) => {
      read++;
      return facility.endpoint.stream(method, params, options);
    },
    close: async () => {},
  };
  const subject = { bl: 3, detId: "MPCCD-2N0-M02-001-1", dark: null, mean: 1, what: "all", hits: null } as const;
  const pictures = new LivePictures({ ...facility, live: new Live(endpoint) }, subject);
  const next = async (after: number | null) =>
    await pictures.next({ ...subject, ...look, after, waitMs: 10_000 }, undefined);
  const first = await next(null);
  // Who comes later is given the same; there is time for four pictures.
  const other = next(null);
  await sleep(300);
  expect(read).toBe(1);
  expect((await other).frame?.seq).toBe(first.frame?.seq);
  const second = await next(first.frame?.seq ?? null);
  expect([second.frame?.seq, read]).toEqual([(first.frame?.seq ?? 0) + 1, 2]);
  pictures.close();
});
