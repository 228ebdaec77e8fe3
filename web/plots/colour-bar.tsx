import { ticks } from "d3-array";
import { memo, useMemo } from "react";
import type { ColourMap, Scale } from "../live/look.ts";
import { interpolators } from "./interpolators.ts";
import { scaled } from "./scales.ts";
import { logTickText, tickText } from "./ticks.ts";

/** Steps of the colours that are drawn. */
const STEPS = 32;
const TICKS = 8;
/** Of the height: ticks that are nearer to the one below are left out. */
const NEAR = 0.045;

/** What the colours of a picture mean. That of @h5web/lib writes 1e+3, and cannot be told otherwise. */
export const ColourBar = memo(function ColourBar({
  domain,
  scale,
  colourMap,
}: {
  readonly domain: readonly [number, number];
  readonly scale: Scale;
  readonly colourMap: ColourMap;
}) {
  const [low, high] = domain;
  const background = useMemo(() => {
    const colours = Array.from({ length: STEPS + 1 }, (_, i) => interpolators[colourMap](i / STEPS));
    return `linear-gradient(to top, ${colours.join(", ")})`;
  }, [colourMap]);
  const { to } = scaled[scale];
  const placeOf = (value: number): number => (to(value) - to(low)) / (to(high) - to(low));
  const all = ticksOf(low, high, scale).map((value) => ({ value, place: placeOf(value) }));
  const text = scale === "log" ? logTickText : tickText;
  const shown = all.map((tick, i) => ({ ...tick, text: text(tick.value, i, all) })).filter((tick) => tick.text !== "");
  return (
    <div className="colour-bar" role="img" aria-label={`colour bar from ${tickText(low)} to ${tickText(high)}`}>
      <div style={{ backgroundImage: background }} />
      {shown.filter(isApart).map((tick) => (
        <span key={tick.value} style={{ bottom: `${100 * tick.place}%` }}>
          {tick.text}
        </span>
      ))}
    </div>
  );
});

function isApart({ place }: { readonly place: number }, i: number, all: readonly { readonly place: number }[]) {
  return i === 0 || place - (all[i - 1]?.place ?? -1) > NEAR;
}

/** Round values between two limits; of a logarithmic scale 1, 2 and 5 of each power of ten. */
function ticksOf(low: number, high: number, scale: Scale): number[] {
  if (scale !== "log") return ticks(low, high, TICKS);
  const powers = ticks(Math.floor(Math.log10(low)), Math.ceil(Math.log10(high)), TICKS).filter(Number.isInteger);
  const steps = powers.length > 3 ? [1] : [1, 2, 5];
  return powers
    .flatMap((power) => steps.map((step) => step * 10 ** power))
    .filter((value) => value >= low && value <= high);
}
