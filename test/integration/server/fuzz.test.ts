import { expect, it } from "vitest";
import { times } from "../../support/full.ts";
import { fuzz, fuzzedHttp, fuzzedZmq } from "../../support/fuzz-protocol.ts";

it.each([
  ["ZeroMQ", fuzzedZmq, times(2000, 500)],
  ["HTTP", fuzzedHttp, times(400, 200)],
])(
  "a server over %s answers any message with an answer of the protocol, and goes on answering good ones",
  async (_, open, count) => {
    const carrier = await open();
    try {
      const { answers } = await fuzz(carrier, count, 4);
      expect(answers["BAD_MESSAGE"]).toBeGreaterThan(count / 10);
      expect(answers["BAD_ARGUMENT"]).toBeGreaterThan(0);
    } finally {
      await carrier.close();
    }
  },
);
