import * as v from "valibot";
import { type ServedTable, wholeTable } from "../../src/server/service.ts";
import { endpointOf } from "../../src/source/source-endpoint.ts";
import type { Endpoint } from "../../src/transport/endpoint.ts";
import { tinySource } from "./tiny-source.ts";

/** The whole table and one call that changes something, for control and for operators each. */
export const changingTable: ServedTable = {
  ...wholeTable,
  calls: {
    ...wholeTable.calls,
    "test.move": { params: v.strictObject({ to: v.number() }), result: v.number(), changes: true },
    "test.answer": { params: v.strictObject({ to: v.number() }), result: v.number(), changes: true, role: "operator" },
  },
};

/** The tiny source with something that moves; `moves` are those done, in order. */
export function movingEndpoint(): { endpoint: Endpoint; moves: number[] } {
  const moves: number[] = [];
  const tiny = endpointOf(tinySource());
  const call = async (method: string, params: unknown, options?: object): Promise<unknown> => {
    if (method !== "test.move" && method !== "test.answer")
      return await (tiny.call as (method: string, params: unknown, options?: object) => Promise<unknown>)(
        method,
        params,
        options,
      );
    const { to } = params as { to: number };
    moves.push(to);
    return to;
  };
  // The table of this endpoint has one call more than the compiler knows.
  const endpoint: Endpoint = {
    call: call as Endpoint["call"],
    stream: (method, params, options) => tiny.stream(method, params, options),
    close: () => tiny.close(),
  };
  return { endpoint, moves };
}
