import type { DetectorInfo, SensorGeometry } from "../../core/detector.ts";
import { CITIUS_SIZE, type ReconstInfo } from "../../transport/citius-methods.ts";

/** e⁻/ADU: 40, and 1 on beamline 2 before run 228000 (ostrich). No call tells it. */
export function citiusGain(bl: number, run: number): number {
  return bl === 2 && run < 228_000 ? 1 : 40;
}

/**
 * What `read_reconstinfo` says as the {@link DetectorInfo} an Assembler takes. That corner and angle mean the same as
 * for an MPCCD is an inference: ostrich treats both alike.
 */
export function toDetectorInfo(detId: string, info: ReconstInfo, absGain: number): DetectorInfo {
  return {
    id: detId,
    ...CITIUS_SIZE,
    absGain,
    geometry: {
      posXUm: info.position_x,
      posYUm: info.position_y,
      posZUm: info.position_z,
      rotationDeg: info.position_theta,
      pixelSizeXUm: info.pixel_size_x,
      pixelSizeYUm: info.pixel_size_y,
      manipulatorShiftUm: 0,
    },
  };
}

/** The other way round. */
export function toReconstInfo(g: SensorGeometry): ReconstInfo {
  return {
    pixel_size_x: g.pixelSizeXUm,
    pixel_size_y: g.pixelSizeYUm,
    position_x: g.posXUm,
    position_y: g.posYUm,
    position_z: g.posZUm,
    position_theta: g.rotationDeg,
  };
}
