import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { Layouts } from "../../../src/cli/page-layouts.ts";
import { temporaryFolder } from "../../support/temporary.ts";

it("Layouts are kept for each experiment beside the presets, and forgotten", () => {
  const presets = join(temporaryFolder(), "presets.jsonl");
  const layouts = new Layouts(presets);
  expect([layouts.list("a"), existsSync(layouts.file)]).toEqual([[], false]);
  layouts.save("a", "spots", "#/live?det=1");
  layouts.save("a", "alignment", "#/steer");
  layouts.save("__proto__", "constructor", "#/runs");
  layouts.save("a", "spots", "#/live?det=2");
  // As another process sees them.
  const again = new Layouts(presets);
  expect(again.list("a")).toEqual([
    { name: "alignment", place: "#/steer" },
    { name: "spots", place: "#/live?det=2" },
  ]);
  expect(again.list("__proto__")).toEqual([{ name: "constructor", place: "#/runs" }]);
  again.save("a", "spots", null);
  expect(layouts.list("a")).toEqual([{ name: "alignment", place: "#/steer" }]);
  // Somebody may have written in it.
  writeFileSync(layouts.file, '{"a": {"x": 1, "y": "javascript:1", "z": "#/runs"}, "b": 2}');
  expect([layouts.list("a"), layouts.list("b")]).toEqual([[{ name: "z", place: "#/runs" }], []]);
  writeFileSync(layouts.file, "{");
  expect(() => layouts.list("a")).toThrow("are no JSON");
});
