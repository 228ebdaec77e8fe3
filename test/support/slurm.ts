import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { hostname, tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { hasPrograms, programPath } from "./optional.ts";

/** Whether all of slurm-wlm and munge that these tests and sacla call is installed. */
export const hasSlurm: boolean = hasPrograms(
  ...["munged", "slurmctld", "slurmd", "slurmstepd", "sbatch", "squeue", "scontrol", "scancel", "sinfo"],
);

/** A Slurm of one node in a folder of its own, on loopback, as this user. */
export class PrivateSlurm implements AsyncDisposable {
  readonly folder: string;
  /** What `sbatch` and the like need to find it. */
  readonly env: Readonly<Record<string, string>>;
  readonly #children: ChildProcess[] = [];

  private constructor(folder: string) {
    this.folder = folder;
    this.env = { SLURM_CONF: join(folder, "slurm.conf") };
  }

  static async start(cpus = 4): Promise<PrivateSlurm> {
    // Paths of sockets must be short.
    const slurm = new PrivateSlurm(mkdtempSync(join(tmpdir(), "slurm-")));
    try {
      await slurm.#start(cpus);
      return slurm;
    } catch (error) {
      await slurm[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** What a program of Slurm prints. */
  run(program: string, ...args: string[]): string {
    return execFileSync(program, args, { env: { ...process.env, ...this.env }, encoding: "utf8", stdio: "pipe" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.#children.length === 3) this.run("scancel", "--user", userInfo().username);
    } catch {
      // It may not have come up.
    }
    for (const child of this.#children.reverse()) {
      if (child.exitCode !== null) continue;
      child.kill("SIGTERM");
      const gone = new Promise((resolve) => child.once("exit", resolve));
      await Promise.race([gone, sleep(10_000).then(() => child.kill("SIGKILL"))]);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #start(cpus: number): Promise<void> {
    const { folder } = this;
    chmodSync(folder, 0o755);
    for (const name of ["state", "spool", "munge", "socket"]) mkdirSync(join(folder, name), { mode: 0o755 });
    chmodSync(join(folder, "munge"), 0o700);
    writeFileSync(join(folder, "munge", "key"), randomBytes(1024), { mode: 0o600 });
    const [controller, daemon] = [await freePort(), await freePort()];
    writeFileSync(join(folder, "slurm.conf"), configuration(folder, controller, daemon, cpus));
    const munge = (name: string): string => join(folder, "munge", name);
    this.#child("munged", [
      "-F",
      "--force",
      `--key-file=${munge("key")}`,
      `--socket=${join(folder, "socket", "munge")}`,
      `--pid-file=${munge("pid")}`,
      `--log-file=${munge("log")}`,
      `--seed-file=${munge("seed")}`,
    ]);
    for (let tries = 0; !existsSync(join(folder, "socket", "munge")) && tries < 100; tries++) await sleep(100);
    this.#child("slurmctld", ["-D", "-c"]);
    this.#child("slurmd", ["-D", "-c", "-N", hostname()]);
    for (let tries = 0; tries < 300; tries++) {
      if (this.#state() === "idle") return;
      await sleep(200);
    }
    const log = existsSync(join(folder, "controller.log")) ? readFileSync(join(folder, "controller.log"), "utf8") : "";
    throw new Error(`Slurm did not come up: ${log.slice(-2000)}`);
  }

  #state(): string {
    try {
      return this.run("sinfo", "-h", "-o", "%t").trim();
    } catch {
      return "";
    }
  }

  #child(name: string, args: readonly string[]): void {
    const env = { ...process.env, ...this.env };
    this.#children.push(spawn(programPath(name) ?? name, [...args], { env, stdio: "ignore" }));
  }
}

/** A job that is requeued waits so long; Slurm's own default is 120 s. */
const REQUEUED_SECONDS = 5;

function configuration(folder: string, controller: number, daemon: number, cpus: number): string {
  const host = hostname();
  const { username } = userInfo();
  return `ClusterName=private
SlurmctldHost=${host}(127.0.0.1)
SlurmUser=${username}
SlurmdUser=${username}
SlurmctldPort=${controller}
SlurmdPort=${daemon}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
AuthInfo=socket=${join(folder, "socket", "munge")},cred_expire=${REQUEUED_SECONDS}
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
SwitchType=switch/none
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
SlurmctldPidFile=${folder}/controller.pid
SlurmdPidFile=${folder}/daemon.pid
StateSaveLocation=${folder}/state
SlurmdSpoolDir=${folder}/spool
SlurmctldLogFile=${folder}/controller.log
SlurmdLogFile=${folder}/daemon.log
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,requeue_delay=1
KillWait=5
MinJobAge=300
NodeName=${host} NodeAddr=127.0.0.1 CPUs=${cpus} RealMemory=1000 State=UNKNOWN
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10
`;
}

/** A port of the loopback that is free now. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
