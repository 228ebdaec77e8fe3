import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const manifest = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as {
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  exports: Record<string, string | Record<string, string>>;
};

describe("package.json", () => {
  it("pins every version exactly", () => {
    const loose = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }).filter(
      ([, version]) => !/^\d+\.\d+\.\d+$/.test(version),
    );
    expect(loose).toEqual([]);
  });

  it("exports every module, from sources that exist", () => {
    const modules = readdirSync(`${root}src`, { withFileTypes: true }).filter(
      (entry) => entry.isDirectory() && !["cli", "files"].includes(entry.name),
    );
    expect(
      Object.keys(manifest.exports)
        .filter((key) => key !== "." && key !== "./package.json")
        .sort(),
    ).toEqual(modules.map(({ name }) => `./${name}`).sort());
    for (const target of Object.values(manifest.exports)) {
      if (typeof target === "object")
        expect(existsSync(root + target["sacla-source"]), target["sacla-source"]).toBe(true);
    }
  });

  it("keeps the README under 150 lines", () => {
    expect(readFileSync(`${root}README.md`, "utf8").split("\n").length).toBeLessThan(150);
  });

  it("commits no path of a machine", () => {
    const files = execFileSync("git", ["ls-files"], { cwd: root, encoding: "utf8" }).trim().split("\n");
    const machinePath = new RegExp(["/ro", "ot/|/ho", "me/|/wo", "rk/"].join(""));
    const found = files.filter(
      (file) =>
        /\.(ts|md|json|py|sh|yml)$|run$/.test(file) &&
        existsSync(root + file) &&
        machinePath.test(readFileSync(root + file, "utf8")),
    );
    expect(found).toEqual([]);
  });
});
