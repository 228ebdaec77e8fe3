import { expect, it, vi } from "vitest";
import type { PageDetector } from "../../../src/page/page-detector.ts";
import { PictureMaker } from "../../../src/page/picture-maker.ts";
import { WholePicture } from "../../../src/page/shown.ts";

it("PictureMaker makes curves seldom where they take long, so that pictures have most of the time", async () => {
  let now = 0;
  vi.spyOn(performance, "now").mockImplementation(() => now);
  const numbers = vi.fn(async () => {
    now += 300;
    return { histogram: { from: 0, binWidth: 1, counts: new Float64Array(1) }, profile: null };
  });
  const whole = new WholePicture(4, 4);
  const detector = { picture: () => whole, regions: () => [], rings: () => null, beam: null, isReadyFor: () => true };
  const look = { region: null, side: 100, rois: [], profile: null };
  let before: PictureMaker | undefined;
  const madeAt = async (ms: number): Promise<number> => {
    now = ms;
    const maker = new PictureMaker({} as never, { ...detector, numbers } as unknown as PageDetector, {}, before);
    await maker.frame(look, false);
    maker.tellGot();
    await maker.settled();
    before = maker;
    return numbers.mock.calls.length;
  };
  expect([await madeAt(0), await madeAt(1500), await madeAt(2900), await madeAt(3100)]).toEqual([1, 1, 1, 2]);
  vi.restoreAllMocks();
});
