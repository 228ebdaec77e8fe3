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
 * Covers a map with rectangles in which `from` rises by `perColumn` from column to column and by `perRow` from row to
 * row. A sensor that is turned by 90° and a hair is a handful of large ones: it is shifted by a pixel wherever the hair
 * has added up to one.
 *
 * @param from - which sensor pixel each output pixel shows, −1 for none, of shape [rows, width]
 * @returns the rectangles, and one byte per output pixel that is set where one of them lies
 */
export function findRectangles(
  from: Int32Array,
  width: number,
  perColumn: number,
  perRow: number,
): { found: Rectangle[]; done: Uint8Array } {
  const rows = from.length / width;
  const { first, last } = stretches(from, width, perColumn);
  const done = new Uint8Array(from.length);
  const found: Rectangle[] = [];
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
      const limit = last[start] ?? end;
      while (end < limit && done[row * width + end] === 0) end++;
      const rectangle = extend(row, column, end);
      if (rectangle.rows >= SHORTEST && rectangle.columns >= SHORTEST) {
        found.push(rectangle);
        for (let r = row; r < row + rectangle.rows; r++)
          done.fill(1, r * width + rectangle.column, r * width + rectangle.column + rectangle.columns);
      }
      column = end;
    }
  }
  return { found, done };

  /**
   * Goes down as long as the area grows, at the price of a few columns where the shifts of two rows differ by a pixel.
   */
  function extend(row: number, left: number, right: number): Rectangle {
    let n = 1;
    for (; row + n < rows; n++) {
      const middle = (left + right) >> 1;
      const at = (row + n) * width + middle;
      const value = from[at] ?? -1;
      if (value < 0 || value - (from[row * width + middle] ?? 0) !== n * perRow) break;
      const nextLeft = Math.max(left, first[at] ?? left);
      const nextRight = Math.min(right, last[at] ?? right);
      if ((nextRight - nextLeft) * (n + 1) < (right - left) * n) break;
      left = nextLeft;
      right = nextRight;
    }
    return { row, column: left, rows: n, columns: right - left };
  }
}

/** For each pixel, the first and the past-last column of the stretch of its row in which `from` rises steadily. */
function stretches(from: Int32Array, width: number, perColumn: number): { first: Int32Array; last: Int32Array } {
  const first = new Int32Array(from.length);
  const last = new Int32Array(from.length);
  for (let start = 0; start < from.length; start += width) {
    for (let c = 0, end = 1; c < width; c = end, end++) {
      let before = from[start + c] ?? -1;
      for (; before >= 0 && end < width; end++) {
        const value = from[start + end] ?? -1;
        if (value < 0 || value - before !== perColumn) break;
        before = value;
      }
      first.fill(c, start + c, start + end);
      last.fill(end, start + c, start + end);
    }
  }
  return { first, last };
}
