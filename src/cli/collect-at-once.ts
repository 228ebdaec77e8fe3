import v8 from "node:v8";
import { hasZeromq } from "../transport/zmq/load.ts";

/**
 * Has V8 collect garbage in one go, in a process that is ours. Each frame that ZeroMQ receives lies outside of V8's
 * heap, and while V8 marks step by step, each such frame costs a step of some ms: more than half of the processor time
 * of receiving images. Our heaps are so small that all in one go takes a few ms.
 */
export function collectAtOnce(): void {
  // Deno and Bun have no ZeroMQ, and not every flag.
  if (hasZeromq()) v8.setFlagsFromString("--no-incremental-marking");
}

/**
 * Takes it back in the process that has the control. What others read goes through it as well, and all in one go is
 * 20 ms of its thread, longer where the threads that help have to wait for a processor: so long a stop would wait. In
 * steps it waits for 6 ms. That takes 3 ms more of processor time for a shot of an octal detector.
 */
export function collectInSteps(): void {
  if (hasZeromq()) v8.setFlagsFromString("--incremental-marking");
}
