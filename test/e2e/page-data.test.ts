import type { ChildProcess } from "node:child_process";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { PNG } from "pngjs";
import { afterAll, afterEach, beforeAll, describe, expect } from "vitest";
import { connect } from "../../src/connect.ts";
import { quantityWithError } from "../../src/core/quantities.ts";
import { Presets } from "../../src/ec/index.ts";
import { H5Browser } from "../../src/hdf5/index.ts";
import { estimate, Journal, type Plan, scan } from "../../src/scan/index.ts";
import { archiveParts, writeHdf5 } from "../support/archive-parts.ts";
import { bundled } from "../support/bundled.ts";
import { sacla } from "../support/cli.ts";
import { gatewayOver, gatewayPython } from "../support/gateway.ts";
import { itNeeding } from "../support/optional.ts";
import { faultsOf, hasBrowser, itInBrowser, openBrowser, openPage, type Viewing, view } from "../support/page.ts";
import { temporaryFolder } from "../support/temporary.ts";

const folder = temporaryFolder();
const fixture = fileURLToPath(new URL("../../fixtures/tiny-octal.h5", import.meta.url));
type ScanSettings = Parameters<typeof scan>[0];

let browser: Browser;
let sim: Viewing;
let file: Viewing;

beforeAll(async () => {
  if (!hasBrowser) return;
  const source = join(folder, "page-grid.ts");
  writeFileSync(
    source,
    `import { grid } from ${JSON.stringify(fileURLToPath(new URL("../../src/scan/index.ts", import.meta.url)))};
    export default grid({
      axes: [
        { axis: "bl3_st2_pm040", from: 0, to: 200, points: 3 },
        { axis: "bl3_st2_pm041", from: 0, to: 300, points: 20 },
      ],
      shutter: "bl3_shutter1",
      shots: { count: 20, signals: ["xfel_bl_3_tc_bm_1_pd/charge"] },
    });`,
  );
  const made = pathToFileURL(await bundled(source)).href;
  writeFileSync(join(folder, "grid.mjs"), `export { default } from ${JSON.stringify(made)};`);
  writeFileSync(join(folder, "broken.mjs"), "export default 1;");
  [browser, file, sim] = await Promise.all([
    openBrowser(),
    view(folder, [fixture]),
    view(folder, ["sim:?seed=1&operators=absent", "--plans", folder, "--presets", join(folder, "presets.jsonl")]),
  ]);
});
// A page that a failed test left open would hold the lease of the next one.
afterEach(async () => {
  for (const context of browser?.contexts() ?? []) await context.close();
});
afterAll(async () => {
  await browser?.close();
  await Promise.all([sim?.close(), file?.close()]);
});

describe("runs, data and steering in Chromium", () => {
  itInBrowser("shows operators the requests to the accelerator, and takes their answers", async () => {
    const { page, faults } = await openPage(browser, sim.address, "requests");
    await page.getByText("Nothing has been asked for").waitFor();
    await using facility = await connect(sim.address);
    await using control = await facility.ec.control(3, { name: "Yuki", reason: "two colours" });
    const asked = control.request({ bl3_chicane1: 60 }, { agree: () => false, reason: "two colours" });
    const refused = expect(asked).rejects.toMatchObject({ code: "REQUEST_DECLINED" });
    await page.getByLabel("operator's name").fill("Sora");
    const row = page.locator('[data-request="1"]');
    await row.getByText("0 → 60 fs").waitFor();
    await page.getByLabel("reason of the answer to 1").fill("half of it");
    await page.getByLabel("other value for 1").fill("40");
    await page.getByLabel("other value for 1").press("Enter");
    await refused;
    await row.locator('[data-state="withdrawn"]').waitFor();
    const second = control.request({ bl3_chicane1: 30 }, { reason: "again" });
    await page.getByRole("button", { name: "accept 2" }).click();
    const { bl3_chicane1: kept } = await second;
    await page.locator('[data-request="2"] [data-state="kept"]').waitFor();
    const shown = await page.locator('[data-request="2"]').textContent();
    expect(shown).toContain(`${kept?.evidence?.shots} shots`);
    const log = (await facility.ec.requestLog(3)).map(({ event }) => event);
    // The log is asked for by itself, a little later than the request.
    const events = async (): Promise<string[]> =>
      (await page.locator("[data-log] tbody tr td:nth-child(4)").allTextContents())
        .toReversed()
        .map((text) => text.split(" ")[0] ?? "");
    await expect.poll(events).toEqual(log);
    expect(await faultsOf(page, "requests")).toEqual([]);
    expect(faults).toEqual([]);
    await page.close();
  });

  itInBrowser("looks at a plan out of a file, starts, pauses and stops it, and says how long it goes on", async () => {
    const { page, faults } = await openPage(browser, sim.address, "steer?what=plan");
    const plan = page.getByLabel("plan", { exact: true }).locator("select");
    await plan.selectOption("broken.mjs");
    await page.getByRole("button", { name: "dry run" }).click();
    await page.getByText("must export a plan").waitFor();
    await plan.selectOption("grid.mjs");
    await page.getByRole("button", { name: "dry run" }).click();
    const found = page.locator("[data-dry-run]");
    await found.waitFor();
    await using facility = await connect(sim.address);
    const { default: loaded } = (await import(join(folder, "grid.mjs"))) as { default: Plan };
    const expected = await estimate(loaded, await facility.ec.view(3));
    const shown = await found.locator("td").allTextContents();
    expect(shown.slice(2)).toEqual(
      [expected.points, expected.shots, expected.shutterCycles, expected.dosePerSpot].map(({ to }) =>
        String(Math.round(to)),
      ),
    );
    expect(parseFloat(shown[1] ?? "")).toBeCloseTo(expected.seconds.to, -1);
    expect(await page.evaluate("document.querySelector('img.path').naturalWidth")).toBeGreaterThan(100);
    expect(await faultsOf(page, "plan")).toEqual([]);
    await page.getByRole("region", { name: "scan" }).getByLabel("your name").fill("Mirai");
    await page.getByRole("button", { name: "start the plan" }).press("Enter");
    await page
      .locator('[data-scan="running"]')
      .getByText(/about \d+ s left/)
      .waitFor();
    await page.getByRole("button", { name: "pause", exact: true }).last().click();
    await page.locator('[data-scan="paused"]').waitFor();
    await page.getByRole("button", { name: "go on" }).click();
    await page.locator('[data-scan="running"]').waitFor();
    await page.getByText(/([3-9]|[1-5]\d) of 60 points/).waitFor();
    await page.getByRole("button", { name: "stop after this point" }).click();
    await page.locator('[data-scan="stopped"]').waitFor();
    await faultsOf(page, "plan-stopped");
    expect(faults).toEqual([]);
    await page.close();
  });

  itInBrowser("draws the error bars of a scan's points, and says that it was told to abort", async () => {
    const { page } = await openPage(browser, sim.address, "steer");
    const form = page.getByRole("region", { name: "scan settings" });
    await form.getByLabel("axis").selectOption("bl3_st2_pm040");
    await form.getByText("in pulse, -50000 … 50000").waitFor();
    await form.getByLabel("from", { exact: true }).fill("0");
    await form.getByLabel("to", { exact: true }).fill("100");
    await form.getByLabel("points", { exact: true }).fill("1000");
    await form.getByLabel("shots each").fill("3");
    // Of the noise of the monitor the bars are as long as the points are apart.
    await form.getByLabel("also shots without beam").check();
    await form.getByLabel("your name").fill("Mirai");
    await page.getByRole("button", { name: "start the scan" }).click();
    await page.getByText(/[3-9] of 1000 points/).waitFor();
    const canvas = page.locator("[data-scan] .curve canvas");
    const longest = async (): Promise<number> => {
      const { width, height, data } = PNG.sync.read(await canvas.screenshot());
      let most = 0;
      for (let x = 0; x < width; x++)
        for (let y = 0, run = 0; y < height; y++) {
          const [red = 0, green = 0, blue = 0] = data.subarray(4 * (y * width + x));
          run = green > 150 && blue > 150 && red < 140 ? run + 1 : 0;
          most = Math.max(most, run);
        }
      return most;
    };
    // A point alone has four pixels.
    await expect.poll(longest).toBeGreaterThan(12);
    await page.getByRole("button", { name: "abort now" }).click();
    await page.locator('[data-scan="aborted"]').getByText("told to abort at").waitFor();
    await page.close();
  });

  itInBrowser("says that a scan is held for want of beam", async () => {
    const { page } = await openPage(browser, sim.address, "steer");
    const form = page.getByRole("region", { name: "scan settings" });
    await form.getByLabel("axis").selectOption("bl3_st2_pm040");
    await form.getByLabel("from", { exact: true }).fill("0");
    await form.getByLabel("to", { exact: true }).fill("100");
    await form.getByLabel("your name").fill("Mirai");
    await page.getByRole("button", { name: "start the scan" }).click();
    await page
      .locator(".held")
      .getByText(/no beam/)
      .waitFor();
    await page.getByRole("button", { name: "abort now" }).click();
    await page.locator('[data-scan="aborted"]').waitFor();
    // What stands there can be gone on with: its settings are those of a scan.
    const command = (await page.locator('[data-scan="aborted"] pre').textContent()) ?? "";
    const { settings } = Journal.context(command.replace("sacla resume ", ""));
    expect(scan(settings as ScanSettings).name).toBe("scan");
    await page.close();
  });

  itInBrowser("keeps a preset, shows what differs from it, and puts it back under the lease", async () => {
    const { page, faults } = await openPage(browser, sim.address, "steer");
    await using facility = await connect(sim.address);
    {
      await using control = await facility.ec.control(3, { name: "Yuki", reason: "before" });
      await control.axis("bl3_st2_pm040").moveTo(100);
    }
    const presets = page.getByRole("region", { name: "presets" });
    await presets.getByLabel("name").fill("aligned");
    await presets.getByLabel("comment").fill("after the knife edge");
    await presets.getByRole("button", { name: "keep where devices are now" }).click();
    await presets.getByRole("button", { name: "aligned" }).first().click();
    await presets.getByText("All is as in aligned").waitFor();
    {
      await using control = await facility.ec.control(3, { name: "Yuki", reason: "away" });
      await control.axis("bl3_st2_pm040").moveTo(400);
    }
    const row = presets.locator("[data-preset] tbody tr");
    await row.getByText("bl3_st2_pm040").waitFor();
    expect((await row.locator("td").allTextContents()).slice(0, 3)).toEqual(["400", "→", "100 pulse"]);
    expect(await faultsOf(page, "presets")).toEqual([]);
    const back = presets.getByRole("button", { name: "put back aligned" });
    expect(await back.isDisabled()).toBe(true);
    const lease = page.getByRole("region", { name: "lease" });
    await lease.getByLabel("your name").fill("Mirai");
    await lease.getByLabel("reason").fill("back");
    await lease.getByRole("button", { name: "take control" }).click();
    await back.click();
    await presets.getByText("All is as in aligned").waitFor();
    expect(await facility.ec.read(3, "bl3_st2_pm040")).toMatchObject({ value: 100 });
    await lease.getByRole("button", { name: "give it back" }).click();
    const [kept] = await new Presets(join(folder, "presets.jsonl")).list();
    expect(kept?.comment).toBe("after the knife edge");
    expect(faults).toEqual([]);
    await page.close();
  });

  itInBrowser("finds signals by their meaning, those of the beamline first", async () => {
    const { page } = await openPage(browser, sim.address, "runs?run=1450001");
    await page.getByLabel("signals").fill("BM1");
    const first = page.locator(".signal-picker li button").first();
    await first.getByText("xfel_bl_3_tc_bm_1_pd/charge").waitFor();
    expect(await first.textContent()).toContain("follows the pulse energy");
    await page.close();
  });

  itInBrowser(
    "shows columns from a run's images, and saves its picture and its report with the equal command lines",
    async () => {
      const { page, faults } = await openPage(browser, file.address, "runs?images=1&bl=2");
      await using facility = await connect(file.address);
      const [rate] = await facility.endpoint.call("page.imageSummary", { bl: 2, run: 300001 });
      const { value = null, error = null } = rate ?? {};
      const text = quantityWithError(value ?? Number.NaN, error ?? Number.NaN, "%");
      await page.locator(".computed", { hasText: "hit rate" }).getByText(text).waitFor();
      await page.locator(".computed", { hasText: "nearest dark" }).getByText("300001").waitFor();
      expect(await faultsOf(page, "runs-images")).toEqual([]);
      await page.getByRole("link", { name: "300001" }).press("Enter");
      const saved = async (button: string): Promise<{ readonly bytes: Buffer; readonly name: string }> => {
        const [download] = await Promise.all([
          page.waitForEvent("download"),
          page.getByRole("button", { name: button }).press("Enter"),
        ]);
        return { bytes: readFileSync(await download.path()), name: download.suggestedFilename() };
      };
      const png = await saved("save PNG");
      expect(PNG.sync.read(png.bytes).height).toBeGreaterThan(100);
      const command = page.locator("[data-export] pre");
      expect(await command.textContent()).toMatch(/^sacla image 300001 MPCCD-8B0-2-010 --tag \d+ --no-dark --bl 2/);
      const h5 = await saved("save HDF5");
      writeFileSync(join(folder, h5.name), h5.bytes);
      const looked = await (await H5Browser.open(join(folder, h5.name))).look(h5.name, "/picture");
      expect(looked.what).toMatch(/^f4 of shape \[\d+, \d+\]$/);
      const report = await saved("save the report of MPCCD-8B0-2-010");
      expect(report.bytes.toString()).toContain("Run 300001, MPCCD-8B0-2-010");
      const equal = await page.getByRole("region", { name: "report" }).locator("pre").textContent();
      expect(equal).toMatch(/^sacla demo .*tiny-octal.h5 --run 300001 --detector MPCCD-8B0-2-010 -n 100 /);
      // Images of many shots are no matter of a browser: the command is handed over, with words why.
      const form = page.locator("form.export");
      await form.getByLabel("file").selectOption("h5");
      await form.getByText("The page saves no HDF5 of a run").waitFor();
      await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
      await form.getByRole("button", { name: "copy the command" }).press("Enter");
      await form.getByText("Copied.").waitFor();
      expect(await page.evaluate("navigator.clipboard.readText()")).toMatch(
        /^sacla convert 300001 .*--bl 2 -o run300001\.h5$/,
      );
      expect(await faultsOf(page, "run-export")).toEqual([]);
      expect(faults).toEqual([]);
      await page.close();
    },
  );

  itInBrowser("looks into a file: tree, attributes, and a dataset as table, curve and picture", async () => {
    const { page, faults } = await openPage(browser, file.address, "files");
    await page.getByRole("button", { name: "run_300001" }).press("Enter");
    await page.getByRole("button", { name: "detector_2d_1" }).press("Enter");
    await page.getByRole("button", { name: /^tag_/ }).first().press("Enter");
    await page.getByRole("button", { name: "detector_data" }).press("Enter");
    await page.locator(".h5-picture canvas").waitFor();
    // Until all of it has been drawn.
    await expect.poll(() => faultsOf(page, "files-picture")).toEqual([]);
    const as = page.locator("label", { hasText: /^as / }).locator("select");
    await as.selectOption("table");
    const row = page.locator("[data-values] tbody tr").nth(3).locator("td");
    await row.first().waitFor();
    const shown = (await row.allTextContents()).map(Number);
    await using facility = await connect(fixture);
    const run = await facility.run(2, 300001);
    const [sensor = ""] = (await run.detectors())[0]?.sensors ?? [];
    for await (const { images } of facility.shots({ run, detectors: [sensor], tags: (await run.tags()).slice(0, 1) }))
      expect(shown).toEqual(shown.map((_, column) => images[sensor]?.get(3, column)));
    await as.selectOption("curve");
    await page.getByLabel("axis 0").fill("3");
    await page.locator(".curve canvas, .curve svg").first().waitFor();
    expect(await faultsOf(page, "files-curve")).toEqual([]);
    await page.getByRole("navigation", { name: "path in the file" }).getByRole("button").first().click();
    await page.getByRole("region", { name: "members" }).waitFor();
    expect(await faultsOf(page, "files-tree")).toEqual([]);
    expect(faults).toEqual([]);
    await page.close();
  });

  itInBrowser("shows a file that is written anew as it is now, without being asked", async () => {
    const path = join(folder, "anew.h5");
    await writeHdf5(folder, "anew.h5", archiveParts());
    const viewing = await view(folder, [path]);
    try {
      const { page, faults } = await openPage(browser, viewing.address, "runs?bl=3");
      await page.getByText("a comment").waitFor();
      const comment = { "/run_7/exp_info/comment": { data: "written again", dtype: "A32" } };
      copyFileSync(await writeHdf5(folder, "other.h5", archiveParts(comment)), path);
      await page.getByText("written again").waitFor();
      expect(faults).toEqual([]);
      await page.close();
    } finally {
      await viewing.close();
    }
  });

  itInBrowser("keeps what is looked at, by name too, and copies it as a link without secrets", async () => {
    const { page, faults } = await openPage(browser, file.address, "");
    await page.goto(`${file.address}/`);
    // A source without live shots begins with its runs, and stays there.
    await page.getByRole("link", { name: "300001" }).click();
    await page.getByText("Run 300001: tiny octal").waitFor();
    await page.getByLabel("colours").selectOption("Magma");
    await page.getByText("Layout", { exact: true }).click();
    await page.getByLabel("name of the layout").fill("spots");
    await page.getByLabel("name of the layout").press("Enter");
    await page.getByRole("button", { name: "spots", exact: true }).waitFor();
    await page.getByRole("button", { name: "copy the link" }).click();
    const link = await page.getByLabel("link", { exact: true }).inputValue();
    expect(link).toBe(`${file.address}/#/runs?run=300001&map=Magma`);
    expect(await faultsOf(page, "layout")).toEqual([]);
    await page.getByRole("link", { name: "Files" }).click();
    await page.getByRole("region", { name: "members" }).waitFor();
    await page.goto(`about:blank`);
    await page.goto(`${file.address}/`);
    await page.getByRole("region", { name: "members" }).waitFor();
    await page.getByText("Layout", { exact: true }).click();
    await page.getByRole("button", { name: "spots", exact: true }).click();
    await page.getByText("Run 300001: tiny octal").waitFor();
    expect(await page.getByLabel("colours").inputValue()).toBe("Magma");
    expect(faults).toEqual([]);
    await page.close();
  });

  itInBrowser(
    "shows a replayed run through another server: live, then as a stored run, and says what that source has not",
    async () => {
      let replay: ChildProcess | undefined;
      const args = ["replay-live", "300001", "--source", fixture, "--speed", "0.05", "--zmq", "tcp://127.0.0.1:*"];
      const served = new Promise<string>((resolve, reject) => {
        sacla(folder, [...args, "--json"], {}, (child, out) => {
          replay = child as ChildProcess;
          resolve(out);
        }).then(({ err }) => reject(new Error(err)), reject);
      });
      served.catch(() => {});
      const [address] = (JSON.parse(await served) as { addresses: [string] }).addresses;
      const viewing = await view(folder, [address]);
      try {
        const { page, faults } = await openPage(browser, viewing.address, "live?bl=2");
        await page.getByText(/run 300001 · tag 3845593\d\d/).waitFor();
        expect(await faultsOf(page, "replay-live")).toEqual([]);
        const [download] = await Promise.all([
          page.waitForEvent("download"),
          page.getByRole("button", { name: "save PNG" }).click(),
        ]);
        expect(download.suggestedFilename()).toMatch(/^300001-MPCCD-8B0-2-010-3845593\d\d\.png$/);
        await page.getByRole("link", { name: "Runs" }).click();
        await page.locator(".computed", { hasText: "nearest dark" }).getByText("300001").waitFor();
        await page.getByRole("link", { name: "300001" }).click();
        await page.getByText(/tag 384559337 · raw/).waitFor();
        for (const [panel, text] of [
          ["Files", "This source is no file and no folder"],
          ["Steer", "This source controls nothing"],
          ["Requests", "This source takes no requests"],
        ] as const) {
          await page.getByRole("link", { name: panel }).click();
          await page.getByText(text).last().waitFor();
        }
        expect(faults).toEqual([]);
        await page.close();
      } finally {
        await viewing.close();
        replay?.kill("SIGINT");
      }
    },
  );

  itNeeding(
    gatewayPython !== undefined && hasBrowser,
    "no Chromium, or no Python with pyzmq and numpy",
    "shows the runs, pictures and signals of the gateway to the facility's Python modules",
    async () => {
      const address = await gatewayOver(file.address);
      const viewing = await view(folder, [address]);
      try {
        const { page, faults } = await openPage(browser, viewing.address, "runs?bl=2&run=300001");
        await page.getByText(/tag 384559337 · raw/).waitFor();
        await page.locator("[data-selected]").getByText("9 shots").waitFor();
        expect(await faultsOf(page, "gateway")).toEqual([]);
        expect(faults).toEqual([]);
        await page.close();
      } finally {
        await viewing.close();
      }
    },
  );
});
