import { endpointOf } from "../../src/source/source-endpoint.ts";
import type { Endpoint } from "../../src/transport/endpoint.ts";
import { tinySource } from "./tiny-source.ts";

/**
 * An endpoint whose streams have a float32 image of `side` × `side` for every tag asked; everything else is the tiny
 * source's.
 */
export interface BigFrames {
  readonly endpoint: Endpoint;
  /** Items made so far. */
  readonly made: () => number;
  /** Streams that are open. */
  readonly open: () => number;
}

/** @param before - awaited before each item */
export function bigFrames(side: number, before: (tag: number) => Promise<void> | void = () => {}): BigFrames {
  const data = new Float32Array(side * side);
  let [made, open] = [0, 0];
  async function* frames({ tags }: { tags: Uint32Array }): AsyncGenerator<unknown, void, undefined> {
    open++;
    try {
      for (const tag of tags) {
        await before(tag);
        data.fill(tag);
        made++;
        yield { tag, frames: [{ detId: "A", shape: [side, side], data }], missing: [] };
      }
    } finally {
      open--;
    }
  }
  const tiny = endpointOf(tinySource());
  const endpoint: Endpoint = {
    call: (method, params, options) => tiny.call(method, params, options),
    stream: (_, params) => frames(params as { tags: Uint32Array }) as never,
    close: () => tiny.close(),
  };
  return { endpoint, made: () => made, open: () => open };
}
