import { throwIfAborted } from "../core/async.ts";
import type { DetectorInfo } from "../core/detector.ts";
import { SaclaError } from "../core/errors.ts";
import { whyNoImage } from "../core/image-states.ts";
import type { StreamOptions } from "../transport/endpoint.ts";
import type { CallResult, Frame, ShotFrames, StreamParams } from "../transport/methods.ts";
import { CompositeImages } from "./composite-image.ts";
import type { DataSource } from "./data-source.ts";
import { FrameReader } from "./frame-reader.ts";
import { checkTag, type SourceChecks } from "./source-checks.ts";
import { Turns } from "./turns.ts";

/** Images of runs that have stopped. */
export class StoredImages {
  readonly #source: DataSource;
  readonly #checks: SourceChecks;
  readonly #composites = new CompositeImages();

  constructor(source: DataSource, checks: SourceChecks) {
    this.#source = source;
    this.#checks = checks;
  }

  /** `st.collect`: one image of a sensor, or of all sensors put together. */
  async collect(detId: string, bl: number, runs: readonly number[], tag: number): Promise<CallResult<"st.collect">> {
    const run = await this.#checks.runWithTag(bl, runs, tag);
    const { sensors } = (await this.#checks.detectors(bl, run)).find(detId);
    await this.#checks.checkReady(bl, run, sensors);
    if (sensors.length === 1) return await this.#collectSensor(bl, run, sensors[0] ?? detId, tag);
    const infos = async (): Promise<DetectorInfo[]> =>
      await Promise.all(sensors.map(async (id) => await this.#checks.detectorInfo(bl, run, id)));
    const assembler = await this.#composites.assembler(`${bl} ${run} ${detId}`, infos);
    const images: Float32Array[] = [];
    for (const id of sensors) images.push((await this.#collectSensor(bl, run, id, tag)).frame.data);
    const { data, shape } = assembler.assemble(images);
    const [ysize = 0, xsize = 0] = shape;
    const { absGain } = assembler.sensors[0] ?? { absGain: null };
    return {
      run,
      tag,
      info: { id: detId, xsize, ysize, absGain, geometry: null },
      frame: { detId, shape: [ysize, xsize], data },
    };
  }

  async #collectSensor(bl: number, run: number, detId: string, tag: number): Promise<CallResult<"st.collect">> {
    const info = await this.#checks.detectorInfo(bl, run, detId);
    // Not zeroed, for it is filled or not given at all; to zero it takes a fifth of the time of a read.
    const data = new Float32Array(
      Buffer.allocUnsafeSlow(info.ysize * info.xsize * Float32Array.BYTES_PER_ELEMENT).buffer,
    );
    if (!(await this.#source.readFrame(bl, run, detId, tag, data))) {
      throw new SaclaError("FRAME_MISSING", `${detId} has no image for tag ${tag} of run ${run}.`, {
        details: { detId, run, tag },
      });
    }
    return { run, tag, info, frame: { detId, shape: [info.ysize, info.xsize], data } };
  }

  /** Null when the reader has the image now, else why there is none: one bad image stops no pass over the others. */
  async #readFrame(bl: number, run: number, reader: FrameReader, tag: number): Promise<string | null> {
    try {
      const isRead = await this.#source.readFrame(bl, run, reader.info.id, tag, reader.target());
      return isRead ? null : "frame-missing";
    } catch (error) {
      const why = whyNoImage(error);
      if (why === undefined) throw error;
      return why;
    }
  }

  /** `st.frames`: shot by shot. */
  async *frames(
    params: StreamParams<"st.frames">,
    options: StreamOptions,
  ): AsyncGenerator<ShotFrames, void, undefined> {
    const { bl, run, detIds, tags, roi } = params;
    const readers: FrameReader[] = [];
    for (const detId of detIds)
      readers.push(new FrameReader(await this.#checks.detectorInfo(bl, run, detId), roi, options.memory));
    await this.#checks.checkReady(bl, run, detIds);
    const range = await this.#source.runInfo(bl, run);
    for (const tag of tags) checkTag(bl, run, tag, range);
    const turns = new Turns();
    for (const tag of tags) {
      if (turns.isOver) await turns.next(options.signal);
      throwIfAborted(options.signal);
      const frames: Frame[] = [];
      const missing: ShotFrames["missing"] = [];
      // At once: a source may read, fetch or decompress them side by side.
      const found = await Promise.all(readers.map(async (reader) => await this.#readFrame(bl, run, reader, tag)));
      for (const [i, reader] of readers.entries()) {
        const reason = found[i];
        if (reason === null || reason === undefined) frames.push(reader.frame());
        else missing.push({ detId: reader.info.id, reason });
      }
      yield { tag, frames, missing };
    }
  }
}
