/**
 * Where the time of a reduction in pieces goes at 10⁶ to 10⁸ shots and 1 to 200 nodes: the tables of docs/scaling.md.
 * `npx tsx scripts/scaling-model.ts`
 */

/** Seconds, unless said otherwise. */
const cost = {
  /** Process, connection, dark: of each piece, and of the merge. */
  start: 1.5,
  /** The scheduler begins one task after another. */
  dispatch: 0.16,
  /** The merge takes in one checkpoint after another. */
  mergeOne: 0.2,
  /** Bytes of an octal shot, 8 × 1024 × 512 pixels of 16 bits. */
  shotBytes: 8.4e6,
  checkpointBytes: 5e6,
  /** Bytes a second that the file system gives to all nodes together. */
  fileSystem: 10e9,
  coresPerNode: 32,
  /** Work in a piece. */
  piece: 600,
  mostPieces: 1000,
};

interface Modeled {
  readonly pieces: number;
  readonly total: number;
  /** What the time of the pieces is limited by. */
  readonly limit: "cores" | "file system" | "scheduler";
  readonly mergeShare: number;
  readonly coreHours: number;
  readonly checkpoints: number;
}

function model(shots: number, secondsPerShot: number, nodes: number): Modeled {
  const slots = nodes * cost.coresPerNode;
  const pieces = Math.min(cost.mostPieces, Math.max(slots, Math.ceil((shots * secondsPerShot) / cost.piece)));
  const used = Math.min(slots, pieces);
  const byCores = Math.ceil(pieces / used) * (cost.start + (shots / pieces) * secondsPerShot);
  const byFiles = (shots * cost.shotBytes) / cost.fileSystem;
  const byScheduler = pieces * cost.dispatch;
  const work = Math.max(byCores, byFiles, byScheduler);
  const merge = cost.start + pieces * cost.mergeOne;
  const busy = Math.max(shots * secondsPerShot + pieces * cost.start, byFiles > byCores ? used * byFiles : 0);
  return {
    pieces,
    total: work + merge,
    limit: work === byCores ? "cores" : work === byFiles ? "file system" : "scheduler",
    mergeShare: merge / (work + merge),
    coreHours: (busy + merge) / 3600,
    checkpoints: pieces * cost.checkpointBytes,
  };
}

function time(seconds: number): string {
  if (seconds < 120) return `${seconds.toFixed(0)} s`;
  return seconds < 7200 ? `${(seconds / 60).toFixed(0)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

for (const [what, secondsPerShot] of [
  ["mean and histogram, 10 ms a shot", 0.01],
  ["common mode and droplets, 80 ms a shot", 0.08],
] as const) {
  console.log(`\n| shots | nodes | pieces | time | limited by | merge | core hours | read | checkpoints |  (${what})`);
  for (const shots of [1e6, 1e7, 1e8])
    for (const nodes of [1, 10, 50, 200]) {
      const { pieces, total, limit, mergeShare, coreHours, checkpoints } = model(shots, secondsPerShot, nodes);
      const cells = [
        `10^${Math.log10(shots)}`,
        nodes,
        pieces,
        time(total),
        limit,
        `${(100 * mergeShare).toFixed(0)} %`,
        coreHours.toFixed(coreHours < 10 ? 1 : 0),
        `${((shots * cost.shotBytes) / 1e12).toFixed(1)} TB`,
        `${(checkpoints / 1e9).toFixed(1)} GB`,
      ];
      console.log(`| ${cells.join(" | ")} |`);
    }
}
