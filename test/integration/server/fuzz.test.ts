import { expect, it } from "vitest";
import { fuzz, fuzzedHttp, fuzzedZmq } from "../../support/fuzz-protocol.ts";

it.each([
  ["ZeroMQ", fuzzedZmq, 2000],
  ["HTTP", fuzzedHttp, 400],
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
