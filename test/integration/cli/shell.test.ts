import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { commandOf, wordsOf } from "../../../src/cli/shell-line.ts";
import { type CliResult, cli } from "../../support/fake-io.ts";

const experiment = fileURLToPath(new URL("../../../examples/experiment.json", import.meta.url));

describe("a line of the shell", () => {
  it("is parted as a shell does", () => {
    expect(wordsOf(String.raw`  tags newest --where "i0 > 5nC" 'a "b"' c\ d "" # note`)).toEqual([
      ...["tags", "newest", "--where", "i0 > 5nC", 'a "b"', "c d", ""],
    ]);
    expect(wordsOf("  # nothing")).toEqual([]);
    expect(() => wordsOf('set "att')).toThrow(/not closed/);
  });

  it("may be a short form, or have sacla before it", () => {
    const command = (line: string): string => commandOf(wordsOf(line)).join(" ");
    expect(command("sacla runs -n 3")).toBe("runs -n 3");
    expect(command("umv delay 1.5ps sample_x -0.2 --reason x")).toBe("move delay=1.5ps sample_x=-0.2 --yes --reason x");
    expect(command("umvr sample_x -1")).toBe("move sample_x=-1 --relative --yes");
    expect(command("wm sample")).toBe("axes sample");
    expect(() => command("umv delay")).toThrow(/umv delay 1\.5ps/);
  });
});

describe("sacla shell", () => {
  const shell = async (lines: readonly string[]): Promise<CliResult> => {
    async function* typed(): AsyncGenerator<string> {
      yield* lines;
    }
    const options = { lines: typed(), isTerminal: true };
    return await cli(["shell", "--url", "sim:?clock=virtual", "--experiment", experiment, "--as", "Aiko"], options);
  };

  it("has one connection: what a line moved, the next one sees", async () => {
    const { code, out, err } = await shell(["umv delay 20ps", "", "wm delay", "runs -n 1 --json", "exit", "runs"]);
    expect(code).toBe(0);
    expect(out).toMatch(/delay is at 20\n/);
    expect(out).toMatch(/\ndelay +bl3_st2_pm001 +axis +ready +20 +ps .* 6\.67 fs\/pulse\n/);
    expect(out).toMatch(/"run":1520000,[^\n]*\nleft sim:\?clock=virtual\n$/);
    // Where the axis is on its way.
    expect(err).toContain("\r\x1b[Kdelay 80 → 20 ps");
  });

  it("goes on after what fails, and ends with the code of its last line", async () => {
    const { code, err } = await shell(["move delay=900ps -y", 'tags "', "runs --nothing", "umv delay 1 furlong"]);
    expect(code).toBe(2);
    expect(err).toContain('error BAD_ARGUMENT: A quote " is opened and not closed.\n');
    expect(err).toContain("unknown option '--nothing'");
  });
});
