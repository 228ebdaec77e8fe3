import { mpccdParameters } from "./parameters.ts";
import { erf } from "./response.ts";

const { pixelSizeUm } = mpccdParameters;
const NEGLIGIBLE_SHARE = 0.005;

/** Places in a pixel at which photons fall. */
export const SHARING_SIZE = 4096;

/**
 * For each place in its pixel where a photon may fall, the share of its charge that leaks to a neighbour in x, then in
 * y; negative: to the left / up.
 *
 * @param cloudUm - rms width of the charge cloud
 * @returns the two shares of each place in turn
 */
export function chargeSharing(cloudUm: number): Float32Array {
  const leaks = new Float32Array(2 * SHARING_SIZE);
  for (let k = 0; k < SHARING_SIZE; k++) {
    // An evenly spread sequence in two dimensions (Roberts' R2).
    leaks[2 * k] = leak((k * 0.7548776662466927) % 1, cloudUm);
    leaks[2 * k + 1] = leak((k * 0.5698402909980532) % 1, cloudUm);
  }
  return leaks;
}

/** Share of a Gaussian charge cloud at `position` (0…1 across the pixel) beyond the nearer edge. */
function leak(position: number, cloudUm: number): number {
  const distanceUm = pixelSizeUm * Math.min(position, 1 - position);
  const share = (1 - erf(distanceUm / (Math.SQRT2 * cloudUm))) / 2;
  if (share < NEGLIGIBLE_SHARE) return 0;
  return position < 0.5 ? -share : share;
}
