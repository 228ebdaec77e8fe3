import { execFileSync, spawn } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { processIo } from "../../../src/cli/io.ts";
import { bundled } from "../../support/bundled.ts";
import { sacla } from "../../support/cli.ts";
import { cli } from "../../support/fake-io.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);
const sim = "sim:?clock=virtual";
const fixture = join(import.meta.dirname, "../../../fixtures/tiny-octal.h5");
const io = processIo();

describe("the process", () => {
  it("ends without a word when nobody reads on, as in | head", async () => {
    const values = ["values", "651251", "xfel_bl_3_tc_bm_1_pd/charge", "--url", sim];
    const { code, err } = await sacla(folder, values, {}, (child) => child.stdout?.destroy());
    expect([code, err]).toEqual([0, ""]);
  });

  it("stops following when nobody reads on", async () => {
    const { code } = await sacla(
      folder,
      ["live", "--every", "0", "-d", "MPCCD-2N0-M02-001-1", "--url", "sim:"],
      {},
      (child) => child.stdout?.destroy(),
    );
    expect(code).toBe(0);
  });

  it.skipIf(!existsSync("/dev/full"))("fails with one line when the output cannot be written", async () => {
    const { code, err } = await run(["runs", "--url", sim], openSync("/dev/full", "w"));
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/^error WRITE_FAILED: the output cannot be written: the disk is full\.\n$/),
    ]);
  });

  it("ends in order when its terminal is closed", async () => {
    let asked = false;
    const { code, out } = await sacla(
      folder,
      ["live", "--every", "0", "-d", "MPCCD-2N0-M02-001-1", "--url", "sim:"],
      {},
      (child) => {
        if (!asked) child.kill("SIGHUP");
        asked = true;
      },
    );
    expect([code, out]).toEqual([0, expect.stringMatching(/shots used.*\n$/)]);
  });
});

describe("a file that a command writes", () => {
  it("is never a device or a pipe for a conversion, which would put a file in its place", async () => {
    execFileSync("mkfifo", [path("target")]);
    const { code, err } = await cli(["convert", "newest", "-o", path("target"), "--overwrite", "--url", fixture]);
    expect([code, err]).toEqual([1, expect.stringMatching(/WRITE_FAILED: .* is a device or a pipe; name a file/)]);
    expect(lstatSync(path("target")).isFIFO()).toBe(true);
  });

  it("takes the place of a file, not of a device or of a link", () => {
    writeFileSync(path("old"), "old");
    symlinkSync(path("old"), path("link"));
    io.writeFile(path("link"), "new");
    expect([lstatSync(path("link")).isSymbolicLink(), readFileSync(path("old"), "utf8")]).toEqual([true, "new"]);
    execFileSync("mkfifo", [path("pipe")]);
    const reader = openSync(path("pipe"), constants.O_RDWR | constants.O_NONBLOCK);
    io.writeFile(path("pipe"), "new");
    expect([lstatSync(path("pipe")).isFIFO(), readSync(reader, Buffer.alloc(9))]).toEqual([true, 3]);
    closeSync(reader);
  });

  it("is refused with the reason, and nothing is left beside it", () => {
    expect(() => io.writeFile(path("no/file"), "")).toThrow(/no\/file" cannot be written: its folder is not there\./);
    expect(() => io.writeFile(folder, "")).toThrow(/cannot be written: it is a folder; name a file\./);
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });
});

/** With the output going to a file or device. */
async function run(args: readonly string[], stdout: number): Promise<{ code: number | null; err: string }> {
  const child = spawn(process.execPath, [await bundled(), ...args], {
    stdio: ["ignore", stdout, "pipe"],
  });
  let err = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  return { code: await new Promise((resolve) => child.on("close", resolve)), err };
}
