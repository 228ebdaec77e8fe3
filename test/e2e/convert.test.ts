import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { chaos } from "../../scripts/chaos-convert.ts";
import { bundled } from "../support/bundled.ts";
import { sacla } from "../support/cli.ts";
import { isFull, itInFull, times } from "../support/full.ts";
import { itNeeding, pythonWith } from "../support/optional.ts";
import { temporaryFolder } from "../support/temporary.ts";

const root = temporaryFolder();
const fixture = fileURLToPath(new URL("../../fixtures/tiny-octal.h5", import.meta.url));
const fresh = (): string => mkdtempSync(join(root, "f-"));

describe("sacla convert", () => {
  it("writes, validates, counts and makes again, with exit codes", async () => {
    const folder = fresh();
    const written = await sacla(folder, [
      "convert",
      "--url",
      fixture,
      "-o",
      "a.h5",
      "--compression",
      "gzip-1",
      "--table",
      "a.parquet",
      "--json",
    ]);
    expect(written.err).toBe("");
    expect(JSON.parse(written.out)).toMatchObject({
      file: "a.h5",
      images: 71,
      ledger: { asked: 9, used: 9, dropped: [] },
    });
    expect(readFileSync(join(folder, "a.parquet")).subarray(-4).toString()).toBe("PAR1");
    expect(await sacla(folder, ["validate", "a.h5"])).toMatchObject({
      code: 0,
      out: "a.h5: dataconvert layout, 0 errors, 0 warnings\n",
    });
    const stats = await sacla(folder, ["stats", "a.h5", "--json", "-o", "missing.svg"]);
    expect(JSON.parse(stats.out)).toMatchObject({ shots: 9, complete: 6, picture: "missing.svg" });
    expect(readFileSync(join(folder, "missing.svg"), "utf8")).toContain("MPCCD-8B0-2-010-3");
    expect((await sacla(folder, ["replay", "a.h5"])).code).toBe(0);
    expect(await sacla(folder, ["convert", "--url", fixture, "-o", "a.h5"])).toMatchObject({
      code: 1,
      err: expect.stringContaining("FILE_EXISTS"),
    });
    expect(await sacla(folder, ["replay", fixture])).toMatchObject({
      code: 1,
      err: expect.stringContaining("UNSUPPORTED"),
    });
    expect(readdirSync(folder).sort()).toEqual(["a.h5", "a.parquet", "missing.svg"]);
  });

  itInFull(
    "writes for a program, prints what to type next, and warns of a reader that places sensors wrongly",
    async () => {
      const folder = fresh();
      const command = ["convert", "--url", fixture, "--class", "exposed"];
      const { out, code } = await sacla(folder, [...command, "--for", "dials", "-o", "a b.h5"]);
      expect(code).toBe(0);
      expect(out).toContain(
        "next:\n  dials.import 'a b.h5' output.experiments='a b.expt'\n" +
          "  dials.find_spots 'a b.expt' output.reflections='a b.refl'\n  dials.stills_process 'a b.h5'\n",
      );
      expect((await sacla(folder, ["validate", "a b.h5"])).out).toContain("nxmx layout, 0 errors");
      const crystfel = await sacla(folder, [...command, "--for", "crystfel", "-o", "c.h5", "--json"]);
      expect(JSON.parse(crystfel.out)).toMatchObject({
        warnings: [],
        next: [
          expect.stringMatching(/^echo \/.*\/c\.h5 > c\.lst$/),
          expect.stringMatching(/^indexamajig -g c\.geom -i c\.lst .*--threshold=2 /),
        ],
      });
      const cheetah = await sacla(folder, [...command, "--for", "crystfel", "--format", "cheetah", "-o", "d.h5"]);
      // 0.1192 degrees off 90, over 64 × 32 pixels.
      expect(cheetah.out).toMatch(/DIALS .* place the sensors of Cheetah files up to 0\.3 pixels off.*--for dials/);
      expect(cheetah.out).toContain("--threshold=20 ");
      expect(await sacla(folder, [...command, "--for", "dxtbx", "--format", "cheetah", "-o", "e.h5"])).toMatchObject({
        code: 2,
        err: expect.stringContaining("nxmx for dxtbx"),
      });
    },
  );

  const dials = pythonWith("dxtbx.format", "h5py");
  itNeeding(
    dials !== undefined,
    "no Python with dxtbx and h5py",
    "writes files dxtbx knows: assembled, cheetah, NXmx",
    async () => {
      const folder = fresh();
      const options = ["convert", "--url", fixture, "--class", "exposed"];
      await sacla(folder, [...options, "-o", "assembled.h5", "--assembled", "--no-sensors"]);
      await sacla(folder, [...options, "-o", "cheetah.h5", "--format", "cheetah"]);
      await sacla(folder, [...options, "-o", "nxmx.h5", "--format", "nxmx"]);
      const script = `import json, sys, dxtbx
from dxtbx.format.Registry import get_format_class_for_file
names = [get_format_class_for_file(name).__name__ for name in sys.argv[1:]]
image = dxtbx.load("nxmx.h5")
panels = image.get_detector()
print(json.dumps([names, len(panels), panels[2].get_origin(), panels[2].get_fast_axis(), image.get_beam().get_wavelength(), [sum(p.as_numpy_array().sum() for p in image.get_raw_data(i)).item() for i in range(2)]]))`;
      const out = execFileSync(dials ?? "", ["-c", script, "assembled.h5", "cheetah.h5", "nxmx.h5"], {
        cwd: folder,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      });
      const [names, panels, origin, fast, wavelength, sums] = JSON.parse(out) as [
        string[],
        number,
        number[],
        number[],
        number,
        number[],
      ];
      expect(names).toEqual(["FormatHDF5Sacla", "FormatHDF5SaclaMPCCD", "FormatNXmx"]);
      expect(panels).toBe(8);
      // Sensor 3 of fixtures/tiny-octal.h5: (817, -1808) um, -89.98 degrees; dxtbx has x to the right looking from the
      // source.
      expect(origin.map((v) => Math.round(v * 1e4) / 1e4)).toEqual([0.817, -1.808, -50]);
      const angle = (-89.98 * Math.PI) / 180;
      expect(fast[0]).toBeCloseTo(Math.cos(angle), 5);
      expect(fast[1]).toBeCloseTo(Math.sin(angle), 5);
      expect(wavelength).toBeCloseTo(1.24, 2);
      expect(sums.every((sum) => sum > 0)).toBe(true);
    },
  );
});

const shots = times(500, 100);

describe("a conversion killed at random moments", () => {
  it("ends the same to the last byte, and leaves nothing", async () => {
    const asked = isFull ? 8 : times(4, 1);
    const { kills, faults } = await chaos(asked, 20251, shots);
    expect(faults).toEqual([]);
    expect(kills).toBe(asked);
  });
});

const worker = await bundled(fileURLToPath(new URL("../../scripts/chaos-convert-worker.ts", import.meta.url)));

/** Runs the chaos worker with files limited to so many KiB, as a disk that is full. */
function convertWithin(kib: number | null, target: string) {
  const limit = kib === null ? "" : `ulimit -f ${kib}; `;
  const program = [process.execPath, worker, target, String(shots)];
  return spawnSync("bash", ["-c", `${limit}exec "$@"`, "bash", ...program], { encoding: "utf8" });
}

const hasBash = (() => {
  try {
    execFileSync("bash", ["-c", "ulimit -f 10"]);
    return true;
  } catch {
    return false;
  }
})();

describe.skipIf(!hasBash)("a disk that is full", () => {
  it("while shots are read, and while the file is written: WRITE_FAILED, and the rest when there is room", () => {
    const folder = fresh();
    const target = join(folder, "a.h5");
    const reading = convertWithin(1.2 * shots, target);
    expect(reading.status).not.toBe(0);
    expect(reading.stderr).toContain("WRITE_FAILED");
    expect(existsSync(target)).toBe(false);
    expect(readdirSync(folder).sort()).toEqual(["a.h5.part.data", "a.h5.part.journal"]);
    // Enough for what is read (4.8 kB a shot), not for the file with its groups (10 kB).
    const writing = convertWithin(7 * shots, target);
    expect(writing.stderr).toContain("WRITE_FAILED");
    expect(readdirSync(folder).sort()).toEqual(["a.h5.part.data", "a.h5.part.journal"]);
    const last = convertWithin(null, target);
    expect(last.stderr).toBe("");
    expect(last.stdout).toContain(`resumed ${shots}`);
    expect(readdirSync(folder)).toEqual(["a.h5"]);
    const again = convertWithin(null, join(folder, "b.h5"));
    expect(again.status).toBe(0);
    expect(readFileSync(join(folder, "b.h5")).equals(readFileSync(target))).toBe(true);
  });
});
