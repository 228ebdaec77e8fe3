import { isSaclaError } from "../../core/errors.ts";

interface Rule {
  readonly severity: "error" | "warning";
  /** Why it matters. */
  readonly reason: string;
}

const error = (reason: string): Rule => ({ severity: "error", reason });
const warning = (reason: string): Rule => ({ severity: "warning", reason });

/** Every rule `sacla validate` knows. docs/files.md lists them from here. */
export const layoutRules = {
  format: error("Readers choose how to read a file by what stands at its root."),
  "run-list": error("Readers find the runs by /file_info/run_number_list."),
  "format-type": warning("DataConvert writes run_data_format; some scripts look for it."),
  "run-group": error("A run that the list names must be there."),
  "tag-list": error("Every value and image is found by its tag: the list must be there, with each tag once."),
  "tag-order": warning("Scripts take the list to be ascending, and the last one for the newest."),
  "tag-range": error("Tags lie from start_tag_number to before end_tag_number, or they belong to another run."),
  "time-stamp": error("One time a tag, finite: the HighTag and the run's times are derived from them."),
  beamline: error("Signals are below one bl_<n>, by which readers know the beamline."),
  "signal-length": error("A signal has one number a tag, or values go to the wrong shots."),
  "photon-energy": warning("ADU become photons by the configured energy; dxtbx takes the wavelength from it."),
  "detector-list": error("A detector that detector_2d_list names must be there."),
  "detector-name": error("Detectors are asked for by detector_name, each by its own."),
  "detector-gain": warning("ADU become photons by absolute_gain."),
  geometry: error(
    "Position, angle and pixel size are there together, finite, with pixels above zero: or no picture can be assembled.",
  ),
  "no-geometry": warning("An MPCCD sensor without a place cannot be assembled."),
  "unlisted-tag": warning("An image whose tag is not in tag_number_list is never found."),
  "image-shape": error("All images of a detector have one shape of two axes."),
  "image-status": error("detector_status 1 says that there is an image."),
  "no-image": warning("A detector without any image has no size."),
  "assembled-missing": warning(
    "dxtbx reads an assembled picture for every tag of the list, and stops where there is none.",
  ),
  "stack-image": error("Every shot has one image, all of one shape and type."),
  "stack-energy": error("Every shot has its photon energy, above zero: wavelength and photons come from it."),
  "stack-metadata": error("Every sensor of the stack has its id, place, angle and pixel size."),
  "stack-mask": error("The mask has the shape of an image, or it hides the wrong pixels."),
  "stack-tags": error("Images and tags belong together one to one."),
  "nxmx-definition": error("NeXus readers look for the definition NXmx."),
  "nxmx-modules": error("The modules cover the rows of an image, each once."),
  provenance: error("What a file says of its making must be readable and account for every shot."),
  "tags-used": error("The tags used, the ledger and the tag list say the same."),
} as const satisfies Record<string, Rule>;

export type LayoutRule = keyof typeof layoutRules;

/** One place where a file breaks a rule. */
export interface LayoutFinding {
  readonly rule: LayoutRule;
  readonly severity: Rule["severity"];
  readonly path: string;
  readonly message: string;
  /** Why the rule is there. */
  readonly reason: string;
}

const MOST_OF_ONE_RULE = 20;

/** Collects findings. */
export class FindingBook {
  readonly #findings: LayoutFinding[] = [];
  readonly #counts = new Map<LayoutRule, number>();

  get findings(): LayoutFinding[] {
    return this.#findings.toSorted((a, b) => Number(b.severity === "error") - Number(a.severity === "error"));
  }

  get counts(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }

  add(rule: LayoutRule, path: string, message: string): void {
    const count = (this.#counts.get(rule) ?? 0) + 1;
    this.#counts.set(rule, count);
    if (count <= MOST_OF_ONE_RULE) this.#findings.push({ rule, path, message, ...layoutRules[rule] });
  }

  /** Adds a finding when `test` says what is wrong, or cannot read what it needs. */
  check(rule: LayoutRule, path: string, test: () => string | null): void {
    const wrong = this.read(rule, path, test);
    if (typeof wrong === "string") this.add(rule, path, wrong);
  }

  /** What `work` gives; undefined, and a finding, when the file does not let it. */
  read<T>(rule: LayoutRule, path: string, work: () => T): T | undefined {
    try {
      return work();
    } catch (thrown) {
      if (!isSaclaError(thrown)) throw thrown;
      this.add(rule, path, thrown.message);
      return undefined;
    }
  }
}
