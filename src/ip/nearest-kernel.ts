import { Int32Builder, IntervalList, intervalsOf } from "./int32-builder.ts";
import { KernelMemory, packedBytes, padded, type Stored } from "./kernel.ts";
import { PixelsUnder } from "./nearest.ts";
import { orientationOf, pictureSteps, sensorSteps } from "./orientation.ts";
import type { PixelArray } from "./pixels.ts";
import { boundsOf, type PictureGrid, type Placement } from "./placement.ts";
import { type Rectangle, RectangleFinder } from "./rectangles.ts";
import type { Resampler, SensorInput } from "./resampler.ts";

/** A rectangle of a sensor, as the kernel takes it. */
interface Patch {
  /** The sensor pixel of lowest row and column, and the output pixel that shows it. */
  readonly from: number;
  readonly to: number;
  readonly rows: number;
  readonly columns: number;
}

/** How one sensor is painted. */
interface Part {
  readonly patches: readonly Patch[];
  /** Pairs (to, from) of all pixels outside the patches. */
  readonly singles: Int32Array;
  /** Spans of the output pixels that show the sensor. */
  readonly shown: Int32Array;
  readonly pitch: number;
  readonly pixels: number;
  readonly perRow: number;
  readonly perColumn: number;
}

/** A part with its lists in the arena. */
interface PlacedPart extends Part {
  readonly singlesAt: Stored;
  readonly shownAt: Stored;
  readonly dark: number;
}

/** Which pixel of a sensor lies under each output pixel of a box, −1 for none. */
interface PixelMap {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly from: Int32Array;
}

function pixelMap(placement: Placement, canvas: PictureGrid): PixelMap {
  const { rows, columns } = boundsOf(placement, canvas);
  const width = Math.max(0, columns[1] - columns[0]);
  const height = Math.max(0, rows[1] - rows[0]);
  const from = new Int32Array(width * height);
  const under = new PixelsUnder(placement, canvas, columns);
  for (let r = 0; r < height; r++) under.find(rows[0] + r, from, r * width);
  return { left: columns[0], top: rows[0], width, from };
}

/** Marks the output pixels that show a used pixel of a sensor. */
function markOwned(
  { left, top, width, from }: PixelMap,
  canvas: PictureGrid,
  use: Uint8Array | null,
  owners: Uint8Array,
): void {
  for (let i = 0, row = top; i < from.length; row++) {
    let to = row * canvas.width + left;
    for (const end = i + width; i < end; i++, to++) {
      const pixel = from[i] ?? -1;
      if (pixel >= 0 && (use === null || use[pixel] === 1)) owners[to] = 1;
    }
  }
}

/**
 * Spans of the output pixels that show a used pixel. Unused ones may be painted over, as they become gaps afterwards,
 * but not where another sensor shows: there they leave the map.
 */
function shownSpans(
  { left, top, width, from }: PixelMap,
  canvas: PictureGrid,
  use: Uint8Array | null,
  owners: Uint8Array,
): Int32Array {
  const list = new IntervalList();
  for (let i = 0, row = top; i < from.length; row++) {
    let to = row * canvas.width + left;
    for (const end = i + width; i < end; i++, to++) {
      const pixel = from[i] ?? -1;
      if (pixel < 0) continue;
      if (use === null || use[pixel] === 1) list.add(to);
      else if (owners[to] === 1) from[i] = -1;
    }
  }
  return list.words().slice();
}

/** Pairs (to, from) of the used pixels that lie in no rectangle. */
function singlesOf(
  { left, top, width, from }: PixelMap,
  canvas: PictureGrid,
  use: Uint8Array | null,
  done: Uint8Array,
): Int32Array {
  const singles = new Int32Builder();
  for (let i = 0, row = top; i < from.length; row++) {
    let to = row * canvas.width + left;
    for (const end = i + width; i < end; i++, to++) {
      const pixel = from[i] ?? -1;
      if (pixel < 0 || done[i] === 1 || (use !== null && use[pixel] !== 1)) continue;
      singles.int(to);
      singles.int(pixel);
    }
  }
  return singles.words().slice();
}

/** @param owners - 1 for each output pixel that shows a used pixel of any sensor */
function partOf(
  placement: Placement,
  canvas: PictureGrid,
  use: Uint8Array | null,
  map: PixelMap,
  owners: Uint8Array,
  finder: RectangleFinder,
): Part {
  const turn = orientationOf(placement, canvas);
  const shown = shownSpans(map, canvas, use, owners);
  const { found, done } = finder.find(map.from, map.width, sensorSteps(turn, placement.columns));
  return {
    patches: found.map((rectangle) => patchOf(rectangle, map, canvas, turn.isTransposed)),
    singles: singlesOf(map, canvas, use, done),
    shown,
    pitch: placement.columns,
    pixels: placement.rows * placement.columns,
    ...pictureSteps(turn, canvas.width),
  };
}

function patchOf(
  { row, column, rows, columns }: Rectangle,
  map: PixelMap,
  canvas: PictureGrid,
  turned: boolean,
): Patch {
  let [from, to] = [Infinity, 0];
  for (const r of [row, row + rows - 1]) {
    for (const c of [column, column + columns - 1]) {
      const pixel = map.from[r * map.width + c] ?? Infinity;
      if (pixel < from) [from, to] = [pixel, (map.top + r) * canvas.width + map.left + c];
    }
  }
  return { from, to, rows: turned ? columns : rows, columns: turned ? rows : columns };
}

/**
 * Paints as `NearestPainter`, to the bit, and several times as fast: sensors are turned in blocks of 4 × 4 pixels with
 * SIMD while they are calibrated, and every output pixel is written once. Right for any geometry, fast for sensors at
 * nearly a multiple of 90° with pixels as large as the picture's.
 */
export class NearestKernel implements Resampler {
  readonly bytes: number;
  readonly memory: KernelMemory;
  readonly #parts: readonly PlacedPart[];
  readonly #gaps: Stored;

  constructor(canvas: PictureGrid, placements: readonly Placement[], uses: readonly (Uint8Array | null)[]) {
    const maps = placements.map((placement) => pixelMap(placement, canvas));
    const owners = new Uint8Array(canvas.width * canvas.height);
    for (const [i, map] of maps.entries()) markOwned(map, canvas, uses[i] ?? null, owners);
    const finder = new RectangleFinder(Math.max(0, ...maps.map(({ from }) => from.length)));
    const parts = placements.flatMap((placement, i) => {
      const map = maps[i];
      return map === undefined ? [] : [partOf(placement, canvas, uses[i] ?? null, map, owners, finder)];
    });
    const gaps = intervalsOf(owners, 0);
    const lists = [gaps, ...parts.flatMap(({ singles, shown }) => [singles, shown])];
    this.bytes = lists.reduce((sum, list) => sum + list.byteLength, 0);
    const extra =
      lists.reduce((sum, list) => sum + padded(list.byteLength), 0) +
      parts.reduce((sum, part) => sum + padded(darkBytes(part)), 0);
    this.memory = new KernelMemory(canvas, placements, extra);
    this.#gaps = this.memory.store(gaps);
    this.#parts = parts.map((part) => ({
      ...part,
      singlesAt: this.memory.store(part.singles),
      shownAt: this.memory.store(part.shown),
      dark: this.memory.reserve(darkBytes(part)),
    }));
  }

  setDark(sensor: number, dark: Float32Array): void {
    const part = this.#parts[sensor];
    if (part === undefined) return;
    const { address } = this.memory.stage(dark, 0, part.pixels);
    let to = part.dark;
    for (const { from, rows, columns } of part.patches) {
      this.memory.kernel.pack(address + from * 4, to, rows, columns, part.pitch, part.perRow, part.perColumn);
      to += packedBytes(rows, columns);
    }
    const singles = this.memory.float32(to, part.singles.length / 2);
    for (let i = 0; i < singles.length; i++) singles[i] = dark[part.singles[2 * i + 1] ?? 0] ?? 0;
  }

  resample(paints: readonly SensorInput[], gap: number, out: Float32Array): void {
    const { kernel, outputAddress } = this.memory;
    for (const [i, part] of this.#parts.entries()) {
      // What is missing uncovers what lies below, so these gaps come first.
      if (paints[i]?.pixels === null) kernel.fill(part.shownAt.address, part.shownAt.words / 2, gap, outputAddress);
    }
    for (const [i, part] of this.#parts.entries()) {
      const paint = paints[i];
      if (paint !== undefined && paint.pixels !== null) this.#paintPart(part, paint.pixels, paint);
    }
    kernel.fill(this.#gaps.address, this.#gaps.words / 2, gap, outputAddress);
    this.memory.deliver(out);
  }

  #paintPart(part: PlacedPart, pixels: PixelArray, paint: SensorInput): void {
    const { kernel, outputAddress } = this.memory;
    const { address, size } = this.memory.stage(pixels, paint.offset, part.pixels);
    const [paintRectangle, gather] = size === 2 ? [kernel.paint16, kernel.gather16] : [kernel.paint32, kernel.gather32];
    let dark = part.dark;
    for (const { from, to, rows, columns } of part.patches) {
      const here = paint.dark ? dark : 0;
      paintRectangle(
        address + from * size,
        here,
        paint.gain,
        outputAddress + to * 4,
        rows,
        columns,
        part.pitch,
        part.perRow,
        part.perColumn,
      );
      dark += packedBytes(rows, columns);
    }
    gather(part.singlesAt.address, part.singles.length / 2, address, paint.dark ? dark : 0, paint.gain, outputAddress);
  }

  coverage(out: Float32Array): void {
    for (const { shown } of this.#parts)
      for (let i = 0; i < shown.length; i += 2) out.fill(1, shown[i], (shown[i] ?? 0) + (shown[i + 1] ?? 0));
  }
}

function darkBytes({ patches, singles }: Part): number {
  return patches.reduce((sum, { rows, columns }) => sum + packedBytes(rows, columns), 0) + singles.length * 2;
}
