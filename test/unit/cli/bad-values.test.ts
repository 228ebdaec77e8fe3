import { expect, it } from "vitest";
import { cli } from "../../support/fake-io.ts";

it.each([
  ["runs -n 0", "--last <count>"],
  ["average -n 0", "--limit <shots>"],
  ["convert -n 0", "--limit <shots>"],
  ["live -n 0", "--limit <shots>"],
  ["watch --runs 0", "--runs <count>"],
  ["scan theta 0 1 3 --shots 0", "--shots <n>"],
  ["rock theta 0 1 3 --shots 0", "--shots <n>"],
  ["raster x 0 1 3 y 0 1 2 --shots 0", "--shots <n>"],
  ["reduce 1 --jobs 0", "--jobs <n>"],
])("%s is refused by the name of the option, before anything is read", async (line, option) => {
  const { code, err } = await cli(line.split(" "));
  expect([code, err]).toEqual([
    2,
    expect.stringContaining(`${option}' argument '0' is invalid. It must be a whole number`),
  ]);
});

it.each([
  ["values newest i0 --plot i0.pdf", ".svg or .png"],
  ["scatter newest i0 i1 -o plot.csv", ".svg or .png"],
  ["cube newest delay i0 --plot cube", ".svg or .png"],
  ["scan theta 0 1 3 --plot scan.svg", ".png"],
  ["histogram -o adu.png", ".svg"],
  ["stats -o missing.png", ".svg"],
  ["delay-scan --plot fit.png", ".svg"],
])("%s is refused: the plot would not be what its name says", async (line, endings) => {
  const { code, err } = await cli(line.split(" "));
  expect([code, err]).toEqual([2, expect.stringContaining(`Its name must end with ${endings}.`)]);
});

it("a file that cannot be written is answered without a step of another command", async () => {
  const { code, err } = await cli(["diff", "-o", "/nowhere/diff.png", "--url", "sim:"]);
  expect([code, err]).toEqual([1, expect.stringMatching(/cannot be written.*\n.*give the same command again\.\n/)]);
});
