import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ChaosSource } from "../../../../scripts/chaos-convert-source.ts";
import { SaclaError } from "../../../../src/core/errors.ts";
import { Db } from "../../../../src/db/index.ts";
import { type ConvertRequest, convert } from "../../../../src/hdf5/index.ts";
import { type DataSource, endpointOf } from "../../../../src/source/index.ts";
import { St } from "../../../../src/st/index.ts";
import { inProcess } from "../../../../src/transport/index.ts";
import { temporaryFolder } from "../../../support/temporary.ts";
import { tinySource } from "../../../support/tiny-source.ts";

const root = temporaryFolder();
const request: ConvertRequest = { bl: 3, run: 1, signals: ["*"], limit: 250, detectors: ["MPCCD-2N0-1-006-1"] };

function over(source: DataSource) {
  const endpoint = inProcess(endpointOf(source));
  return { db: new Db(endpoint), st: new St(endpoint) };
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (error instanceof SaclaError) return error.code;
    throw error;
  }
  return "none";
}

const fresh = (): string => mkdtempSync(join(root, "f-"));
const reference = convert(over(new ChaosSource()), request, join(fresh(), "reference.h5")).then(({ path }) =>
  readFileSync(path),
);

/** A source that fails after so many images. */
class FailingSource extends ChaosSource {
  left: number;
  read = 0;

  constructor(left: number) {
    super();
    this.left = left;
  }

  override readFrame(bl: number, run: number, detId: string, tag: number, out: Float32Array): boolean {
    this.read++;
    if (this.left-- <= 0) throw new SaclaError("TIMEOUT", "The storage does not answer.");
    return super.readFrame(bl, run, detId, tag, out);
  }
}

describe("an interrupted conversion", () => {
  it("goes on after the source was gone, reads only the rest, and ends the same to the last byte", async () => {
    const folder = fresh();
    const target = join(folder, "a.h5");
    expect(await codeOf(convert(over(new FailingSource(130)), request, target))).toBe("TIMEOUT");
    expect(readdirSync(folder).sort()).toEqual(["a.h5.part.data", "a.h5.part.journal"]);
    const source = new FailingSource(Infinity);
    const { resumedShots } = await convert(over(source), request, target);
    // Sections have 100 shots with an image; two of the first have none.
    expect([resumedShots, source.read]).toEqual([102, 148]);
    expect(readFileSync(target).equals(await reference)).toBe(true);
    expect(readdirSync(folder)).toEqual(["a.h5"]);
  });

  it("goes on after an abort while the file was being written", async () => {
    const folder = fresh();
    const target = join(folder, "a.h5");
    const stop = new AbortController();
    const onProgress = (step: string, done: number): void => {
      if (step === "write" && done === 40) stop.abort();
    };
    expect(await codeOf(convert(over(new ChaosSource()), request, target, { signal: stop.signal, onProgress }))).toBe(
      "ABORTED",
    );
    expect(readdirSync(folder).sort()).toEqual(["a.h5.part.data", "a.h5.part.journal"]);
    const source = new FailingSource(0);
    expect((await convert(over(source), request, target)).resumedShots).toBe(250);
    expect(readFileSync(target).equals(await reference)).toBe(true);
  });

  it.each([
    ["half a journal line", (journal: string) => truncateSync(journal, readFileSync(journal).length - 20)],
    [
      "half a section more in the data",
      (journal: string) => appendFileSync(journal.replace("journal", "data"), Buffer.alloc(999, 7)),
    ],
    ["bytes lost from the data", (journal: string) => truncateSync(journal.replace("journal", "data"), 100_000)],
    [
      "a changed byte in the data",
      (journal: string) => {
        const bytes = readFileSync(journal.replace("journal", "data"));
        bytes[5] = (bytes[5] ?? 0) ^ 1;
        writeFileSync(journal.replace("journal", "data"), bytes);
      },
    ],
    ["no journal at all", (journal: string) => truncateSync(journal, 0)],
  ])("ends the same after %s", async (_, harm) => {
    const folder = fresh();
    const target = join(folder, "a.h5");
    expect(await codeOf(convert(over(new FailingSource(220)), request, target))).toBe("TIMEOUT");
    harm(`${target}.part.journal`);
    await convert(over(new ChaosSource()), request, target);
    expect(readFileSync(target).equals(await reference)).toBe(true);
    expect(readdirSync(folder)).toEqual(["a.h5"]);
  });

  it("is cleared up when it was killed between the rename and the clearing", async () => {
    const folder = fresh();
    const target = join(folder, "a.h5");
    const [data, journal] = [`${target}.part.data`, `${target}.part.journal`];
    const keep = (step: string, done: number): void => {
      if (step !== "write" || done !== 1) return;
      copyFileSync(data, join(folder, "kept.data"));
      copyFileSync(journal, join(folder, "kept.journal"));
    };
    await convert(over(new ChaosSource()), request, target, { onProgress: keep });
    const { ino, size } = statSync(target);
    const leave = (whole: object): void => {
      copyFileSync(join(folder, "kept.data"), data);
      writeFileSync(
        journal,
        `${readFileSync(join(folder, "kept.journal"), "utf8")}${JSON.stringify({ complete: whole })}\n`,
      );
    };
    leave({ ino, size, images: 245 });
    const source = new FailingSource(0);
    expect(await convert(over(source), request, target)).toMatchObject({
      images: 245,
      resumedShots: 250,
      ledger: { used: 250 },
    });
    expect([source.read, statSync(target).ino]).toEqual([0, ino]);
    expect(readdirSync(folder).sort()).toEqual(["a.h5", "kept.data", "kept.journal"]);
    // A file of that name which is not the one that was written.
    leave({ ino: ino + 1, size, images: 245 });
    expect(await codeOf(convert(over(source), request, target))).toBe("FILE_EXISTS");
  });

  it("is not mixed with another one, nor given to two processes", async () => {
    const target = join(fresh(), "a.h5");
    expect(await codeOf(convert(over(new FailingSource(130)), request, target))).toBe("TIMEOUT");
    expect(await codeOf(convert(over(new ChaosSource()), { ...request, limit: 251 }, target))).toBe("FILE_EXISTS");
    const journal = `${target}.part.journal`;
    const text = readFileSync(journal, "utf8");
    const parent = readFileSync(`/proc/${process.ppid}/stat`, "utf8");
    const started = parent.slice(parent.lastIndexOf(")") + 2).split(" ")[19];
    writeFileSync(journal, text.replace(/"owner":\{[^}]*\}/, `"owner":{"pid":${process.ppid},"started":"${started}"}`));
    expect(await codeOf(convert(over(new ChaosSource()), request, target))).toBe("FILE_EXISTS");
    // A later process with the number of one that has ended.
    writeFileSync(journal, text.replace(/"owner":\{[^}]*\}/, `"owner":{"pid":${process.ppid},"started":"1"}`));
    expect((await convert(over(new ChaosSource()), request, target)).resumedShots).toBe(102);

    const other = join(fresh(), "b.h5");
    expect(await codeOf(convert(over(new FailingSource(130)), request, other))).toBe("TIMEOUT");
    expect(
      (await convert(over(new ChaosSource()), { ...request, limit: 251 }, other, { restart: true })).resumedShots,
    ).toBe(0);
  });
});

describe("a conversion that cannot be", () => {
  it("does not touch a file that is there, unless told", async () => {
    const target = join(fresh(), "a.h5");
    writeFileSync(target, "precious");
    expect(await codeOf(convert(over(new ChaosSource()), request, target))).toBe("FILE_EXISTS");
    expect(readFileSync(target, "utf8")).toBe("precious");
    await convert(over(new ChaosSource()), request, target, { overwrite: true });
    expect(readFileSync(target).equals(await reference)).toBe(true);
  });

  it("says WRITE_FAILED and leaves nothing where it may not write", async () => {
    const folder = fresh();
    expect(await codeOf(convert(over(new ChaosSource()), request, join(folder, "no", "a.h5")))).toBe("WRITE_FAILED");
    expect(await codeOf(convert(over(new ChaosSource()), request, folder))).toBe("WRITE_FAILED");
    expect(readdirSync(folder)).toEqual([]);
    mkdirSync(join(folder, "locked"));
    chmodSync(join(folder, "locked"), 0o500);
    // Root may write anywhere.
    if (process.getuid?.() !== 0)
      expect(await codeOf(convert(over(new ChaosSource()), request, join(folder, "locked", "a.h5")))).toBe(
        "WRITE_FAILED",
      );
    expect(readdirSync(join(folder, "locked"))).toEqual([]);
  });

  it("stops at a missing frame when told, and keeps nothing", async () => {
    const folder = fresh();
    const work = convert(over(tinySource()), { bl: 3, run: 10, missing: "error" }, join(folder, "a.h5"));
    expect(await codeOf(work)).toBe("FRAME_MISSING");
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each<[string, Partial<ConvertRequest>, string]>([
    ["an unknown option", { bogus: 1 } as object, "BAD_ARGUMENT"],
    ["a compression there is not", { compression: "gzip-10" }, "BAD_ARGUMENT"],
    ["a condition without a number", { where: ["x >"] }, "BAD_ARGUMENT"],
    ["uint16 of differences", { pixels: "uint16", dark: "head" }, "BAD_ARGUMENT"],
    ["no image at all", { sensors: false }, "BAD_ARGUMENT"],
    ["a ROI outside the image", { roi: { rows: [0, 99], columns: [0, 1] } }, "BAD_ARGUMENT"],
    ["a tag of another run", { tags: [7] }, "BAD_ARGUMENT"],
    ["a detector there is not", { detectors: ["MPCCD-9"] }, "UNKNOWN_DETECTOR"],
    ["a signal there is not", { signals: ["nothing"] }, "UNKNOWN_SIGNAL"],
    ["a pattern that fits none", { signals: ["nothing*"] }, "UNKNOWN_SIGNAL"],
    ["a run there is not", { run: 99 }, "UNKNOWN_RUN"],
    ["a condition no shot fulfils", { where: ["xfel_mon_bpm_1/x > 1e9"] }, "NO_SHOTS"],
  ])("is refused before anything is written: %s", async (_, change, code) => {
    const folder = fresh();
    expect(await codeOf(convert(over(new ChaosSource()), { ...request, ...change }, join(folder, "a.h5")))).toBe(code);
    expect(readdirSync(folder)).toEqual([]);
  });
});
