import { DataToHtml } from "@h5web/lib";
import { useThree } from "@react-three/fiber";
import { useLayoutEffect, useMemo } from "react";
import { Vector3 } from "three";
import type { PartPlace } from "./levels.ts";

/** A canvas of {@link useLevels} at its place in the whole picture, under what @h5web/lib draws. */
export function HeatMap({ canvas, place }: { readonly canvas: HTMLCanvasElement; readonly place: PartPlace }) {
  const above = useThree((state) => state.gl.domElement);
  useLayoutEffect(() => {
    above.before(canvas);
    return () => canvas.remove();
  }, [canvas, above]);
  const points = useMemo((): [Vector3, Vector3] => {
    const { rows, columns } = place;
    return [new Vector3(columns[0], rows[0]), new Vector3(columns[1], rows[1])];
  }, [place]);
  return (
    <DataToHtml points={points}>
      {(start, end) => <Place canvas={canvas} place={[start.x, start.y, end.x - start.x, end.y - start.y]} />}
    </DataToHtml>
  );
}

function Place({ canvas, place: [left, top, width, height] }: { canvas: HTMLCanvasElement; place: Box }) {
  useLayoutEffect(() => {
    for (const [name, value] of Object.entries({ left, top, width, height }))
      canvas.style.setProperty(name, `${value}px`);
  }, [canvas, left, top, width, height]);
  return null;
}

type Box = readonly [left: number, top: number, width: number, height: number];
