import { Cells } from "./overlap.ts";
import { boundsOf, type PictureGrid, type Placement } from "./placement.ts";
import type { SensorInput } from "./resampler.ts";

/**
 * Standard error of each pixel of a picture by area: the root of Σ (weight · gain · error)² over the sensor pixels that
 * fall into it. Made without a map, since errors are wanted once where pictures are wanted for every shot.
 */
export function areaErrors(
  canvas: PictureGrid,
  placements: readonly Placement[],
  uses: readonly (Uint8Array | null)[],
  errors: readonly SensorInput[],
  gap: number,
  out: Float32Array,
): void {
  const squares = new Float64Array(out.length).fill(-1);
  for (const [i, placement] of placements.entries()) {
    const { pixels, offset, gain } = errors[i] ?? { pixels: null, offset: 0, gain: 1 };
    if (pixels === null) continue;
    const cells = new Cells(placement, canvas, uses[i] ?? null);
    const bounds = boundsOf(placement, canvas);
    for (let row = bounds.rows[0]; row < bounds.rows[1]; row++) {
      for (let column = bounds.columns[0]; column < bounds.columns[1]; column++) {
        const n = cells.under(row, column);
        if (n === 0) continue;
        let sum = 0;
        for (let k = 0; k < n; k++) {
          const part = (cells.weights[k] ?? 0) * gain * (pixels[offset + cells.base + (cells.offsets[k] ?? 0)] ?? NaN);
          sum += part * part;
        }
        const to = row * canvas.width + column;
        const before = squares[to] ?? -1;
        squares[to] = before < 0 ? sum : before + sum;
      }
    }
  }
  for (let i = 0; i < out.length; i++) {
    const square = squares[i] ?? -1;
    out[i] = square < 0 ? gap : Math.sqrt(square);
  }
}
