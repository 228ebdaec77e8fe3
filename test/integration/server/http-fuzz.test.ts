import { expect, it } from "vitest";
import { fuzzHttp } from "../../../scripts/fuzz/http.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { times } from "../../support/full.ts";
import { tinySource } from "../../support/tiny-source.ts";

it("answers mutated and made-up requests rightly or with a coded error, and others afterwards", async () => {
  const { sent, statuses, wrong } = await fuzzHttp(endpointOf(tinySource()), times(1000, 300), 1);
  expect(wrong).toEqual([]);
  expect(Object.values(statuses).reduce((a, b) => a + b, 0)).toBe(sent);
  // Not all of it is refused for the same reason, and some of it is right.
  expect(Object.keys(statuses)).toEqual(expect.arrayContaining(["200", "400", "404", "413"]));
});
