import v8 from "node:v8";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { collectAtOnce, optimiseLate } from "../../../src/cli/v8-flags.ts";

const setFlagsFromString = vi.spyOn(v8, "setFlagsFromString").mockReturnValue();
afterAll(() => setFlagsFromString.mockRestore());

describe.each([
  { what: "collecting garbage in one go", ask: collectAtOnce, flag: "--no-incremental-marking" },
  { what: "compiling WebAssembly for speed later", ask: optimiseLate, flag: "--wasm-tiering-budget=18000000" },
])("$what", ({ ask, flag }) => {
  afterEach(() => {
    vi.unstubAllGlobals();
    setFlagsFromString.mockClear();
  });

  it("is asked of Node.js", () => {
    ask();
    expect(setFlagsFromString).toHaveBeenCalledExactlyOnceWith(flag);
  });

  it.each(["deno", "bun"])("is not asked of %s, which has no ZeroMQ", (runtime) => {
    vi.stubGlobal("process", { versions: { node: "22.0.0", [runtime]: "1.0.0" } });
    ask();
    expect(setFlagsFromString).not.toHaveBeenCalled();
  });
});
