import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";
import { HC_EV_ANGSTROM } from "../../../src/core/constants.ts";

const src = resolve(import.meta.dirname, "../../../src");

it("hc follows from the defined h, c and e", () => {
  expect(HC_EV_ANGSTROM).toBeCloseTo((6.62607015e-34 * 299_792_458 * 1e10) / 1.602176634e-19, 10);
});

it("constants of nature and the tag rate are declared in core/constants.ts only", () => {
  const again = readdirSync(src, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && file !== join("core", "constants.ts"))
    .flatMap((file) => readFileSync(join(src, file), "utf8").split("\n"))
    .filter((line) => /\b(TAG\w*|HZ\w*|\w*_EV\w*) = (60|3\.65|7000);|\b12[_.]?398[._]?\d/.test(line));
  expect(again).toEqual([]);
});
