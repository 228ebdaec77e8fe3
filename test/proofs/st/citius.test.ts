import ndarray from "ndarray";
import { afterAll, describe, expect, it } from "vitest";
import { asImage } from "../../../src/core/ndarray.ts";
import { createSimulatedFacility, type SimulatedFacility, VirtualClock } from "../../../src/facility/index.ts";
import { replayLive } from "../../../src/live/index.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { imagesOf, St } from "../../../src/st/index.ts";
import type { Endpoint } from "../../../src/transport/endpoint.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { tinySource } from "../../support/tiny-source.ts";

const bl = 2;
/** CITIUS 2.2M; the last run of the 20.2M, which is still being calibrated; an octal. */
const [run, calibrating, octal] = [228_986, 228_990, 228_995];
const detector = "CITIUS-2.2M-001";
const first = `${detector}-000`;

const open = (
  options: { missingRate?: number; clock?: VirtualClock } = {},
): { facility: SimulatedFacility; endpoint: Endpoint; st: St } => {
  const facility = createSimulatedFacility({ clock: new VirtualClock(), missingRate: 0, ...options });
  const endpoint = inProcess(endpointOf(facility));
  return { facility, endpoint, st: new St(endpoint) };
};
/** Whether all pixels are equal; vitest takes seconds to say so of a large array. */
const same = (a: Float32Array | Uint8Array, b: Float32Array | Uint8Array): boolean =>
  a.length === b.length && a.every((value, i) => value === b[i]);
const newImage = () => asImage(new Float32Array(728 * 384), 728, 384);

const shared = open();
afterAll(async () => await shared.endpoint.close());

describe("ctdapyXfel", () => {
  const { ctdapyXfel } = shared.st;
  const {
    CTDA_RUN_STATUS_CAN_READ: canRead,
    CTDA_RUN_STATUS_WAIT_CALIB: waits,
    CTDA_RUN_STATUS_NOT_CITIUS: not,
  } = ctdapyXfel;

  it("tells what can be read, is still being calibrated, or has no CITIUS", async () => {
    expect(await ctdapyXfel.getApiVersion()).toContain("CITIUS");
    const statuses = await Promise.all([run, calibrating, octal].map((each) => ctdapyXfel.getRunstatus(bl, each)));
    expect(statuses).toEqual([canRead, waits, not]);
    await expect(ctdapyXfel.getRunstatus(bl, 1)).rejects.toBeInstanceOf(ctdapyXfel.APIError);
    await expect(ctdapyXfel.getRunstatus(bl, 1)).rejects.toMatchObject({
      code: "UNKNOWN_RUN",
      name: "citius.APIError",
    });
    const none = new ctdapyXfel.CtrlBuffer(bl, octal);
    await expect(none.readDetidlist()).rejects.toMatchObject({ code: "UNKNOWN_DETECTOR" });
  });

  it("keeps images back until they are calibrated, however they are asked for", async () => {
    const clock = new VirtualClock();
    const { st, endpoint } = open({ clock });
    expect(await endpoint.call("db.readRunstatus", { bl, run: calibrating })).toBe(0);
    const buffer = new st.ctdapyXfel.CtrlBuffer(bl, calibrating);
    const [tag = 0] = await buffer.readTaglist();
    const detId = (await buffer.readDetidlist())[0] ?? "";
    const out = newImage();
    await expect(buffer.readImage(out, 0, tag)).rejects.toMatchObject({
      code: "RUN_NOT_READY",
      message: expect.stringContaining("calibrated"),
    });
    await expect(endpoint.call("st.collect", { detId, bl, runs: [calibrating], tag })).rejects.toMatchObject({
      code: "RUN_NOT_READY",
    });
    const shots = st.shots({
      run: { bl, number: calibrating },
      detectors: ["CITIUS-20.2M-001"],
      tags: [tag],
      prefetch: 0,
    });
    await expect(shots[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "RUN_NOT_READY" });
    clock.advance(400);
    expect(await st.ctdapyXfel.getRunstatus(bl, calibrating)).toBe("can-read");
    await buffer.readImage(out, 0, tag);
    expect(out.get(0, 0)).not.toBe(0);
    await endpoint.close();
  });

  it("lists sensors by number and the tags of all of them together", async () => {
    const buffer = new ctdapyXfel.CtrlBuffer(bl, run);
    expect(await buffer.readSensoridlist()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(await buffer.readDetidlist()).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((i) => `${detector}-00${i}`));
    expect(await buffer.readTaglist()).toEqual(await shared.endpoint.call("db.readTaglistByrun", { bl, run }));
    const many = new ctdapyXfel.CtrlBuffer(bl, 228_989);
    expect((await many.readDetidlist()).at(-1)).toBe("CITIUS-20.2M-001-071");
  });

  it("fills the caller's arrays, one sensor or all of them, with what st gives", async () => {
    const buffer = new ctdapyXfel.CtrlBuffer(bl, run);
    const tag = (await buffer.readTaglist())[40] ?? 0;
    const stack = await buffer.newStack();
    expect(stack.shape).toEqual([8, 728, 384]);
    const { data } = stack;
    await buffer.readImages(stack, tag);
    expect(stack.data).toBe(data);
    const parts = Array.from({ length: 8 }, () => new Float32Array(728 * 384));
    await buffer.readImages(parts, tag);
    const one = newImage();
    for (const [i, image] of imagesOf(stack).entries()) {
      await buffer.readImage(one, i, tag);
      const { frame } = await shared.endpoint.call("st.collect", { detId: `${detector}-00${i}`, bl, runs: [run], tag });
      expect(same(one.data, frame.data)).toBe(true);
      expect(same(parts[i] ?? new Float32Array(0), frame.data)).toBe(true);
      expect(image.get(700, 300)).toBe(one.get(700, 300));
      expect(same(data.subarray(i * 728 * 384, (i + 1) * 728 * 384), frame.data)).toBe(true);
    }
    // A slice of a larger array, as scripts give.
    await buffer.readImage(stack.pick(7, null, null), 0, tag);
    expect(stack.get(7, 5, 5)).toBe(stack.get(0, 5, 5));
  });

  it("refuses arrays that do not fit and sensors that are not there", async () => {
    const buffer = new ctdapyXfel.CtrlBuffer(bl, run);
    const [tag = 0] = await buffer.readTaglist();
    // The number of pixels counts: scripts pass both shapes.
    const turned = ndarray(new Float32Array(728 * 384), [384, 728]);
    await buffer.readImage(turned, 0, tag);
    const image = newImage();
    await buffer.readImage(image, 0, tag);
    expect(same(turned.data, image.data)).toBe(true);
    const short = ndarray(new Float32Array(728 * 383), [728, 383]);
    for (const out of [short, turned.transpose(1, 0), ndarray(new Float64Array(728 * 384), [728, 384]) as never]) {
      await expect(buffer.readImage(out, 0, tag)).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    }
    await expect(buffer.readImages([new Float32Array(5)], tag)).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    await expect(buffer.readImages(ndarray(new Float32Array(7 * 728 * 384), [7, 728, 384]), tag)).rejects.toMatchObject(
      { code: "BAD_ARGUMENT" },
    );
    await expect(buffer.readImage(newImage(), 8, tag)).rejects.toMatchObject({ code: "UNKNOWN_DETECTOR" });
    await expect(buffer.readReconstinfo(8, tag)).rejects.toMatchObject({
      code: "UNKNOWN_DETECTOR",
      message: expect.stringContaining("0, 1, 2"),
    });
    await expect(buffer.readReconstinfo(0, 1)).rejects.toMatchObject({ code: "TAG_OUTSIDE_RUN" });
    await expect(buffer.readImage(newImage(), 0, 1)).rejects.toMatchObject({ code: "TAG_OUTSIDE_RUN" });
  });

  it("masks the pixels that are bad, and no other", async () => {
    const buffer = new ctdapyXfel.CtrlBuffer(bl, run);
    const tag = (await buffer.readTaglist())[50] ?? 0;
    const masks = await buffer.readBadpixelMasks();
    const stack = await buffer.newStack();
    await buffer.readImages(stack, tag);
    expect(masks.shape).toEqual([8, 728, 384]);
    // A bad pixel of the simulator gives 5000 ADU, 70 times a photon.
    expect(masks.data.every((bad, i) => bad === ((stack.data[i] ?? 0) > 4000 ? 1 : 0))).toBe(true);
    expect(masks.data.reduce((sum, bad) => sum + bad, 0)).toBeGreaterThan(1000);
    const one = asImage(new Uint8Array(728 * 384), 728, 384);
    await buffer.readBadpixelMask(one, 3);
    expect(same(one.data, masks.data.subarray(3 * 728 * 384, 4 * 728 * 384))).toBe(true);
  });

  it("gives places as reconstruction info and as what an Assembler takes", async () => {
    const buffer = new ctdapyXfel.CtrlBuffer(bl, run);
    const [tag = 0] = await buffer.readTaglist();
    const infos = await buffer.detectorInfos();
    const { geometry } = await shared.st.detectorInfo(bl, run, first);
    expect(infos[0]).toMatchObject({ id: first, xsize: 384, ysize: 728, absGain: 40, geometry });
    expect(await buffer.readReconstinfo(0, tag)).toEqual({
      pixel_size_x: 72.6,
      pixel_size_y: 72.6,
      position_x: geometry?.posXUm,
      position_y: geometry?.posYUm,
      position_z: 0,
      position_theta: geometry?.rotationDeg,
    });
  });

  it("loses a shot for all sensors or none, and says so", async () => {
    const { st, endpoint } = open({ missingRate: 0.1 });
    const buffer = new st.ctdapyXfel.CtrlBuffer(bl, run);
    const all = await endpoint.call("db.readTaglistByrun", { bl, run });
    const stored = await buffer.readTaglist();
    expect(stored.length).toBeLessThan(all.length);
    expect(await endpoint.call("db.readTaglistBydetid", { bl, run, detId: `${detector}-007` })).toEqual(stored);
    const lost = all.find((tag) => !stored.includes(tag)) ?? 0;
    await expect(buffer.readImages(await buffer.newStack(), lost)).rejects.toMatchObject({
      code: "FRAME_MISSING",
      name: "citius.APIError",
    });
    const shots = st.shots({
      run: { bl, number: run },
      detectors: [detector],
      tags: [lost, stored[0] ?? 0],
      prefetch: 0,
    });
    let ids: string[] = [];
    for await (const shot of shots) ids = Object.keys(shot.images);
    expect(ids).toEqual(await buffer.readDetidlist());
    expect(shots.ledger).toMatchObject({ asked: 2, used: 1, dropped: [{ reason: "frame-missing" }] });
    await endpoint.close();
  });

  it("is not there in a source without CITIUS, with the next step", async () => {
    const endpoint = inProcess(endpointOf(tinySource()));
    const { ctdapyXfel: none } = new St(endpoint);
    for (const answer of [none.getApiVersion(), none.getRunstatus(3, 10), new none.CtrlBuffer(3, 10).readDetidlist()]) {
      await expect(answer).rejects.toMatchObject({ code: "UNSUPPORTED", message: expect.stringContaining("gateway") });
    }
    const { methods } = await endpoint.call("facility.describe", {});
    expect(methods.filter((method) => method.startsWith("citius."))).toEqual([]);
    await endpoint.close();
  });
});

describe("ctolpyXfel", () => {
  const play = async (clock: VirtualClock) => {
    const { endpoint } = open();
    const live = await replayLive(endpoint, { bl, run, clock });
    return { live, stored: endpoint, st: new St(live) };
  };

  it("collects the newest shot and the next ones, with places", async () => {
    const clock = new VirtualClock();
    const { live, stored, st } = await play(clock);
    const { ctolpyXfel } = st;
    const buffer = new ctolpyXfel.CtrlBuffer(0);
    expect(await buffer.readSensoridlist()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(await buffer.readDetidlist()).toContain(first);
    const ids = [6, 1];
    const out = ndarray(new Float32Array(2 * 728 * 384), [2, 728, 384]);
    // The run begins with the first question about a shot.
    await buffer.collectData(out, ids, ctolpyXfel.NEWEST, { timeoutMs: 50 }).catch(() => {});
    clock.advance(0.5);
    expect(await buffer.readBinninginfo()).toEqual([1, 1, 384, 728]);
    const { ctag, reconst_info_list } = await buffer.collectData(out, ids, ctolpyXfel.NEWEST);
    const truth = await stored.call("st.collect", { detId: `${detector}-001`, bl, runs: [run], tag: ctag });
    expect(same(out.data.subarray(728 * 384), truth.frame.data)).toBe(true);
    const offline = new St(stored).ctdapyXfel;
    expect(reconst_info_list[1]).toEqual(await new offline.CtrlBuffer(bl, run).readReconstinfo(1, ctag));
    const masks = ndarray(new Uint8Array(ids.length * 728 * 384), [ids.length, 728, 384]);
    await buffer.readBadpixelMask(masks, ids);
    expect(masks.data.some((pixel) => pixel === 1)).toBe(true);
    expect(await ctolpyXfel.getApiVersion()).not.toBe("");
    const before = await buffer.collectData(out, ids, ctag - 2);
    expect(before.ctag).toBe(ctag - 2);
    await live.close();
  });

  it("says what ctolpy_xfel says: too early, gone, and what never was", async () => {
    const clock = new VirtualClock();
    const { live, st } = await play(clock);
    const { ctolpyXfel } = st;
    const buffer = new ctolpyXfel.CtrlBuffer(0, bl);
    const out = [new Float32Array(728 * 384)];
    await buffer.collectData(out, [0], ctolpyXfel.NEWEST, { timeoutMs: 50 }).catch(() => {});
    clock.advance(1);
    const { ctag } = await buffer.collectData(out, [0], ctolpyXfel.NEWEST);
    await expect(buffer.collectData(out, [0], ctag + 100, { timeoutMs: 50 })).rejects.toMatchObject({
      name: "citius.APIError",
      code: "TIMEOUT",
      details: { ctolName: "CTOL_ERR_GETDATA_CMD_RESULT_TIMEOUT" },
    });
    // Tags between two shots.
    await expect(buffer.collectData(out, [0], ctag - 1)).rejects.toMatchObject({ code: "TAG_INVALID" });
    clock.advance(2.3);
    for (const old of [ctag, 5]) {
      await expect(buffer.collectData(out, [0], old)).rejects.toMatchObject({
        code: "DATA_GONE",
        details: { ctolName: "CTOL_ERR_CTAGDATAGONE" },
      });
    }
    await expect(buffer.collectData(out, [9], ctag)).rejects.toMatchObject({ code: "UNKNOWN_DETECTOR" });
    await expect(buffer.collectData(out, [0, 1], ctag)).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    await live.close();
  });

  it("finds no CITIUS where none is being read", async () => {
    const buffer = new shared.st.ctolpyXfel.CtrlBuffer();
    await expect(buffer.readDetidlist()).rejects.toMatchObject({ code: "UNKNOWN_DETECTOR" });
    const archive = new St(inProcess(endpointOf(tinySource())));
    await expect(new archive.ctolpyXfel.CtrlBuffer().readDetidlist()).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });
});

describe("a CITIUS of 0.28 M", () => {
  const { ctdapyXfel } = shared.st;
  it("is one sensor with number 0, at the beam", async () => {
    const buffer = new ctdapyXfel.CtrlBuffer(3, 1_519_974);
    expect([await buffer.readDetidlist(), await buffer.readSensoridlist()]).toEqual([["CITIUS1"], [0]]);
    const tags = await buffer.readTaglist();
    const image = newImage();
    await buffer.readImage(image, 0, tags[50] ?? 0);
    expect(image.data.some((value) => value > 40)).toBe(true);
    const [info] = await buffer.detectorInfos();
    expect(info?.geometry).toMatchObject({ posXUm: (-384 * 72.6) / 2, posYUm: (728 * 72.6) / 2, rotationDeg: 0 });
  });

  it("and every other gives the bad pixels of several sensors in one array", async () => {
    const buffer = new ctdapyXfel.CtrlBuffer(bl, run);
    const all = ndarray(new Uint8Array(3 * 728 * 384), [3, 728, 384]);
    await buffer.readBadpixelMask(all, [5, 0, 1]);
    const one = ndarray(new Uint8Array(728 * 384), [728, 384]);
    await buffer.readBadpixelMask(one, 0);
    expect(same(all.data.subarray(728 * 384, 2 * 728 * 384), one.data)).toBe(true);
  });
});
