/** Part of a picture in which a sensor's pixels follow each other at constant steps. */
export interface Rectangle {
  readonly row: number;
  readonly column: number;
  readonly rows: number;
  readonly columns: number;
}

/** Kernels work on blocks of 4 × 4 pixels. */
const SHORTEST = 4;

/**
 * Covers maps with rectangles in which `from` rises by `perColumn` from column to column and by `perRow` from row to
 * row. A sensor that is turned by 90° and a hair is a handful of large ones: it is shifted by a pixel wherever the hair
 * has added up to one. The memory that this needs is taken once for all maps: to touch it first would take as long as
 * all the rest.
 */
export class RectangleFinder {
  readonly #done: Uint8Array;
  /** For each pixel, the first and the past-last column of the stretch of its row in which `from` rises steadily. */
  readonly #first: Uint16Array;
  readonly #last: Uint16Array;

  /** @param longest - of the maps */
  constructor(longest: number) {
    this.#done = new Uint8Array(longest);
    this.#first = new Uint16Array(longest);
    this.#last = new Uint16Array(longest);
  }

  /**
   * @param from - which sensor pixel each output pixel shows, −1 for none, of shape [rows, width]
   * @returns the rectangles, and one byte per output pixel that is 1 where one of them lies, until the next map
   */
  find(
    from: Int32Array,
    width: number,
    { perColumn, perRow }: { readonly perColumn: number; readonly perRow: number },
  ): { readonly found: Rectangle[]; readonly done: Uint8Array } {
    const done = this.#done.subarray(0, from.length).fill(0);
    const found: Rectangle[] = [];
    if (width === 0) return { found, done };
    this.#findStretches(from, width, perColumn);
    const rows = from.length / width;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < width; ) {
        const start = row * width + column;
        if (done[start] === 1) {
          // Rectangles are large: what lies in one is passed in one go.
          const next = done.indexOf(0, start);
          column = next < 0 ? width : Math.min(width, next - row * width);
          continue;
        }
        if ((from[start] ?? -1) < 0) {
          column++;
          continue;
        }
        let end = column + 1;
        const limit = this.#last[start] ?? end;
        while (end < limit && done[row * width + end] === 0) end++;
        const rectangle = this.#extend(from, width, perRow, row, column, end);
        if (rectangle.rows >= SHORTEST && rectangle.columns >= SHORTEST) {
          found.push(rectangle);
          for (let r = row; r < row + rectangle.rows; r++)
            done.fill(1, r * width + rectangle.column, r * width + rectangle.column + rectangle.columns);
        }
        column = end;
      }
    }
    return { found, done };
  }

  /**
   * Goes down as long as the area grows, at the price of a few columns where the shifts of two rows differ by a pixel.
   */
  #extend(from: Int32Array, width: number, perRow: number, row: number, begin: number, end: number): Rectangle {
    let [left, right, n] = [begin, end, 1];
    for (; (row + n) * width < from.length; n++) {
      const middle = (left + right) >> 1;
      const at = (row + n) * width + middle;
      const value = from[at] ?? -1;
      if (value < 0 || value - (from[row * width + middle] ?? 0) !== n * perRow) break;
      const nextLeft = Math.max(left, this.#first[at] ?? left);
      const nextRight = Math.min(right, this.#last[at] ?? right);
      if ((nextRight - nextLeft) * (n + 1) < (right - left) * n) break;
      left = nextLeft;
      right = nextRight;
    }
    return { row, column: left, rows: n, columns: right - left };
  }

  #findStretches(from: Int32Array, width: number, perColumn: number): void {
    for (let start = 0; start < from.length; start += width) {
      for (let c = 0, end = 1; c < width; c = end, end++) {
        let before = from[start + c] ?? -1;
        for (; before >= 0 && end < width; end++) {
          const value = from[start + end] ?? -1;
          if (value < 0 || value - before !== perColumn) break;
          before = value;
        }
        this.#first.fill(c, start + c, start + end);
        this.#last.fill(end, start + c, start + end);
      }
    }
  }
}
