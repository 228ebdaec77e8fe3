import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { Facility } from "../../../src/connect.ts";
import { asImage } from "../../../src/core/ndarray.ts";
import { openArchive } from "../../../src/hdf5/index.ts";
import { type LiveShot, replayLive } from "../../../src/live/index.ts";
import { karaboMessage, serveKaraboBridge } from "../../../src/server/karabo/bridge.ts";
import { encodeMsgpack } from "../../../src/server/karabo/msgpack.ts";
import { endpointOf } from "../../../src/source/source-endpoint.ts";
import { itNeeding, pythonWith } from "../../support/optional.ts";

const client = fileURLToPath(new URL("../../support/karabo-client.py", import.meta.url));
const fixture = fileURLToPath(new URL("../../../fixtures/tiny-octal.h5", import.meta.url));
const python = pythonWith("karabo_bridge", "msgpack");
const why = "needs Python with karabo_bridge";
const bm1 = "xfel_bl_2_tc_bm_1_pd/charge";
const sensors = ["MPCCD-8B0-2-010-1", "MPCCD-8B0-2-010-3"];
const [bl, run] = [2, 300001];

interface Received {
  readonly meta: Readonly<Record<string, string | number>>;
  readonly data: Readonly<
    Record<string, { dtype: string; shape: number[]; sum: number; sha1: string } & (string | number)>
  >;
}

describe("the karabo-bridge output", () => {
  const facilities: Facility[] = [];
  afterAll(async () => await Promise.all(facilities.map((facility) => facility.close())));
  const open = async (): Promise<Facility> => {
    const facility = new Facility(await replayLive(endpointOf(await openArchive(fixture)), { bl, run, speed: "max" }));
    facilities.push(facility);
    return facility;
  };

  itNeeding(
    python !== undefined,
    why,
    "gives the real karabo_bridge client every image, value and tag of a run",
    async () => {
      const facility = await open();
      const stored = new Facility(endpointOf(await openArchive(fixture)));
      facilities.push(stored);
      const shots = { bl, detectors: sensors, signals: [bm1], policy: "every", missing: "partial" } as const;
      await using bridge = await serveKaraboBridge(facility.endpoint, { address: "tcp://127.0.0.1:*", shots });
      const tags = await stored.db.readTaglistByrun(bl, run);
      const { stdout } = await promisify(execFile)(python ?? "", [client, bridge.address, String(tags.length)]);
      const received = stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, Received>);
      expect(received.length).toBe(tags.length);
      expect(bridge.sent).toBe(tags.length);
      let [images, numbers] = [0, 0];
      const { starttime } = await stored.db.readRuninfo(bl, run);
      let i = 0;
      for await (const shot of stored.shots({
        run: { bl, number: run },
        detectors: sensors,
        signals: [bm1],
        missing: "partial",
      })) {
        const there = received[i++] ?? {};
        expect(Object.keys(there).sort()).toEqual([...Object.keys(shot.images), bm1].sort());
        for (const [sensor, image] of Object.entries(shot.images)) {
          const bytes = new Uint8Array(image.data.buffer, image.data.byteOffset, image.data.byteLength);
          const expected = {
            dtype: image.data instanceof Uint16Array ? "uint16" : "float32",
            shape: image.shape,
            sha1: createHash("sha1").update(bytes).digest("hex"),
          };
          expect(there[sensor]?.data["image.data"]).toMatchObject(expected);
          expect(there[sensor]?.data["run"]).toBe(run);
          images++;
        }
        expect(there[bm1]?.meta["timestamp.tid"]).toBe(shot.tag);
        const time = starttime + (shot.tag - (tags[0] ?? 0)) / 60;
        const { "timestamp.sec": seconds, "timestamp.frac": fraction } = there[bm1]?.meta ?? {};
        expect(Number(`${seconds}.${fraction}`)).toBeCloseTo(time, 5);
        const value = shot.value(bm1);
        if ("value" in value) expect(there[bm1]?.data).toMatchObject({ value: value.value, unit: value.unit });
        else expect(there[bm1]?.data).toMatchObject({ value: "NaN", reason: value.reason });
        if ("value" in value) numbers++;
      }
      expect(images).toBe(2 * tags.length - 1);
      expect([numbers > 0, numbers < tags.length]).toEqual([true, true]);
    },
  );

  itNeeding(python !== undefined, why, "packs anything as Python's msgpack reads it", () => {
    const text = fc.string({ unit: "grapheme", maxLength: 40 });
    const { packable } = fc.letrec((tie) => ({
      packable: fc.oneof(
        { maxDepth: 3 },
        fc.constant(null),
        fc.integer(),
        fc.maxSafeInteger(),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        text,
        tie("list"),
        tie("map"),
      ),
      list: fc.array(tie("packable"), { maxLength: 20 }),
      map: fc.dictionary(fc.string({ maxLength: 5 }), tie("packable"), { maxKeys: 20, noNullPrototype: true }),
    }));
    const values = [
      ...fc.sample(packable, { seed: 1, numRuns: 300 }),
      "x".repeat(70_000),
      Array.from({ length: 70_000 }, (_, i) => i),
      -1,
      2 ** 40,
    ] as Parameters<typeof encodeMsgpack>[0][];
    const script =
      "import sys, json, msgpack\nfor item in msgpack.Unpacker(sys.stdin.buffer, max_buffer_size=0): print(json.dumps(item))";
    const input = Buffer.concat(values.map((value) => encodeMsgpack(value)));
    const lines = execFileSync(python ?? "", ["-c", script], { input, encoding: "utf8", maxBuffer: 2 ** 26 })
      .trim()
      .split("\n");
    expect(lines.length).toBe(values.length);
    lines.forEach((line, i) => {
      // As text, for JavaScript's has no −0.
      expect(JSON.stringify(JSON.parse(line))).toBe(JSON.stringify(values[i]));
    });
  });

  it("copies the images, whose memory is used again for the next shot", () => {
    const pixels = Uint16Array.of(1, 2, 3, 4);
    const value = (): { reason: "late" } => ({ reason: "late" });
    const shot: LiveShot = {
      hightag: 1,
      tag: 2,
      run: 3,
      time: 1.25,
      latencyMs: 4,
      images: { A: asImage(pixels, 2, 2) },
      value,
      number: () => NaN,
    };
    const parts = karaboMessage(shot, ["s"]);
    pixels.fill(0);
    expect(parts.length).toBe(6);
    expect([...(parts[3] ?? [])]).toEqual([1, 0, 2, 0, 3, 0, 4, 0]);
    expect(Buffer.from(parts[0] ?? []).toString("latin1")).toContain("250000000000000000");
    expect(Buffer.from(parts[5] ?? []).toString("latin1")).toContain("late");
  });

  it("refuses an address beyond this computer, and one that is taken", async () => {
    const { endpoint } = await open();
    const shots = { bl };
    await expect(serveKaraboBridge(endpoint, { address: "tcp://0.0.0.0:*", shots })).rejects.toMatchObject({
      code: "NOT_ALLOWED",
    });
    await using bridge = await serveKaraboBridge(endpoint, { address: "tcp://127.0.0.1:*", shots });
    await expect(serveKaraboBridge(endpoint, { address: bridge.address, shots })).rejects.toMatchObject({
      code: "UNREACHABLE",
    });
  });

  it("refuses a detector that is not live at the start, with the list of those that are", async () => {
    const { endpoint } = await open();
    const shots = { bl, detectors: ["MPCCD-1N0-M01-001"] };
    await expect(serveKaraboBridge(endpoint, { address: "tcp://127.0.0.1:*", shots })).rejects.toMatchObject({
      code: "UNKNOWN_DETECTOR",
      message: expect.stringMatching(/MPCCD-1N0-M01-001.*MPCCD-8B0-2-010/),
    });
  });

  it("answers what is no request with an error and goes on, and closes twice", async () => {
    const { endpoint } = await open();
    const bridge = await serveKaraboBridge(endpoint, {
      address: "tcp://127.0.0.1:*",
      shots: { bl, detectors: sensors, policy: "every", missing: "partial" },
    });
    const { Request } = await import("zeromq");
    const socket = new Request({ linger: 0, receiveTimeout: 20_000 });
    socket.connect(bridge.address);
    await socket.send("previous");
    expect(String(await socket.receive())).toBe('Error: bad request "previous"');
    await socket.send("next");
    expect((await socket.receive()).length).toBe(8);
    // This one finds no client to send to any more.
    await socket.send("next");
    socket.close();
    await bridge.close();
    await bridge.close();
  });
});
