import v8 from "node:v8";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { collectAtOnce } from "../../../src/cli/collect-at-once.ts";

describe("collecting garbage in one go", () => {
  const setFlagsFromString = vi.spyOn(v8, "setFlagsFromString").mockReturnValue();

  afterEach(() => {
    vi.unstubAllGlobals();
    setFlagsFromString.mockClear();
  });
  afterAll(() => setFlagsFromString.mockRestore());

  it("is asked of Node.js", () => {
    collectAtOnce();
    expect(setFlagsFromString).toHaveBeenCalledExactlyOnceWith("--no-incremental-marking");
  });

  it.each(["deno", "bun"])("is not asked of %s, which has no ZeroMQ", (runtime) => {
    vi.stubGlobal("process", { versions: { node: "22.0.0", [runtime]: "1.0.0" } });
    collectAtOnce();
    expect(setFlagsFromString).not.toHaveBeenCalled();
  });
});
