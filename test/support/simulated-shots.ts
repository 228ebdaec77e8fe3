import { asImage } from "../../src/core/ndarray.ts";
import type { Shot } from "../../src/core/shots.ts";
import { createSimulatedFacility, VirtualClock } from "../../src/facility/index.ts";
import { shotOf } from "../unit/reduce/stack.ts";

/** The simulated facility with every image stored. */
export const facility = createSimulatedFacility({ clock: new VirtualClock(), missingRate: 0 });

/** Shots of simulated sensors; `subtract` by sensor is taken off. */
export async function* simulatedShots(
  bl: number,
  run: number,
  detIds: readonly string[],
  tags: Iterable<number>,
  subtract: Readonly<Record<string, Float32Array>> = {},
): AsyncGenerator<Shot> {
  const memory = Object.fromEntries(detIds.map((id) => [id, new Float32Array(1024 * 512)]));
  for (const tag of tags) {
    for (const [id, pixels] of Object.entries(memory)) {
      if (!facility.readFrame(bl, run, id, tag, pixels)) throw new Error(`no image of ${id} at ${tag}`);
      const dark = subtract[id];
      if (dark !== undefined) for (let i = 0; i < pixels.length; i++) pixels[i] = (pixels[i] ?? NaN) - (dark[i] ?? NaN);
    }
    yield shotOf(
      tag,
      Object.fromEntries(Object.entries(memory).map(([id, pixels]) => [id, asImage(pixels, 1024, 512)])),
    );
  }
}
