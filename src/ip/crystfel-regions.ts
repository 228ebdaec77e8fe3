import type { CrystfelGeom } from "./crystfel-read.ts";

/**
 * The pixels of a panel that the bad regions of a CrystFEL geometry exclude, as libcrystfel 0.12 has it: of a rectangle
 * of the laboratory frame, the pixels whose first corner lies inside, not on its edge.
 *
 * @param index - of the sensor in `geom.sensors`
 * @returns 1 for each excluded pixel, [ysize, xsize] of the sensor
 */
export function excludedPixels({ sensors, panels, badRegions }: CrystfelGeom, index: number): Uint8Array {
  const { id, xsize = 0, ysize = 0, geometry = null } = sensors[index] ?? {};
  const excluded = new Uint8Array(xsize * ysize);
  for (const region of badRegions) {
    if ("roi" in region) {
      if (region.sensor !== id) continue;
      const { rows, columns } = region.roi;
      for (let r = rows[0]; r < rows[1]; r++) excluded.fill(1, r * xsize + columns[0], r * xsize + columns[1]);
    } else if (geometry !== null) {
      const { isMirrored = false, unitUm = NaN } = panels[index] ?? {};
      const angle = (geometry.rotationDeg * Math.PI) / 180;
      const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
      // Numbers of a file have fewer digits: what lies on an edge stays there.
      const inUnits = (um: number): number => Math.round((um / unitUm) * 1e6) / 1e6;
      for (let r = 0; r < ysize; r++) {
        const along = (r + (isMirrored ? 1 : 0)) * geometry.pixelSizeYUm;
        for (let c = 0; c < xsize; c++) {
          const across = c * geometry.pixelSizeXUm;
          const x = inUnits(-geometry.posXUm - across * cos - along * sin);
          const y = inUnits(geometry.posYUm + across * sin - along * cos);
          if (x > region.minX && x < region.maxX && y > region.minY && y < region.maxY) excluded[r * xsize + c] = 1;
        }
      }
    }
  }
  return excluded;
}
