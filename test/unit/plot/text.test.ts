import { describe, expect, it } from "vitest";
import { glyphOf } from "../../../src/plot/font.ts";
import { sparkline, terminalPlot, textTable } from "../../../src/plot/index.ts";
import { fittedTable } from "../../../src/plot/text.ts";

describe("textTable", () => {
  it("aligns numbers right and text left, without spaces at the ends of lines", () => {
    const rows = [
      [206178, "stopped", 6],
      [3, "running", "1.5e-9"],
    ];
    expect(textTable(["run", "status", "tags"], rows).split("\n")).toEqual([
      "   run  status     tags",
      "──────  ───────  ──────",
      "206178  stopped       6",
      "     3  running  1.5e-9",
    ]);
  });

  it("is as wide as a terminal: whole columns, the others counted", () => {
    const table = textTable(
      ["delay (ps)", "i0", "diode"],
      [
        [77, "5.9(1) nC", "実験"],
        [78, "6.1(1) nC", "x"],
      ],
    );
    const { text, leftOut } = fittedTable(table, 21);
    expect([text.split("\n"), leftOut]).toEqual([
      ["delay (ps)  i0", "──────────  ─────────", "        77  5.9(1) nC", "        78  6.1(1) nC"],
      1,
    ]);
    expect(fittedTable(table, 20).text.split("\n")).toEqual(["delay (ps)", "──────────", "        77", "        78"]);
    for (const width of [Infinity, 28, 5]) expect(fittedTable(table, width)).toEqual({ text: table, leftOut: 0 });
  });

  it("counts East Asian characters as two cells", () => {
    const lines = textTable(
      ["comment", "n"],
      [
        ["実験", 1],
        ["test", 2],
      ],
    ).split("\n");
    expect(lines[2]).toBe("実験     1");
    expect(lines[3]).toBe("test     2");
  });

  it("lets no cell move the cursor or break a line", () => {
    const table = textTable(["a"], [["x\u001b[2J\r\n\u009by"]]);
    expect(table.split("\n")).toEqual(["a", "───────", "x [2J y"]);
  });

  it("leaves an empty header out and fills short rows", () => {
    expect(textTable(["", ""], [["run", 1], ["tags"]])).toBe("run   1\ntags");
    expect(textTable(["a", "b"], [])).toBe("a  b\n─  ─");
  });

  it("refuses a row longer than the header", () => {
    expect(() => textTable(["a"], [[1, 2]])).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });
});

describe("sparkline", () => {
  it("goes from the lowest to the highest bar, with a space where there is no value", () => {
    expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7, NaN, Infinity])).toBe("▁▂▃▄▅▆▇█  ");
    expect(sparkline([5, 5])).toBe("▄▄");
    expect(sparkline([])).toBe("");
  });
});

describe("terminalPlot", () => {
  it("puts each value in its dot: a rising line from the lower left to the upper right", () => {
    const lines = terminalPlot([0, 1, 2, 3, 4, 5, 6, 7], { width: 4, height: 2 }).split("\n");
    expect(lines).toEqual(["7 ┤⠀⠀⡠⠊", "0 ┤⡠⠊⠀⠀"]);
  });

  it("labels the ends and leaves out what is not finite", () => {
    expect(terminalPlot([NaN, 2e-9, Infinity, 1e-9], { width: 2, height: 2 })).toMatch(/^2e-9 ┤.*\n1e-9 ┤/);
    expect(terminalPlot([NaN])).toBe("no data");
    expect(terminalPlot([3, 3], { width: 2, height: 3 }).split("\n")).toHaveLength(3);
  });

  it("refuses a size of 0 and an unknown option", () => {
    expect(() => terminalPlot([1], { width: 0 })).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    expect(() => terminalPlot([1], { rows: 3 } as object)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });
});

describe("the font", () => {
  it("draws every printable ASCII character and those of units differently, and others as a box", () => {
    const characters = [...Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i)), ..."µσ×−°·Å⁰¹²³⁴⁵⁶⁷⁸⁹⁻"];
    const drawn = characters.map((character) => JSON.stringify(glyphOf(character).lines));
    // Hyphen and minus differ in length only, so all are compared.
    expect(new Set(drawn).size).toBe(characters.length);
    expect(drawn).not.toContain(JSON.stringify(glyphOf("漢").lines));
    expect(glyphOf("é")).toEqual(glyphOf("e"));
    expect(glyphOf("μ")).toEqual(glyphOf("µ"));
    expect(glyphOf(" ").lines).toEqual([]);
  });
});
