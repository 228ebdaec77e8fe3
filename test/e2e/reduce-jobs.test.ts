import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { checkShards } from "../../scripts/check-shards.ts";
import { sacla } from "../support/cli.ts";
import { isFull } from "../support/full.ts";
import { manyShotsRequest, writeManyShots } from "../support/many-shots.ts";
import { hasPrograms, itNeeding } from "../support/optional.ts";
import { childrenOf } from "../support/processes.ts";
import { hasSlurm, PrivateSlurm } from "../support/slurm.ts";
import { temporaryFolder } from "../support/temporary.ts";

const folder = temporaryFolder();

describe("sacla reduce in several processes", () => {
  it("replaces one that is killed, to the same bytes", async () => {
    const source = await writeManyShots(folder, 200);
    writeFileSync(join(folder, "request.json"), JSON.stringify(manyShotsRequest));
    const args = ["reduce", "7", "request.json", "--url", source, "-o"];
    const one = await sacla(folder, [...args, "one.h5"]);
    expect([one.code, one.err]).toEqual([0, ""]);
    let killed = 0;
    const watch = { pid: 0 };
    const killer = setInterval(() => {
      if (watch.pid === 0 || killed > 0) return;
      for (const pid of childrenOf(watch.pid, "reduce-job").slice(0, 1)) {
        process.kill(pid, "SIGKILL");
        killed++;
      }
    }, 20);
    try {
      // Its first words on stderr come after the pieces are known: --json prints nothing before the end.
      const started = sacla(folder, [...args, "two.h5", "--jobs", "2", "--shards", "3", "--keep"], {}, () => {});
      const mine = setInterval(() => {
        const [pid] = childrenOf(process.pid, "two.h5");
        if (pid !== undefined) watch.pid = pid;
      }, 20);
      const two = await started;
      clearInterval(mine);
      expect([two.code, two.err]).toEqual([0, ""]);
    } finally {
      clearInterval(killer);
    }
    expect(killed).toBe(1);
    expect(readFileSync(join(folder, "two.h5")).equals(readFileSync(join(folder, "one.h5")))).toBe(true);
    const logs = [0, 1, 2].map((k) => readFileSync(join(folder, `two.h5.parts/shard-000${k}.log`), "utf8")).join("");
    expect(logs).toContain("ended by SIGKILL");
  });
});

const hasQsub = hasSlurm && hasPrograms("qsub", "qstat");

describe("sacla reduce --pbs", () => {
  itNeeding(hasQsub, "no slurm-wlm-torque", "ends with the same bytes, through the qsub that Slurm has", async () => {
    await using slurm = await PrivateSlurm.start();
    const source = await writeManyShots(folder, 60);
    writeFileSync(join(folder, "request.json"), JSON.stringify(manyShotsRequest));
    const args = ["reduce", "7", "request.json", "--url", source, "-o"];
    expect((await sacla(folder, [...args, "here.h5"])).code).toBe(0);
    const { code, out } = await sacla(folder, [...args, "pbs.h5", "--pbs", "--shards", "2", "--keep"], slurm.env);
    expect([code, out]).toEqual([0, expect.stringContaining("pbs.h5: ")]);
    expect(readFileSync(join(folder, "pbs.h5.parts/merge.out"), "utf8")).toContain("pbs.h5: ");
    expect(readFileSync(join(folder, "pbs.h5")).equals(readFileSync(join(folder, "here.h5")))).toBe(true);
  });
});

describe("sacla reduce --slurm", () => {
  itNeeding(hasSlurm, "no slurm-wlm and munge", "ends with the same bytes, whatever happens to its jobs", async () => {
    await using slurm = await PrivateSlurm.start();
    const size = isFull ? { count: 2, shots: 1000, troubles: 4 } : { count: 1, shots: 200, troubles: 2 };
    const { reductions, faults } = await checkShards(slurm, { seed: 2, pieces: [3, 4], ...size });
    expect(faults).toEqual([]);
    expect(reductions).toBe(size.count);
  });

  itNeeding(hasSlurm, "no slurm-wlm and munge", "goes on after preemption, and after its node was lost", async () => {
    await using slurm = await PrivateSlurm.start();
    const source = await writeManyShots(folder, 60);
    writeFileSync(join(folder, "request.json"), JSON.stringify(manyShotsRequest));
    const args = ["reduce", "7", "request.json", "--url", source, "-o"];
    expect((await sacla(folder, [...args, "whole.h5"])).code).toBe(0);
    // Jobs wait for a file, so that none is done before it is lost.
    const [hold, go] = [join(folder, "hold.mjs"), join(folder, "go")];
    const waits = `while (process.argv.includes("shard") && !existsSync(${JSON.stringify(go)})) await setTimeout(50);`;
    writeFileSync(hold, `import { existsSync } from "node:fs"; import { setTimeout } from "timers/promises"; ${waits}`);
    const env = { ...slurm.env, NODE_OPTIONS: `--import=${hold}` };
    const started = sacla(folder, [...args, "lost.h5", "--slurm", "--shards", "1"], env);
    const ended = started.then(({ code, out, err }) => {
      throw new Error(`the reduction ended too soon: ${code} ${out}${err}`);
    });
    ended.catch(() => {});
    const jobIn = async (state: "R" | "PD"): Promise<string> => {
      for (;;) {
        const id = slurm.run("squeue", "-h", "-t", state, "-n", "sacla-7-shards", "-o", "%A").trim();
        if (id !== "") return id;
        await Promise.race([sleep(50), ended]);
      }
    };
    const restarts = (id: string): string => /Restarts=\d+/.exec(slurm.run("scontrol", "show", "job", id))?.[0] ?? "";
    const id = await jobIn("R");
    slurm.run("sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=true");
    await jobIn("PD");
    await jobIn("R");
    expect(restarts(id)).toBe("Restarts=1");
    slurm.run("scontrol", "update", `NodeName=${hostname()}`, "State=DOWN", "Reason=lost");
    await jobIn("PD");
    writeFileSync(go, "");
    const { code, out } = await started;
    expect([code, out]).toEqual([0, expect.stringContaining("lost.h5: ")]);
    expect(restarts(id)).toBe("Restarts=2");
    expect(readFileSync(join(folder, "lost.h5")).equals(readFileSync(join(folder, "whole.h5")))).toBe(true);
  });

  itNeeding(hasSlurm, "no slurm-wlm and munge", "ends with a sentence when a piece cannot be made", async () => {
    await using slurm = await PrivateSlurm.start();
    const source = await writeManyShots(folder, 60);
    writeFileSync(join(folder, "request.json"), JSON.stringify(manyShotsRequest));
    const args = ["reduce", "7", "request.json", "--url", source, "-o", "bad.h5", "--slurm", "--shards", "2"];
    const later = "--batch-option=--begin=now+15seconds";
    const submitted = await sacla(folder, [...args, later, "--no-wait"], slurm.env);
    expect([submitted.code, submitted.out]).toEqual([0, expect.stringContaining("the same command watches them")]);
    // The jobs cannot work without the dark, and the merge cannot mend it.
    rmSync(join(folder, "bad.h5.parts/dark.sacla"));
    const again = await sacla(folder, args, slurm.env);
    expect([again.code, again.out]).toEqual([1, ""]);
    expect(again.err).toContain("are there already: watching them");
    expect(again.err).toMatch(
      /error INCOMPLETE: 2 of 2 shards are not whole: shard 0 \(tags 250018\d+ to .*dark\.sacla/,
    );
  });
});
