import type { DetectorInfo } from "../core/detector.ts";
import { SaclaError, showList } from "../core/errors.ts";
import { type CrystfelPanel, parseCrystfelGeom } from "./crystfel-read.ts";
import { number, readBlocks } from "./crystfel-text.ts";
import { fixed, vectorText } from "./crystfel-write.ts";
import { geometryOf } from "./geometry.ts";
import { direction } from "./placement.ts";

/**
 * A CrystFEL geometry file with its panels moved to where the sensors are; every other line, comment and path stays as
 * it is, so that a refined geometry goes back into the file it came from. Panels whose sensor lies as the file says
 * keep their lines to the last digit. Leans stay, and mirrored panels stay mirrored.
 *
 * @param text - the file, as {@link parseCrystfelGeom} reads it
 * @param sensors - of some or all panels, with the panels' names as ids
 * @throws BAD_ARGUMENT when the file has no panel of a sensor's name
 * @throws BAD_TEXT, BAD_GEOMETRY as {@link parseCrystfelGeom}
 * @example
 * const { sensors } = parseCrystfelGeom(text);
 * await writeFile("refined.geom", updateCrystfelGeom(text, sensors.map(moved)));
 */
export function updateCrystfelGeom(text: string, sensors: readonly DetectorInfo[]): string {
  const before = parseCrystfelGeom(text);
  const lines = text.split(/\r\n?|\n/);
  const blocks = new Map(readBlocks(text).panels.map((block) => [block.name, block]));
  const added: string[] = [];
  for (const info of sensors) {
    const i = before.panels.findIndex(({ name }) => name === info.id);
    const [panel, old, block] = [before.panels[i], before.sensors[i], blocks.get(info.id)];
    if (panel === undefined || old === undefined || block === undefined)
      throw new SaclaError(
        "BAD_ARGUMENT",
        `The CrystFEL geometry has no panel ${info.id}; it has ${showList(before.panels.map(({ name }) => name))}.`,
      );
    if (JSON.stringify(old.geometry) === JSON.stringify(info.geometry)) continue;
    const now = placed(info, panel, 1e6 / number(block, "res"));
    const then = placed(old, panel, 1e6 / number(block, "res"));
    // A shift of the whole detector in the file holds for the new corners too.
    const shift = {
      x: number(block, "corner_x") - then.corner.x,
      y: number(block, "corner_y") - then.corner.y,
    };
    const values = {
      corner_x: fixed(now.corner.x + shift.x, 9),
      corner_y: fixed(now.corner.y + shift.y, 9),
      coffset: fixed(now.coffset, 12),
      fs: now.fs,
      ss: now.ss,
    };
    for (const [key, value] of Object.entries(values)) {
      const at = (block.entries.get(key)?.line ?? 0) - 1;
      const own = new RegExp(`^(\\s*${escaped(info.id)}\\s*/\\s*${key}\\s*=\\s*)([^;]*?)(\\s*(?:;.*)?)$`);
      const line = lines[at];
      if (line !== undefined && own.test(line))
        lines[at] = line.replace(own, (_, head, __, tail) => head + value + tail);
      else added.push(`${info.id}/${key} = ${value}`);
    }
  }
  if (added.length === 0) return lines.join("\n");
  return `${lines.join("\n").trimEnd()}\n\n${added.join("\n")}\n`;
}

/** A sensor as its panel is written. */
function placed(info: DetectorInfo, { isMirrored, lean }: CrystfelPanel, pixelUm: number) {
  const g = geometryOf(info);
  const { cos, sin } = direction(g.rotationDeg);
  const [wide, high] = [g.pixelSizeXUm / pixelUm, g.pixelSizeYUm / pixelUm];
  const ss = { x: -sin * high, y: -cos * high };
  const rowsBack = isMirrored ? info.ysize : 0;
  const turn = isMirrored ? -1 : 1;
  return {
    corner: { x: -g.posXUm / pixelUm + rowsBack * ss.x, y: g.posYUm / pixelUm + rowsBack * ss.y },
    coffset: -g.posZUm / 1e6,
    fs: vectorText(-cos * wide, sin * wide, lean[0]),
    ss: vectorText(turn * ss.x, turn * ss.y, lean[1]),
  };
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
