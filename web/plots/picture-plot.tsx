import {
  DataToHtml,
  Pan,
  ResetZoomButton,
  SelectionTool,
  SelectToZoom,
  SvgElement,
  SvgRect,
  useCameraState,
  useCanvasEvent,
  useVisCanvasContext,
  VisCanvas,
  Zoom,
} from "@h5web/lib";
import { memo, useEffect, useMemo, useRef } from "react";
import { Vector3 } from "three";
import type { Roi } from "../../src/core/roi.ts";
import type { CallResult } from "../../src/transport/methods.ts";
import { BeamRings, type Rings } from "./beam-rings.tsx";
import { HeatMap } from "./heat-map.tsx";
import { KeyboardView } from "./keyboard-view.tsx";
import type { PartPlace } from "./levels.ts";
import { roiColours } from "./roi-colours.ts";
import { tickText } from "./ticks.ts";

/** After the last move of the wheel, before the part now seen is asked for. */
const SETTLE_MS = 150;

export interface PlotProps {
  readonly rows: number;
  readonly columns: number;
  /** Of `useLevels`. */
  readonly canvas: HTMLCanvasElement;
  readonly place: PartPlace;
  readonly beam: CallResult<"page.picture">["picture"]["beam"];
  readonly rois: readonly Roi[];
  /** Drawn round the beam, with the axis at the edges; null: not. */
  readonly rings: Rings;
  readonly onRoi: (roi: Roi) => void;
  /** The part that is seen; null: all of it. */
  readonly onRegion: (region: Roi | null) => void;
  readonly onPoint: (row: number, column: number) => void;
}

/** Axes, and what is drawn over a picture: as it is when a newer picture comes, for to draw it anew takes the longest. */
export const PicturePlot = memo(function PicturePlot({
  rows,
  columns,
  canvas,
  place,
  beam,
  rings,
  rois,
  ...tell
}: PlotProps) {
  return (
    <VisCanvas
      aspect="equal"
      showAxes={!isNarrow()}
      abscissaConfig={{
        visDomain: useMemo(() => [0, columns], [columns]),
        label: "column / pixel",
        formatTick: tickText,
      }}
      ordinateConfig={{
        visDomain: useMemo(() => [0, rows], [rows]),
        label: "row / pixel",
        flip: true,
        formatTick: tickText,
      }}
    >
      <Pan />
      <Zoom />
      <SelectToZoom modifierKey="Control" />
      <ResetZoomButton />
      <KeyboardView />
      <HeatMap canvas={canvas} place={place} />
      <Pointer onPoint={tell.onPoint} />
      <Seen rows={rows} columns={columns} onRegion={tell.onRegion} />
      {rois.map((roi, i) => (
        <Rectangle key={`${roi.rows} ${roi.columns}`} roi={roi} colour={roiColours[i] ?? "#fff"} />
      ))}
      {rings === null || beam === null ? null : <BeamRings rings={rings} beam={beam} />}
      <SelectionTool
        modifierKey="Shift"
        onValidSelection={({ data: [start, end] }) => {
          const roi = roiOf(start, end, [rows, columns]);
          if (roi !== null) tell.onRoi(roi);
        }}
      >
        {({ html }) => (
          <SvgElement>
            <SvgRect coords={html} stroke="#fff" fill="#fff3" />
          </SvgElement>
        )}
      </SelectionTool>
    </VisCanvas>
  );
});

/** On a phone the axes would take half of the room. */
function isNarrow(): boolean {
  return matchMedia("(max-width: 600px)").matches;
}

function Pointer({ onPoint }: Pick<PlotProps, "onPoint">) {
  useCanvasEvent("pointermove", ({ dataPt, sourceEvent }) => {
    if (sourceEvent.buttons === 0) onPoint(Math.floor(dataPt.y), Math.floor(dataPt.x));
  });
  return null;
}

/** Tells which part is seen, when it has been at rest for a moment. */
function Seen({ rows, columns, onRegion }: Pick<PlotProps, "rows" | "columns" | "onRegion">) {
  const { getVisibleDomains } = useVisCanvasContext();
  const seen = useCameraState(
    (camera) => {
      const { xVisibleDomain, yVisibleDomain } = getVisibleDomains(camera);
      return [...yVisibleDomain, ...xVisibleDomain].map(Math.round).join(" ");
    },
    [getVisibleDomains],
  );
  const tell = useRef(onRegion);
  tell.current = onRegion;
  useEffect(() => {
    const timer = setTimeout(() => {
      const [a = 0, b = 0, c = 0, d = 0] = seen.split(" ").map(Number);
      const roi = roiOf(new Vector3(c, a), new Vector3(d, b), [rows, columns]);
      const isWhole = roi === null || (roi.rows[1] - roi.rows[0] >= rows && roi.columns[1] - roi.columns[0] >= columns);
      tell.current(isWhole ? null : roi);
    }, SETTLE_MS);
    return () => clearTimeout(timer);
  }, [seen, rows, columns]);
  return null;
}

function Rectangle({ roi, colour }: { readonly roi: Roi; readonly colour: string }) {
  const points = useMemo(
    () => [new Vector3(roi.columns[0], roi.rows[0]), new Vector3(roi.columns[1], roi.rows[1])] as [Vector3, Vector3],
    [roi],
  );
  return (
    <DataToHtml points={points}>
      {(start, end) => (
        <SvgElement>
          <SvgRect coords={[start, end]} stroke={colour} strokeWidth={2} fill="none" />
        </SvgElement>
      )}
    </DataToHtml>
  );
}

/** The rectangle between two points, in whole pixels inside the picture; null: none. */
function roiOf(start: Vector3, end: Vector3, [rows, columns]: readonly [number, number]): Roi | null {
  const range = (a: number, b: number, size: number): [number, number] => [
    Math.max(0, Math.min(size, Math.floor(Math.min(a, b)))),
    Math.max(0, Math.min(size, Math.ceil(Math.max(a, b)))),
  ];
  const roi: Roi = { rows: range(start.y, end.y, rows), columns: range(start.x, end.x, columns) };
  return roi.rows[0] < roi.rows[1] && roi.columns[0] < roi.columns[1] ? roi : null;
}
