import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PNG } from "pngjs";
import { describe, expect, it } from "vitest";
import { type CliResult, cli } from "../../support/fake-io.ts";
import { itInFull } from "../../support/full.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const experiment = fileURLToPath(new URL("../../../examples/experiment.json", import.meta.url));
const sensor = "MPCCD-8N0-3-002-1";
const stored = ["1520000", "--url", "sim:", "--experiment", experiment];
const simulated = ["--url", "sim:", "--experiment", experiment];
const live = ["--url", "sim:?clock=virtual", "--experiment", experiment];

async function run(...args: string[]): Promise<CliResult> {
  const done = await cli(args);
  expect([done.code, done.code === 0 ? "" : done.err]).toEqual([0, ""]);
  return done;
}

const jsonOf = ({ out }: CliResult): Record<string, unknown> => JSON.parse(out) as Record<string, unknown>;
const png = (file: string | Uint8Array | undefined): PNG => PNG.sync.read(Buffer.from(file ?? ""));

describe("sacla diff", () => {
  it("writes difference, error and significance, the last two in every pixel", async () => {
    const [number = "", ...rest] = stored;
    const done = await run("diff", number, sensor, "-n", "6", "-o", "d.png", "--json", ...rest);
    expect([...done.files.keys()]).toEqual(["d.png", "d-error.png", "d-significance.png"]);
    expect(jsonOf(done)).toMatchObject({ run: 1520000, on: { shots: 3 }, off: { shots: 3 } });
    for (const file of done.files.values()) expect(png(file).width).toBeGreaterThan(500);
  });

  itInFull("judges nothing from one shot, which has no scatter", async () => {
    const [number = "", ...rest] = stored;
    const done = await run("diff", number, sensor, "-n", "2", "--dark", "none", ...rest);
    expect(done.out).toMatch(/^1 pumped − 1 unpumped shot, /);
    expect(done.out).toContain("no errors and no significance: they need at least 2 pumped and 2 unpumped shots\n");
    expect(done.out).not.toContain("pixels beyond");
  });
});

describe("sacla scatter", () => {
  it("tells the correlation with its error, and names only classes that are drawn", async () => {
    const [number = "", ...rest] = stored;
    const done = await run("scatter", number, "i0", "diode", "-o", "s.svg", ...rest);
    expect(done.out).toMatch(/^diode against i0: 237 shots have both, correlation r = 0\.98\d*\(\d+\)\n300 shots/);
    const svg = String(done.files.get("s.svg"));
    expect(svg).toContain("run 1520000: 300 shots");
    expect(svg).toContain("i0 (nC)");
    expect(svg).toContain("diode (mV)");
    expect(svg).toMatch(/>unpumped</);
    // Dark shots have no number of the diode.
    expect(svg).not.toMatch(/no X-rays|no label/);
  });
});

describe("sacla cube", () => {
  const [number = "", ...rest] = stored;

  it("bins in the unit of the axis, with units that suit the numbers", async () => {
    const done = await run("cube", number, "delay", "diode", "--plot", "c.svg", "-o", "c.csv", ...rest);
    expect(done.out).toMatch(/^delay \(ps\)/);
    expect(done.out).toMatch(/\n +79 +20 +20 +110\.0\(3\) mV\/nC/);
    // Their reason is that they are dark, not that they have no number.
    expect(done.out).toContain("237 of 300 shots used, dropped: 60 dark, 3 no-beam");
    expect(String(done.files.get("c.csv"))).toMatch(/^delay\(ps\),on_shots,on_mean\(V\/C\),.*\r?\n79,20,1100\d{5}\./);
    expect(String(done.files.get("c.svg"))).toContain("diode / i0 (mV/nC)");
  });

  it("takes bins in the unit of the axis", async () => {
    const done = await run("cube", number, "delay", "diode", "--bins", "78.5,84.5,2", "--json", ...rest);
    const { unit, bins } = jsonOf(done) as { unit: string; bins: { at: number; on: { shots: number } }[] };
    expect(unit).toBe("ps");
    expect(bins.map(({ at, on }) => [Number(at.toFixed(9)), on.shots])).toEqual([
      [79.5, 40],
      [81.5, 40],
      [83.5, 40],
    ]);
  });
});

describe("sacla cube of a run without pumped shots", () => {
  it("leaves out dark shots, and refuses a run that has no others", async () => {
    const lit = await run("cube", "1519981", "xfel_bl_3_st_1_motor_73/position", "i0", "--no-normalise", ...simulated);
    expect(lit.out).toMatch(/\d+ of 600 shots used, dropped: 100 dark/);
    const dark = await cli(["cube", "1519991", "delay", "i0", "--no-normalise", ...simulated]);
    expect([dark.code, dark.err]).toEqual([1, expect.stringMatching(/^error NO_SHOTS: .*run 1519991.*: 300 dark/)]);
  });
});

describe("sacla values", () => {
  it("draws two signals over the same tags", async () => {
    const [number = "", ...rest] = stored;
    const done = await run("values", number, "i0", "diode", "--plot", "v.svg", ...rest);
    const svg = String(done.files.get("v.svg"));
    // The diode has no numbers in the dark shots at the head of the run; its frame begins there too.
    expect(svg.split(">160696800<").length - 1).toBe(2);
  });
});

describe("sacla watch", () => {
  it("tells a run as it ends, with its picture", async () => {
    const done = await run("watch", sensor, "-n", "2", "--runs", "1", "-o", "w.png", "--url", "sim:");
    expect(done.out).toMatch(/run +start +shots +beam monitor/);
    expect(done.out).toMatch(/\n1520000 +2025-03-04 08:58:00 JST +2 +\d.*nC.*w\.png\n1 run of beamline 3 seen\n$/s);
    expect(png(done.files.get("w.png")).width).toBeGreaterThan(500);
  });

  it("waits for no detector that the beamline does not have", async () => {
    const { code, err } = await cli(["watch", "MPCCD-9X9", "-n", "1", "--url", "sim:?clock=virtual"]);
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/UNKNOWN_DETECTOR.*has no detector MPCCD-9X9; it has MPCCD-/),
    ]);
  });
});

describe("sacla raster", () => {
  it("takes each spot once, and goes on with those that are fresh", async () => {
    const chip = join(temporaryFolder(), "chip.map");
    const grid = ["sample_x", "-0.1mm", "0.1", "2", "sample_y", "0", "0.1", "2"];
    const rest = ["--signal", "i0", "--shutter", "xrays", "--chip", chip, "--no-journal", "-y", ...live];
    const first = await run("raster", ...grid, "--spots", "3", ...rest);
    expect(first.err).toContain("4 of 4 spots are fresh");
    expect(first.out).toContain("done: 3 points, 3 of 3 shots used");
    expect(first.out).toContain("sample_x (mm)");
    expect(existsSync(chip)).toBe(true);
    const second = await run("raster", ...grid, ...rest);
    expect(second.err).toContain("1 of 4 spots are fresh");
    expect(second.out).toContain("done: 1 point, 1 of 1 shots used");
  });
});

describe("sacla scan --pumped-by", () => {
  const scan = ["scan", "delay", "77ps", "80ps", "2", "--shots", "4", "--signal", "i0", "--pumped-by", "pumped"];
  const rest = ["--shutter", "xrays", "--no-journal", "-y", ...live];

  it("opens the shutters of pump and X-rays, and has both kinds of shots", async () => {
    const done = await run(...scan, "--shutter", "pump", ...rest, "--html", "a.html");
    expect(done.out).toMatch(/\n +77 +4 +4 +done +\d.*nC +\d.*nC +\d.*nC/);
    expect(done.out).not.toContain("no shot was pumped");
    const html = String(done.files.get("a.html"));
    expect(html).toMatch(/<h1>scan, beamline 3, .* JST, SIMULATED<\/h1>/);
    expect(html).toMatch(/<td>\d{4}-\d\d-\d\d\u00a0\d\d:\d\d:\d\d\u00a0JST<\/td>/);
    expect(html).toMatch(/<td>\d\.\d+\(\d+\)\u00a0nC<\/td>/);
    expect(html).toContain("i0 difference");
  });

  it("says that no shot was pumped while the pump's shutter is closed", async () => {
    const { out } = await run(...scan, ...rest);
    expect(out).toContain("i0: no shot was pumped (pumped = 1); the shutter of the pump laser is perhaps closed");
  });
});

describe("sacla config", () => {
  it("shows each default, and which file it is from", async () => {
    const folder = temporaryFolder();
    const file = join(folder, "sacla.json");
    writeFileSync(file, JSON.stringify({ experiment: "exp/e.json", as: "Hanako", colourMap: "magma", clock: "utc" }));
    const done = await run("config", "--url", join(folder, "data.h5"), "--json");
    const { settings, files } = jsonOf(done) as {
      settings: { key: string; value: unknown; from: string }[];
      files: [];
    };
    expect(files).toContain(file);
    const of = Object.fromEntries(settings.map(({ key, value, from }) => [key, [value, from]]));
    expect(of).toMatchObject({
      experiment: [join(folder, "exp", "e.json"), file],
      as: ["Hanako", file],
      colourMap: ["magma", file],
      clock: ["utc", file],
    });
    expect(of["dark"]?.[1]).toMatch(/^default: /);
  });

  it("takes its experiment from the file beside the data's own, and refuses a misspelt key with the file's name", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "a"));
    writeFileSync(join(folder, "a", "sacla.json"), JSON.stringify({ colormap: "magma" }));
    const { code, err } = await cli(["config", "--url", join(folder, "a", "data.h5")]);
    expect(code).not.toBe(0);
    expect(err).toMatch(/sacla\.json/);
    expect(err).toContain("colourMap");
  });
});

describe("a name that only an experiment file defines", () => {
  it.each([
    ["rock", "bl3_st4_pm036", "-300", "300", "6", "--signal", "bragg", "--dry-run"],
    ["rock", "bl3_st4_pm036", "0", "9", "6", "--signal", "xfel_bl_3_tc_bm_1_pd/charge", "--shutter", "xrays", "-y"],
    ["scan", "delay", "77", "82", "26", "--dry-run"],
    ["delay-scan", "live", "delay", "-2", "6", "--of", "diode", "--pumped", "pumped", "--i0", "i0", "--t0-error", "10"],
    ["requests", "ask", "probeDelayFs=60", "--dry-run"],
    ["image", "1520000", "octal"],
    ["values", "1520000", "i0"],
    ["move", "delay=1.5ps"],
    ["shutter", "xrays"],
    ["stop", "delay"],
  ])("%s %s %s says that no file was given, and what can be done", async (...command) => {
    const { code, err } = await cli([...command, "--url", "sim:?clock=virtual"]);
    expect(code).toBe(1);
    expect(err).toMatch(/no file was given: --experiment FILE[\s\S]*experiment-file\.md[\s\S]*lists ids/);
  });

  it("says which file does not define it; an id is no such name", async () => {
    const named = await cli(["values", "1520000", "braggg", ...live]);
    expect(named.err).toContain(`The experiment file ${experiment} does not define it.`);
    for (const id of ["xfel_bl_3_no/such", "MPCCD-9"]) {
      const command = id.includes("/") ? ["values", "1520000", id] : ["image", "1520000", id];
      expect((await cli([...command, "--url", "sim:?clock=virtual"])).err).not.toContain("--experiment");
    }
  });
});

describe("completion", () => {
  const complete = async (...words: string[]): Promise<string[]> =>
    (await run("complete", String(words.length), "sacla", ...words)).out.split("\n").filter((line) => line !== "");

  it("prints the script of each shell", async () => {
    for (const shell of ["bash", "zsh", "fish"])
      expect((await run("completion", shell)).out).toContain("sacla complete");
    expect((await cli(["completion", "cmd"])).code).not.toBe(0);
  });

  it("knows commands, options, choices and runs", async () => {
    expect(await complete("sca")).toEqual(["scatter", "scan"]);
    expect(await complete("diff", "new")).toEqual(["newest"]);
    expect(await complete("assemble", "newest", "--vi")).toEqual(["--view"]);
    expect(await complete("assemble", "newest", "--view", "s")).toEqual(["source"]);
  });
});
