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
 * Has V8 compile WebAssembly for speed ten times later than it does by itself. Opening a file runs much of the HDF5
 * library just often enough that V8 compiles it anew beside, which a command that reads a few values has nothing of: a
 * tenth of its processor time. A function that works on images gets there in some ms all the same.
 */
export function optimiseLate(): void {
  if (hasZeromq()) v8.setFlagsFromString("--wasm-tiering-budget=18000000");
}

/**
 * Takes {@link collectAtOnce} back in the process that has the control. What others read goes through it as well, and
 * all in one go is 20 ms of its thread, longer where the threads that help have to wait for a processor: so long a stop
 * would wait. In steps it waits for 6 ms. That takes 3 ms more of processor time for a shot of an octal detector.
 */
export function collectInSteps(): void {
  if (hasZeromq()) v8.setFlagsFromString("--incremental-marking");
}
