import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { brokenLinks } from "../../scripts/docs/links.ts";
import { withPagesFound } from "../../src/files/index.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const manifest = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as {
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  exports: Record<string, string | Record<string, string>>;
  files: string[];
  main: string;
  types: string;
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

  it("has main and types of the first export, for tools that do not read exports", () => {
    expect({ types: manifest.types, default: manifest.main }).toMatchObject({
      types: (manifest.exports["."] as Record<string, string>)["types"],
      default: (manifest.exports["."] as Record<string, string>)["default"],
    });
  });

  it("packs every file that a page or an error names", () => {
    const packed = manifest.files.map((pattern) => pattern.replace(/\/\*.*$/, ""));
    const isPacked = (path: string): boolean => packed.some((file) => path === file || path.startsWith(`${file}/`));
    // A folder that a page names is there when something of it is.
    const isThere = (path: string): boolean => isPacked(path) || packed.some((file) => file.startsWith(`${path}/`));
    expect(brokenLinks(root, isThere)).toEqual([]);
  });

  it("says in the errors of the command line where on this computer a page is", () => {
    expect(withPagesFound("see docs/archive.md, docs/nowhere.md.")).toBe(
      `see ${root}docs/archive.md, docs/nowhere.md.`,
    );
  });

  it("names in NOTICE every installed package whose licence is neither MIT nor ISC", () => {
    const { packages } = JSON.parse(readFileSync(`${root}package-lock.json`, "utf8")) as {
      packages: Record<string, { dev?: boolean; devOptional?: boolean; license?: string }>;
    };
    const installed = Object.entries(packages).filter(([path, at]) => path !== "" && !at.dev && !at.devOptional);
    const asking = installed.filter(([, { license }]) => license !== "MIT" && license !== "ISC");
    const notice = readFileSync(`${root}NOTICE`, "utf8");
    const names = asking.map(([path]) => path.replace(/^.*node_modules\//, ""));
    expect(names).toContain("h5wasm");
    expect(names.filter((name) => !notice.includes(`\n  ${name} (`))).toEqual([]);
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
