import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  exports: Record<string, { "sacla-source": string }>;
};
const rooms = Object.keys(manifest.exports).filter((key) => key !== "./package.json");

describe("the public API", () => {
  // A name that appears or vanishes here is a change for users: say so in CHANGELOG.md.
  it.each(rooms)("of %s is what users rely on", async (room) => {
    const source = new URL(`../../${manifest.exports[room]?.["sacla-source"]}`, import.meta.url).href;
    const module: Record<string, unknown> = await import(/* @vite-ignore */ source);
    expect(Object.keys(module).sort()).toMatchSnapshot();
  });
});
