import { describe, expect, it } from "vitest";
import { droppedBecause, LedgerBook, mergeLedgers } from "../../../src/core/ledger.ts";

describe("LedgerBook", () => {
  it("accounts for every shot: asked is used and dropped, each reason with its tags", () => {
    const book = new LedgerBook();
    book.use();
    book.use();
    for (const tag of [7, 9]) book.drop(tag, "frame-missing");
    book.drop(8, "late");
    expect(book.ledger).toEqual({
      asked: 5,
      used: 2,
      dropped: [
        { reason: "frame-missing", tags: [7, 9] },
        { reason: "late", tags: [8] },
      ],
    });
    expect(book.counts).toEqual({ used: 2, dropped: { "frame-missing": 2, late: 1 } });
  });

  it("tells notes only when there are some, and does not change what it gave before", () => {
    const book = new LedgerBook();
    book.drop(1, "late");
    const before = book.ledger;
    book.drop(2, "late");
    book.note("no spectrum");
    book.note("no spectrum");
    expect(before.dropped).toEqual([{ reason: "late", tags: [1] }]);
    expect(before).not.toHaveProperty("notes");
    expect(book.ledger.notes).toEqual({ "no spectrum": 2 });
  });
});

describe("mergeLedgers", () => {
  it("adds the counts and keeps the order of reasons and tags", () => {
    const a = { asked: 3, used: 1, dropped: [{ reason: "late", tags: [5, 6] }], notes: { a: 1 } };
    const b = {
      asked: 4,
      used: 2,
      dropped: [
        { reason: "gone", tags: [1] },
        { reason: "late", tags: [2] },
      ],
      notes: { a: 2, b: 1 },
    };
    const merged = mergeLedgers(a, b);
    expect(merged).toEqual({
      asked: 7,
      used: 3,
      dropped: [
        { reason: "late", tags: [5, 6, 2] },
        { reason: "gone", tags: [1] },
      ],
      notes: { a: 3, b: 1 },
    });
    expect(a.dropped[0]?.tags).toEqual([5, 6]);
  });
});

it("says the reasons of dropped shots behind a sentence, and nothing where there are none", () => {
  expect(
    droppedBecause([
      { reason: "dark", tags: [1, 2] },
      { reason: "condition", tags: [3] },
    ]),
  ).toBe(": 2 dark, 1 condition");
  expect(droppedBecause([])).toBe("");
});
