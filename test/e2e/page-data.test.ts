import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect } from "vitest";
import { connect } from "../../src/connect.ts";
import { Presets } from "../../src/ec/index.ts";
import { estimate, Journal, type Plan, scan } from "../../src/scan/index.ts";
import { buildPage, hasBrowser, itInBrowser, openBrowser, openPage, type Viewing, view } from "../support/page.ts";
import { temporaryFolder } from "../support/temporary.ts";

const folder = temporaryFolder();
const WAIT_MS = 60_000;
type ScanSettings = Parameters<typeof scan>[0];

let browser: Browser;
let sim: Viewing;

beforeAll(async () => {
  if (!hasBrowser) return;
  await buildPage();
  writeFileSync(
    join(folder, "grid.mjs"),
    `import { grid } from ${JSON.stringify(new URL("../../src/scan/index.ts", import.meta.url).href)};
    export default grid({
      axes: [
        { axis: "bl3_st2_pm040", from: 0, to: 200, points: 3 },
        { axis: "bl3_st2_pm041", from: 0, to: 300, points: 4 },
      ],
      shutter: "bl3_shutter1",
      shots: { count: 20, signals: ["xfel_bl_3_tc_bm_1_pd/charge"] },
    });`,
  );
  writeFileSync(join(folder, "broken.mjs"), "export default 1;");
  [browser, sim] = await Promise.all([
    openBrowser(),
    view(folder, ["sim:?seed=1&operators=absent", "--plans", folder, "--presets", join(folder, "presets.jsonl")]),
  ]);
}, 180_000);
// A page that a failed test left open would hold the lease of the next one.
afterEach(async () => {
  for (const context of browser?.contexts() ?? []) await context.close();
});
afterAll(async () => {
  await browser?.close();
  await sim?.close();
});

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Serious faults that axe-core finds, and a picture of the page for who wants to look. */
async function faultsOf(page: Page, name: string): Promise<string[]> {
  const looks = process.env["SACLA_TEST_SCREENSHOTS"];
  if (looks !== undefined) await page.screenshot({ path: join(looks, `${name}.png`), fullPage: true });
  await page.evaluate(axe);
  return (await page.evaluate(
    `axe.run().then(({ violations }) => violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => id + ": " + nodes[0].html.slice(0, 200)))`,
  )) as string[];
}

describe("runs, data and steering in Chromium", () => {
  itInBrowser(
    "shows operators the requests to the accelerator, and takes their answers",
    async () => {
      const { page, faults } = await openPage(browser, sim.address, "requests");
      await page.getByText("Nothing has been asked for").waitFor({ timeout: WAIT_MS });
      await using facility = await connect(sim.address);
      await using control = await facility.ec.control(3, { name: "Yuki", reason: "two colours" });
      const asked = control.request({ bl3_chicane1: 60 }, { agree: () => false, reason: "two colours" });
      const refused = expect(asked).rejects.toMatchObject({ code: "REQUEST_DECLINED" });
      await page.getByLabel("operator's name").fill("Sora");
      const row = page.locator('[data-request="1"]');
      await row.getByText("0 → 60 fs").waitFor({ timeout: WAIT_MS });
      await page.getByLabel("reason of the answer to 1").fill("half of it");
      await page.getByLabel("other value for 1").fill("40");
      await page.getByLabel("other value for 1").press("Enter");
      await refused;
      await row.locator('[data-state="withdrawn"]').waitFor({ timeout: WAIT_MS });
      const second = control.request({ bl3_chicane1: 30 }, { reason: "again" });
      await page.getByRole("button", { name: "accept 2" }).click();
      const { bl3_chicane1: kept } = await second;
      await page.locator('[data-request="2"] [data-state="kept"]').waitFor({ timeout: WAIT_MS });
      const shown = await page.locator('[data-request="2"]').textContent();
      expect(shown).toContain(`${kept?.evidence?.shots} shots`);
      const events = await page.locator("[data-log] tbody tr td:nth-child(4)").allTextContents();
      const log = await facility.ec.requestLog(3);
      expect(events.toReversed().map((text) => text.split(" ")[0])).toEqual(log.map(({ event }) => event));
      expect(await faultsOf(page, "requests")).toEqual([]);
      expect(faults).toEqual([]);
      await page.close();
    },
    120_000,
  );

  itInBrowser(
    "looks at a plan out of a file, starts, pauses and stops it, and says how long it goes on",
    async () => {
      const { page, faults } = await openPage(browser, sim.address, "steer?what=plan");
      const plan = page.getByLabel("plan", { exact: true }).locator("select");
      await plan.selectOption("broken.mjs");
      await page.getByRole("button", { name: "dry run" }).click();
      await page.getByText("must export a plan").waitFor({ timeout: WAIT_MS });
      await plan.selectOption("grid.mjs");
      await page.getByRole("button", { name: "dry run" }).click();
      const found = page.locator("[data-dry-run]");
      await found.waitFor({ timeout: WAIT_MS });
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
        .waitFor({ timeout: WAIT_MS });
      await page.getByRole("button", { name: "pause", exact: true }).last().click();
      await page.locator('[data-scan="paused"]').waitFor({ timeout: WAIT_MS });
      await page.getByRole("button", { name: "go on" }).click();
      await page.locator('[data-scan="running"]').waitFor({ timeout: WAIT_MS });
      await page.getByText(/[3-9] of 12 points/).waitFor({ timeout: WAIT_MS });
      await page.getByRole("button", { name: "stop after this point" }).click();
      await page.locator('[data-scan="stopped"]').waitFor({ timeout: WAIT_MS });
      await faultsOf(page, "plan-stopped");
      expect(faults).toEqual([]);
      await page.close();
    },
    180_000,
  );

  itInBrowser(
    "says that a scan is held for want of beam",
    async () => {
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
        .waitFor({ timeout: WAIT_MS });
      await page.getByRole("button", { name: "abort now" }).click();
      await page.locator('[data-scan="aborted"]').waitFor({ timeout: WAIT_MS });
      // What stands there can be gone on with: its settings are those of a scan.
      const command = (await page.locator('[data-scan="aborted"] pre').textContent()) ?? "";
      const { settings } = Journal.context(command.replace("sacla resume ", ""));
      expect(scan(settings as ScanSettings).name).toBe("scan");
      await page.close();
    },
    120_000,
  );

  itInBrowser(
    "keeps a preset, shows what differs from it, and puts it back under the lease",
    async () => {
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
      await presets.getByText("All is as in aligned").waitFor({ timeout: WAIT_MS });
      {
        await using control = await facility.ec.control(3, { name: "Yuki", reason: "away" });
        await control.axis("bl3_st2_pm040").moveTo(400);
      }
      const row = presets.locator("[data-preset] tbody tr");
      await row.getByText("bl3_st2_pm040").waitFor({ timeout: WAIT_MS });
      expect((await row.locator("td").allTextContents()).slice(0, 3)).toEqual(["400", "→", "100 pulse"]);
      expect(await faultsOf(page, "presets")).toEqual([]);
      const back = presets.getByRole("button", { name: "put back aligned" });
      expect(await back.isDisabled()).toBe(true);
      const lease = page.getByRole("region", { name: "lease" });
      await lease.getByLabel("your name").fill("Mirai");
      await lease.getByLabel("reason").fill("back");
      await lease.getByRole("button", { name: "take control" }).click();
      await back.click({ timeout: WAIT_MS });
      await presets.getByText("All is as in aligned").waitFor({ timeout: WAIT_MS });
      expect(await facility.ec.read(3, "bl3_st2_pm040")).toMatchObject({ value: 100 });
      await lease.getByRole("button", { name: "give it back" }).click();
      const [kept] = await new Presets(join(folder, "presets.jsonl")).list();
      expect(kept?.comment).toBe("after the knife edge");
      expect(faults).toEqual([]);
      await page.close();
    },
    120_000,
  );

  itInBrowser(
    "finds signals by their meaning, those of the beamline first",
    async () => {
      const { page } = await openPage(browser, sim.address, "runs?run=1450001");
      await page.getByLabel("signals").fill("BM1");
      const first = page.locator(".signal-picker li button").first();
      await first.getByText("xfel_bl_3_tc_bm_1_pd/charge").waitFor({ timeout: WAIT_MS });
      expect(await first.textContent()).toContain("follows the pulse energy");
      await page.close();
    },
    60_000,
  );
});
