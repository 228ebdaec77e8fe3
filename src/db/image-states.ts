import type { CallOptions } from "../core/async.ts";
import { isSaclaError } from "../core/errors.ts";
import { ask } from "./ask.ts";
import type { Run } from "./run.ts";

/**
 * Which images of some sensors there are: for each sensor, one index of `imageStates` a tag. Undefined where the source
 * knows only by reading.
 */
export async function readImageStates(
  run: Run,
  detIds: readonly string[],
  tags: Uint32Array,
  options: CallOptions,
): Promise<Uint8Array[] | undefined> {
  const states: Uint8Array[] = [];
  try {
    for (const detId of detIds)
      states.push(await ask(run.endpoint, "st.readImageStates", { bl: run.bl, run: run.number, detId, tags }, options));
  } catch (error) {
    if (!isSaclaError(error, "UNSUPPORTED", "UNKNOWN_METHOD")) throw error;
    return undefined;
  }
  return states;
}
