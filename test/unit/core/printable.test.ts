import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SaclaError, show } from "../../../src/core/errors.ts";
import { oneLine, printable, spaced } from "../../../src/core/printable.ts";

/** What no terminal may be given by others: all controls but line break and tab, marks of direction, separators. */
const obeyed = /[^\P{Cc}\n\t]|[\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;
const hostile = fc.string({
  unit: fc.oneof(
    fc.constantFrom("\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "\r", "\b", "\x7f", "\u202e", "\u2066", "\u2028", "\n"),
    fc.string({ minLength: 1, maxLength: 1 }),
    fc.constantFrom("µ", "ビーム", "é", "👩‍🔬"),
  ),
});

describe("a text for a terminal", () => {
  it("shows every character and obeys none", () => {
    expect(printable("a\x1b[31mred\x07 \u202eevil µm ビーム 👩‍🔬\n\tb")).toBe(
      "a\\u001b[31mred\\u0007 \\u202eevil µm ビーム 👩‍🔬\n\tb",
    );
    expect(oneLine("one\r\ntwo\nerror: three\tfour")).toBe("one two error: three four");
    expect(spaced("a\x1b\x07\n\u202eb")).toBe("a b");
    expect(show("a\x9b1m\u202e")).toBe('"a\\u009b1m\\u202e"');
    fc.assert(
      fc.property(hostile, (text) => {
        expect(printable(text)).not.toMatch(obeyed);
        expect(oneLine(text)).not.toMatch(/[\n\t]/);
        expect(spaced(text)).not.toMatch(obeyed);
        expect(show({ text })).not.toMatch(obeyed);
        expect(new SaclaError("BAD_ARGUMENT", show(text)).message).not.toMatch(obeyed);
      }),
    );
  });

  it("that is JSON keeps its values", () => {
    fc.assert(
      fc.property(hostile, (text) => {
        expect(JSON.parse(printable(JSON.stringify({ [text]: text })))).toEqual({ [text]: text });
      }),
    );
  });
});
