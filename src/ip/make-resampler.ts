import { AreaResampler } from "./area.ts";
import { AreaKernel } from "./area-kernel.ts";
import type { AssemblyMethod } from "./assembler-options.ts";
import { suitsKernel } from "./kernel.ts";
import { NearestResampler } from "./nearest.ts";
import { NearestKernel } from "./nearest-kernel.ts";
import type { PictureGrid, Placement } from "./placement.ts";
import { PlainMemory, type Resampler, type ShotMemory } from "./resampler.ts";

/** The painter for a detector, and the memory it reads and writes fastest. */
export function makeResampler(
  method: AssemblyMethod,
  canvas: PictureGrid,
  placements: readonly Placement[],
  uses: readonly (Uint8Array | null)[],
): { painter: Resampler; memory: ShotMemory } {
  // Weights grow linearly only where pixels are equally large; nearest pixels just follow each other for fewer pixels.
  if (suitsKernel(canvas, placements, method === "nearest" ? 0.01 : 0)) {
    const painter = new (method === "nearest" ? NearestKernel : AreaKernel)(canvas, placements, uses);
    return { painter, memory: painter.memory };
  }
  return {
    painter: new (method === "nearest" ? NearestResampler : AreaResampler)(canvas, placements, uses),
    memory: new PlainMemory(canvas, placements),
  };
}
