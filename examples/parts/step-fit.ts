/** A step blurred by a Gaussian, with the slope and bend of what follows it. */
export interface StepFit {
  readonly centre: number;
  /** Where χ² has grown by one, with everything else free. */
  readonly centreError: number;
  /** Rms width of the blur. */
  readonly width: number;
  readonly height: number;
  readonly reducedChiSquare: number;
}

/** Fits height · step + slope · ramp + bend · parabola to points with standard errors: the three are solved for at every centre and width tried. */
export function fitStep(x: readonly number[], y: readonly number[], errors: readonly number[]): StepFit {
  const [low, high] = [Math.min(...x), Math.max(...x)];
  const [shortest, longest] = [(high - low) / 200, (high - low) / 4];
  const atCentre = (centre: number): Trial => least((width) => solve(x, y, errors, centre, width), shortest, longest);
  const best = least(atCentre, low, high);
  const side = (sign: number): number => {
    let [inside, outside] = [0, high - low];
    for (let i = 0; i < 40; i++) {
      const middle = (inside + outside) / 2;
      if (atCentre(best.centre + sign * middle).chiSquare < best.chiSquare + 1) inside = middle;
      else outside = middle;
    }
    return inside;
  };
  const { centre, width, height, chiSquare } = best;
  return { centre, centreError: (side(1) + side(-1)) / 2, width, height, reducedChiSquare: chiSquare / (x.length - 5) };
}

interface Trial {
  readonly centre: number;
  readonly width: number;
  readonly height: number;
  readonly chiSquare: number;
}

/** The best trial between two bounds: a coarse look, then ever finer ones around the best. */
function least(tryAt: (value: number) => Trial, from: number, to: number): Trial {
  let [low, high, at] = [from, to, from];
  let best = tryAt(from);
  for (let round = 0; round < 6; round++) {
    const step = (high - low) / 24;
    for (let i = 0; i <= 24; i++) {
      const trial = tryAt(low + i * step);
      if (trial.chiSquare < best.chiSquare) [best, at] = [trial, low + i * step];
    }
    [low, high] = [Math.max(from, at - 1.5 * step), Math.min(to, at + 1.5 * step)];
  }
  return best;
}

/** Step, ramp and parabola from the centre on, blurred, times what fits best. */
function solve(x: readonly number[], y: readonly number[], errors: readonly number[], centre: number, width: number): Trial {
  // Normal equations, by columns: products of the functions with each other, and with y.
  let [aa, ab, ac, bb, bc, cc, ya, yb, yc, yy] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  for (const [i, position] of x.entries()) {
    const weight = 1 / (errors[i] ?? NaN) ** 2;
    const value = y[i] ?? NaN;
    const u = (position - centre) / width;
    const a = normalCdf(u);
    const bell = Math.exp(-0.5 * u * u) / Math.sqrt(2 * Math.PI);
    const b = width * (u * a + bell);
    const c = width * width * ((u * u + 1) * a + u * bell);
    aa += weight * a * a;
    ab += weight * a * b;
    ac += weight * a * c;
    bb += weight * b * b;
    bc += weight * b * c;
    cc += weight * c * c;
    ya += weight * a * value;
    yb += weight * b * value;
    yc += weight * c * value;
    yy += weight * value * value;
  }
  const determinant = aa * (bb * cc - bc * bc) - ab * (ab * cc - bc * ac) + ac * (ab * bc - bb * ac);
  const height = (ya * (bb * cc - bc * bc) - ab * (yb * cc - bc * yc) + ac * (yb * bc - bb * yc)) / determinant;
  const slope = (aa * (yb * cc - yc * bc) - ya * (ab * cc - bc * ac) + ac * (ab * yc - yb * ac)) / determinant;
  const bend = (aa * (bb * yc - bc * yb) - ab * (ab * yc - yb * ac) + ya * (ab * bc - bb * ac)) / determinant;
  // Beyond the last points the three are the same.
  const chiSquare = determinant > 1e-9 * aa * bb * cc ? yy - height * ya - slope * yb - bend * yc : Infinity;
  return { centre, width, height, chiSquare };
}

/** Abramowitz and Stegun 26.2.17, to 1e-7. */
function normalCdf(u: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(u));
  const tail = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  const above = 1 - (tail * Math.exp(-0.5 * u * u)) / Math.sqrt(2 * Math.PI);
  return u < 0 ? 1 - above : above;
}
