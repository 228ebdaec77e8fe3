import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The built page, beside the built package: `npm run build:page` puts it there. */
const folder = fileURLToPath(new URL("../../dist/web/", import.meta.url));

const types: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
};

/** A file of the page in one of the forms that lie beside each other. */
interface PageFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly contentType: string;
  readonly encoding: "br" | "gzip" | null;
}

/** Files by name and encoding, read when first asked for. */
const files = new Map<string, PageFile>();

/**
 * A file of the page, compressed as the browser takes it; undefined when there is none. Its name is looked for in the
 * folder's list, so that no path leads out of it.
 */
export function pageFile(name: string, acceptEncoding: string): PageFile | undefined {
  const encoding = /\bbr\b/.test(acceptEncoding) ? "br" : /\bgzip\b/.test(acceptEncoding) ? "gzip" : null;
  const key = `${name} ${encoding}`;
  const known = files.get(key);
  if (known !== undefined) return known;
  const contentType = types[name.split(".").at(-1) ?? ""];
  if (contentType === undefined || !listed().includes(name)) return undefined;
  const suffix = encoding === null ? "" : encoding === "br" ? ".br" : ".gz";
  const isThere = existsSync(`${folder}${name}${suffix}`);
  const bytes = Uint8Array.from(readFileSync(`${folder}${name}${isThere ? suffix : ""}`));
  const file: PageFile = { bytes, contentType, encoding: isThere ? encoding : null };
  files.set(key, file);
  return file;
}

function listed(): string[] {
  if (!existsSync(`${folder}index.html`)) return [];
  return ["index.html", ...readdirSync(`${folder}assets`).map((file) => `assets/${file}`)];
}
