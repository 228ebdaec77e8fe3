import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isSaclaError } from "../../src/core/errors.ts";
import { imageStates } from "../../src/core/image-states.ts";
import { newPixels } from "../../src/core/ndarray.ts";
import { parseSyncValue, syncStatus } from "../../src/core/syncdb.ts";
import { type ControlMethod, isControlMethod } from "../../src/transport/control-methods.ts";
import type { Endpoint, FrameMemory } from "../../src/transport/endpoint.ts";
import {
  type CallMethod,
  type CallParams,
  callMethods,
  NEWEST_TAG,
  type RunInfo,
} from "../../src/transport/methods.ts";
import { isPageMethod, type PageMethod } from "../../src/transport/page-methods.ts";

/** A source under test, with the little that the contract must know of its content. */
export interface Subject {
  readonly name: string;
  open(): Promise<Endpoint>;
  readonly bl: number;
  /** A stopped run. */
  readonly run: number;
  /** A multi-sensor detector of the run. */
  readonly detector: string;
  /** A signal with numbers for some of the run's tags. */
  readonly signal: string;
  /** A sensor and a tag of the run for which it stored no image; null when the source has none. */
  readonly missing: { readonly detId: string; readonly tag: number } | null;
  /** A run that is still going on and one of its sensors; null when the source has none. */
  readonly running: { readonly run: number; readonly detId: string } | null;
}

/** Some subjects are programs of their own, which a busy computer takes its time to start. */
const SLOW_START_MS = 60_000;

/**
 * The first place where two images differ; −1 when they are the same. Not by toEqual: it takes a second for a million
 * pixels, five on a slow computer, after which an HTTP server closes a connection that has been idle.
 */
function firstDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) if (!Object.is(a[i], b[i])) return i;
  return -1;
}

/** What every Endpoint promises, whatever stands behind it. A new source or carrier calls this and nothing else. */
export function endpointContract(subject: Subject): void {
  const { bl, run, detector, signal } = subject;
  const sensor = `${detector}-1`;
  const of = { bl, run };

  describe(`the Endpoint contract over ${subject.name}`, () => {
    let endpoint: Endpoint;
    let info: RunInfo;
    let tags: Uint32Array;
    beforeAll(async () => {
      endpoint = await subject.open();
      info = await endpoint.call("db.readRuninfo", of);
      tags = await endpoint.call("db.readTaglistByrun", of);
    }, SLOW_START_MS);
    afterAll(async () => await endpoint.close());

    /** The code of the error that `method` answers with. */
    const codeOf = async (method: CallMethod, params: object): Promise<string> => {
      try {
        await endpoint.call(method, params as CallParams<typeof method>);
        return "no error";
      } catch (error) {
        return isSaclaError(error) ? error.code : String(error);
      }
    };

    it("answers every method of the table that asks; those that control have a contract of their own", async () => {
      const [hightag, tag] = [info.hightagnumber, tags[0] ?? 0];
      const params: { [M in Exclude<CallMethod, ControlMethod | PageMethod>]: CallParams<M> } = {
        "facility.describe": {},
        "db.getApiVersion": {},
        "db.listBeamlines": {},
        "db.listRuns": { bl, last: 3 },
        "db.readRunnumberNewest": { bl },
        "db.readRunstatus": of,
        "db.readRuninfo": of,
        "db.readComment": of,
        "db.readStarttime": of,
        "db.readStoptime": of,
        "db.readStartTagnumber": of,
        "db.readEndTagnumber": of,
        "db.readHightagnumber": of,
        "db.readHightagnumberFromtime": { time: "12:00:00", day: 20, month: 6, year: 2014 },
        "db.readTaglistByrun": of,
        "db.readTaglistBydetid": { ...of, detId: sensor },
        "db.readTaglist": { bl, hightag, starttag: tag, endtag: tag },
        "db.readTagnumberNewest": { equipId: signal },
        "db.readSyncdatalist": { equipId: signal, hightag, tags },
        "db.readSyncdatalistFloat": { equipId: signal, hightag, tags },
        "db.readColumns": { equipIds: [signal], hightag, tags },
        "db.readDetidlist": of,
        "db.readEquiplist": {},
        "db.readConfigPhotonenergy": of,
        "db.readConfigPhotonenergyInKeV": of,
        "db.readTimestampFromtag": { hightag, tag, equipId: signal },
        "db.readTimestamps": { hightag, tags, equipId: signal },
        "db.readTimingEdges": of,
        "st.readDetectorInfo": { ...of, detId: sensor },
        "st.readImageOffsets": { ...of, detId: sensor, tags },
        "st.readImageStates": { ...of, detId: sensor, tags },
        "st.readBadPixels": { ...of, detId: sensor },
        "st.collect": { detId: sensor, bl, runs: [run], tag },
        // A run without CITIUS has no sensors, and nothing is asked about them.
        "citius.getApiVersion": {},
        "citius.getRunstatus": of,
        "citius.readSensors": of,
        "citius.readBadpixelMask": { ...of, sensorIds: [] },
        "citius.readReconstinfo": { ...of, sensorIds: [], tag },
        "live.readDetidlist": { bl },
        "live.collect": { detId: sensor, bl, tag: NEWEST_TAG },
      };
      const { methods } = await endpoint.call("facility.describe", {});
      for (const method of Object.keys(callMethods) as CallMethod[]) {
        if (isControlMethod(method) || isPageMethod(method)) continue;
        expect(await codeOf(method, params[method]), method).toBe(
          methods.includes(method) ? "no error" : "UNSUPPORTED",
        );
      }
    });

    it("lists its runs ascending, the newest last", async () => {
      const runs = await endpoint.call("db.listRuns", { bl, last: 100 });
      expect(runs).toEqual([...runs].sort((a, b) => a - b));
      expect(runs.length).toBeLessThanOrEqual(100);
      expect(runs.at(-1)).toBe(await endpoint.call("db.readRunnumberNewest", { bl }));
      expect(await endpoint.call("db.listBeamlines", {})).toContain(bl);
    });

    it("says the same of a run in every call", async () => {
      expect(await endpoint.call("db.readRunstatus", of)).toBe(0);
      expect(await endpoint.call("db.readComment", of)).toBe(info.comment);
      expect(await endpoint.call("db.readStarttime", of)).toBe(info.starttime);
      expect(await endpoint.call("db.readStoptime", of)).toBe(info.stoptime);
      expect(await endpoint.call("db.readHightagnumber", of)).toBe(info.hightagnumber);
      expect(await endpoint.call("db.readStartTagnumber", of)).toEqual([info.hightagnumber, info.start_tagnumber]);
      expect(await endpoint.call("db.readEndTagnumber", of)).toEqual([info.hightagnumber, info.end_tagnumber]);
      expect(info.total_tagnumber).toBe(info.end_tagnumber - info.start_tagnumber);
      expect(info.stoptime).toBeGreaterThan(info.starttime);
      const energy = await endpoint.call("db.readConfigPhotonenergy", of);
      expect(energy).toBeGreaterThan(0.01);
      expect(energy).toBeLessThan(25);
      expect(await endpoint.call("db.readConfigPhotonenergyInKeV", of)).toBe(energy);
    });

    it("gives tags ascending from the start tag, the end tag excluded", async () => {
      expect(tags[0]).toBe(info.start_tagnumber);
      expect(tags.at(-1)).toBeLessThan(info.end_tagnumber);
      expect(tags.every((tag, i) => i === 0 || tag > (tags[i - 1] ?? 0))).toBe(true);
      const ofSensor = await endpoint.call("db.readTaglistBydetid", { ...of, detId: sensor });
      expect(ofSensor.every((tag) => tags.includes(tag))).toBe(true);
      const both = await endpoint.call("db.readTaglist", {
        bl,
        hightag: info.hightagnumber,
        starttag: tags[0] ?? 0,
        endtag: tags[1] ?? 0,
      });
      expect([both[0], both.at(-1)]).toEqual([tags[0], tags[1]]);
    });

    it("gives a signal as text, as numbers and as a column that agree", async () => {
      const params = { hightag: info.hightagnumber, tags };
      const text = await endpoint.call("db.readSyncdatalist", { equipId: signal, ...params });
      const numbers = await endpoint.call("db.readSyncdatalistFloat", { equipId: signal, ...params });
      const [column] = await endpoint.call("db.readColumns", { equipIds: [signal], ...params });
      expect(column?.equipId).toBe(signal);
      expect(column?.values).toEqual(numbers);
      expect(text.length).toBe(tags.length);
      text.forEach((entry, i) => {
        const parsed = parseSyncValue(entry);
        const status = syncStatus[column?.status[i] ?? 3];
        if ("reason" in parsed) {
          expect([status, numbers[i]]).toEqual([parsed.reason, NaN]);
        } else {
          // The text has six significant digits.
          expect(Math.abs(parsed.value - (numbers[i] ?? NaN))).toBeLessThanOrEqual(1e-5 * Math.abs(parsed.value));
          expect([status, parsed.unit]).toEqual(["ok", column?.unit]);
        }
      });
      expect(numbers.some(Number.isFinite)).toBe(true);
      const [newestHightag, newest] = await endpoint.call("db.readTagnumberNewest", { equipId: signal });
      expect([newestHightag, newest].every(Number.isInteger)).toBe(true);
      const nothing = await endpoint.call("db.readSyncdatalist", {
        equipId: signal,
        hightag: info.hightagnumber,
        tags: new Uint32Array(0),
      });
      expect(nothing).toEqual([]);
    });

    it("lists a detector before its sensors, and equipment by name", async () => {
      const ids = await endpoint.call("db.readDetidlist", of);
      expect(ids.indexOf(detector)).toBeGreaterThanOrEqual(0);
      expect(ids.indexOf(detector)).toBeLessThan(ids.indexOf(sensor));
      expect(await endpoint.call("db.readEquiplist", {})).toContain(signal);
    });

    it("gives an image as float32 [ysize, xsize], alone and in a stream, cut to a region or not", async () => {
      const alone = await endpoint.call("st.collect", { detId: sensor, bl, runs: [run], tag: tags[0] ?? 0 });
      const { xsize, ysize } = alone.info;
      expect(alone).toMatchObject({ run, tag: tags[0], frame: { detId: sensor, shape: [ysize, xsize] } });
      expect(alone.frame.data.length).toBe(ysize * xsize);
      expect(alone.info).toEqual(await endpoint.call("st.readDetectorInfo", { ...of, detId: sensor }));
      const roi = { rows: [1, 3], columns: [1, 2] } as { rows: [number, number]; columns: [number, number] };
      const asked = tags.slice(0, 2).reverse();
      const seen: number[] = [];
      for await (const shot of endpoint.stream("st.frames", { ...of, detIds: [sensor], tags: asked, roi })) {
        seen.push(shot.tag);
        if (shot.tag !== tags[0]) continue;
        const [frame] = shot.frames;
        expect(frame?.shape).toEqual([2, 1]);
        expect([...(frame?.data ?? [])]).toEqual([alone.frame.data[xsize + 1], alone.frame.data[2 * xsize + 1]]);
      }
      expect(seen).toEqual([...asked]);
    });

    it("puts the images of a stream where the reader says, in the type they are stored in", async () => {
      const {
        xsize,
        ysize,
        pixelType = "float32",
      } = await endpoint.call("st.readDetectorInfo", { ...of, detId: sensor });
      const room = newPixels(xsize * ysize, pixelType);
      const memory: FrameMemory = (detId, length, type) => {
        expect([detId, length, type]).toEqual([sensor, xsize * ysize, pixelType]);
        return room;
      };
      const alone = await endpoint.call("st.collect", { detId: sensor, bl, runs: [run], tag: tags[0] ?? 0 });
      for await (const { frames } of endpoint.stream(
        "st.frames",
        { ...of, detIds: [sensor], tags: tags.slice(0, 1), roi: null },
        { memory },
      )) {
        expect(frames[0]?.data.buffer).toBe(room.buffer);
      }
      expect(firstDifference(room, alone.frame.data)).toBe(-1);
    });

    it("says where images stand in a file, when it says so at all", async () => {
      const { methods } = await endpoint.call("facility.describe", {});
      if (!methods.includes("st.readImageOffsets")) return;
      const asked = { ...of, detId: sensor, tags: tags.slice(0, 1) };
      const { file, size, dtype, shape, offsets } = await endpoint.call("st.readImageOffsets", asked);
      const alone = await endpoint.call("st.collect", { detId: sensor, bl, runs: [run], tag: tags[0] ?? 0 });
      expect(shape).toEqual(alone.frame.shape);
      const stored = dtype === "<u2" ? new Uint16Array(shape[0] * shape[1]) : new Float32Array(shape[0] * shape[1]);
      expect(["<u2", "<f4"]).toContain(dtype);
      const bytes = readFileSync(file);
      expect(bytes).toHaveLength(size);
      expect(offsets).toHaveLength(1);
      // Compressed ones stand nowhere as plain numbers.
      if (Number.isNaN(offsets[0])) return;
      bytes.copy(new Uint8Array(stored.buffer), 0, offsets[0]);
      expect(firstDifference(stored, alone.frame.data)).toBe(-1);
    });

    it("says which images there are as a stream of them does, when it says so at all", async () => {
      const { methods } = await endpoint.call("facility.describe", {});
      if (!methods.includes("st.readImageStates")) return;
      const states = await endpoint.call("st.readImageStates", { ...of, detId: sensor, tags });
      const streamed: string[] = [];
      for await (const { missing } of endpoint.stream("st.frames", { ...of, detIds: [sensor], tags, roi: null }))
        streamed.push(missing[0]?.reason ?? "there");
      expect([...states].map((state) => imageStates[state])).toEqual(streamed);
    });

    it("gives each caller arrays of their own", async () => {
      const read = () => endpoint.call("st.collect", { detId: sensor, bl, runs: [run], tag: tags[0] ?? 0 });
      const first = await read();
      const before = first.frame.data.slice();
      first.frame.data.fill(-1);
      expect(firstDifference((await read()).frame.data, before)).toBe(-1);
      const list = await endpoint.call("db.readTaglistByrun", of);
      list.fill(0);
      expect(await endpoint.call("db.readTaglistByrun", of)).toEqual(tags);
    });

    it("assembles the sensors of a composite id", async () => {
      const one = await endpoint.call("st.collect", { detId: sensor, bl, runs: [run], tag: tags[0] ?? 0 });
      for (const tag of tags) {
        // A shot that one sensor did not store has no image.
        const whole = await endpoint.call("st.collect", { detId: detector, bl, runs: [run], tag }).catch(() => null);
        if (whole === null) continue;
        expect([whole.info.id, whole.info.ysize, whole.info.xsize]).toEqual([detector, ...whole.frame.shape]);
        expect(whole.frame.data.length).toBeGreaterThan(one.frame.data.length);
        expect(whole.frame.data.some((value) => value !== 0)).toBe(true);
        return;
      }
      expect.unreachable("no shot is whole");
    });

    it("answers what does not exist with the right code, and −1 only for the status", async () => {
      expect(await endpoint.call("db.readRunstatus", { bl, run: 2_000_000 })).toBe(-1);
      const hightag = info.hightagnumber;
      const cases: [string, CallMethod, object][] = [
        ["UNKNOWN_RUN", "db.readRuninfo", { bl, run: 2_000_000 }],
        ["UNKNOWN_RUN", "db.readTaglistByrun", { bl, run: -5 }],
        ["UNKNOWN_BEAMLINE", "db.readRunnumberNewest", { bl: 9 }],
        ["UNKNOWN_BEAMLINE", "db.readRunstatus", { bl: 9, run }],
        ["UNKNOWN_DETECTOR", "db.readTaglistBydetid", { ...of, detId: "MPCCD-0" }],
        ["UNKNOWN_DETECTOR", "st.collect", { detId: "MPCCD-0", bl, runs: [run], tag: tags[0] }],
        ["UNKNOWN_DETECTOR", "st.readDetectorInfo", { ...of, detId: detector }],
        ["TAG_OUTSIDE_RUN", "st.collect", { detId: sensor, bl, runs: [run], tag: info.end_tagnumber }],
        ["TAG_OUTSIDE_RUN", "st.collect", { detId: sensor, bl, runs: [run], tag: info.start_tagnumber - 1 }],
        ["UNKNOWN_SIGNAL", "db.readSyncdatalist", { equipId: "xfel_bl_3_tc_bm_7_pd/charge", hightag, tags }],
        ["UNKNOWN_SIGNAL", "db.readTagnumberNewest", { equipId: "nonsense" }],
        ["UNKNOWN_HIGHTAG", "db.readSyncdatalistFloat", { equipId: signal, hightag: 190001, tags }],
        ["BAD_ARGUMENT", "db.readTaglist", { bl, hightag, starttag: 5, endtag: 4 }],
        ["BAD_ARGUMENT", "db.readHightagnumberFromtime", { time: "noon", day: 1, month: 1, year: 2020 }],
        ["BAD_ARGUMENT", "db.readRuninfo", { bl }],
        ["BAD_ARGUMENT", "db.readRuninfo", { bl, run: "651251" }],
        ["BAD_ARGUMENT", "db.readRuninfo", { bl, run, extra: 1 }],
        ["BAD_ARGUMENT", "db.readSyncdatalist", { equipId: signal, hightag, tags: [1, 2] }],
        ["UNKNOWN_METHOD", "db.dropTables" as CallMethod, {}],
      ];
      for (const [code, method, params] of cases)
        expect(await codeOf(method, params), `${method} ${JSON.stringify(params)}`).toBe(code);
    });

    it("refuses a stream it cannot serve before the first item", async () => {
      const first = async (params: object): Promise<string> => {
        const stream = endpoint.stream("st.frames", { ...of, detIds: [sensor], tags, roi: null, ...params });
        try {
          for await (const _ of stream) return "an item";
          return "nothing";
        } catch (error) {
          return isSaclaError(error) ? error.code : String(error);
        }
      };
      expect(await first({ tags: Uint32Array.of(info.end_tagnumber) })).toBe("TAG_OUTSIDE_RUN");
      expect(await first({ detIds: [] })).toBe("BAD_ARGUMENT");
      expect(await first({ detIds: [sensor, "MPCCD-0"] })).toBe("UNKNOWN_DETECTOR");
      expect(await first({ roi: { rows: [0, 100_000], columns: [0, 1] } })).toBe("BAD_ARGUMENT");
      expect(await first({ roi: { rows: [0, 5000], columns: [0, 1] } })).toBe("BAD_ARGUMENT");
      expect(await first({ roi: { rows: [2, 2], columns: [0, 1] } })).toBe("BAD_ARGUMENT");
      expect(await first({ tags: new Uint32Array(0) })).toBe("nothing");
    });

    const { missing, running } = subject;
    const reportsMissing = async (detId: string, tag: number): Promise<void> => {
      expect(await codeOf("st.collect", { detId, bl, runs: [run], tag })).toBe("FRAME_MISSING");
      for await (const shot of endpoint.stream("st.frames", {
        ...of,
        detIds: [detId],
        tags: Uint32Array.of(tag),
        roi: null,
      })) {
        expect(shot).toEqual({ tag, frames: [], missing: [{ detId, reason: "frame-missing" }] });
      }
      expect(await endpoint.call("db.readTaglistBydetid", { ...of, detId })).not.toContain(tag);
    };
    if (missing !== null)
      it("reports a missing image as FRAME_MISSING, and in a stream as missing", () =>
        reportsMissing(missing.detId, missing.tag));

    const keepsImagesBack = async (detId: string, going: { bl: number; run: number }): Promise<void> => {
      expect([1, 2]).toContain(await endpoint.call("db.readRunstatus", going));
      const [, start] = await endpoint.call("db.readStartTagnumber", going);
      expect(await codeOf("st.collect", { detId, bl, runs: [going.run], tag: start })).toBe("RUN_NOT_READY");
    };
    if (running !== null)
      it("serves no images of a run that is still going on", () =>
        keepsImagesBack(running.detId, { bl, run: running.run }));

    it("stops when the caller aborts or leaves, and goes on answering others", async () => {
      const stopped = AbortSignal.abort();
      await expect(endpoint.call("db.readRuninfo", of, { signal: stopped })).rejects.toMatchObject({ code: "ABORTED" });
      const controller = new AbortController();
      let seen = 0;
      const reading = (async () => {
        for await (const _ of endpoint.stream(
          "st.frames",
          { ...of, detIds: [sensor], tags, roi: null },
          { signal: controller.signal },
        )) {
          seen++;
          controller.abort();
        }
      })();
      await expect(reading).rejects.toMatchObject({ code: "ABORTED" });
      expect(seen).toBe(1);
      for await (const _ of endpoint.stream("st.frames", { ...of, detIds: [sensor], tags, roi: null })) break;
      expect(await endpoint.call("db.readRunstatus", of)).toBe(0);
    });

    it("closes twice without harm, and answers CLOSED afterwards", async () => {
      const other = await subject.open();
      await other.close();
      await other.close();
      await expect(other.call("db.readRunstatus", of)).rejects.toMatchObject({ code: "CLOSED" });
      const streaming = (async () => {
        for await (const _ of other.stream("st.frames", { ...of, detIds: [sensor], tags, roi: null })) return;
      })();
      await expect(streaming).rejects.toMatchObject({ code: "CLOSED" });
    });
  });
}
