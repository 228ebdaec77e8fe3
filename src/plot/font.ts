/**
 * A small stroke font of our own. A glyph is a list of pen strokes; every two characters of a stroke are the x and y of
 * a point in base 36. Capitals reach from y = 0 to the baseline at y = 12, small letters from y = 4, tails to y = 16.
 * A stroke that begins with `~` is a smooth curve (a quadratic B-spline, closed when its ends meet).
 */
const glyphs: Readonly<Record<string, string>> = {
  "!": "00 08|0c 0c",
  '"': "00 03|30 33",
  "#": "30 1c|70 5c|04 84|08 88",
  $: "~83 81 01 06 86 8b 0b 09|4- 4d",
  "%": "80 0c|~00 30 34 04 00|~58 88 8c 5c 58",
  "&": "~8c 24 20 60 64 17 08 0c 5c 86",
  "'": "00 03",
  "(": "~30 03 0a 3d",
  ")": "~00 33 3a 0d",
  "*": "31 37|02 66|62 06",
  "+": "33 3b|07 67",
  ",": "1b 1c 0f",
  "-": "08 48",
  ".": "0c 0c",
  "/": "0d 50",
  "0": "~00 70 76 7c 0c 06 00",
  "1": "03 40 4c",
  "2": "~03 00 70 75 0c|0c 7c",
  "3": "~02 00 70 76 26|~26 76 7c 0c 0a",
  "4": "5c 50 08 78",
  "5": "60 10 06|~06 04 74 7c 0c 0a",
  "6": "~62 50 00 08|~05 75 7c 0c 05",
  "7": "00 70 2c",
  "8": "~10 60 66 16 10|~06 76 7c 0c 06",
  "9": "~1a 2c 7c 74|~00 70 77 07 00",
  ":": "05 05|0c 0c",
  ";": "15 15|1b 1c 0f",
  "<": "72 07 7c",
  "=": "05 75|09 79",
  ">": "02 77 0c",
  "?": "~02 00 70 75 36 39|3c 3c",
  "@": "~75 35 3a 7a 75|~75 7b aa a0 00 0d 8d",
  A: "0c 40 8c|28 68",
  B: "0c 00|~00 70 76 06|~06 86 8c 0c",
  C: "~83 80 00 06 0c 8c 89",
  D: "00 0c|~00 80 86 8c 0c",
  E: "70 00 0c 7c|06 66",
  F: "70 00 0c|06 66",
  G: "~83 80 00 06 0c 8c 87|87 57",
  H: "00 0c|80 8c|06 86",
  I: "00 0c",
  J: "~60 68 6c 0c 09",
  K: "00 0c|80 08|35 8c",
  L: "00 0c 7c",
  M: "0c 00 59 a0 ac",
  N: "0c 00 8c 80",
  O: "~00 90 96 9c 0c 06 00",
  P: "0c 00|~00 80 87 07",
  Q: "~00 90 96 9c 0c 06 00|69 9d",
  R: "0c 00|~00 80 87 07|47 8c",
  S: "~82 80 00 06 86 8c 0c 0a",
  T: "00 80|40 4c",
  U: "~00 07 0c 8c 87 80",
  V: "00 4c 80",
  W: "00 3c 60 9c c0",
  X: "00 8c|80 0c",
  Y: "00 46 80|46 4c",
  Z: "00 80 0c 8c",
  "[": "30 00 0d 3d",
  "\\": "00 5d",
  "]": "00 30 3d 0d",
  "^": "04 30 64",
  _: "0e 7e",
  "`": "00 22",
  a: "64 6c|~04 64 68 6c 0c 08 04",
  b: "00 0c|~04 64 68 6c 0c 08 04",
  c: "~66 64 04 08 0c 6c 6a",
  d: "60 6c|~04 64 68 6c 0c 08 04",
  e: "08 68|~68 64 04 08 0c 6c 6a",
  f: "~50 20 24 2c|04 44",
  g: "~04 64 68 6c 0c 08 04|~64 6c 6g 0g 0e",
  h: "00 0c|~08 04 64 68 6c",
  i: "04 0c|00 00",
  j: "~24 2c 2g 0g|20 20",
  k: "00 0c|64 09|27 6c",
  l: "~00 09 0c 2c",
  m: "04 0c|~07 04 54 57 5c|~57 54 a4 a7 ac",
  n: "04 0c|~08 04 64 68 6c",
  o: "~04 64 68 6c 0c 08 04",
  p: "04 0g|~04 64 68 6c 0c 08 04",
  q: "64 6g|~04 64 68 6c 0c 08 04",
  r: "04 0c|~08 04 44",
  s: "~66 64 04 08 68 6c 0c 0a",
  t: "~21 28 2c 4c|04 44",
  u: "~04 08 0c 6c 68|64 6c",
  v: "04 3c 64",
  w: "04 2c 54 8c a4",
  x: "04 6c|64 0c",
  y: "04 3c|64 1g",
  z: "04 64 0c 6c",
  "{": "~40 20 26 06|~06 26 2d 4d",
  "|": "00 0e",
  "}": "~00 20 26 46|~46 26 2d 0d",
  "~": "~08 06 36 58 88 86",
  µ: "~04 08 0c 6c 68|64 6c|04 0g",
  "×": "14 7a|74 1a",
  "−": "07 67",
  "°": "~00 40 44 04 00",
  "·": "07 07",
  "±": "32 3a|06 66|0c 6c",
  "–": "08 68",
  "…": "0c 0c|5c 5c|ac ac",
  Δ: "0c 50 ac 0c",
  θ: "~00 50 56 5c 0c 06 00|06 56",
  σ: "~04 54 59 5c 0c 08 04|44 94",
  λ: "~00 20 3c 6c|24 0c",
  Å: "0c 44 8c|29 69|~21 61 64 24 21",
};

const superscripts = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻";
const superscriptBases = "0123456789−";
const unknownGlyph = "00 70 7c 0c 00";

/** Height of a capital in font units. */
export const CAP_UNITS = 12;
const LETTER_GAP = 2.8;
const SPACE_WIDTH = 5;
const SUPERSCRIPT_SCALE = 0.62;

/** A written character: pen lines [x0, y0, x1, y1, …] in font units from its left end and the baseline, y down. */
interface Glyph {
  readonly lines: readonly number[];
  /** Distance to the next character. */
  readonly advance: number;
}

const cache = new Map<string, Glyph>();

/**
 * The strokes of one character. Printable ASCII, µ × − ° · Å ± – … Δ θ σ λ and superscript digits are drawn; accents
 * are dropped; any other character becomes an empty box.
 */
export function glyphOf(character: string): Glyph {
  const known = cache.get(character);
  if (known !== undefined) return known;
  const glyph = makeGlyph(character);
  cache.set(character, glyph);
  return glyph;
}

function makeGlyph(character: string): Glyph {
  if (/^\s$/.test(character)) return { lines: [], advance: SPACE_WIDTH };
  const raised = superscripts.indexOf(character);
  if (raised >= 0) {
    const base = glyphOf(superscriptBases.charAt(raised));
    const lift = (1 - SUPERSCRIPT_SCALE) * CAP_UNITS + 1;
    return {
      lines: base.lines.map((v, i) => v * SUPERSCRIPT_SCALE - (i % 2 === 1 ? lift : 0)),
      advance: base.advance * SUPERSCRIPT_SCALE + 0.6,
    };
  }
  const source = glyphs[character] ?? glyphs[character.normalize("NFKD").charAt(0).replace("μ", "µ")] ?? unknownGlyph;
  const strokes = source.split("|").map(strokePoints);
  const right = Math.max(...strokes.flat().map(([x]) => x));
  const lines = strokes.flatMap((points) =>
    points.slice(0, -1).flatMap(([x, y], i) => [x, y - CAP_UNITS, ...endOf(points, i + 1)]),
  );
  return { lines, advance: right + LETTER_GAP };
}

type Point = readonly [x: number, y: number];

function endOf(points: readonly Point[], i: number): number[] {
  const [x, y] = points[i] ?? [0, 0];
  return [x, y - CAP_UNITS];
}

function strokePoints(stroke: string): Point[] {
  const curved = stroke.startsWith("~");
  const points = (curved ? stroke.slice(1) : stroke)
    .split(" ")
    .map((pair): Point => [parseInt(pair.charAt(0), 36), unit(pair.charAt(1))]);
  return curved ? smooth(points) : points;
}

/** `-` is one unit above the top of a capital. */
function unit(digit: string): number {
  return digit === "-" ? -1 : parseInt(digit, 36);
}

const CURVE_STEPS = 5;

/** The quadratic B-spline of the control points: it passes through the middle of each side of their polygon. */
function smooth(control: readonly Point[]): Point[] {
  const first = control[0] ?? [0, 0];
  const last = control.at(-1) ?? first;
  const closed = first[0] === last[0] && first[1] === last[1];
  const middle = (a: Point, b: Point): Point => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  const corners = closed ? [...control.slice(0, -1), first, control[1] ?? first] : control;
  const out: Point[] = closed ? [] : [first];
  for (let i = 1; i < corners.length - 1; i++) {
    const corner = corners[i] ?? first;
    const from = middle(corners[i - 1] ?? first, corner);
    const to = middle(corner, corners[i + 1] ?? last);
    for (let k = 0; k <= CURVE_STEPS; k++) {
      const t = k / CURVE_STEPS;
      const a = (1 - t) ** 2;
      const b = 2 * t * (1 - t);
      out.push([a * from[0] + b * corner[0] + t * t * to[0], a * from[1] + b * corner[1] + t * t * to[1]]);
    }
  }
  if (!closed) out.push(last);
  return out;
}
