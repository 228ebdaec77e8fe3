import type { SensorGeometry } from "../core/detector.ts";
import type { Roi } from "../core/roi.ts";
import type { Assembler } from "../ip/index.ts";

/** Where the beam is on a picture, and where the places of the picture are from the beam. */
export interface BeamPlace {
  /** In pixels of the picture; of a sensor beside the beam outside of it. */
  readonly row: number;
  readonly column: number;
  readonly pixelSizeUm: number;
  /** X to the right as seen from the source, Y up. */
  toUm(row: number, column: number): { readonly xUm: number; readonly yUm: number };
}

export function beamOnAssembled(assembler: Assembler): BeamPlace {
  const { width, height, pixelSizeUm } = assembler;
  return {
    row: height / 2,
    column: width / 2,
    pixelSizeUm,
    toUm: (row, column) => assembler.imageToMicrometres(column, row),
  };
}

/** On the image of one sensor; null when it is not known, or when its pixels are no squares. */
export function beamOnSensor(geometry: SensorGeometry | null): BeamPlace | null {
  if (geometry === null || geometry.manipulatorShiftUm !== 0) return null;
  const { posXUm, posYUm, rotationDeg, pixelSizeXUm: size } = geometry;
  if (geometry.pixelSizeYUm !== size) return null;
  const turn = (rotationDeg * Math.PI) / 180;
  const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
  // Columns run along (cos, sin), rows along (sin, −cos).
  return {
    row: (posYUm * cos - posXUm * sin) / size,
    column: -(posXUm * cos + posYUm * sin) / size,
    pixelSizeUm: size,
    toUm: (row, column) => ({
      xUm: posXUm + size * (column * cos + row * sin),
      yUm: posYUm + size * (column * sin - row * cos),
    }),
  };
}

/** The least and the greatest distance from the beam in a part of a picture. */
export function distancesIn(beam: BeamPlace, { rows, columns }: Roi): readonly [fromUm: number, toUm: number] {
  const outside = (at: number, [from, to]: readonly [number, number]): number => Math.max(0, from - at, at - to);
  const furthest = (at: number, [from, to]: readonly [number, number]): number => Math.max(at - from, to - at);
  return [
    beam.pixelSizeUm * Math.hypot(outside(beam.row, rows), outside(beam.column, columns)),
    beam.pixelSizeUm * Math.hypot(furthest(beam.row, rows), furthest(beam.column, columns)),
  ];
}
