import { type Ledger, mergeLedgers, orderedLedger } from "../core/ledger.ts";
import { tagsOfRanges } from "../core/tag-ranges.ts";
import { writeTree } from "../hdf5/index.ts";
import { type Cube, type PartialResult, resultsOf } from "../reduce/index.ts";
import type { Manifest } from "./folder.ts";
import type { Made } from "./make.ts";
import type { CubeRequest } from "./request.ts";
import { type ResultSummary, summaryOf } from "./summary.ts";

/** What is accumulated of all shards, or of one. */
export interface MergedShards {
  readonly partial: PartialResult<Made["reducers"]>;
  readonly cubes: Readonly<Record<string, Cube>>;
}

/**
 * Writes the result file: a group for each reducer with one for each sensor, `cubes`, `ledger`, and `provenance`. The
 * same request of the same run gives the same bytes, however it was cut into shards.
 * @returns the account of all shots, those that were left out before reading too, and the single numbers of reducers
 * @throws WRITE_FAILED
 */
export async function writeResult(
  manifest: Manifest,
  { partial, cubes }: MergedShards,
): Promise<{ readonly ledger: Ledger; readonly summary: ResultSummary }> {
  const { bl, run, hightag, software, dark, sensors, requestDigest, request, files, startTime, leftOut } = manifest;
  const digests = Object.fromEntries(Object.entries(files).map(([name, { digest }]) => [name, digest]));
  const { ledger: _, ...reduced } = resultsOf(partial);
  const dropped = leftOut.map(({ reason, tags }) => ({ reason, tags: [...tagsOfRanges(tags)] }));
  const asked = dropped.reduce((n, { tags }) => n + tags.length, 0);
  const ledger = orderedLedger(mergeLedgers({ asked, used: 0, dropped }, partial.ledger));
  const grids = Object.entries(cubes).map(([name, cube]) => [name, cubeTree(cube, request.cubes[name])] as const);
  await writeTree(
    manifest.out,
    {
      ...reduced,
      ...(grids.length === 0 ? {} : { cubes: Object.fromEntries(grids) }),
      ledger: {
        asked: ledger.asked,
        used: ledger.used,
        tags: partial.tags,
        dropped: tagsByReason(ledger),
        notes: ledger.notes ?? {},
        amounts: ledger.amounts ?? {},
      },
      provenance: {
        software: `sacla ${software}`,
        bl,
        run,
        hightag,
        sensors,
        dark: dark ?? "none",
        request: JSON.stringify(request),
        request_digest: requestDigest,
        ...(Object.keys(files).length === 0 ? {} : { files: JSON.stringify(digests) }),
      },
    },
    startTime,
  );
  return { ledger, summary: summaryOf(reduced) };
}

function cubeTree(cube: Cube, request: CubeRequest | undefined): Record<string, unknown> {
  const { sums = {}, signals = [], normaliseBy } = request ?? { sums: {}, signals: [] };
  const plain = [...Object.keys(sums), ...signals];
  const axes = cube.axes.map(({ name, edges, centres }) => [name, { centres, edges }] as const);
  const labels = (["all", "on", "off"] as const).filter((label) => cube.counts(label).data.some((count) => count > 0));
  const byLabel = labels.map((label) => {
    const numbers = [...cube.axes.map(({ name }) => name), ...plain].map(
      (name) => [name, cube.numbers(name, label)] as const,
    );
    const ratios =
      normaliseBy === undefined
        ? []
        : plain.filter((name) => name !== normaliseBy).map((name) => [name, cube.normalised(name, label)] as const);
    return [
      label,
      {
        counts: cube.counts(label),
        numbers: Object.fromEntries(numbers),
        ...(ratios.length === 0 ? {} : { normalised: Object.fromEntries(ratios) }),
        images: Object.fromEntries(binImages(cube, label)),
      },
    ] as const;
  });
  const { asked, used } = cube.ledger;
  return {
    axes: Object.fromEntries(axes),
    ...Object.fromEntries(byLabel),
    ledger: { asked, used, dropped: tagsByReason(cube.ledger) },
  };
}

function tagsByReason({ dropped }: Ledger): Record<string, Uint32Array> {
  return Object.fromEntries(dropped.map(({ reason, tags }) => [reason, Uint32Array.from(tags)]));
}

/** Of each bin that was hit, by its place: `3` or `3_0`. */
function binImages(cube: Cube, label: "all" | "on" | "off"): (readonly [string, unknown])[] {
  const counts = cube.counts(label);
  return Array.from(counts.data).flatMap((count, bin) => {
    if (count === 0) return [];
    const index: number[] = [];
    let rest = bin;
    for (const length of cube.shape.toReversed()) {
      index.unshift(rest % length);
      rest = Math.floor(rest / length);
    }
    const found = cube.images(label, ...index);
    if (found === undefined) return [];
    const { ledger: _, ...images } = found;
    return Object.keys(images).length === 0 ? [] : [[index.join("_"), images] as const];
  });
}
