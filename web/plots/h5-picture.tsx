import {
  DefaultInteractions,
  HeatmapMesh,
  ResetZoomButton,
  ScaleType,
  TooltipMesh,
  useDomain,
  VisCanvas,
} from "@h5web/lib";
import ndarray from "ndarray";
import { useMemo } from "react";
import type { CallResult } from "../../src/transport/methods.ts";
import { ColourBar } from "./colour-bar.tsx";
import { KeyboardView } from "./keyboard-view.tsx";
import { tickText } from "./ticks.ts";

/** A picture of a dataset, every `step`-th value. */
export function H5Picture({
  data: { shape, values, step },
  textOf,
}: {
  readonly data: CallResult<"page.h5Data">;
  /** How a value is written. */
  readonly textOf: (value: number) => string;
}) {
  const array = useMemo(() => ndarray(Float32Array.from(values), [...shape]), [values, shape]);
  const domain = useDomain(array) ?? [0, 1];
  const [rows, columns] = shape;
  return (
    <figure className="picture h5-picture" data-keep-canvas-colors aria-label="picture">
      <VisCanvas
        aspect="equal"
        abscissaConfig={{ visDomain: [0, columns * step], label: "column", formatTick: tickText }}
        ordinateConfig={{ visDomain: [0, rows * step], label: "row", flip: true, formatTick: tickText }}
      >
        <DefaultInteractions />
        <ResetZoomButton />
        <KeyboardView />
        <TooltipMesh
          guides="both"
          renderTooltip={(x, y) => {
            const [row, column] = [Math.floor(y / step), Math.floor(x / step)];
            const value = row < 0 || column < 0 || row >= rows || column >= columns ? null : array.get(row, column);
            return value === null ? null : `row ${row * step}, column ${column * step}: ${textOf(value)}`;
          }}
        />
        <HeatmapMesh
          values={array}
          domain={domain}
          scaleType={ScaleType.Linear}
          colorMap="Viridis"
          scale={[1, -1, 1]}
        />
      </VisCanvas>
      <ColourBar domain={domain} scale="linear" colourMap="Viridis" />
    </figure>
  );
}
