import { AreaPainter } from "./area.ts";
import { AreaKernel } from "./area-kernel.ts";
import type { AssemblyMethod } from "./assembler-options.ts";
import { suitsKernel } from "./kernel.ts";
import { NearestPainter } from "./nearest.ts";
import { NearestKernel } from "./nearest-kernel.ts";
import { type Painter, PlainMemory, type ShotMemory } from "./painter.ts";
import type { Canvas, Placement } from "./placement.ts";

/** The painter for a detector, and the memory it reads and writes fastest. */
export function makePainter(
  method: AssemblyMethod,
  canvas: Canvas,
  placements: readonly Placement[],
  uses: readonly (Uint8Array | null)[],
): { painter: Painter; memory: ShotMemory } {
  // Weights grow linearly only where pixels are equally large; nearest pixels just follow each other for fewer pixels.
  if (suitsKernel(canvas, placements, method === "nearest" ? 0.01 : 0)) {
    const painter = new (method === "nearest" ? NearestKernel : AreaKernel)(canvas, placements, uses);
    return { painter, memory: painter.memory };
  }
  return {
    painter: new (method === "nearest" ? NearestPainter : AreaPainter)(canvas, placements, uses),
    memory: new PlainMemory(canvas, placements),
  };
}
