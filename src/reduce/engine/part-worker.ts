/** The program of a worker thread of {@link reduceInParallel}. */
import { parentPort, workerData } from "node:worker_threads";
import { TagList } from "../../core/tags.ts";
import { toWireError } from "../../transport/codec.ts";
import type { Reducer } from "../reducer.ts";
import type { Part, PartModule } from "./part.ts";
import type { Checkpoint } from "./partial-result.ts";

const { module, data } = workerData as { module: string; data: unknown };

parentPort?.on("message", (part: Part) => void answer(part));

async function answer({ part, hightag, tags, progress }: Part): Promise<void> {
  try {
    const { accumulatePart } = (await import(module)) as PartModule<Record<string, Reducer<unknown>>>;
    const accumulated = await accumulatePart({
      tags: new TagList(hightag, tags),
      data,
      progress: (done) => {
        Atomics.store(progress, part, done);
      },
    });
    const buffers = new Set<ArrayBuffer>();
    const checkpoint = movable(accumulated.checkpoint(), buffers);
    parentPort?.postMessage({ checkpoint }, [...buffers]);
  } catch (error) {
    parentPort?.postMessage({ error: toWireError(error) });
  }
}

/**
 * The checkpoint with arrays that can be moved to the main thread instead of copied; their memory is added to
 * `buffers`.
 */
function movable(checkpoint: Checkpoint, buffers: Set<ArrayBuffer>): Checkpoint {
  const own = <T extends Float64Array | Uint32Array>(array: T): T => {
    // A piece of a larger memory, such as that of a WebAssembly kernel, cannot be moved.
    const { buffer } = array.byteLength === array.buffer.byteLength ? array : array.slice();
    if (buffer instanceof ArrayBuffer) buffers.add(buffer);
    return new (array.constructor as new (buffer: ArrayBufferLike) => T)(buffer);
  };
  const lanes = checkpoint.lanes.map((lane) => ({
    ...lane,
    states: mapValues(lane.states, (state) =>
      mapValues(state, (value) =>
        ArrayBuffer.isView(value) ? own(value) : { tags: own(value.tags), columns: value.columns.map(own) },
      ),
    ),
  }));
  return { ...checkpoint, lanes };
}

function mapValues<A, B>(record: Readonly<Record<string, A>>, change: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
