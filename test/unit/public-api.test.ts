import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  exports: Record<string, { "sacla-source": string }>;
};
const modules = Object.keys(manifest.exports).filter((key) => key !== "./package.json");

describe("the public API", () => {
  // A name that appears or vanishes here is a change for users: say so in CHANGELOG.md.
  it.each(modules)("of %s is what users rely on", async (module) => {
    const source = new URL(`../../${manifest.exports[module]?.["sacla-source"]}`, import.meta.url).href;
    const names: Record<string, unknown> = await import(/* @vite-ignore */ source);
    expect(Object.keys(names).sort()).toMatchSnapshot();
  });
});
