// AssemblyScript with v128: compiled by scripts/build-kernels.ts, called from src/reduce/engine and src/reduce/reducers.
// Addresses, strides and weights are in bytes, `n` counts the pixels of a piece of `count` frames, `stride` apart.
// Whatever rounds here, rounds as the plain code in src/reduce does: same bits.

import { histogramF32, histogramU16, pairsU16, pixelBinsU16, singlesU16 } from "./histograms.ts";
import { momentsF32, momentsU16, productsU16, rangeF32, rangeU16, sumF32, sumU16, wholeF32 } from "./moments.ts";
import { countsU16, fromF32, limitsU16, photonsU16 } from "./photons.ts";
import { roisU16, roiU16 } from "./regions.ts";
import { ringsF32, ringsU16, sharesF32, sharesU16 } from "./rings.ts";

export {
  countsU16,
  fromF32,
  histogramF32,
  histogramU16,
  limitsU16,
  momentsF32,
  momentsU16,
  pairsU16,
  photonsU16,
  pixelBinsU16,
  productsU16,
  rangeF32,
  rangeU16,
  ringsF32,
  ringsU16,
  roisU16,
  roiU16,
  sharesF32,
  sharesU16,
  singlesU16,
  sumF32,
  sumU16,
  wholeF32,
};
