import type { FrameMemory } from "./endpoint.ts";
import type { Frame, StreamItem, StreamMethod } from "./methods.ts";

/** The item with its frames in the memory the reader gives, where it gives one. */
export function placeFrames<M extends StreamMethod>(
  item: StreamItem<M>,
  memory: FrameMemory | undefined,
): StreamItem<M> {
  if (memory === undefined) return item;
  const frames = item.frames.map((frame): Frame => {
    const data = memory(frame.detId, frame.data.length, frame.data instanceof Uint16Array ? "uint16" : "float32");
    data.set(frame.data);
    return { ...frame, data };
  });
  return { ...item, frames };
}
