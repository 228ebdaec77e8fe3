import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Io } from "../../../src/cli/io.ts";
import { Progress, StatusLine, StepProgress } from "../../../src/cli/progress.ts";

let drawn = "";
const io: Io = {
  out: () => {},
  err: (text) => {
    drawn += text;
  },
  isTerminal: true,
  env: {},
  signal: new AbortController().signal,
  writeFile: () => {},
};

beforeEach(() => {
  drawn = "";
  vi.useFakeTimers({ toFake: ["performance"], now: 10_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

it("counts only its own work when it goes on after an interruption", () => {
  const progress = new Progress(io, "run 7");
  progress.update(501, 1000);
  vi.advanceTimersByTime(1000);
  progress.update(510, 1000);
  expect(drawn).toContain("run 7 510/1000 shots, 10/s, 49 s left");
});

it("begins its rate anew with each step, and cleans the line in between", () => {
  const progress = new StepProgress(io, "run 7");
  progress.update("read", 1, 100);
  vi.advanceTimersByTime(10_000);
  progress.update("read", 100, 100);
  progress.update("write", 1, 100);
  vi.advanceTimersByTime(1000);
  progress.update("write", 50, 100);
  progress.end();
  expect(drawn).toContain("run 7, read 100/100 shots, 10/s, 0 s left\r\x1b[K");
  expect(drawn.endsWith("run 7, write 50/100 shots, 50/s, 1 s left\r\x1b[K")).toBe(true);
});

it("takes away all lines into which a narrow terminal broke it", () => {
  const line = new StatusLine({ ...io, columns: 10 });
  line.draw("x".repeat(10));
  line.draw("y".repeat(25));
  line.draw("z");
  line.clear();
  line.clear();
  expect(drawn).toBe(`\r\x1b[K${"x".repeat(10)}\r\x1b[K${"y".repeat(25)}\x1b[2A\r\x1b[Jz\r\x1b[K`);
});
