import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { interpolateGreys } from "d3-scale-chromatic";
import type { Browser, Page } from "playwright-core";
import { PNG } from "pngjs";
import { afterAll, afterEach, beforeAll, describe, expect } from "vitest";
import { connect } from "../../src/connect.ts";
import type { Roi } from "../../src/core/roi.ts";
import { createSimulatedFacility } from "../../src/facility/index.ts";
import { replayLive as play } from "../../src/live/index.ts";
import { assemblerFor, radiusToQ } from "../../src/reduce/index.ts";
import { newToken, serve } from "../../src/server/index.ts";
import { callMethods } from "../../src/transport/methods.ts";
import { buildPage } from "../support/build-page.ts";
import { itInFull } from "../support/full.ts";
import { faultsOf, hasBrowser, itInBrowser, openBrowser, openPage, type Viewing, view } from "../support/page.ts";
import { childrenOf } from "../support/processes.ts";
import { temporaryFolder } from "../support/temporary.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const fixture = join(root, "fixtures/tiny-octal.h5");
const folder = temporaryFolder();
const SMALL = "MPCCD-2N0-M02-001";

let browser: Browser;
let sim: Viewing;
let file: Viewing;

beforeAll(async () => {
  if (!hasBrowser) return;
  [browser, sim, file] = await Promise.all([openBrowser(), view(folder, ["sim:?seed=1"]), view(folder, [fixture])]);
});
// A page that a failed test left open would hold the lease of the next one.
afterEach(async () => {
  for (const context of browser?.contexts() ?? []) await context.close();
});
afterAll(async () => {
  await browser?.close();
  await Promise.all([sim?.close(), file?.close()]);
});

const untilSeen = async (page: Page, text: string | RegExp): Promise<void> =>
  await page.getByText(text).first().waitFor();

async function rgbOf(page: Page): Promise<(x: number, y: number) => readonly [number, number, number]> {
  const png = PNG.sync.read(await page.screenshot());
  return (x, y) => {
    const at = 4 * (Math.round(y) * png.width + Math.round(x));
    return [png.data[at] ?? 0, png.data[at + 1] ?? 0, png.data[at + 2] ?? 0];
  };
}

/** Of a shot of the fixture, the last one unless told: over the sensor pixels whose centres lie in a rectangle. */
async function sumOfSensorPixels(roi: Roi, wanted?: number): Promise<number> {
  await using facility = await connect(fixture);
  const run = await facility.run(2, 300001);
  const [detector] = await run.detectors();
  const tag = wanted ?? (await run.tags()).at(-1) ?? 0;
  const infos = await Promise.all((detector?.sensors ?? []).map((id) => run.detectorInfo(id)));
  const assembler = await assemblerFor(run, infos, "source");
  let sum = 0;
  // The page shows shots of which a sensor has no image.
  const shots = facility.shots({ run, detectors: detector?.sensors ?? [], tags: [tag], missing: "partial" });
  for await (const { images } of shots)
    for (const { sensor, roi: part, pixels } of assembler?.regionToSensors(roi) ?? [])
      for (let row = part.rows[0]; row < part.rows[1]; row++)
        for (let column = part.columns[0]; column < part.columns[1]; column++)
          if (pixels.get(row - part.rows[0], column - part.columns[0]) === 1)
            sum += images[sensor]?.get(row, column) ?? NaN;
  return sum;
}

describe("the page in Chromium", () => {
  itInBrowser("shows each pixel of a stored picture in the colour of the server's number", async () => {
    const place = "runs?run=300001&map=Greys&limits=0,400";
    const { page, faults } = await openPage(browser, file.address, place);
    await untilSeen(page, /every pixel/);
    await using facility = await connect(fixture);
    const run = await facility.run(2, 300001);
    const [detector] = await run.detectors();
    const tag = (await run.tags()).at(-1) ?? 0;
    const infos = await Promise.all((detector?.sensors ?? []).map((id) => run.detectorInfo(id)));
    const assembler = await assemblerFor(run, infos, "source");
    const images: Record<string, never> = {};
    for await (const shot of facility.shots({ run, detectors: detector?.sensors ?? [], tags: [tag] }))
      Object.assign(images, shot.keep().images);
    const expected = assembler?.assemble(images);
    if (expected === undefined || assembler === null) throw new Error("no picture");
    const box = await page.locator(".picture canvas[data-engine]").boundingBox();
    if (box === null) throw new Error("no canvas");
    const size = Math.min(box.width / assembler.width, box.height / assembler.height);
    let all = 0;
    const shareRight = async (): Promise<number> => {
      const rgb = await rgbOf(page);
      let right = 0;
      all = 0;
      for (let row = 2; row < assembler.height; row += 5)
        for (let column = 2; column < assembler.width; column += 5) {
          const value = expected.get(row, column);
          if (Number.isNaN(value)) continue;
          const x = box.x + box.width / 2 + (column + 0.5 - assembler.width / 2) * size;
          const y = box.y + box.height / 2 + (row + 0.5 - assembler.height / 2) * size;
          const grey = interpolateGreys(1 - Math.min(1, Math.max(0, value / 400)));
          const wanted = (grey.match(/\d+/g) ?? []).map(Number);
          all++;
          if (rgb(x, y).every((part, i) => Math.abs(part - (wanted[i] ?? 0)) <= 4)) right++;
        }
      return right / all;
    };
    // The numbers are there before the picture has been drawn.
    await expect.poll(shareRight).toBeGreaterThan(0.98);
    expect(all).toBeGreaterThan(100);
    expect(faults).toEqual([]);
    await page.close();
  });

  itInBrowser(
    "asks what it needs before it draws a panel once each, and not one after the other's answer",
    async () => {
      const page = await browser.newPage();
      const asked: string[] = [];
      const first = ["facility/describe", "db/listBeamlines", "page/experiment"].map((path) => `/v1/${path}`);
      let answerAll = (): void => {};
      const haveCome = new Promise<void>((resolve) => {
        answerAll = resolve;
      });
      await page.route("**/v1/**", async (route) => {
        const { pathname } = new URL(route.request().url());
        asked.push(pathname);
        // None of these is answered before all of them have been asked.
        if (first.every((path) => asked.includes(path))) answerAll();
        if (first.includes(pathname)) await haveCome;
        await route.continue();
      });
      await page.goto(`${sim.address}/#/live?det=${SMALL}`);
      await untilSeen(page, / · raw/);
      const before = asked.slice(0, asked.indexOf("/v1/page/live"));
      for (const path of first)
        expect(
          before.filter((one) => one === path),
          path,
        ).toHaveLength(1);
      await page.unrouteAll({ behavior: "ignoreErrors" });
      await page.close();
    },
  );

  itInBrowser("sums a rectangle as the library does, over the sensor pixels in it", async () => {
    const roi = { rows: [20, 60], columns: [30, 90] } as const;
    const { page } = await openPage(browser, file.address, "runs?run=300001&rois=20-60-30-90");
    await page.locator("[data-roi-sum]").getByText(/\d/).waitFor();
    const shown = Number(await page.locator("[data-roi-sum]").textContent());
    const sum = await sumOfSensorPixels(roi);
    expect(shown).toBeCloseTo(sum, 3);
    await page.close();
  });

  itInBrowser("draws rings round the beam where the library says that the values are", async () => {
    const place = "runs?run=300001&rings=on&unit=q_A%5E-1&distance=50&energy=10000";
    const { page, faults } = await openPage(browser, file.address, place);
    await page.locator("[data-ring]").first().waitFor();
    const drawn = (await page.evaluate(`(() => {
        const [x, y] = document.querySelector("[data-beam]").getAttribute("d").slice(1).split(/[hM ]/).map(Number);
        const all = [...document.querySelectorAll("[data-ring]")].map((ring) => ({
          value: Number(ring.dataset.ring),
          pixels: Number(ring.dataset.radius),
          radius: Number(ring.querySelector("circle").getAttribute("r")),
          text: ring.textContent,
        }));
        return { x: x + 8, y, all };
      })()`)) as { x: number; y: number; all: { value: number; pixels: number; radius: number; text: string }[] };
    await using facility = await connect(fixture);
    const run = await facility.run(2, 300001);
    const [detector] = await run.detectors();
    const infos = await Promise.all((detector?.sensors ?? []).map((id) => run.detectorInfo(id)));
    const assembler = await assemblerFor(run, infos, "source");
    const [width, height, pixelSizeUm] = [
      assembler?.width ?? NaN,
      assembler?.height ?? NaN,
      assembler?.pixelSizeUm ?? NaN,
    ];
    const box = await page.locator(".picture canvas[data-engine]").boundingBox();
    const [across, down] = [box?.width ?? NaN, box?.height ?? NaN];
    expect([drawn.x / across, drawn.y / down]).toEqual([expect.closeTo(0.5, 2), expect.closeTo(0.5, 2)]);
    expect(drawn.all.length).toBeGreaterThan(1);
    for (const { value, pixels, radius, text } of drawn.all) {
      expect(radiusToQ(pixels * pixelSizeUm, 50, 10_000)).toBeCloseTo(value, 6);
      expect(radius).toBeCloseTo(pixels * Math.min(across / width, down / height), 0);
      expect(text).toContain(`${((2 * Math.PI) / value).toPrecision(3)} Å`);
    }
    expect(faults).toEqual([]);
    await page.close();
  });

  itInBrowser("shows a replayed run as it is played, with the numbers of the library", async () => {
    await using facility = await connect(fixture);
    const played = await play(facility.endpoint, { bl: 2, run: 300001, speed: 0.5 });
    await using server = await serve(played, { zmq: ["tcp://127.0.0.1:*"] });
    const replay = await view(folder, [server.addresses[0] ?? ""]);
    try {
      const { page, faults } = await openPage(browser, replay.address, "live?bl=2&rois=20-60-30-90");
      await page.locator("[data-roi-sum]").getByText(/\d/).waitFor();
      const [what = "", sum] = (await page.evaluate(
        `[document.querySelector(".what").textContent, document.querySelector("[data-roi-sum]").textContent]`,
      )) as string[];
      const tag = Number(/tag (\d+)/.exec(what)?.[1]);
      // One sensor has no image of some shots of the file.
      expect(what).toMatch(/· raw · .* JST, \d+(\.\d)? s ago( · MPCCD-8B0-2-010-3: frame-missing)?$/);
      expect(Number(sum)).toBeCloseTo(await sumOfSensorPixels({ rows: [20, 60], columns: [30, 90] }, tag), 3);
      // Nobody is sent to Steer, which says that this source controls nothing.
      await untilSeen(page, /no data since \d\d:\d\d:\d\d JST: .*: no run is on, 300001 has ended$/);
      expect(faults).toEqual([]);
      await page.close();
    } finally {
      await replay.close();
    }
  });

  itInBrowser("tells pumped from unpumped live shots, counts hits, and sums a signal up", async () => {
    const place = `live?det=${SMALL}-1&shots=error&hit=50&pixels=1&versus=histogram`;
    const { page, faults } = await openPage(browser, sim.address, place);
    await untilSeen(page, /standard error of pumped − unpumped of \d+ pumped and \d+ unpumped shots/);
    // Every pixel is above 50 ADU: that is the pedestal.
    await untilSeen(page, /Hit rate: (\d+) hits in \1 shots/);
    await untilSeen(page, /charge: mean \d\S* nC, scatter \S+ nC, (100|9\d)\.\d % of shots complete/);
    expect(faults).toEqual([]);
    await page.close();
  });

  itInBrowser("begins with the beamline and the colours of sacla.json", async () => {
    const beside = join(folder, "beside");
    mkdirSync(beside);
    writeFileSync(join(beside, "sacla.json"), JSON.stringify({ url: fixture, bl: 2, colourMap: "magma" }));
    const viewing = await view(beside, []);
    try {
      const { page } = await openPage(browser, viewing.address, "runs?run=300001");
      await untilSeen(page, /every pixel/);
      expect(await page.locator("header select").inputValue()).toBe("2");
      expect(await page.getByLabel("colours").inputValue()).toBe("Magma");
      await page.close();
    } finally {
      await viewing.close();
    }
  });

  itInBrowser("follows live shots, and says the pixel under the mouse with its sensor", async () => {
    const { page, faults } = await openPage(browser, sim.address, `live?det=${SMALL}`);
    await untilSeen(page, /· raw/);
    const drawn = async (): Promise<number> => Number(await page.locator("html").getAttribute("data-drawn"));
    const before = await drawn();
    await expect.poll(drawn).toBeGreaterThan(before + 2);
    const box = await page.locator(".picture canvas[data-engine]").boundingBox();
    // What follows the mouse may come a moment after the canvas.
    const readOut = page.getByText(new RegExp(`pixel \\(\\d+, \\d+\\) of ${SMALL}-[12]`));
    let moves = 0;
    const moved = async (): Promise<number> => {
      const [left, top] = [(box?.x ?? 0) + (moves++ % 2), box?.y ?? 0];
      await page.mouse.move(left + (box?.width ?? 0) * 0.3, top + (box?.height ?? 0) * 0.5);
      return await readOut.count();
    };
    await expect.poll(moved, { interval: 500 }).toBeGreaterThan(0);
    // Twice a second, however many pictures come: the screen is not drawn for numbers alone.
    const { seconds, most } = (await page.evaluate(`new Promise((resolve) => {
      const counts = new Map();
      const began = performance.now();
      new MutationObserver((records) => {
        for (const text of new Set(records.map(({ target }) => target))) counts.set(text, (counts.get(text) ?? 0) + 1);
        const seconds = (performance.now() - began) / 1000;
        if (seconds >= 3) resolve({ seconds, most: Math.max(...counts.values()) });
      }).observe(document.querySelector(".health"), { subtree: true, characterData: true });
    })`)) as { seconds: number; most: number };
    expect(most).toBeLessThanOrEqual(2 * seconds + 2);
    expect(faults).toEqual([]);
    await page.close();
  });

  itInBrowser("says on every panel that the server does not answer, and which detector is not live", async () => {
    const { page } = await openPage(browser, sim.address, "live?det=MPCCD-9");
    await untilSeen(page, /MPCCD-9 is not live on beamline 3; this is MPCCD/);
    await untilSeen(page, /age of the shot/);
    await page.getByRole("link", { name: "Steer" }).click();
    await untilSeen(page, /Lease of beamline 3/);
    // No picture is asked for, so none is old.
    expect(await page.getByText("age of the shot").count()).toBe(0);
    await page.route("**/v1/**", async (route) => await route.abort());
    await page
      .locator(".health")
      .getByText(/cannot be reached/)
      .waitFor();
    // Positions that are old do not look like those of now.
    const old = page.locator(".unanswered table");
    await old.first().waitFor();
    await page.unroute("**/v1/**");
    await page.locator(".health").getByText(/lease/).waitFor();
    await expect.poll(() => old.count()).toBe(0);
    // Each part of the header is asked for by itself.
    await expect
      .poll(() =>
        page
          .locator(".health")
          .getByText(/cannot be reached/)
          .count(),
      )
      .toBe(0);
    await page.close();
  });

  itInBrowser("keeps named layouts on the server, for all who look", async () => {
    const { page } = await openPage(browser, sim.address, "steer");
    await page.getByText("Layout", { exact: true }).click();
    await page.getByLabel("name of the layout").fill("alignment");
    await page.getByLabel("name of the layout").press("Enter");
    await page.getByRole("button", { name: "alignment", exact: true }).waitFor();
    // Another browser.
    const { page: other } = await openPage(browser, sim.address, "runs");
    await other.getByText("Layout", { exact: true }).click();
    await other.getByRole("button", { name: "alignment", exact: true }).click();
    await untilSeen(other, /Lease of beamline 3/);
    await other.getByRole("button", { name: "forget the layout alignment" }).click();
    await expect.poll(() => other.getByText("forget the layout").count()).toBe(0);
    await Promise.all([page.close(), other.close()]);
  });

  itInBrowser("lets go of what plots have drawn when they are drawn again", async () => {
    const page = await browser.newPage();
    await page.addInitScript(`(() => {
      const { createBuffer, deleteBuffer } = WebGL2RenderingContext.prototype;
      window.liveBuffers = 0;
      WebGL2RenderingContext.prototype.createBuffer = function () {
        window.liveBuffers++;
        return createBuffer.call(this);
      };
      WebGL2RenderingContext.prototype.deleteBuffer = function (buffer) {
        window.liveBuffers--;
        deleteBuffer.call(this, buffer);
      };
    })()`);
    let answers = 0;
    page.on("response", (response) => {
      if (response.url().includes("/v1/page/signals")) answers++;
    });
    const further = async (more: number): Promise<number> => {
      const wanted = answers + more;
      await expect.poll(() => answers).toBeGreaterThanOrEqual(wanted);
      return (await page.evaluate("window.liveBuffers")) as number;
    };
    await page.goto(`${sim.address}/#/live?det=${SMALL}-1`);
    await untilSeen(page, /· raw/);
    // Signal, histogram and profile: a plot that comes later would count.
    await expect.poll(() => page.locator(".curve canvas").count()).toBe(3);
    const before = await further(4);
    expect(before).toBeGreaterThan(5);
    // Each drawing of one plot has made at least two.
    expect(await further(8)).toBeLessThan(before + 8);
    await page.close();
  });

  itInBrowser("goes on after the process that reads has died", async () => {
    const { page } = await openPage(browser, sim.address, `live?det=${SMALL}`);
    await untilSeen(page, /· raw/);
    const [reading] = childrenOf(sim.child.pid ?? 0, "reading-process");
    if (reading === undefined) throw new Error("no process reads");
    process.kill(reading, "SIGKILL");
    await untilSeen(page, /no data since/);
    const before = Number(await page.locator("html").getAttribute("data-drawn"));
    await expect
      .poll(async () => Number(await page.locator("html").getAttribute("data-drawn")))
      .toBeGreaterThan(before + 1);
    await page.close();
  });

  // From here on control has been taken once, and no run begins by itself.
  itInBrowser("asks again for what it did not get while the server was away, and says how a lease ended", async () => {
    const { page } = await openPage(browser, sim.address, "runs");
    await untilSeen(page, "stopped");
    let isAway = true;
    await page.route("**/v1/**", async (route) => await (isAway ? route.abort() : route.continue()));
    await page.getByRole("link", { name: "Steer" }).click();
    await page
      .locator("main")
      .getByText(/cannot be reached/)
      .waitFor();
    isAway = false;
    await untilSeen(page, "bl3_st2_pm001");
    const lease = page.getByRole("region", { name: "lease" });
    await lease.getByLabel("your name").fill("Mirai");
    await lease.getByLabel("reason").fill("ends");
    await lease.getByRole("button", { name: "take control" }).click();
    await untilSeen(page, "You hold the lease");
    await page.getByRole("link", { name: "Runs" }).click();
    isAway = true;
    // It is told on the panel where one is, not on that where it was taken.
    const alert = page.locator(".held-alert");
    await alert.getByText("The lease is lost").waitFor();
    await alert.getByRole("button").click();
    expect(await alert.count()).toBe(0);
    await page.close();
    // For those who come after: nobody has given the lease back.
    await using facility = await connect(sim.address);
    await expect.poll(() => facility.endpoint.call("lease.holder", { bl: 3 })).toBe(null);
  });

  itInBrowser("takes the lease, moves, refuses a second person, and STOPs without the lease", async () => {
    // So slow that it cannot arrive before it is stopped, however slow the computer.
    {
      await using facility = await connect(sim.address);
      await using control = await facility.ec.control(3, { name: "Mirai", reason: "a slow stage" });
      // Of its 45 mm there are 150 s to stop it in.
      await control.axis("bl3_st2_pm040").setSpeed(300);
    }
    const first = await openPage(browser, sim.address, "steer");
    const { page } = first;
    await page.getByLabel("your name").first().fill("Mirai");
    await page.getByLabel("reason").first().fill("alignment");
    await page.getByRole("button", { name: "take control" }).click();
    await untilSeen(page, "You hold the lease");
    const other = await (await browser.newContext()).newPage();
    await other.goto(`${sim.address}/#/steer`);
    await other.getByLabel("your name").first().fill("Yuki");
    await other.getByLabel("reason").first().fill("too");
    await other.getByRole("button", { name: "take control" }).click();
    await untilSeen(other, /Mirai/);
    await page.getByLabel("target of bl3_st2_pm040").fill("45000");
    await untilSeen(page, "now → will be");
    await page.getByRole("button", { name: "move", exact: true }).click();
    const at = page.locator('[data-axis="bl3_st2_pm040"]');
    await expect.poll(async () => parseFloat((await at.textContent()) ?? "")).toBeGreaterThan(50);
    const stops: string[] = [];
    other.on("request", (request) => {
      if (request.url().endsWith("/v1/ec/stop")) stops.push(request.method());
    });
    await other.getByRole("button", { name: "STOP" }).hover();
    await other.mouse.down();
    // The button is still held down, and one request is enough for all axes.
    await untilSeen(other, /stopped \d+ axes in \d+ ms/);
    await other.mouse.up();
    expect(stops).toEqual(["POST"]);
    await untilSeen(page, /it was stopped/);
    await using facility = await connect(sim.address);
    const { value: place, state } = await facility.ec.read(3, "bl3_st2_pm040");
    expect(state).toBe("ready");
    expect(place).toBeLessThan(44_000);
    // What the page shows of a place may be of the poll before.
    await expect.poll(async () => parseFloat((await at.textContent()) ?? "")).toBeCloseTo(Number(place), -2);
    expect(await facility.ec.read(3, "bl3_st2_pm040")).toMatchObject({ value: place, state: "ready" });
    await page.getByRole("button", { name: "give it back" }).click();
    await other.context().close();
    expect(first.faults).toEqual([]);
    await page.close();
  });

  itInBrowser("runs a scan on the server to its fitted peak, also when its window is closed", async () => {
    const { centrePulse } = createSimulatedFacility({ seed: 1 }).truth.crystal(3);
    const { page } = await openPage(browser, sim.address, "steer");
    await page.getByLabel("axis").selectOption("bl3_st4_pm036");
    await page.getByLabel("from", { exact: true }).fill(String(Math.round(centrePulse) - 240));
    await page.getByLabel("to", { exact: true }).fill(String(Math.round(centrePulse) + 240));
    await page.getByLabel("points", { exact: true }).fill("17");
    await page.getByLabel("shots each").fill("5");
    const form = page.getByRole("region", { name: "scan settings" });
    await form.getByLabel("shutter").selectOption("bl3_shutter1");
    await page.getByLabel("signals").fill("st_4_pd_user_3 peak voltage");
    await page.getByRole("button", { name: "xfel_bl_3_st_4_pd_user_3_fitting_peak/voltage" }).first().click();
    await page.getByRole("button", { name: "xfel_bl_3_tc_bm_1_pd/charge ✕" }).click();
    await page.locator("[data-dry-run]").getByText("17 points").waitFor();
    await form.getByLabel("your name").fill("Mirai");
    await page.getByRole("button", { name: "start the scan" }).click();
    await page.locator('[data-scan="running"]').waitFor();
    await page.close();
    const { page: later, faults } = await openPage(browser, sim.address, "steer");
    await later.locator('[data-scan="done"]').waitFor();
    await later.locator("[data-fit]").waitFor();
    const centre = Number(await later.locator("[data-fit]").getAttribute("data-fit"));
    // Backlash of 10 pulses and few shots: the peak, and not noise.
    expect(Math.abs(centre - centrePulse)).toBeLessThan(30);
    // The fitted curve is a line from end to end, and its top is where the centre is said to be.
    await untilSeen(later, /orange line: a Gaussian peak on a flat background, fitted to the points$/);
    await later.locator("[data-scan] .curve canvas").waitFor();
    expect(await faultsOf(later, "scan-fit")).toEqual([]);
    const topOfLine = async (): Promise<{ readonly share: number; readonly x: number }> => {
      const { width, height, data } = PNG.sync.read(await later.locator("[data-scan] .curve canvas").screenshot());
      const tops = Array.from({ length: width }, (_, x) => {
        const isOrange = (y: number): boolean => {
          const [red = 0, green = 0, blue = 0] = data.subarray(4 * (y * width + x));
          // One pixel wide, so that it may be spread over two.
          return red > 80 && red > 1.2 * green && red > 1.6 * blue;
        };
        return Array.from({ length: height }, (_, y) => y).find(isOrange) ?? height;
      });
      const highest = tops.flatMap((y, x) => (y <= Math.min(...tops) + 1 ? [x] : []));
      const share = tops.filter((y) => y < height).length / width;
      return { share, x: highest.reduce((sum, x) => sum + x, 0) / highest.length / width };
    };
    await expect.poll(async () => (await topOfLine()).share).toBeGreaterThan(0.9);
    // The axis goes one hundredth of the scan beyond its ends.
    const expected = (centre - (Math.round(centrePulse) - 240) + 4.8) / (480 + 9.6);
    expect((await topOfLine()).x).toBeCloseTo(expected, 1);
    expect(faults).toEqual([]);
    await later.close();
  });

  itInBrowser("lets a key that reads see everything and change nothing, by no route", async () => {
    const path = join(folder, "keys.json");
    const { token } = newToken(path, "reader", "read");
    const guarded = await view(folder, ["sim:", "--keys", path]);
    try {
      const { page } = await openPage(browser, guarded.address, "steer");
      await page.getByLabel(/Token/).fill(token);
      await page.getByRole("button", { name: "Log in" }).click();
      await untilSeen(page, "this key may only read");
      expect(await page.getByRole("button", { name: "STOP" }).isDisabled()).toBe(true);
      expect(await page.evaluate("document.cookie"), "no script sees the cookie").toBe("");
      const changing = Object.entries(callMethods).filter(([, { changes }]) => changes);
      expect(changing.length).toBeGreaterThan(10);
      for (const [method] of changing) {
        const status = await page.evaluate(
          `fetch("/v1/${method.replace(".", "/")}", { method: "POST", body: "{}",
            headers: { "Content-Type": "application/json", "Idempotency-Key": "1" } }).then((answer) => answer.status)`,
        );
        expect(status, method).toBe(403);
      }
      await page.reload();
      await untilSeen(page, "this key may only read");
      // As when a session ends, or its key is revoked.
      await page.context().clearCookies();
      await page.getByLabel(/Token/).fill(token);
      await page.getByRole("button", { name: "Log in" }).click();
      await untilSeen(page, "this key may only read");
      await page.getByRole("button", { name: "Log out" }).click();
      await page.getByLabel(/Token/).waitFor();
      await page.close();
    } finally {
      await guarded.close();
    }
  });

  itInBrowser("has no serious fault that axe-core finds, in any panel", async () => {
    // The live picture needs a run: once it has been controlled, the simulated facility has shots in runs only.
    await using facility = await connect(sim.address);
    await using control = await facility.ec.control(3, { name: "Yuki", reason: "pictures" });
    await control.startRun({ comment: "looked at", detectors: [SMALL], shots: 0 });
    for (const [name, { address }, panels] of [
      [
        "sim",
        sim,
        {
          Live: [`live?det=${SMALL}&rois=10-90-10-90`, /· raw/],
          Runs: ["runs", "stopped"],
          Timing: ["timing", "Arrival timing: live"],
          Files: ["files", "This source is no file and no folder"],
          Steer: ["steer", "bl3_st2_pm001"],
          Requests: ["requests", "Nothing has been asked for"],
        },
      ],
      [
        "file",
        file,
        {
          Live: ["live", "This source has no live shots"],
          Runs: ["runs", "The last 1 run of beamline 2"],
          Run: ["runs?run=300001", /every pixel/],
          Timing: ["timing", "has no camera of a timing monitor"],
          Files: ["files", "tiny-octal.h5"],
          Steer: ["steer", "This source controls nothing"],
          Requests: ["requests", "This source takes no requests"],
        },
      ],
    ] as const) {
      const { page, faults } = await openPage(browser, address, "runs");
      const links = page.getByRole("navigation", { name: "panels" }).getByRole("link");
      await links.first().waitFor();
      expect(Object.keys(panels).filter((panel) => panel !== "Run")).toEqual(await links.allTextContents());
      for (const [panel, [place, ready]] of Object.entries(panels)) {
        await page.goto(`${address}/#/${place}`);
        await page.locator("main").getByText(ready).first().waitFor();
        expect(await faultsOf(page, `${name}-${panel}`), place).toEqual([]);
        // One of anything is no many, and a list to choose from has something in it.
        expect(await page.locator("main").textContent(), place).not.toMatch(/\b1 (runs|shots|points|hits)\b/);
        expect(await page.locator("select:not(:has(option))").count(), place).toBe(0);
      }
      expect(faults).toEqual([]);
      await page.close();
    }
    await control.stopRun();
    await expect.poll(async () => (await control.runState()).state).toBe("ready");
  });

  // After those of live shots: once it is controlled, the simulated facility has them in runs only.
  itInBrowser("starts and ends a run", async () => {
    const { page } = await openPage(browser, sim.address, "steer");
    await page.getByLabel("your name").first().fill("Mirai");
    await page.getByLabel("reason").first().fill("run");
    await page.getByRole("button", { name: "take control" }).click();
    await untilSeen(page, "You hold the lease");
    const form = page.locator("form", { has: page.getByRole("button", { name: "start a run" }) });
    await form.getByLabel("comment").fill("from the page");
    await page.getByRole("button", { name: "start a run" }).click();
    await page.locator('[data-run-state="running"]').waitFor();
    await page.getByRole("button", { name: "end the run" }).click();
    await page.locator('[data-run-state="ready"]').waitFor();
    await page.getByRole("button", { name: "give it back" }).click();
    await page.goto(`${sim.address}/#/runs`);
    await untilSeen(page, "from the page");
    await page.close();
  });
});

describe("the built page", () => {
  itInFull("is at most 450 kB compressed when it is opened, and nothing of it is from elsewhere", async () => {
    await buildPage();
    const assets = join(root, "dist/web/assets");
    const html = readFileSync(join(root, "dist/web/index.html"), "utf8");
    // What draws plots is loaded after the first picture.
    const opened = readdirSync(assets).filter((name) => html.includes(name) || /^plots-[\w-]+\.js$/.test(name));
    expect(opened.length).toBeGreaterThan(2);
    const bytes = opened.reduce((sum, name) => sum + statSync(join(assets, `${name}.gz`)).size, 0);
    expect(bytes).toBeLessThan(450_000);
    expect(html).not.toMatch(/(src|href)="(https?:)?\/\//);
    expect(html).not.toMatch(/<script(?![^>]* src=)|<style| style=/);
  });
});
