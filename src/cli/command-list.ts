import type { AddCommand } from "./command.ts";

/** A command by its name; its module is loaded when it is needed, so that no command waits for the others. */
interface ListedCommand {
  readonly name: string;
  readonly load: () => Promise<AddCommand>;
}

/** The commands by what people want to do, in the order of the help. */
export const commandGroups: readonly (readonly [job: string, commands: readonly ListedCommand[]])[] = [
  [
    "Find runs and shots:",
    [
      { name: "runs", load: async () => (await import("./commands/runs.ts")).runs },
      { name: "info", load: async () => (await import("./commands/info.ts")).info },
      { name: "detectors", load: async () => (await import("./commands/detectors.ts")).detectors },
      { name: "signals", load: async () => (await import("./commands/signals.ts")).signals },
      { name: "tags", load: async () => (await import("./commands/tags.ts")).tags },
      { name: "values", load: async () => (await import("./commands/values.ts")).values },
      { name: "scatter", load: async () => (await import("./commands/scatter.ts")).scatter },
      { name: "stats", load: async () => (await import("./commands/stats.ts")).stats },
      { name: "tma", load: async () => (await import("./commands/tma.ts")).tma },
    ],
  ],
  [
    "Pictures and numbers of a run:",
    [
      { name: "image", load: async () => (await import("./commands/image.ts")).image },
      { name: "average", load: async () => (await import("./commands/average.ts")).average },
      { name: "assemble", load: async () => (await import("./commands/assemble.ts")).assemble },
      { name: "diff", load: async () => (await import("./commands/diff.ts")).diff },
      { name: "histogram", load: async () => (await import("./commands/histogram.ts")).histogram },
      { name: "cube", load: async () => (await import("./commands/cube.ts")).cube },
      { name: "watch", load: async () => (await import("./commands/watch.ts")).watch },
      { name: "reduce", load: async () => (await import("./commands/reduce.ts")).reduce },
      { name: "reduce-job", load: async () => (await import("./commands/reduce-job.ts")).reduceJob },
      { name: "emission", load: async () => (await import("./commands/emission.ts")).emission },
      { name: "delay-scan", load: async () => (await import("./commands/delay-scan.ts")).delayScan },
      { name: "calibrate", load: async () => (await import("./commands/calibrate.ts")).calibrate },
      { name: "geometry", load: async () => (await import("./commands/geometry.ts")).geometry },
    ],
  ],
  [
    "Files for other programs:",
    [
      { name: "convert", load: async () => (await import("./commands/convert.ts")).convert },
      { name: "add-signals", load: async () => (await import("./commands/add-signals.ts")).addSignals },
      { name: "validate", load: async () => (await import("./commands/validate.ts")).validate },
      { name: "replay", load: async () => (await import("./commands/replay.ts")).replay },
      { name: "python", load: async () => (await import("./commands/python.ts")).python },
    ],
  ],
  [
    "As it happens:",
    [
      { name: "live", load: async () => (await import("./commands/live.ts")).live },
      { name: "view", load: async () => (await import("./commands/view.ts")).view },
      { name: "replay-live", load: async () => (await import("./commands/replay-live.ts")).replayLive },
    ],
  ],
  [
    "Control:",
    [
      { name: "axes", load: async () => (await import("./commands/axes.ts")).axes },
      { name: "move", load: async () => (await import("./commands/move.ts")).move },
      { name: "set", load: async () => (await import("./commands/set.ts")).set },
      { name: "shutter", load: async () => (await import("./commands/shutter.ts")).shutter },
      { name: "stop", load: async () => (await import("./commands/stop.ts")).stop },
      { name: "run", load: async () => (await import("./commands/run.ts")).run },
      { name: "presets", load: async () => (await import("./commands/presets.ts")).presets },
      { name: "lease", load: async () => (await import("./commands/lease.ts")).lease },
      { name: "requests", load: async () => (await import("./commands/requests.ts")).requests },
      { name: "energy", load: async () => (await import("./commands/energy.ts")).energy },
      { name: "sdo", load: async () => (await import("./commands/sdo.ts")).sdo },
    ],
  ],
  [
    "Scans:",
    [
      { name: "scan", load: async () => (await import("./commands/scan.ts")).scan },
      { name: "rock", load: async () => (await import("./commands/rock.ts")).rock },
      { name: "optimise", load: async () => (await import("./commands/optimise.ts")).optimise },
      { name: "raster", load: async () => (await import("./commands/raster.ts")).raster },
      { name: "plan", load: async () => (await import("./commands/plan.ts")).plan },
      { name: "resume", load: async () => (await import("./commands/resume.ts")).resume },
    ],
  ],
  [
    "Set up and serve:",
    [
      { name: "demo", load: async () => (await import("./commands/demo.ts")).demo },
      { name: "shell", load: async () => (await import("./commands/shell.ts")).shell },
      { name: "sim", load: async () => (await import("./commands/sim.ts")).sim },
      { name: "config", load: async () => (await import("./commands/config.ts")).config },
      { name: "completion", load: async () => (await import("./commands/completion.ts")).completion },
      { name: "serve", load: async () => (await import("./commands/serve.ts")).serve },
      { name: "keys", load: async () => (await import("./commands/keys.ts")).keys },
      {
        name: "madoca-rehearsal",
        load: async () => (await import("./commands/madoca-rehearsal.ts")).madocaRehearsal,
      },
    ],
  ],
];

/** Two lines that work, for the help of each command and of each of its parts. */
export const examples: Readonly<Record<string, readonly [string, string]>> = {
  runs: ["sacla runs -n 3", "sacla runs --follow"],
  info: ["sacla info", "sacla info 1520000 --json"],
  detectors: ["sacla detectors", "sacla detectors 1520000"],
  signals: ["sacla signals BM1", 'sacla signals "user photodiode"'],
  tags: ['sacla tags newest --class on --where "4nC < i0 < 6nC"', "sacla tags 1520000 --class dark -o dark.txt"],
  values: ["sacla values newest i0 --plot i0.svg", "sacla values newest BM1 delay --class on -o on.parquet"],
  scatter: ["sacla scatter newest i0 diode", "sacla scatter 1520000 BM1 BM2 -o monitors.png"],
  stats: ["sacla stats", "sacla stats run.h5 -o missing.svg"],
  tma: ["sacla tma 1520000 -o tma.csv", "sacla tma create 1520000"],
  "tma create": ["sacla tma create 1520000", 'sacla tma create newest --axis rows --comment "after realignment"'],
  "tma run": ["sacla tma run 1 1520000", "sacla tma run 1 newest --db ../tma.sqlite"],
  "tma csv": ["sacla tma csv 1 --run 1520000 -o tma.csv", "sacla tma csv 1 --run 1520000 --flagged -o all.csv"],
  "tma h5": ["sacla tma h5 1 -o tma.h5", "sacla tma h5 1 --run 1520000 --add-to run.h5"],
  "tma scale": ["sacla tma scale 1 1520000", "sacla tma scale 1 newest --fs-per-pulse 6.671"],
  "tma list": ["sacla tma list", "sacla tma list --db ../tma.sqlite --json"],
  "tma delete": ["sacla tma delete 1", "sacla tma delete 1 --rows --run 1520000"],
  image: ["sacla image newest octal", "sacla image 1520000 octal --tag 160697000 --log"],
  average: ["sacla average newest octal --class on", "sacla average 651236 MPCCD-2B1-M03-001-1 --dark 651264"],
  assemble: ["sacla assemble newest octal", "sacla assemble newest octal --class off --method area -o off.png"],
  diff: ["sacla diff newest octal", "sacla diff 1520000 octal --pair --normalise i0"],
  histogram: ["sacla histogram newest octal", "sacla histogram newest octal --class off -n 50"],
  cube: [
    "sacla cube newest delay diode --plot cube.png",
    "sacla cube newest delay diode --bins 11800,12700,50 -o cube.csv",
  ],
  watch: ["sacla watch octal", "sacla watch octal -n 30 --log"],
  reduce: [
    "sacla reduce 1520000 request.json -o result.h5 --jobs 4",
    "sacla reduce newest request.json --slurm --batch-option=--partition=main",
  ],
  "reduce-job": ["sacla reduce-job shard result.h5.parts 3", "sacla reduce-job merge result.h5.parts"],
  emission: [
    "sacla emission 305001 --calibration 7000,7100 --url 305001.h5 --plot xes.svg",
    "sacla emission newest --curve curve.json --lines 7058,7045",
  ],
  "delay-scan": [
    "sacla delay-scan newest --of xfel_bl_3_st_2_pd_user_3_fitting_peak/voltage --fs-per-pixel 2.6 --plot scan.svg",
    "sacla delay-scan live delay -2 6 --of diode --pumped pumped --i0 i0 --t0-error 10 --experiment exp.json",
  ],
  "delay-scan live": [
    "sacla delay-scan live delay -2 6 --of diode --pumped pumped --i0 i0 --t0-error 10 --shutter xrays",
    "sacla delay-scan live delay -2 6 --of diode --pumped pumped --i0 i0 --dry-run",
  ],
  "delay-scan shared": [
    "sacla delay-scan shared delay -2 6 33 --of diode --pumped pumped --i0 i0 --error 0.005 --shutter xrays",
    "sacla delay-scan shared delay -2 6 33 --of diode --error 0.005 --dry-run",
  ],
  calibrate: [
    "sacla calibrate newest octal --calibrant LaB6 --distance 55",
    "sacla calibrate 302001 --url 302001.h5 --calibrant LaB6 --distance 80 -o rings.poni",
  ],
  geometry: ["sacla geometry compare hits.geom newest", "sacla geometry compare hits.geom 1520000 --json"],
  "geometry compare": ["sacla geometry compare hits.geom newest", "sacla geometry compare hits.geom 1520000 --json"],
  "geometry write": [
    "sacla geometry write old.geom newest -o new.geom",
    "sacla geometry write old.geom 1520000 -o new.geom --json",
  ],
  convert: ["sacla convert newest --class on -o on.h5", "sacla convert 1520000 --for crystfel -o hits.h5"],
  "add-signals": [
    "sacla add-signals 1520000 run.h5 BM2 xfel_bl_3_tc_spec_1/energy",
    "sacla add-signals 1520000 run.h5 i0 --replace",
  ],
  validate: ["sacla validate run.h5", "sacla validate run.h5 --json"],
  replay: ["sacla replay run.h5", "sacla replay run.h5 --url tcp://server:5555"],
  python: ["sacla python -- analysis.py 1520000", "sacla python --url run.h5 -- -c 'import dbpy'"],
  live: ["sacla live -s i0 -d octal", "sacla live -n 100 --hit-adu 500"],
  view: ["sacla view", "sacla view run.h5"],
  "replay-live": ["sacla replay-live 1520000", "sacla replay-live 1 --source run.h5 --speed max"],
  axes: ["sacla axes", "sacla axes sample"],
  move: ["sacla move delay=1.5ps", "sacla move sample_x=0.1mm sample_y=-0.2mm -r"],
  set: ["sacla set att", "sacla set att 25"],
  shutter: ["sacla shutter xrays", "sacla shutter xrays open"],
  stop: ["sacla stop", "sacla stop delay sample_x"],
  run: ["sacla run state", 'sacla run start --comment "LaB6, 100 fs" --shots 3000'],
  presets: ['sacla presets save aligned --comment "after night shift"', "sacla presets restore aligned"],
  lease: ["sacla lease", "sacla lease --json"],
  requests: ["sacla requests", "sacla requests log --follow"],
  scan: [
    "sacla scan theta 0.08 0.11 31 --signal bragg --normalise i0 --shutter xrays --go peak",
    "sacla scan delay 77 82 26 --shots 60 --dry-run",
  ],
  rock: [
    "sacla rock theta -0.3 0.3 61 --signal bragg --shutter xrays --go peak",
    "sacla rock theta -0.02 0.02 41 --relative --signal bragg --dry-run",
  ],
  energy: [
    "sacla energy 9978 --dry-run",
    "sacla energy edge 9978.2 9958 9998 41 --signal foil_diode --normalise foil_i0 --shutter xrays",
  ],
  "energy edge": [
    "sacla energy edge 9978.2 9958 9998 41 --signal foil_diode --normalise foil_i0 --shutter xrays",
    "sacla energy edge 9978.2 9958 9998 41 --signal foil_diode --normalise foil_i0 --dry-run",
  ],
  sdo: ["sacla sdo delay=1 energy=9000 --dry-run", "sacla sdo zero -0.05 0.05 41 --shutter xrays"],
  "sdo align": ["sacla sdo align --dry-run", "sacla sdo align --shutter xrays --shots 8"],
  "sdo learn": ["sacla sdo learn --delays 0,0.5,1 --shutter xrays", "sacla sdo learn --delays 0,1 --dry-run"],
  "sdo zero": ["sacla sdo zero -0.05 0.05 41 --shutter xrays", "sacla sdo zero -0.05 0.05 41 --energy 9000 --dry-run"],
  optimise: [
    "sacla optimise bl3_quad_1=-1:1:0.4 bl3_taper_1=-1:1:0.4 --signal i0 --shutter xrays --dry-run",
    "sacla optimise sample_x=-0.5:0.5:0.1 sample_y=-0.5:0.5:0.1 --signal diode --normalise i0 --shutter xrays",
  ],
  raster: [
    "sacla raster sample_x -1mm 1mm 41 sample_y 0 1mm 21 --shutter xrays",
    "sacla raster sample_x -1 1 41 sample_y 0 1 21 --shutter xrays --spots 100 --chip chip-7.map",
  ],
  plan: ["sacla plan dry-run plan.mjs", "sacla plan run plan.mjs --html scan.html"],
  resume: ["sacla resume", "sacla resume scan.journal"],
  demo: ["sacla demo", "sacla demo run.h5"],
  shell: ["sacla shell", "sacla shell --experiment experiment.json --url tcp://server:5555"],
  sim: ["sacla sim", "sacla sim reset"],
  config: ["sacla config", "sacla config --json"],
  completion: ['eval "$(sacla completion bash)"', "sacla completion fish > ~/.config/fish/completions/sacla.fish"],
  serve: ["sacla serve sim:", "sacla serve run.h5 --http 127.0.0.1:5580"],
  keys: ["sacla keys new laptop", "sacla keys list"],
  "keys new": ["sacla keys new laptop", "sacla keys new hutch --role control"],
  "keys list": ["sacla keys list", "sacla keys list --json"],
  "keys revoke": ["sacla keys revoke laptop", "sacla keys revoke laptop --json"],
  "madoca-rehearsal": ["sacla madoca-rehearsal experiment.json", "sacla serve sim: --madoca experiment.json"],
};
