import { checkGeometry, type DetectorInfo, type SensorGeometry } from "../core/detector.ts";
import { SaclaError } from "../core/errors.ts";
import { asInteger } from "../core/guards.ts";
import { asImage, type PreciseImage } from "../core/ndarray.ts";
import { direction } from "./placement.ts";

/**
 * The geometry of a sensor, checked.
 * @throws BAD_GEOMETRY when there is none, it is not finite, or the detector's halves are open
 * @throws BAD_ARGUMENT when xsize or ysize is not a positive whole number
 */
export function geometryOf(info: DetectorInfo): SensorGeometry {
  asInteger(`xsize of sensor ${info.id}`, info.xsize, 1);
  asInteger(`ysize of sensor ${info.id}`, info.ysize, 1);
  const { geometry } = checkGeometry(info);
  if (geometry === null) {
    throw new SaclaError(
      "BAD_GEOMETRY",
      `Sensor ${info.id} has no geometry: only MPCCD and CITIUS sensors have one. Look at its image as it is.`,
      {
        details: { sensor: info.id },
      },
    );
  }
  if (geometry.manipulatorShiftUm !== 0) {
    throw new SaclaError(
      "BAD_GEOMETRY",
      `The halves of the detector are open by ${geometry.manipulatorShiftUm} µm (manipulatorShiftUm ` +
        `of sensor ${info.id}), and which way and how far this sensor went is not in its information. ` +
        "Add cos(stage direction) × shift weight × shift to posXUm, and the same with sin to posYUm, " +
        "then set manipulatorShiftUm to 0. Without that its sensors can be looked at one by one, and converted with " +
        "the format dataconvert.",
      { details: { sensor: info.id, manipulatorShiftUm: geometry.manipulatorShiftUm } },
    );
  }
  return geometry;
}

/** Centres of all pixels of a sensor, in µm from the beam; both of shape [ysize, xsize]. */
export interface PixelPositions {
  /** To the right looking from the source. */
  readonly x: PreciseImage;
  /** Up. */
  readonly y: PreciseImage;
}

/**
 * Where each pixel of a sensor lies: the centre of pixel (row, column) is
 * position + (column + ½)·(cos a, sin a)·pixelSizeX + (row + ½)·(sin a, −cos a)·pixelSizeY.
 *
 * @returns x and y in µm from the beam in the frame of the detector API, shape [ysize, xsize]
 * @throws BAD_GEOMETRY when the geometry is absent, not finite, or the halves are open
 * @example
 * const { x, y } = pixelPositions(info);
 * const radiusUm = Math.hypot(x.get(row, column), y.get(row, column));
 */
export function pixelPositions(info: DetectorInfo): PixelPositions {
  return places(info, info.ysize, info.xsize, 0.5);
}

/** Places of the corners of all pixels, as {@link pixelPositions}; shape [ysize + 1, xsize + 1]. */
export function pixelCorners(info: DetectorInfo): PixelPositions {
  return places(info, info.ysize + 1, info.xsize + 1, 0);
}

function places(info: DetectorInfo, rows: number, columns: number, offset: number): PixelPositions {
  const g = geometryOf(info);
  const { cos, sin } = direction(g.rotationDeg);
  const x = new Float64Array(rows * columns);
  const y = new Float64Array(rows * columns);
  for (let r = 0, i = 0; r < rows; r++) {
    const down = (r + offset) * g.pixelSizeYUm;
    for (let c = 0; c < columns; c++, i++) {
      const along = (c + offset) * g.pixelSizeXUm;
      x[i] = g.posXUm + along * cos + down * sin;
      y[i] = g.posYUm + along * sin - down * cos;
    }
  }
  return { x: asImage(x, rows, columns), y: asImage(y, rows, columns) };
}
