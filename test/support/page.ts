import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { chromiumPath } from "./build-page.ts";
import { bundled } from "./bundled.ts";
import { itNeeding } from "./optional.ts";
import { WAIT_MS } from "./until.ts";

/** A test in a browser; skipped, with the reason printed, where there is none. */
export function itInBrowser(name: string, test: () => Promise<void>): void {
  itNeeding(chromiumPath !== undefined, "no Chromium: apt-get install chromium", name, test);
}

export const hasBrowser: boolean = chromiumPath !== undefined;

/**
 * Draws without a graphics card: what the page draws itself by SwiftShader, and the window without it, for else most of
 * the processor time goes into putting the window together.
 */
export async function openBrowser(): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath: chromiumPath ?? "",
    timeout: WAIT_MS,
    args: ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-gpu-compositing"],
  });
  browser.on("context", (context) => context.setDefaultTimeout(WAIT_MS));
  return browser;
}

/** `sacla view` in a process of its own. */
export interface Viewing {
  readonly address: string;
  readonly child: ChildProcess;
  close(): Promise<void>;
}

export async function view(folder: string, args: readonly string[]): Promise<Viewing> {
  const { SACLA_URL: _, SACLA_EXPERIMENT: __, ...env } = process.env;
  const child = spawn(process.execPath, [await bundled(), "view", ...args, "--no-open", "--port", "0", "--json"], {
    cwd: folder,
    env: { ...env, XDG_STATE_HOME: folder },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [out, err] = ["", ""];
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  const address = await new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
      if (out.endsWith("\n")) resolve((JSON.parse(out) as { addresses: [string] }).addresses[0]);
    });
    child.once("exit", (code) => reject(new Error(`sacla view ended with ${code}: ${err}`)));
  });
  return {
    address,
    child,
    close: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGINT");
      await ended;
    },
  };
}

/** A window on a place of the page, and what has gone wrong in it. */
export async function openPage(
  browser: Browser,
  address: string,
  place: string,
): Promise<{ readonly page: Page; readonly faults: string[] }> {
  const page = await browser.newPage({ viewport: { width: 1400, height: 1000 } });
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("console", (message) => {
    // What Content-Security-Policy refuses is told here, too.
    if (message.type() === "error" && !/Failed to load resource/.test(message.text())) faults.push(message.text());
  });
  await page.goto(`${address}/#/${place}`);
  return { page, faults };
}

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Serious faults that axe-core finds, and a picture of the page for who wants to look. */
export async function faultsOf(page: Page, name: string): Promise<string[]> {
  const looks = process.env["SACLA_TEST_SCREENSHOTS"];
  if (looks !== undefined) await page.screenshot({ path: join(looks, `${name}.png`), fullPage: true });
  await page.evaluate(axe);
  return (await page.evaluate(
    `axe.run().then(({ violations }) => violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => id + ": " + nodes[0].html.slice(0, 200)))`,
  )) as string[];
}
