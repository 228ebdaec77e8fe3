import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** What this package's package.json says of versions. */
interface PackageManifest {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

let manifest: PackageManifest | undefined;

/** Read once. */
export function packageManifest(): PackageManifest {
  const path = new URL("../../package.json", import.meta.url);
  manifest ??= JSON.parse(readFileSync(path, "utf8")) as PackageManifest;
  return manifest;
}

/** A text with the pages it names, such as docs/archive.md, by where they are on this computer. */
export function withPagesFound(text: string): string {
  return text.replace(/(?<![\w./-])docs\/[\w-]+\.md\b/g, (page) => {
    const path = fileURLToPath(new URL(`../../${page}`, import.meta.url));
    return existsSync(path) ? path : page;
  });
}
