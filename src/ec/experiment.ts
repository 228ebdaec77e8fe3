import * as v from "valibot";
import { SaclaError, show, showList } from "../core/errors.ts";
import type { Names } from "../core/names.ts";
import { didYouMean } from "../core/nearest-names.ts";
import { readJsonFile } from "../files/index.ts";
import { checkAgainst } from "../transport/check.ts";
import { madocaSection } from "./madoca/section.ts";
import { opticsSection } from "./optics-section.ts";

const text = v.pipe(v.string(), v.nonEmpty());
const meaning = v.optional(v.string(), "");
const positive = v.pipe(v.number(), v.finite(), v.gtValue(0));
const finite = v.pipe(v.number(), v.finite());
const limits = v.union(
  [
    v.literal("unlimited"),
    v.pipe(
      v.tuple([finite, finite]),
      v.check(([from, to]) => from < to),
      v.readonly(),
    ),
  ],
  'two numbers, the lower first, or "unlimited"',
);

/** An object with no other keys; whoever misspells one is told those there are. */
const strict = <const E extends v.ObjectEntries>(entries: E) =>
  v.strictObject(entries, ({ expected, input }) => {
    if (expected === "never") return `left out, or one of ${Object.keys(entries).join(", ")}`;
    return input === undefined ? "given" : "an object";
  });

const axis = strict({
  device: text,
  signal: v.optional(text),
  meaning,
  unit: text,
  pulsesPerUnit: positive,
  sign: v.optional(v.picklist([1, -1]), 1),
  offset: v.optional(finite, 0),
  limits,
  speed: v.optional(positive),
  approach: v.optional(strict({ from: v.picklist(["below", "above"]), by: positive })),
  tolerance: v.optional(positive),
});
const signal = strict({ id: text, meaning, unit: v.optional(v.string()) });
const detector = strict({ id: text, meaning });
const device = strict({ device: text, meaning });
/**
 * Names by which devices are called in plans and tables; a control name among them would hide the device of that name.
 */
const named = <S extends v.GenericSchema>(entry: S) =>
  v.optional(
    v.record(
      v.pipe(
        v.string(),
        v.regex(/^[A-Za-z][A-Za-z0-9_]*$/, "a name of letters, digits and _ that begins with a letter"),
      ),
      entry,
    ),
    {},
  );

const experimentFile = strict({
  $schema: v.optional(v.string()),
  name: text,
  bl: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1000)),
  axes: named(axis),
  signals: named(signal),
  detectors: named(detector),
  shutters: named(device),
  settings: named(device),
  optics: v.optional(opticsSection, {}),
  madoca: v.optional(madocaSection),
});

/**
 * An axis by the experiment's own name: position = offset + sign × pulses / pulsesPerUnit. See docs/experiment-file.md.
 */
export type AxisDefinition = v.InferOutput<typeof axis>;
/** A whole experiment file, with its defaults filled in. */
type ExperimentData = v.InferOutput<typeof experimentFile>;

/** What {@link defineExperiment} takes: loose enough for an imported JSON file; all is checked when it runs. */
export interface ExperimentDefinition {
  readonly name: string;
  readonly bl: number;
  readonly axes?: Readonly<
    Record<
      string,
      {
        readonly device: string;
        readonly unit: string;
        readonly pulsesPerUnit: number;
        readonly limits: readonly number[] | string;
      }
    >
  >;
  readonly signals?: Readonly<Record<string, { readonly id: string }>>;
  readonly detectors?: Readonly<Record<string, { readonly id: string }>>;
  readonly shutters?: Readonly<Record<string, { readonly device: string }>>;
  readonly settings?: Readonly<Record<string, { readonly device: string }>>;
}

/** The names in one part of a definition. */
export type NamesIn<
  D extends ExperimentDefinition,
  P extends "axes" | "signals" | "detectors" | "shutters" | "settings",
> = keyof NonNullable<D[P]> & string;

/** Names of the signals of a definition, those of its axes among them. */
export type SignalsIn<D extends ExperimentDefinition> = NamesIn<D, "signals"> | NamesIn<D, "axes">;

/**
 * The experiment whose names TypeScript then knows: a misspelt axis does not compile.
 *
 * @throws BAD_ARGUMENT naming the part that is not as docs/experiment-file.md says
 * @example
 * const experiment = defineExperiment({
 *   name: "pump-probe", bl: 3,
 *   axes: { delay: { device: "bl3_st2_pm001", unit: "ps", pulsesPerUnit: 150, limits: [-10, 500] } },
 * } as const);
 */
export function defineExperiment<const D extends ExperimentDefinition>(definition: D): Experiment<D> {
  return new Experiment<D>(definition, "the experiment");
}

/**
 * The equipment id that `name` stands for: equipment ids have a slash, names of an experiment have none.
 * @throws UNKNOWN_SIGNAL
 */
export function signalId(experiment: Experiment | undefined, name: string): string {
  return experiment?.signalId(name) ?? name;
}

/** The names of one beam time for db, st and ec alike. Motor numbers change meaning every beam time; these do not. */
export class Experiment<D extends ExperimentDefinition = ExperimentDefinition> implements Names {
  readonly name: string;
  readonly bl: number;
  readonly axes: Readonly<Record<string, AxisDefinition>>;
  readonly shutters: Readonly<Record<string, { readonly device: string; readonly meaning: string }>>;
  readonly settings: Readonly<Record<string, { readonly device: string; readonly meaning: string }>>;
  readonly detectors: Readonly<Record<string, { readonly id: string; readonly meaning: string }>>;
  readonly optics: ExperimentData["optics"];
  readonly madoca: ExperimentData["madoca"];
  readonly #signals: ExperimentData["signals"];

  constructor(definition: unknown, where: string) {
    const data = checkAgainst(experimentFile, definition, "BAD_ARGUMENT", where);
    this.name = data.name;
    this.bl = data.bl;
    this.axes = data.axes;
    this.shutters = data.shutters;
    this.settings = data.settings;
    this.detectors = data.detectors;
    this.optics = data.optics;
    this.madoca = data.madoca;
    this.#signals = data.signals;
    this.#checkNames(where);
  }

  /**
   * Reads an experiment file (JSON).
   * @throws FILE_NOT_FOUND @throws BAD_TEXT when it is no JSON @throws BAD_ARGUMENT naming the part that is wrong
   */
  static async load(path: string): Promise<Experiment> {
    return new Experiment(await readJsonFile("The experiment file", path), `the experiment file ${path}`);
  }

  /** The equipment id of a signal, or of the signal of an axis. @throws UNKNOWN_SIGNAL */
  signal(name: SignalsIn<D>): string {
    const id = this.#signals[name]?.id ?? this.axes[name]?.signal;
    if (id !== undefined) return id;
    const known = [
      ...Object.keys(this.#signals),
      ...Object.keys(this.axes).filter((axisName) => this.axes[axisName]?.signal !== undefined),
    ];
    throw new SaclaError(
      "UNKNOWN_SIGNAL",
      `${this.name} names no signal ${show(name)}; it has ${showList(known, 20)}.${didYouMean(name, known)}`,
      { details: { name } },
    );
  }

  /** As {@link signal}; an equipment id, which has a slash, stands for itself. @throws UNKNOWN_SIGNAL */
  signalId(name: string): string {
    return name.includes("/") ? name : this.signal(name as NamesIn<D, "signals">);
  }

  /** As {@link detector}; any other text stands for itself. */
  detectorId(name: string): string {
    return Object.hasOwn(this.detectors, name) ? (this.detectors[name]?.id ?? name) : name;
  }

  /** Names of signals and of axes with a signal, each with what it is. */
  get signals(): Readonly<Record<string, { readonly id: string; readonly meaning: string }>> {
    const ofAxes = Object.entries(this.axes).flatMap(([name, { signal: id, meaning: of }]) =>
      id === undefined ? [] : [[name, { id, meaning: of }] as const],
    );
    return { ...Object.fromEntries(ofAxes), ...this.#signals };
  }

  /** The id of a detector. @throws UNKNOWN_DETECTOR */
  detector(name: NamesIn<D, "detectors">): string {
    const found = this.detectors[name];
    if (found !== undefined) return found.id;
    const known = Object.keys(this.detectors);
    throw new SaclaError(
      "UNKNOWN_DETECTOR",
      `${this.name} names no detector ${show(name)}; it has ${showList(known, 20)}.${didYouMean(name, known)}`,
      {
        details: { name },
      },
    );
  }

  /** Two names for one device, or one name for two, would let a scan move what it does not show. */
  #checkNames(where: string): void {
    const seenNames = new Set<string>();
    const seenDevices = new Map<string, string>();
    for (const part of [this.axes, this.shutters, this.settings]) {
      for (const [name, entry] of Object.entries(part)) {
        const other = seenDevices.get(entry.device);
        if (seenNames.has(name))
          throw new SaclaError(
            "BAD_ARGUMENT",
            `${where} has the name ${show(name)} twice, but a name must stand for one device.`,
          );
        if (other !== undefined)
          throw new SaclaError(
            "BAD_ARGUMENT",
            `${where} has two names for ${entry.device}, ${other} and ${name}, but must have one.`,
          );
        seenNames.add(name);
        seenDevices.set(entry.device, name);
      }
    }
  }
}
