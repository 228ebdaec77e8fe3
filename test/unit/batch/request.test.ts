import { describe, expect, it } from "vitest";
import {
  BatchFolder,
  checkReductionRequest,
  type JobPlan,
  type Manifest,
  pbs,
  slurm,
} from "../../../src/batch/index.ts";
import { lockstep, until } from "../../../src/batch/lockstep.ts";
import { requestDigest } from "../../../src/batch/request.ts";
import type { Shot, ShotStream } from "../../../src/core/shots.ts";
import { manyShotsRequest } from "../../support/many-shots.ts";
import { shotOf } from "../reduce/stack.ts";

const refused = (text: string) =>
  expect.objectContaining({ code: "BAD_ARGUMENT", message: expect.stringContaining(text) });

describe("a request", () => {
  it("is refused with the part that is wrong, and what may stand there", () => {
    const mean = { average: { kind: "mean" } };
    const all: readonly [unknown, string][] = [
      [{}, "reducers and cubes of the request is"],
      [
        { reducers: { average: { kind: "median" } } },
        'kind of reducers.average is "median", but must be mean, variance',
      ],
      [{ reducers: mean, corrections: [{ kind: "comonMode" }] }, "kind of corrections.0"],
      [{ reducers: mean, corections: [] }, "left out, or one of $schema, detectors, shots"],
      [{ reducers: { it: { kind: "histogram", binwidth: 2 } } }, "left out, or one of kind, from, to, binWidth"],
      [{ reducers: { it: { kind: "covariance" } } }, "equipId"],
      [{ reducers: { ledger: { kind: "mean" } } }, 'the name of a reducer or cube is "ledger"'],
      [{ reducers: { "a/b": { kind: "mean" } } }, "letters, digits"],
      [{ reducers: mean, dark: "tail" }, "head"],
      [{ reducers: mean, shots: "bright" }, "exposed"],
      ["text", "the request is"],
    ];
    for (const [request, text] of all) expect(() => checkReductionRequest(request)).toThrow(refused(text));
  });

  it("has a digest that goes by what it asks, not by how it is written", () => {
    const one = checkReductionRequest(manyShotsRequest);
    const { reducers, ...rest } = manyShotsRequest;
    expect(requestDigest(checkReductionRequest({ $schema: "x", ...rest, reducers, dark: "head" }))).toBe(
      requestDigest(one),
    );
    expect(requestDigest(checkReductionRequest({ ...rest, reducers, dark: "none" }))).not.toBe(requestDigest(one));
  });
});

async function* shotsTo(end: number, read: number[]): AsyncGenerator<Shot> {
  for (let tag = 1; tag <= end; tag++) {
    read.push(tag);
    yield shotOf(tag, {});
  }
}

const take = async (shots: ShotStream, most = Infinity): Promise<number[]> => {
  const tags: number[] = [];
  for await (const { tag } of shots) {
    tags.push(tag);
    if (tags.length >= most) break;
  }
  return tags;
};

describe("shots for several readers", () => {
  it("are read once, and seen by each, whoever leaves first", async () => {
    for (const mosts of [
      [Infinity, Infinity, Infinity],
      [2, Infinity, 4],
      [1, 1, 1],
    ]) {
      const read: number[] = [];
      const streams = lockstep(shotsTo(6, read), 3);
      const seen = await Promise.all(streams.map((stream, k) => take(stream, mosts[k])));
      const whole = [1, 2, 3, 4, 5, 6];
      expect(seen).toEqual(mosts.map((most) => whole.slice(0, most)));
      expect(read).toEqual(whole.slice(0, Math.max(...mosts)));
    }
  });

  it("fail for all when the source fails", async () => {
    async function* failing(): AsyncGenerator<Shot> {
      yield shotOf(1, {});
      throw new Error("gone");
    }
    const ends = await Promise.allSettled(lockstep(failing(), 2).map((stream) => take(stream)));
    expect(ends.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  });

  it("end after the shot in hand when told", async () => {
    const stop = new AbortController();
    const read: number[] = [];
    const tags: number[] = [];
    for await (const { tag } of until(shotsTo(9, read), stop.signal)) {
      tags.push(tag);
      if (tag === 3) stop.abort();
    }
    expect([tags, read]).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
    expect(await take(until(shotsTo(9, []), AbortSignal.abort()))).toEqual([]);
  });
});

describe("scripts", () => {
  const plan: JobPlan = {
    folder: new BatchFolder("/shared/my runs/out.h5.parts"),
    manifest: { run: 1_520_000, shards: [] } as unknown as Manifest,
    shards: [0, 1, 2, 5],
    command: ["/opt/node/bin/node", "/opt/sacla's/main.js"],
    cwd: "/shared/my runs",
    options: ["--partition=main"],
  };

  it("of Slurm become the program, so that signals reach it, and append after a requeue", () => {
    const [shards] = slurm.shardScripts(plan);
    expect(shards?.text).toBe(`#!/bin/sh
#SBATCH --job-name=sacla-1520000-shards
#SBATCH --output='/shared/my runs/out.h5.parts/slurm-%A-%a.out'
#SBATCH --open-mode=append
#SBATCH --ntasks=1
#SBATCH --array=0-2,5
#SBATCH --signal=B:USR2@60
#SBATCH --requeue
#SBATCH --partition=main
cd '/shared/my runs' || exit 1
exec /opt/node/bin/node '/opt/sacla'\\''s/main.js' reduce-job shard '/shared/my runs/out.h5.parts' "$SLURM_ARRAY_TASK_ID"
`);
    expect(slurm.mergeScript(plan).text).toContain("main.js' reduce-job merge '/shared/my runs/out.h5.parts'\n");
  });

  it("of PBS name the shard themselves: no variable of a dialect is needed", () => {
    const scripts = pbs.shardScripts(plan);
    expect(scripts.map(({ path }) => path.slice(-13))).toEqual(
      ["0000", "0001", "0002", "0005"].map((n) => `shard-${n}.sh`),
    );
    expect(scripts[3]?.text).toMatch(/exec .* reduce-job shard '.*' 5\n$/);
    expect(scripts.map(({ text }) => text).join("")).not.toContain("$");
  });
});
