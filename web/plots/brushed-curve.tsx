import {
  AxialSelectionTool,
  Pan,
  ResetZoomButton,
  SelectToZoom,
  SvgElement,
  SvgRect,
  useDomain,
  VisCanvas,
  Zoom,
} from "@h5web/lib";
import { useMemo } from "react";
import { Points } from "./curve.tsx";
import { DisposeUnused } from "./dispose-unused.tsx";
import { KeyboardView } from "./keyboard-view.tsx";
import { tickText } from "./ticks.ts";

interface Props {
  readonly title: string;
  readonly x: readonly number[];
  readonly y: Float64Array;
  readonly xLabel: string;
  readonly yLabel: string;
  /** A range of values that has been marked with Shift+drag. */
  readonly onRange: (low: number, high: number) => void;
}

/** A signal over a run, on which a range of values can be marked. */
export function BrushedCurve({ title, x, y, xLabel, yLabel, onRange }: Props) {
  const found = useDomain(useMemo(() => Array.from(y), [y]));
  const [low, high] = found ?? [0, 1];
  const margin = (high - low) * 0.05 || 0.5;
  const domain = useMemo(() => [low - margin, high + margin] as [number, number], [low, high, margin]);
  const range = useMemo(() => [x[0] ?? 0, Math.max(x.at(-1) ?? 1, (x[0] ?? 0) + 1)] as [number, number], [x]);
  const abscissas = useMemo(() => [...x], [x]);
  return (
    <figure className="curve" aria-label={title}>
      <figcaption>{title}</figcaption>
      {found === undefined ? (
        <p role="status">no shot has a number</p>
      ) : (
        <VisCanvas
          abscissaConfig={{ visDomain: range, showGrid: true, label: xLabel, formatTick: tickText }}
          ordinateConfig={{ visDomain: domain, showGrid: true, label: yLabel, formatTick: tickText }}
        >
          <Pan />
          <Zoom />
          <SelectToZoom modifierKey="Control" />
          <ResetZoomButton />
          <KeyboardView />
          <Points x={abscissas} y={y} />
          <DisposeUnused />
          <AxialSelectionTool
            axis="y"
            modifierKey="Shift"
            onValidSelection={({ data: [start, end] }) => onRange(Math.min(start.y, end.y), Math.max(start.y, end.y))}
          >
            {({ html }) => (
              <SvgElement>
                <SvgRect coords={html} stroke="#fff" fill="#fff3" />
              </SvgElement>
            )}
          </AxialSelectionTool>
        </VisCanvas>
      )}
    </figure>
  );
}
