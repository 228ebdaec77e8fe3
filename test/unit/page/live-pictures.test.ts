import { setImmediate } from "node:timers/promises";
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
  const subject = { bl: 3, detId: "MPCCD-2N0-M02-001", dark: null, mean: 1 };
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
