import type { Scale } from "../live/look.ts";

/** Each scale of colours, its inverse, and the least value that it has. */
export const scaled: Readonly<
  Record<Scale, { to(value: number): number; from(place: number): number; readonly least: number | null }>
> = {
  linear: { to: (value) => value, from: (place) => place, least: null },
  log: { to: Math.log, from: Math.exp, least: 1e-300 },
  sqrt: { to: Math.sqrt, from: (place) => place ** 2, least: 0 },
  symlog: {
    to: (value) => Math.sign(value) * Math.log1p(Math.abs(value)),
    from: (place) => Math.sign(place) * Math.expm1(Math.abs(place)),
    least: null,
  },
};
