import { setFlagsFromString } from "node:v8";
import { hasZeromq } from "../transport/zmq/load.ts";

/**
 * Has V8 collect garbage in one go, in a process that is ours. Each frame that ZeroMQ receives lies outside of V8's
 * heap, and while V8 marks step by step, each such frame costs a step of some ms: more than half of the processor time
 * of receiving images. Our heaps are so small that all in one go takes a few ms.
 */
export function collectAtOnce(): void {
  // Deno and Bun have no ZeroMQ, and not every flag.
  if (hasZeromq()) setFlagsFromString("--no-incremental-marking");
}
