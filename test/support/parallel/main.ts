/** Reduces in threads and in one pass, and says whether the bits are the same: run by test/e2e/parallel.test.ts. */
import { createHash } from "node:crypto";
import { isSaclaError } from "../../../src/core/errors.ts";
import { TagList } from "../../../src/core/tags.ts";
import { reduceInParallel, resultsOf } from "../../../src/reduce/index.ts";
import { accumulatePart, type Trouble } from "./part.ts";

const { shots, workers, parts, part, abortMs, ...trouble } = JSON.parse(process.argv[2] ?? "{}") as Trouble & {
  shots: number;
  workers?: number;
  parts?: number;
  /** URL of the module part.ts, or of what was made of it. */
  part: string;
  abortMs?: number;
};
const tags = new TagList(
  202302,
  Array.from({ length: shots }, (_, i) => 250_018_001 + 2 * i),
);
const digest = (value: unknown): string =>
  createHash("sha256")
    .update(
      JSON.stringify(value, (_, v) =>
        ArrayBuffer.isView(v)
          ? createHash("sha256")
              .update(new Uint8Array(v.buffer, v.byteOffset, v.byteLength))
              .digest("hex")
          : v,
      ),
    )
    .digest("hex");

let progress: number[] = [];
try {
  const { ledger, ...answers } = await reduceInParallel<typeof import("./part.ts")>(new URL(part), {
    tags,
    workers,
    parts,
    data: trouble,
    onProgress: (done, total) => {
      progress = [done, total];
    },
    ...(abortMs === undefined ? {} : { signal: AbortSignal.timeout(abortMs) }),
  });
  const alone = resultsOf(await accumulatePart({ tags, data: {}, progress: () => {} }));
  const { ledger: aloneLedger, ...aloneAnswers } = alone;
  console.log(JSON.stringify({ same: digest(answers) === digest(aloneAnswers), ledger, aloneLedger, progress }));
} catch (error) {
  console.log(JSON.stringify({ code: isSaclaError(error) ? error.code : String(error) }));
}
