import { groupDetectors } from "../../core/detectors.ts";
import type { CitiusSensor } from "../../transport/citius-methods.ts";

/**
 * The CITIUS sensors among detectors, by number: the last three digits of a long name; a detector of one sensor, such
 * as `CITIUS1`, is number 0.
 */
export function citiusSensors(detIds: readonly string[]): CitiusSensor[] {
  const own = detIds.filter((id) => id.startsWith("CITIUS"));
  const sensors = groupDetectors(own).flatMap((group) => group.sensors);
  const numbered = sensors.flatMap((detId) => {
    const digits = /-(\d{3})$/.exec(detId)?.[1];
    return digits === undefined ? [] : [{ detId, sensorId: Number(digits) }];
  });
  const [single] = own;
  if (numbered.length === 0 && single !== undefined && own.length === 1) return [{ detId: single, sensorId: 0 }];
  return numbered.sort((a, b) => a.sensorId - b.sensorId);
}
