import { isRecord } from "../core/guards.ts";

/** Numbers of a result that tell runs apart, by `reducer/sensor/what`. */
export type ResultSummary = Readonly<Record<string, number>>;

/**
 * Every single number of a result, and of every array its mean, left out what is no number (`average/SENSOR/mean`).
 * Lists of tags say nothing of a run.
 */
export function summaryOf(result: Readonly<Record<string, unknown>>): ResultSummary {
  const found: Record<string, number> = {};
  add(found, "", result);
  return found;
}

function add(found: Record<string, number>, path: string, value: unknown): void {
  const name = path.slice(1);
  if (typeof value === "number") {
    if (Number.isFinite(value)) found[name] = value;
  } else if (typeof value === "boolean") found[name] = Number(value);
  else if (ArrayBuffer.isView(value)) addMean(found, name, value);
  else if (isRecord(value)) {
    // An ndarray: its own numbers of shape and stride are no result.
    if (ArrayBuffer.isView(value["data"])) addMean(found, name, value["data"]);
    else for (const [key, entry] of Object.entries(value)) add(found, `${path}/${key}`, entry);
  }
}

function addMean(found: Record<string, number>, name: string, array: ArrayBufferView): void {
  if (/(^|\/)tags$/.test(name) || array instanceof DataView) return;
  const values = array as unknown as ArrayLike<number | bigint>;
  let [sum, count] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    const x = Number(values[i] ?? NaN);
    if (!Number.isFinite(x)) continue;
    sum += x;
    count++;
  }
  if (count > 0) found[`${name}/mean`] = sum / count;
}
