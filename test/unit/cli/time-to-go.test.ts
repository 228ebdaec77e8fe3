import { describe, expect, it } from "vitest";
import { TimeToGo } from "../../../src/cli/time-to-go.ts";

describe("the time a scan has to go", () => {
  it("is that of the dry run before the first point, then that of the points, without waits", () => {
    const toGo = new TimeToGo(10, 100);
    expect(toGo.look(5, 0, false)).toBe(100);
    expect(toGo.look(15, 0, false)).toBe(90);
    expect(toGo.look(25, 2, false)).toBe(80);
    // Held for 50 s: a point still takes 10 s.
    expect(toGo.look(75, 2, true)).toBe(80);
    expect(toGo.look(85, 3, false)).toBe(70);
    expect(toGo.look(155, 10, false)).toBe(0);
  });

  it("is not told where nobody knows how many points come", () => {
    expect(new TimeToGo(null, 100).look(0, 3, false)).toBeNull();
  });
});
