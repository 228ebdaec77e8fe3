import {
  interpolateBlues,
  interpolateCividis,
  interpolateGreys,
  interpolateInferno,
  interpolateMagma,
  interpolateTurbo,
  interpolateViridis,
} from "d3-scale-chromatic";
import type { ColourMap } from "../live/look.ts";

/** The colour of a share from 0 to 1, as @h5web/lib has it: from dark to light. */
export const interpolators: Readonly<Record<ColourMap, (share: number) => string>> = {
  Viridis: interpolateViridis,
  Inferno: interpolateInferno,
  Magma: interpolateMagma,
  Cividis: interpolateCividis,
  Turbo: interpolateTurbo,
  Greys: (share) => interpolateGreys(1 - share),
  Blues: (share) => interpolateBlues(1 - share),
};
