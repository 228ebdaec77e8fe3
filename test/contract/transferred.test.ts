import { describe, expect, it } from "vitest";
import type { KeepableShot } from "../../src/core/index.ts";
import { contiguous, type Pixels } from "../../src/core/ndarray.ts";
import { createSimulatedFacility } from "../../src/facility/index.ts";
import { LiveShots, replayLive } from "../../src/live/index.ts";
import { endpointOf } from "../../src/source/source-endpoint.ts";
import { Shots } from "../../src/st/shots.ts";
import type { Endpoint } from "../../src/transport/endpoint.ts";
import { inProcess } from "../../src/transport/in-process.ts";
import { overHttp, overZmq } from "../support/served.ts";
import { archive, archiveSource, tiny } from "../support/subjects.ts";
import { tinySource } from "../support/tiny-source.ts";

/** As `postMessage(image, [image.data.buffer])` does: the memory is gone here, the pixels are there. */
function transferred(pixels: Pixels): Pixels {
  return structuredClone(pixels, { transfer: [pixels.buffer as ArrayBuffer] });
}

function sum(pixels: Pixels): number {
  let total = 0;
  for (const pixel of pixels) total += pixel;
  return total;
}

const sources: readonly (readonly [name: string, open: () => Promise<Endpoint>, content: typeof tiny])[] = [
  ["a source in memory", async () => inProcess(endpointOf(tinySource())), tiny],
  ["a stored file", async () => inProcess(endpointOf(await archiveSource())), archive],
  ["ZeroMQ", async () => await overZmq(inProcess(endpointOf(tinySource()))), tiny],
  ["HTTP", async () => await overHttp(inProcess(endpointOf(tinySource()))), tiny],
];

describe.each(sources)("images of %s that are sent to another thread", (_, open, { bl, run, detector }) => {
  it("are there, and so are those of later shots", async () => {
    const endpoint = await open();
    try {
      const options = { run: { bl, number: run }, detectors: [detector], missing: "partial" } as const;
      const sums = async (of: (pixels: Pixels) => Pixels): Promise<number[]> => {
        const all: number[] = [];
        for await (const { images } of new Shots(endpoint, options))
          for (const { data } of Object.values(images)) all.push(sum(of(data)));
        return all;
      };
      const untouched = await sums((pixels) => pixels);
      expect(untouched.length).toBeGreaterThan(5);
      expect(await sums(transferred)).toEqual(untouched);
    } finally {
      await endpoint.close();
    }
  });

  it("are kept by shot.keep(), and later use of what was sent is refused with a code", async () => {
    const endpoint = await open();
    try {
      const options = { run: { bl, number: run }, detectors: [detector], missing: "partial" } as const;
      const sums: number[] = [];
      const kept: KeepableShot[] = [];
      for await (const shot of new Shots(endpoint, options)) {
        kept.push(shot.keep());
        for (const { data } of Object.values(shot.images)) sums.push(sum(data));
      }
      const images = kept.flatMap((shot) => Object.values(shot.images));
      expect(images.map(({ data }) => sum(data))).toEqual(sums);
      expect(images.map(({ data }) => sum(transferred(data)))).toEqual(sums);
      expect(() => kept[0]?.keep()).toThrow(expect.objectContaining({ code: "MEMORY_TRANSFERRED" }));
      for (const image of images)
        expect(() => contiguous(image)).toThrow(expect.objectContaining({ code: "MEMORY_TRANSFERRED" }));
    } finally {
      await endpoint.close();
    }
  });
});

it("memory of the caller that was sent away is refused with the same code", async () => {
  await using endpoint = inProcess(endpointOf(tinySource()));
  const [first] = await new Shots(endpoint, {
    run: { bl: tiny.bl, number: tiny.run },
    detectors: [tiny.detector],
  }).describe();
  const detId = first?.detId ?? "";
  const out = { [detId]: new Float32Array((first?.rows ?? 0) * (first?.columns ?? 0)) };
  const shots = new Shots(endpoint, { run: { bl: tiny.bl, number: tiny.run }, detectors: [detId], out });
  const loop = async (): Promise<void> => {
    for await (const { images } of shots) for (const { data } of Object.values(images)) transferred(data);
  };
  await expect(loop()).rejects.toMatchObject({ code: "MEMORY_TRANSFERRED" });
});

it.each(["the simulated facility", "a run played as if live"])(
  "live shots of %s go on after a transfer",
  async (name) => {
    const isSimulated = name === "the simulated facility";
    const bl = isSimulated ? 2 : archive.bl;
    const endpoint = isSimulated
      ? inProcess(endpointOf(createSimulatedFacility()))
      : await replayLive(inProcess(endpointOf(await archiveSource())), { bl, run: archive.run, speed: "max" });
    try {
      const detectors = (await endpoint.call("live.readDetidlist", { bl })).slice(-1);
      const tags: number[] = [];
      const options = { bl, detectors, policy: isSimulated ? "newest" : "every", limit: 5, timeoutMs: 60_000 } as const;
      for await (const shot of new LiveShots(endpoint, options)) {
        for (const { data } of Object.values(shot.images)) transferred(data);
        expect(() => shot.keep()).toThrow(expect.objectContaining({ code: "MEMORY_TRANSFERRED" }));
        tags.push(shot.tag);
      }
      expect(tags).toHaveLength(5);
    } finally {
      await endpoint.close();
    }
  },
);
