import { readFileSync } from "node:fs";

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
