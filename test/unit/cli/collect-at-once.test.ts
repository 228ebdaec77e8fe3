import { setFlagsFromString } from "node:v8";
import { afterEach, describe, expect, it, vi } from "vitest";
import { collectAtOnce } from "../../../src/cli/collect-at-once.ts";

vi.mock("node:v8", () => ({ setFlagsFromString: vi.fn() }));

describe("collecting garbage in one go", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.mocked(setFlagsFromString).mockClear();
  });

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
