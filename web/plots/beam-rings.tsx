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
        return (
          <SvgElement>
            <g className="rings" fill="none" stroke="#fff" data-rings={rings.length}>
              <path
                d={`M${centre.x - CROSS} ${centre.y}h${2 * CROSS}M${centre.x} ${centre.y - CROSS}v${2 * CROSS}`}
                data-beam={`${beam.row} ${beam.column}`}
              />
              <Tick x={centre.x} y={canvasSize.height - 4} text={`0 ${unitTexts[unit]}`} />
              {rings.map(({ value, radius, dAngstrom }) => (
                <g key={value} data-ring={value} data-radius={radius}>
                  <circle cx={centre.x} cy={centre.y} r={radius * scale} strokeOpacity={0.6} />
                  {dAngstrom === null ? null : (
                    <Tick x={centre.x} y={centre.y - radius * scale - 3} text={`${dAngstrom.toPrecision(3)} Å`} />
                  )}
                  {[-1, 1].map((sign) => (
                    <g key={sign}>
                      <Tick x={centre.x + sign * radius * scale} y={canvasSize.height - 4} text={String(value)} />
                      <Tick x={14} y={centre.y + sign * radius * scale} text={String(value)} />
                    </g>
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

function Tick({ x, y, text }: { x: number; y: number; text: string }) {
  return (
    <text x={x} y={y} textAnchor="middle" fontSize="11" fill="#fff" stroke="#000" strokeWidth="2.5" paintOrder="stroke">
      {text}
    </text>
  );
}
