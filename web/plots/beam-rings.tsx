import { DataToHtml, SvgElement, useVisCanvasContext } from "@h5web/lib";
import { useMemo } from "react";
import { Vector3 } from "three";
import type { CallResult } from "../../src/transport/methods.ts";

type Frame = CallResult<"page.picture">;
export type Rings = Frame["rings"];

const unitTexts = { r_mm: "mm", "2th_deg": "°", "q_A^-1": "Å⁻¹" } as const;
/** Half of the cross at the beam, in pixels of the screen. */
const CROSS = 8;

/** Where the beam is, rings round it at round values of an axis, and the axis at two edges of the picture. */
export function BeamRings({
  rings: { unit, rings },
  beam,
}: {
  readonly rings: NonNullable<Rings>;
  readonly beam: NonNullable<Frame["picture"]["beam"]>;
}) {
  const { canvasSize } = useVisCanvasContext();
  const points = useMemo(
    () => [new Vector3(beam.column, beam.row), new Vector3(beam.column + 1000, beam.row)] as [Vector3, Vector3],
    [beam.column, beam.row],
  );
  return (
    <DataToHtml points={points}>
      {(centre, side) => {
        const scale = (side.x - centre.x) / 1000;
        const isBeamSeen = isInside(centre.x, centre.y, canvasSize);
        return (
          <SvgElement>
            <g className="rings" fill="none" stroke="#fff" data-rings={rings.length}>
              <path
                d={`M${centre.x - CROSS} ${centre.y}h${2 * CROSS}M${centre.x} ${centre.y - CROSS}v${2 * CROSS}`}
                data-beam={`${beam.row} ${beam.column}`}
              />
              {isBeamSeen ? (
                <Tick x={centre.x} y={canvasSize.height - 4} text={`0 ${unitTexts[unit]}`} />
              ) : (
                <Tick x={canvasSize.width - 14} y={14} text={unitTexts[unit]} />
              )}
              {rings.map(({ value, radius, dAngstrom }) => (
                <g key={value} data-ring={value} data-radius={radius}>
                  <circle cx={centre.x} cy={centre.y} r={radius * scale} strokeOpacity={0.6} />
                  {dAngstrom === null || !isBeamSeen ? null : (
                    <Tick x={centre.x} y={centre.y - radius * scale - 3} text={`${dAngstrom.toPrecision(3)} Å`} />
                  )}
                  {(isBeamSeen ? axisTicks : edgeTicks)(centre, radius * scale, canvasSize).map(([x, y]) => (
                    <Tick
                      key={`${x} ${y}`}
                      x={x}
                      y={y}
                      text={
                        isBeamSeen || dAngstrom === null ? String(value) : `${value} (${dAngstrom.toPrecision(3)} Å)`
                      }
                    />
                  ))}
                </g>
              ))}
            </g>
          </SvgElement>
        );
      }}
    </DataToHtml>
  );
}

interface Size {
  readonly width: number;
  readonly height: number;
}
type Point = readonly [x: number, y: number];

function isInside(x: number, y: number, { width, height }: Size): boolean {
  return x >= 0 && x <= width && y >= 0 && y <= height;
}

/** Where a ring would cut an axis through the beam, drawn at the lower and the left edge. */
function axisTicks({ x, y }: { x: number; y: number }, radius: number, { height }: Size): Point[] {
  return [-1, 1].flatMap((sign): Point[] => [
    [x + sign * radius, height - 4],
    [14, y + sign * radius],
  ]);
}

/** Where a ring leaves the picture, when the beam is outside of it. */
function edgeTicks({ x, y }: { x: number; y: number }, radius: number, size: Size): Point[] {
  const half = (away: number): number => Math.sqrt(radius * radius - away * away);
  const { width, height } = size;
  const all = [-1, 1].flatMap((sign): Point[] => [
    [x + sign * half(height - 6 - y), height - 6],
    [x + sign * half(14 - y), 14],
    [30, y + sign * half(30 - x)],
    [width - 30, y + sign * half(width - 30 - x)],
  ]);
  // NaN, where the ring does not meet the edge, is not inside.
  return all.filter(([px, py]) => isInside(px, py, size));
}

function Tick({ x, y, text }: { x: number; y: number; text: string }) {
  return (
    <text x={x} y={y} textAnchor="middle" fontSize="11" fill="#fff" stroke="#000" strokeWidth="2.5" paintOrder="stroke">
      {text}
    </text>
  );
}
