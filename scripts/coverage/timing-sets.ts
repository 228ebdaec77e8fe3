import { asImage, type RawImage } from "../../src/core/ndarray.ts";
import { hash, Random } from "../../src/core/random.ts";
import { normalCdf } from "../../src/core/special-functions.ts";

/** One shot of a made run of the timing monitor. */
export interface MadeShot {
  readonly image: RawImage;
  readonly xrays: boolean;
  /** NaN: no edge. */
  readonly edgePx: number;
  readonly secondPx: number;
}

/** How a made run differs from the usual one. Lengths in pixels. */
export interface TimingSet {
  readonly depth?: readonly [least: number, most: number];
  readonly rows?: number;
  readonly columns?: number;
  readonly periods?: readonly number[];
  /** Of each fringe, relative to the light. */
  readonly amplitudes?: readonly number[];
  /** rms change of a fringe's phase from shot to shot, radian. */
  readonly drift?: number;
  /** Fringes whose period changes over the picture. */
  readonly chirp?: number;
  /** Phase of the fringes from line to line, radian. */
  readonly tilt?: number;
  readonly dark?: "low" | "high";
  readonly axis?: "columns" | "rows";
  readonly sigma?: number;
  readonly jitter?: number;
  /** Distance over which lost light comes back to 1/e. */
  readonly recovery?: number;
  /** Line that the X-rays reach, and rms height of what they reach. */
  readonly line?: number;
  readonly height?: number;
  /** Laser-only shots at the beginning, and every so many later ones. */
  readonly laserOnly?: number;
  readonly every?: number;
  /** Scatter of the laser's slope over the picture. */
  readonly pointing?: number;
}

/** The kinds of runs that edges are tried on. */
export const timingSets: Readonly<Record<string, TimingSet>> = {
  "edges of 5–10 %": {},
  "15–20 %": { depth: [0.15, 0.2] },
  "45–55 %": { depth: [0.45, 0.55] },
  "light lost at high pixels": { dark: "high" },
  "time along the rows": { axis: "rows" },
  "1024 columns, width 8": { columns: 1024, rows: 24, sigma: 8, jitter: 20, periods: [25, 90], height: 3 },
  "200 lines, X-rays at 20": { rows: 200, columns: 1024, line: 140, height: 4, sigma: 10, jitter: 25 },
  "three fringes": { periods: [30, 77, 260], amplitudes: [0.02, 0.02, 0.015] },
  "fringes of 5 %": { amplitudes: [0.05, 0.05] },
  "chirped fringes": { chirp: 0.1 },
  "tilted fringes": { tilt: 0.3 },
  "fast fringes": { drift: 1 },
  "the laser moves": { pointing: 0.1 },
  "3 laser-only shots": { laserOnly: 3, every: 1000 },
  "width 30": { sigma: 30, jitter: 60 },
  "width 7": { sigma: 7 },
  "light back after 300 px": { recovery: 300 },
};

const SHOTS = 120;
const NOISE = 0.02;
const LIGHT = 1500;
const PEDESTAL = 64;
const FULL = 4095;

/** 120 shots with 2 % noise a pixel and fringes that drift; the same seed gives the same run. */
export function makeTimingSet(name: string, seed: number, set: TimingSet): MadeShot[] {
  const random = new Random(hash(seed, name));
  const { rows = 10, columns = 2048, periods = [41, 170], drift = 0.15 } = set;
  const { laserOnly = 12, every = 10, sigma = 15, jitter = 38 } = set;
  const fixed = Float64Array.from({ length: columns }, () => 1 + 0.006 * random.normal());
  const phases = periods.map(() => 2 * Math.PI * random.uniform());
  return Array.from({ length: SHOTS }, (_, i) => {
    phases.forEach((phase, k) => {
      phases[k] = phase + 0.05 + drift * random.normal();
    });
    const xrays = i >= laserOnly && i % every !== 0;
    const kind = random.uniform();
    const [least, most] = set.depth ?? [0.05, 0.1];
    const deep = least + (most - least) * random.uniform();
    const edgePx = xrays && kind > 0.02 ? 0.48 * columns + jitter * random.normal() : NaN;
    const side = random.uniform() < 0.5 ? -1 : 1;
    const apart = 5 * sigma + random.uniform() * (Math.min(300, 0.2 * columns) - 5 * sigma);
    const secondPx = kind > 0.97 ? edgePx + side * apart : NaN;
    const lost = [
      { at: edgePx, much: deep },
      { at: secondPx, much: deep * (0.4 + 0.5 * random.uniform()) },
    ].filter(({ at }) => !Number.isNaN(at));
    const image = drawImage(set, { fixed, phases, lost, pointing: (set.pointing ?? 0) * random.normal() }, random);
    if (xrays && random.uniform() < 0.01) {
      const line = Math.trunc(set.line ?? (rows - 1) / 2);
      for (let x = 0; x < columns; x++) image.data[set.axis === "rows" ? x * rows + line : line * columns + x] = FULL;
    }
    return { image, xrays, edgePx, secondPx };
  });
}

interface Light {
  readonly fixed: Float64Array;
  readonly phases: readonly number[];
  readonly lost: readonly { readonly at: number; readonly much: number }[];
  readonly pointing: number;
}

function drawImage(set: TimingSet, { fixed, phases, lost, pointing }: Light, random: Random) {
  const { rows = 10, columns = 2048, periods = [41, 170], amplitudes = [0.02, 0.02], axis = "columns" } = set;
  const { sigma = 15, recovery = 2000, dark = "low", height = 1.6, chirp = 0, tilt = 0 } = set;
  const pixels = new Uint16Array(rows * columns);
  const light = LIGHT * (1 + 0.05 * random.normal());
  const middle = columns / 2;
  const columnLight = Float64Array.from({ length: columns }, (_, x) => {
    const bell = Math.exp(-0.5 * ((x - middle) / (0.32 * columns)) ** 2);
    return light * bell * (fixed[x] ?? 0) * (1 + (pointing * (x - middle)) / columns);
  });
  const losses = lost.map(({ at, much }) =>
    Float64Array.from({ length: columns }, (_, x) => {
      const before = dark === "low" ? at - x : x - at;
      return much * normalCdf(before / sigma) * Math.exp(-Math.max(0, before) / recovery);
    }),
  );
  for (let row = 0; row < rows; row++) {
    const reach = Math.exp(-0.5 * ((row - (set.line ?? (rows - 1) / 2)) / height) ** 2);
    const bright = Math.exp(-0.5 * ((row - rows / 2) / (0.9 * rows)) ** 2);
    for (let x = 0; x < columns; x++) {
      let grey = bright * (columnLight[x] ?? 0);
      const along = x + (chirp * (x - middle) ** 2) / columns;
      for (let k = 0; k < periods.length; k++)
        grey *=
          1 +
          (amplitudes[k] ?? 0) * Math.sin((2 * Math.PI * along) / (periods[k] ?? 1) + (phases[k] ?? 0) + tilt * row);
      for (const loss of losses) grey *= 1 - reach * (loss[x] ?? 0);
      grey += PEDESTAL + grey * NOISE * random.normal() + 3 * random.normal();
      pixels[axis === "rows" ? x * rows + row : row * columns + x] = Math.max(0, Math.min(FULL, Math.round(grey)));
    }
  }
  return axis === "rows" ? asImage(pixels, columns, rows) : asImage(pixels, rows, columns);
}
