import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bundled } from "../support/bundled.ts";
import { cases } from "../support/full.ts";
import { temporaryFolder } from "../support/temporary.ts";

const folder = temporaryFolder();

/** Runs the command line, and calls `at` with what it has written to stderr so far. */
async function sacla(
  args: readonly string[],
  at: (err: string, child: ChildProcess) => void = () => {},
  env: NodeJS.ProcessEnv = { ...process.env, XDG_STATE_HOME: folder },
): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [await bundled(), ...args], { stdio: ["ignore", "pipe", "pipe"], env });
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
    at(err, child);
  });
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, out, err };
}

const scanning = (journal: string, shots = 6): string[] => [
  "scan",
  "bl3_st2_pm001",
  "11990",
  "12010",
  "6",
  "--shots",
  String(shots),
  "--shutter",
  "bl3_shutter1",
  "--yes",
  "--journal",
  journal,
];

describe("Ctrl+C", () => {
  it("once stops at the next point with one line; the scan can be resumed", async () => {
    const journal = join(folder, "once.journal");
    let isSent = false;
    const stopped = await sacla(scanning(journal), (err, child) => {
      if (isSent || !err.includes("point 2")) return;
      isSent = true;
      child.kill("SIGINT");
    });
    expect(stopped.err).toMatch(/scan: stopping, \d points.*Ctrl\+C again aborts it/);
    expect(stopped.err).not.toMatch(/ {4}at /);
    expect(stopped.out).toContain("stopped: ");
    expect(stopped.out).toContain(`sacla resume ${journal}`);
    const resumed = await sacla(["resume", journal, "--yes", "--json"]);
    expect(resumed.err).toContain("point 6: ");
    expect(resumed.err).not.toContain("point 1: ");
    expect(JSON.parse(resumed.out)).toMatchObject({ outcome: "done", points: 6, shots: { used: 36 } });
  });

  it("twice aborts, without a stack trace", async () => {
    let sent = 0;
    // With many shots there is time for the second one before the first has stopped it at the next point.
    const aborted = await sacla(scanning(join(folder, "twice.journal"), 90), (err, child) => {
      if (sent === 0 && err.includes("point 1")) {
        sent = 1;
        child.kill("SIGINT");
      } else if (sent === 1 && err.includes("stopping")) {
        sent = 2;
        child.kill("SIGINT");
      }
    });
    expect(aborted.err).toContain("the devices go to the safe state");
    expect(`${aborted.err}${aborted.out}`).not.toMatch(/ {4}at /);
    expect(aborted.out, aborted.err).toMatch(/aborted: |stopped: /);
    expect(aborted.code).toBe(130);
  });
});

describe("a scan whose process is asked to end", () => {
  for (const signal of cases(["SIGTERM", "SIGHUP"] as const, 0)) {
    it(`by ${signal} makes safe, keeps its points in a journal that nobody named, and is resumed without naming it`, async () => {
      const env = { ...process.env, XDG_STATE_HOME: join(folder, signal) };
      const command = [
        "scan",
        "bl3_st2_pm001",
        "11990",
        "12010",
        "6",
        "--shots",
        "6",
        "--shutter",
        "bl3_shutter1",
        "--yes",
      ];
      let isSent = false;
      const ended = await sacla(
        command,
        (err, child) => {
          if (isSent || !err.includes("point 2")) return;
          isSent = true;
          child.kill(signal);
        },
        env,
      );
      const [, journal = ""] = /^journal: (.*)$/m.exec(ended.err) ?? [];
      expect(journal.startsWith(join(folder, signal, "sacla", "scans"))).toBe(true);
      expect(`${ended.err}${ended.out}`).not.toMatch(/ {4}at /);
      expect(ended.code).toBe(130);
      const resumed = await sacla(["resume", "--yes", "--json"], undefined, env);
      expect(resumed.err).not.toContain("point 1: ");
      expect(JSON.parse(resumed.out)).toMatchObject({ outcome: "done", points: 6, shots: { used: 36 } });
      // Nothing is left to resume.
      const again = await sacla(["resume", "--yes"], undefined, env);
      expect([again.code, again.err]).toEqual([expect.any(Number), expect.stringContaining("error ")]);
      expect(again.code).not.toBe(0);
    });
  }
});
