import { isSaclaError, SaclaError, show } from "../../core/errors.ts";
import {
  type Column,
  emptyColumn,
  type MissingReason,
  parseSyncValue,
  STATUS_MISSING,
  setEntry,
} from "../../core/syncdb.ts";
import type { Provenance } from "../convert/provenance.ts";
import { type Absence, absenceOf } from "./absence.ts";
import { pathsBelow } from "./below.ts";
import type { H5File } from "./h5file.ts";
import { signalNames, unitOfPath } from "./signals.ts";

/** The 0-D signals of a run: everything below `event_info`, but for the tags and their times. */
export class StoredSignals {
  readonly #file: H5File;
  readonly #root: string;
  readonly #rows: number;
  /** For files of `sacla convert`: what the layout has no place for. */
  readonly #provenance: Provenance | undefined;
  readonly #columns = new Map<string, Column>();
  readonly #absences = new Map<string, Absence | undefined>();
  #paths: readonly string[] | undefined;
  #names: ReadonlyMap<string, string> | undefined;
  #odd: ReadonlyMap<string, string> | undefined;

  /**
   * @param root - path of `event_info`
   * @param rows - length of its list of tags
   */
  constructor(file: H5File, root: string, rows: number, provenance: Provenance | undefined) {
    this.#file = file;
    this.#root = root;
    this.#rows = rows;
    this.#provenance = provenance;
  }

  /** Every name of a signal, with its path inside `event_info`. */
  get names(): ReadonlyMap<string, string> {
    this.#names ??= signalNames(this.#everyPath().filter((path) => !this.odd.has(path)));
    return this.#names;
  }

  /** What is no signal, by its path, and what it is instead. */
  get odd(): ReadonlyMap<string, string> {
    this.#odd ??= new Map(
      this.#everyPath().flatMap((path): [string, string][] => {
        const what = this.#whyNoSignal(path);
        return what === undefined ? [] : [[path, what]];
      }),
    );
    return this.#odd;
  }

  /** Path of a name, of what is no signal too: who asks for that is told what it is. */
  pathOf(name: string): string | undefined {
    return this.names.get(name) ?? signalNames([...this.odd.keys()]).get(name);
  }

  /**
   * The values at a path, in the order of the list of tags; none where {@link absenceOf} says why not. Texts are read
   * as those of SyncDB.
   * @throws NOT_DATACONVERT when it is neither a list of numbers nor of texts
   * @throws FILE_DAMAGED when it has another length than the list of tags
   */
  column(path: string): Column {
    const known = this.#columns.get(path);
    if (known !== undefined) return known;
    const column = this.#readColumn(path);
    this.#columns.set(path, column);
    return column;
  }

  /** Why a signal lacks values although it is there: not written, its source is gone, it cannot be read. */
  absenceOf(path: string): Absence | undefined {
    if (!this.#absences.has(path)) this.#absences.set(path, this.#whyNoValues(`${this.#root}/${path}`));
    return this.#absences.get(path);
  }

  /** What is odd about the signals, each a sentence that names the place. */
  get notes(): string[] {
    const odd = [...this.odd].map(([path, what]) => `${path} is no signal and is left out: it is ${what}`);
    const empty = [...new Set(this.names.values())].flatMap((path) => {
      const absence = this.absenceOf(path);
      return absence === undefined
        ? []
        : [`${path} ${absence.written === undefined ? "has no values" : "lacks values"}: ${absence.what}`];
    });
    return [...odd, ...empty];
  }

  #everyPath(): readonly string[] {
    this.#paths ??= pathsBelow(this.#file, this.#root)
      .map((path) => path.slice(this.#root.length + 1))
      .filter((path) => path !== "tag_number_list" && path !== "time_stamp");
    return this.#paths;
  }

  #whyNoSignal(signalPath: string): string | undefined {
    const path = `${this.#root}/${signalPath}`;
    try {
      // What a link leads to may be away for now: it is a signal without values.
      if (this.#file.linkOut(path) !== undefined) return undefined;
      const found = this.#file.described(path);
      if (found === undefined) return "neither a group nor a dataset";
      return this.#file.isList(path, this.#rows) ? undefined : `${found}, for ${this.#rows} tags`;
    } catch (error) {
      if (!isSaclaError(error, "FILE_DAMAGED")) throw error;
      return "damaged";
    }
  }

  #whyNoValues(path: string): Absence | undefined {
    try {
      return absenceOf(this.#file, path) ?? this.#file.unreadable(path);
    } catch (error) {
      if (!isSaclaError(error, "FILE_DAMAGED")) throw error;
      return { reason: "damaged", what: error.message };
    }
  }

  #readColumn(path: string): Column {
    const given = this.#provenance?.signals.find((signal) => signal.leaf === path)?.unit ?? unitOfPath(path);
    const absence = this.absenceOf(path);
    if (absence !== undefined && absence.written === undefined) return emptyColumn(path, given, this.#rows);
    const texts = this.#file.texts(`${this.#root}/${path}`)?.map(parseSyncValue);
    const values = texts ?? this.#file.numbers(`${this.#root}/${path}`) ?? [];
    if (values.length !== this.#rows) throw this.#otherLength(path, values.length);
    const unit = texts?.flatMap((text) => ("unit" in text ? text.unit : [])).find((text) => text !== "") ?? given;
    const column = emptyColumn(path, unit, this.#rows);
    const status = this.#provenance && this.#file.numbers(`/sacla/signal_status/${path}`);
    for (const [row, value] of values.entries()) {
      if (status?.[row] === STATUS_MISSING || absence?.written?.[row] === 0) continue;
      if (typeof value === "number") setEntry(column, row, entryFrom(value));
      else setEntry(column, row, "value" in value ? value.value : value.reason);
    }
    return column;
  }

  #otherLength(signalPath: string, length: number): SaclaError {
    const path = `${this.#root}/${signalPath}`;
    return new SaclaError(
      "FILE_DAMAGED",
      `${show(this.#file.path)} is half-written or damaged: ${path} has ${length} values, but ` +
        `${this.#root}/tag_number_list has ${this.#rows} tags. Convert the run again.`,
      { details: { file: this.#file.path, path } },
    );
  }
}

/** What a converter writes where SyncDB has a word instead of a number: NaN for one, an infinity for the other. */
export function entryFrom(value: number): number | MissingReason {
  if (Number.isNaN(value)) return "not-converged";
  return Number.isFinite(value) ? value : "saturated";
}
