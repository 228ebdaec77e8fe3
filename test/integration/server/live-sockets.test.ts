import { describe, expect, it, vi } from "vitest";
import { connect, Facility } from "../../../src/connect.ts";
import { replayLive } from "../../../src/live/index.ts";
import { serve } from "../../../src/server/index.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import type { Endpoint } from "../../../src/transport/endpoint.ts";
import { inProcess } from "../../../src/transport/in-process.ts";
import { TinySource, tinyPixel } from "../../support/tiny-source.ts";
import { WAIT_MS } from "../../support/until.ts";

const [bl, run, images] = [3, 10, 200];
const dual = "MPCCD-2N0-1-006";
const pulses = "xfel_bl_3_st_2_motor_1/position";
const all = Array.from({ length: images }, (_, i) => 1000 + 2 * i);

/** A run whose shots happen as fast as they are taken. */
async function playing(): Promise<Endpoint> {
  const source = new TinySource({ [bl]: [{ run, start: 1000, images }] }).setSignal(pulses, "pulse", (tag) => tag * 10);
  return await replayLive(inProcess(endpointOf(source)), { bl, run, speed: "max" });
}

const carriers = [
  { name: "ZeroMQ", options: { zmq: ["tcp://127.0.0.1:*"] } },
  { name: "HTTP", options: { http: { host: "127.0.0.1", port: 0 } } },
];

describe.each(carriers)("live shots over $name", ({ options }) => {
  it("come each in its turn, pixels and values of one tag together", async () => {
    await using facility = new Facility(await playing());
    await using server = await serve(facility.endpoint, options);
    await using there = await connect(server.addresses[0]);
    const shots = there.live.shots({ bl, detectors: [dual], signals: [pulses], policy: "every", untilRunEnd: true });
    const tags: number[] = [];
    for await (const shot of shots) {
      tags.push(shot.tag);
      for (const [id, image] of Object.entries(shot.images))
        expect(image.get(3, 2)).toBe(tinyPixel(id, shot.tag, 3, 2));
      expect([Object.keys(shot.images).length, shot.value(pulses)]).toEqual([
        2,
        { value: shot.tag * 10, unit: "pulse" },
      ]);
    }
    expect(tags).toEqual(all);
    expect(shots.ledger).toEqual({ asked: images, used: images, dropped: [] });
  });

  it("are asked for one by one under newest, so that none is old, and olpy's calls give its codes", async () => {
    await using facility = new Facility(await playing());
    await using server = await serve(facility.endpoint, options);
    await using there = await connect(server.addresses[0]);
    const shots = there.live.shots({ bl, detectors: [dual], untilRunEnd: true });
    let [oldest, used] = [0, 0];
    for await (const { latencyMs } of shots) {
      oldest = Math.max(oldest, latencyMs);
      used++;
    }
    // Images arrive after 50 ms of the run; time stands still while nobody waits.
    expect(oldest).toBeLessThan(90);
    expect(shots.ledger).toEqual({ asked: images, used, dropped: shots.ledger.dropped });
    const reader = new there.live.StorageReader(`${dual}-1`);
    const buffer = new there.live.StorageBuffer(reader);
    expect(await reader.collect(buffer, there.live.NEWESTTAG)).toBe(all.at(-1));
    await expect(reader.collect(buffer, 1000)).rejects.toMatchObject({
      name: "live.APIError",
      code: "DATA_GONE",
      details: { olCode: -200_010_000 },
    });
    await expect(reader.collect(buffer, 1001)).rejects.toMatchObject({
      code: "TAG_INVALID",
      details: { olName: "OL_ERR_TAGINVALID" },
    });
  });
});

describe("live shots when the server goes", () => {
  it("go on when it comes back, each shot once", async () => {
    await using facility = new Facility(await playing());
    let server = await serve(facility.endpoint, { http: { host: "127.0.0.1", port: 0 } });
    const [address = ""] = server.addresses;
    await using there = await connect(address);
    const shots = there.live.shots({ bl, detectors: [dual], policy: "every", untilRunEnd: true });
    const tags: number[] = [];
    for await (const { tag } of shots) {
      tags.push(tag);
      if (tags.length === 50) {
        await server.close();
        const port = Number(new URL(address).port);
        server = await vi.waitFor(() => serve(facility.endpoint, { http: { host: "127.0.0.1", port } }), {
          timeout: WAIT_MS,
        });
      }
    }
    await server.close();
    expect(tags).toEqual(all);
    expect(shots.ledger.dropped).toEqual([]);
  });

  it("end when the time for retries is over and it has not come back, and the account holds what came", async () => {
    await using facility = new Facility(await playing());
    const server = await serve(facility.endpoint, { zmq: ["tcp://127.0.0.1:*"] });
    await using there = await connect(server.addresses[0], {
      retry: { attempts: 2, firstWaitMs: 10, deadlineMs: 2000 },
    });
    const shots = there.live.shots({ bl, detectors: [dual], policy: "every", untilRunEnd: true });
    let used = 0;
    const work = async (): Promise<void> => {
      for await (const _ of shots) if (++used === 50) await server.close();
    };
    await expect(work()).rejects.toMatchObject({ code: "TIMEOUT", message: expect.stringContaining("asked 2 times") });
    expect(used).toBeGreaterThanOrEqual(50);
    expect(shots.ledger).toEqual({ asked: used, used, dropped: [] });
  });
});
