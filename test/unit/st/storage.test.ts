import { describe, expect, it } from "vitest";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { APIError, St } from "../../../src/st/index.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { tinyPixel, tinySource } from "../../support/tiny-source.ts";

const open = (): St => new St(inProcess(endpointOf(tinySource())));
const sensor = "MPCCD-2N0-1-006-1";

describe("StorageReader and StorageBuffer", () => {
  it("read as the talk's listings do", async () => {
    const st = open();
    const obj = new st.StorageReader(sensor, 3, [10]);
    const buff = new st.StorageBuffer(obj);
    expect(buff.readDetNumIndex()).toBe(0);
    expect(await obj.collect(buff, 1002)).toBe(1002);
    expect(buff.readDetNumIndex()).toBe(1);
    const image = buff.readDetData(0);
    expect([image.shape, image.dtype, image.get(3, 2)]).toEqual([[4, 3], "float32", tinyPixel(sensor, 1002, 3, 2)]);
    expect(buff.readDetInfo(0)).toMatchObject({
      xsize: 3,
      ysize: 4,
      mp_pos_x: 0,
      mp_posx: 0,
      mp_pixelsizey: 50,
      mp_absgain: 17,
      run_number: 10,
      tag_number: 1002,
    });
  });

  it("give each image memory of its own", async () => {
    const st = open();
    const obj = new st.StorageReader(sensor, 3, [10]);
    const buff = new st.StorageBuffer(obj);
    await obj.collect(buff, 1002);
    const first = buff.readDetData(0);
    await obj.collect(buff, 1004);
    expect(first.get(0, 0)).toBe(tinyPixel(sensor, 1002, 0, 0));
    expect(buff.readDetData(0).get(0, 0)).toBe(tinyPixel(sensor, 1004, 0, 0));
  });

  it("assemble the sensors of a composite id as DataConvert draws them", async () => {
    const st = open();
    const obj = new st.StorageReader("MPCCD-2N0-1-006", 3, [10]);
    const buff = new st.StorageBuffer(obj);
    await obj.collect(buff, 1002);
    const image = buff.readDetData(0);
    // The corner of sensor 1 is at the beam, sensor 2 hangs under it: columns run to the left from the middle.
    expect(image.shape).toEqual([16, 16]);
    expect([image.get(8, 7), image.get(11, 5), image.get(12, 7), image.get(15, 5)]).toEqual([
      tinyPixel("MPCCD-2N0-1-006-1", 1002, 0, 0),
      tinyPixel("MPCCD-2N0-1-006-1", 1002, 3, 2),
      tinyPixel("MPCCD-2N0-1-006-2", 1002, 0, 0),
      tinyPixel("MPCCD-2N0-1-006-2", 1002, 3, 2),
    ]);
    expect([image.get(0, 0), image.get(8, 8)]).toEqual([0, 0]);
    expect(buff.readDetInfo(0)).toEqual({ xsize: 16, ysize: 16, run_number: 10, tag_number: 1002, mp_absgain: 17 });
    // A shot that one sensor did not store has no image.
    await expect(obj.collect(buff, 1006)).rejects.toMatchObject({ code: "FRAME_MISSING" });
  });

  it("read several runs through one reader", async () => {
    const st = open();
    const obj = new st.StorageReader(sensor, 3, [10, 11]);
    const buff = new st.StorageBuffer(obj);
    await obj.collect(buff, 2000);
    expect(buff.readDetInfo(0)).toMatchObject({ run_number: 11, tag_number: 2000 });
  });

  it("fail as stpy's APIError for what the facility has not, and keep the last image", async () => {
    const st = open();
    const obj = new st.StorageReader("MPCCD-2N0-1-006-2", 3, [10]);
    const buff = new st.StorageBuffer(obj);
    await obj.collect(buff, 1004);
    await expect(obj.collect(buff, 1006)).rejects.toSatisfy(
      (e) => e instanceof st.APIError && e instanceof APIError && e.code === "FRAME_MISSING",
    );
    expect(buff.readDetInfo(0)["tag_number"]).toBe(1004);
    await expect(obj.collect(buff, 999)).rejects.toMatchObject({ code: "TAG_OUTSIDE_RUN", name: "st.APIError" });
    await expect(new st.StorageReader(sensor, 3, [12]).collect(new st.StorageBuffer(obj), 3000)).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
    });
    const running = new st.StorageReader(sensor, 3, [12]);
    await expect(running.collect(new st.StorageBuffer(running), 3000)).rejects.toMatchObject({ code: "RUN_NOT_READY" });
  });

  it("check their arguments before anything is asked", () => {
    const st = open();
    expect(() => new st.StorageReader("", 3, [10])).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    expect(() => new st.StorageReader(sensor, 3, [])).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT", message: expect.stringContaining("[run]") }),
    );
    expect(() => new st.StorageReader(sensor, 2.5, [10])).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    const buff = new st.StorageBuffer(new st.StorageReader(sensor, 3, [10]));
    expect(() => buff.readDetData(0)).toThrow(expect.objectContaining({ message: expect.stringContaining("collect") }));
  });

  it("tell a sensor's geometry without reading an image", async () => {
    const st = open();
    await expect(st.detectorInfo(3, 10, sensor)).resolves.toMatchObject({ id: sensor, geometry: { pixelSizeXUm: 50 } });
    await expect(st.detectorInfo(3, 10, "MPCCD-2N0-1-006")).rejects.toMatchObject({
      name: "st.APIError",
      code: "UNKNOWN_DETECTOR",
      message: expect.stringContaining("MPCCD-2N0-1-006-1"),
    });
  });
});
