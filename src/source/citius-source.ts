import type { MaybePromise } from "../core/async.ts";
import { SaclaError, showList } from "../core/errors.ts";
import {
  CITIUS_SIZE,
  type CitiusMethod,
  type CitiusRunStatus,
  type CitiusSensor,
  type ReconstInfo,
} from "../transport/citius-methods.ts";
import type { CallParams, CallResult } from "../transport/methods.ts";

/**
 * The part of a `DataSource` that knows about CITIUS detectors. Their sensors stand among the source's `detectors` too,
 * and it gives their images and information as those of any other. Asked only about runs that exist.
 */
export interface CitiusSource {
  apiVersion(): string;
  runStatus(bl: number, run: number): MaybePromise<CitiusRunStatus>;
  /** By number; empty for a run without CITIUS. */
  sensors(bl: number, run: number): MaybePromise<readonly CitiusSensor[]>;
  /** Fills `out`, row-major: 1 is bad, 0 good. Asked only for sensors that the run has. */
  readBadpixelMask(bl: number, run: number, sensorId: number, out: Uint8Array): MaybePromise<void>;
  /** Asked only for sensors and tags that the run has. */
  reconstInfo(bl: number, run: number, sensorId: number, tag: number): MaybePromise<ReconstInfo>;
}

/** What the CITIUS methods need to know besides. */
interface CitiusParts {
  readonly name: string;
  readonly citius: CitiusSource | undefined;
  /** @throws UNKNOWN_BEAMLINE @throws UNKNOWN_RUN */
  checkRun(bl: number, run: number): Promise<unknown>;
  /** @throws TAG_OUTSIDE_RUN */
  checkTag(bl: number, run: number, tag: number): Promise<void>;
}

type Handlers = { readonly [M in CitiusMethod]: (params: CallParams<M>) => Promise<CallResult<M>> };

/** What answers the CITIUS methods. */
export function citiusHandlers(parts: CitiusParts): Handlers {
  const about = async ({ bl, run }: { bl: number; run: number }): Promise<CitiusSource> => {
    const citius = present(parts);
    await parts.checkRun(bl, run);
    return citius;
  };
  return {
    "citius.getApiVersion": async () => present(parts).apiVersion(),
    "citius.getRunstatus": async (of) => await (await about(of)).runStatus(of.bl, of.run),
    "citius.readSensors": async (of) => [...(await (await about(of)).sensors(of.bl, of.run))],
    "citius.readBadpixelMask": async (params) => {
      const citius = await about(params);
      await checkSensors(citius, params);
      const { bl, run, sensorIds } = params;
      const { xsize, ysize } = CITIUS_SIZE;
      const data = new Uint8Array(sensorIds.length * ysize * xsize);
      for (const [i, id] of sensorIds.entries())
        await citius.readBadpixelMask(bl, run, id, data.subarray(i * ysize * xsize, (i + 1) * ysize * xsize));
      return { shape: [sensorIds.length, ysize, xsize], data };
    },
    "citius.readReconstinfo": async (params) => {
      const citius = await about(params);
      await checkSensors(citius, params);
      const { bl, run, sensorIds, tag } = params;
      await parts.checkTag(bl, run, tag);
      const infos: ReconstInfo[] = [];
      for (const id of sensorIds) infos.push(await citius.reconstInfo(bl, run, id, tag));
      return infos;
    },
  };
}

function present({ name, citius }: CitiusParts): CitiusSource {
  if (citius !== undefined) return citius;
  throw new SaclaError("UNSUPPORTED", `${name} has no CITIUS. Ask the facility through its gateway, or try: sim:`);
}

/** @throws UNKNOWN_DETECTOR when the run has not all of the sensors */
async function checkSensors(
  citius: CitiusSource,
  { bl, run, sensorIds }: { bl: number; run: number; sensorIds: readonly number[] },
): Promise<void> {
  const known = (await citius.sensors(bl, run)).map((sensor) => sensor.sensorId);
  const unknown = sensorIds.find((id) => !known.includes(id));
  if (unknown === undefined) return;
  throw new SaclaError(
    "UNKNOWN_DETECTOR",
    `Run ${run} of beamline ${bl} has no CITIUS sensor ${unknown}; it has ${showList(known, 80)}.`,
    {
      details: { bl, run, sensorId: unknown, known },
    },
  );
}

/** @throws RUN_NOT_READY when one of the detectors is a CITIUS sensor whose images are still being calibrated */
export async function checkCalibrated(
  citius: CitiusSource | undefined,
  bl: number,
  run: number,
  detIds: readonly string[],
): Promise<void> {
  if (
    citius === undefined ||
    !detIds.some((id) => id.startsWith("CITIUS")) ||
    (await citius.runStatus(bl, run)) !== "wait-calib"
  )
    return;
  const sensors = await citius.sensors(bl, run);
  if (!sensors.some(({ detId }) => detIds.includes(detId))) return;
  throw new SaclaError(
    "RUN_NOT_READY",
    `The CITIUS images of run ${run} of beamline ${bl} are still being calibrated. Ask again in some minutes.`,
    {
      details: { bl, run, status: "wait-calib" },
    },
  );
}
