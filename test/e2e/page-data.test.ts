import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect } from "vitest";
import { connect } from "../../src/connect.ts";
import { buildPage, hasBrowser, itInBrowser, openBrowser, openPage, type Viewing, view } from "../support/page.ts";
import { temporaryFolder } from "../support/temporary.ts";

const folder = temporaryFolder();
const WAIT_MS = 60_000;

let browser: Browser;
let sim: Viewing;

beforeAll(async () => {
  if (!hasBrowser) return;
  await buildPage();
  [browser, sim] = await Promise.all([openBrowser(), view(folder, ["sim:?seed=1&operators=absent"])]);
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
