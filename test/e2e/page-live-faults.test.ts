import type { Browser } from "playwright-core";
import { PNG } from "pngjs";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { connect } from "../../src/connect.ts";
import { faultsOf, hasBrowser, itInBrowser, openBrowser, openPage, type Viewing, view } from "../support/page.ts";
import { temporaryFolder } from "../support/temporary.ts";

const folder = temporaryFolder();
const [DUAL, OCTAL] = ["MPCCD-2N0-M02-001", "MPCCD-8N0-3-002"];

let browser: Browser;
let sim: Viewing;

beforeAll(async () => {
  if (!hasBrowser) return;
  [browser, sim] = await Promise.all([openBrowser(), view(folder, ["sim:?seed=1"])]);
});
afterAll(async () => {
  await browser?.close();
  await sim?.close();
});

describe("live pictures that end, and the keyboard", () => {
  itInBrowser("has asked for the first picture before the address is printed", async () => {
    const viewing = await view(folder, ["sim:?seed=2"]);
    try {
      const metrics = await (await fetch(`${viewing.address}/metrics`)).text();
      expect(metrics).toMatch(/^sacla_.*method="page\.live".* [1-9]/m);
    } finally {
      await viewing.close();
    }
  });

  itInBrowser("says that a run has ended, and that a detector is no longer live, and follows it again", async () => {
    const { page, faults } = await openPage(browser, sim.address, "live");
    await page
      .getByText(new RegExp(`${DUAL}.*· raw|${OCTAL}.*· raw`))
      .first()
      .waitFor();
    await page.getByLabel("detector").selectOption(DUAL);
    await page
      .getByText(new RegExp(`${DUAL} · .*· raw`))
      .first()
      .waitFor();
    await using facility = await connect(sim.address);
    await using control = await facility.ec.control(3, { name: "Yuki", reason: "ends" });
    const quiet = page.locator(".picture-view.quiet .quiet-note");
    const picture = page.getByLabel(`picture of ${DUAL}`, { exact: true });
    const { run } = await control.startRun({ comment: "short", detectors: [DUAL], shots: 0 });
    await page.getByText(`run ${run}`).first().waitFor();
    await control.stopRun();
    await quiet.getByText(`no run is on, ${run} has ended; start one under Steer`).waitFor();
    await control.startRun({ comment: "without it", detectors: [OCTAL], shots: 0 });
    await page.getByText(`${DUAL} is no longer live on beamline 3`).waitFor();
    await quiet.getByText(/no data since .* has no detector/).waitFor();
    expect(await picture.count(), "the last picture stays, grey").toBe(1);
    // So do its curves: they are no more of now than it is.
    const curves = page.locator(".live-plots .quiet .curve");
    await expect.poll(() => curves.count()).toBeGreaterThan(1);
    expect(await curves.first().evaluate("getComputedStyle(document.querySelector('.quiet .curve')).filter")).toMatch(
      /grayscale\(1\)/,
    );
    const choices = await page.getByLabel("detector").locator("option").allTextContents();
    expect(choices).toContain(`${DUAL} (not live)`);
    expect(choices).toContain(OCTAL);
    expect(await faultsOf(page, "live-gone")).toEqual([]);
    // For the next run all detectors can be chosen; those that are live are.
    await page.keyboard.press("5");
    const boxes = page.getByRole("region", { name: "run control" });
    await boxes.getByLabel(OCTAL).waitFor();
    expect([await boxes.getByLabel(OCTAL).isChecked(), await boxes.getByLabel(DUAL).isChecked()]).toEqual([
      true,
      false,
    ]);
    await control.stopRun();
    await expect.poll(async () => (await control.runState()).state).toBe("ready");
    await control.startRun({ comment: "with it", detectors: [DUAL], shots: 0 });
    await page.keyboard.press("1");
    await page
      .getByText(/with it|· raw/)
      .first()
      .waitFor();
    await expect.poll(() => page.getByText("no longer live").count()).toBe(0);
    await expect.poll(() => quiet.count()).toBe(0);
    await expect.poll(() => curves.count()).toBe(0);
    await control.stopRun();
    expect(faults).toEqual([]);
    await page.close();
  });

  itInBrowser("shows the picture before what draws axes and curves is loaded, at the same place", async () => {
    const page = await browser.newPage({ viewport: { width: 1400, height: 1000 } });
    let load = (): void => {};
    const isWanted = new Promise<void>((resolve) => {
      load = resolve;
    });
    await page.route("**/assets/plots-*.js", async (route) => {
      await isWanted;
      await route.continue();
    });
    await page.goto(`${sim.address}/#/runs?run=1519981&det=MPCCD-1N0-M06-002`);
    const box = async (of: string): Promise<Record<"x" | "y" | "width" | "height", number>> => {
      await page.locator(of).waitFor();
      return (await page.evaluate(`(() => {
        const canvas = document.querySelector("${of}");
        const { x, y, width, height } = canvas.getBoundingClientRect();
        const size = Math.min(width / canvas.width, height / canvas.height);
        return { x: x + (width - size * canvas.width) / 2, y: y + (height - size * canvas.height) / 2,
          width: size * canvas.width, height: size * canvas.height };
      })()`)) as Awaited<ReturnType<typeof box>>;
    };
    const alone = await box(".alone .levels");
    expect(alone.width).toBeGreaterThan(100);
    load();
    const plotted = await box(".picture :not(.alone) > .levels");
    // A point of the picture may stand for fewer pixels than it has room for.
    for (const side of ["x", "y", "width", "height"] as const)
      expect(Math.abs(plotted[side] - alone[side])).toBeLessThan(3);
    await page.close();
  });

  itInBrowser("keeps the picture and STOP where what draws axes and curves cannot be loaded", async () => {
    const { page } = await openPage(browser, sim.address, "steer");
    await page.route("**/assets/plots-*.js", (route) => route.abort());
    await page.goto(`${sim.address}/#/live?det=${DUAL}`);
    await page.reload();
    await page.locator(".alone .levels").waitFor();
    await page
      .getByText(/The plots cannot be loaded: .*Load the page again/)
      .first()
      .waitFor();
    expect(await page.getByRole("button", { name: "STOP" }).isEnabled()).toBe(true);
    expect(await page.locator(".alone .levels").isVisible()).toBe(true);
    await page.close();
  });

  itInBrowser("leaves most of a phone to the picture, and nothing beyond its edge", async () => {
    const page = await browser.newPage({ viewport: { width: 390, height: 844 } });
    await page.goto(`${sim.address}/#/runs?run=1519981&det=MPCCD-1N0-M06-002`);
    const canvas = page.locator(".picture canvas[data-engine]");
    await canvas.waitFor();
    expect((await canvas.boundingBox())?.width).toBeGreaterThan(270);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(390);
    expect(await faultsOf(page, "phone")).toEqual([]);
    await page.close();
  });

  itInBrowser("shows what colours mean also with the forced colours of a system", async () => {
    const { page } = await openPage(browser, sim.address, "runs?run=1519981&det=MPCCD-1N0-M06-002");
    await page.emulateMedia({ forcedColors: "active" });
    const bar = page.locator(".colour-bar > div");
    await bar.waitFor();
    const { data } = PNG.sync.read(await bar.screenshot());
    expect(new Set(new Uint32Array(data.buffer, data.byteOffset, data.byteLength >> 2)).size).toBeGreaterThan(20);
    await page.close();
  });

  itInBrowser("has a low header at every width, also that of a window at 200 % zoom", async () => {
    const { page } = await openPage(browser, sim.address, "live");
    await page.locator(".health").getByText("shot → screen").waitFor();
    const low: Record<number, boolean> = {};
    for (const width of [320, 390, 640, 800, 920, 1024, 1280, 1920]) {
      await page.setViewportSize({ width, height: 600 });
      low[width] = ((await page.locator("header").boundingBox())?.height ?? 600) <= 240;
    }
    expect(Object.entries(low).filter(([, isLow]) => !isLow)).toEqual([]);
    await page.close();
  });

  itInBrowser("is reached by keys alone: panels, the list of keys, a zoomed picture, a rectangle", async () => {
    const { page, faults } = await openPage(browser, sim.address, "runs?run=1519981&det=MPCCD-1N0-M06-002");
    await page.getByText(/· raw/).first().waitFor();
    await page.keyboard.press("?");
    const keys = page.getByRole("dialog", { name: "keys of this page" });
    await keys.getByText("Shift+Esc").waitFor();
    expect(await faultsOf(page, "keys")).toEqual([]);
    await page.keyboard.press("Escape");
    expect(await keys.isVisible()).toBe(false);
    // Seen as a frame: where the keyboard is.
    const plot = page.locator(".picture [role=group]");
    await page.getByLabel("rings").focus();
    for (let i = 0; i < 5 && !(await plot.evaluate((one) => one === one.ownerDocument.activeElement)); i++)
      await page.keyboard.press("Tab");
    expect(await plot.evaluate("getComputedStyle(document.activeElement).outlineStyle")).toBe("solid");
    for (let i = 0; i < 9; i++) await page.keyboard.press("+");
    await page
      .getByText(/· every pixel/)
      .first()
      .waitFor();
    await page.keyboard.press("0");
    await page
      .getByText(/each point: mean of/)
      .first()
      .waitFor();
    await page.getByLabel("rectangle: rows, columns").fill("5,2,0,9");
    await page.keyboard.press("Enter");
    await page.getByText("four whole numbers").waitFor();
    await page.getByLabel("rectangle: rows, columns").fill("0, 5, 0, 9");
    await page.keyboard.press("Enter");
    await expect.poll(() => page.locator(".rois td").last().locator("button").count()).toBe(1);
    expect(await page.locator(".rois tbody td").nth(4).textContent()).toMatch(/^45$|^…$/);
    await page.keyboard.press("Escape");
    await page.getByLabel("condition", { exact: true }).fill("nonsense");
    await page.keyboard.press("Enter");
    await page.locator(".conditions, [role=alert]").first().waitFor();
    // Digits that are typed are no shortcuts.
    await page.getByLabel("condition", { exact: true }).fill("");
    await page.keyboard.type("xfel_bl_3_tc_bm_1_pd/charge >= 1e-10");
    await page.keyboard.press("Enter");
    await page.locator(".conditions").getByText(">= 1e-10").waitFor();
    expect(await faultsOf(page, "run-keys")).toEqual([]);
    await page.locator("h1").first().click();
    await page.keyboard.press("3");
    await page.getByRole("heading", { name: "Arrival timing: run 1519981" }).waitFor();
    await page
      .locator("label", { hasText: /^edges/ })
      .locator("select")
      .selectOption("source");
    await page
      .locator("[data-edges]")
      .getByText(/600 shots/)
      .waitFor();
    await using facility = await connect(sim.address);
    const { fittingPx } = await (await facility.run(3, 1519981)).timingEdges();
    const usable = fittingPx.filter(Number.isFinite).length;
    expect(Number(await page.locator("[data-edges]").getAttribute("data-edges"))).toBe(usable);
    expect(await faultsOf(page, "timing")).toEqual([]);
    expect(faults).toEqual([]);
    await page.close();
  });
});
