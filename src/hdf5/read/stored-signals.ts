import { isSaclaError, SaclaError, show } from "../../core/errors.ts";
import { unitFactor } from "../../core/quantities.ts";
import { counted } from "../../core/show.ts";
import {
  type Column,
  emptyColumn,
  type MissingReason,
  parseSyncValue,
  STATUS_MISSING,
  STATUS_NOT_CONVERGED,
  STATUS_SATURATED,
  setEntry,
} from "../../core/syncdb.ts";
import { type Absence, absenceOf, plainNumbersAt } from "./absence.ts";
import { pathsBelow, TOO_DEEP } from "./below.ts";
import type { H5File } from "./h5file.ts";
import { filterMissing } from "./library.ts";
import type { Provenance } from "./provenance.ts";
import { signalNames, unitOfPath } from "./signals.ts";

/** Tags of an archive whose values are read in one turn of the loop: some 20 ms. */
export const ARCHIVED_TAGS_AT_ONCE: number = 2 ** 20;

/** A column with more values is not kept when all of it is asked for. */
const LONG = 100_000;
/** Texts that say that there is no value. */
const NO_VALUE = /^\s*(missing|none|null|nan|n\/?a|-+)?\s*$/i;
/** Most values, 9 bytes each, of the columns that are kept for the next question. */
const MOST_KEPT = 2_000_000;

/** The 0-D signals of a run: everything below `event_info`, but for the tags and their times. */
export class StoredSignals {
  readonly #file: H5File;
  readonly #root: string;
  readonly #rows: number;
  /** For files of `sacla convert`: what the layout has no place for. */
  readonly #provenance: Provenance | undefined;
  readonly #columns = new Map<string, Column>();
  /** Values in these columns. */
  #kept = 0;
  readonly #absences = new Map<string, Absence | undefined>();
  /** Texts that are no number, or whose unit does not fit that of the others, by path. */
  readonly #unfit = new Map<string, string>();
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
    // At least one column is kept, because its tags are asked for part by part.
    if (this.#kept + column.values.length > MOST_KEPT) {
      this.#columns.clear();
      this.#kept = 0;
    }
    this.#columns.set(path, column);
    this.#kept += column.values.length;
    return column;
  }

  /** As {@link column}, but the caller may change what it gets; a long column is not kept here. */
  wholeColumn(path: string): Column {
    if (this.#rows > LONG && !this.#columns.has(path)) return this.#readColumn(path);
    const { equipId, unit, values, status } = this.column(path);
    return { equipId, unit, values: values.slice(), status: status.slice() };
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
    return [...odd, ...empty, ...this.#notesOfTexts()];
  }

  #notesOfTexts(): string[] {
    return [...new Set(this.names.values())].flatMap((path) => {
      if (this.absenceOf(path) !== undefined || this.#hasNumbers(`${this.#root}/${path}`)) return [];
      try {
        this.column(path);
      } catch (error) {
        if (!isSaclaError(error)) throw error;
        return [`${path} cannot be read: ${error.message}`];
      }
      const what = this.#unfit.get(path);
      return what === undefined ? [] : [`${path} lacks values: ${what}`];
    });
  }

  #hasNumbers(path: string): boolean {
    return plainNumbersAt(this.#file, path) !== undefined || this.#file.hasNumbers(path);
  }

  #everyPath(): readonly string[] {
    this.#paths ??= pathsBelow(this.#file, this.#root)
      .map((path) => path.slice(this.#root.length + 1))
      .filter((path) => path !== "tag_number_list" && path !== "time_stamp");
    return this.#paths;
  }

  #whyNoSignal(signalPath: string): string | undefined {
    const path = `${this.#root}/${signalPath}`;
    const shape = plainNumbersAt(this.#file, path)?.shape;
    if (shape?.length === 1 && shape[0] === this.#rows) return undefined;
    try {
      // What a link leads to may be away for now: it is a signal without values.
      if (this.#file.linkOut(path) !== undefined) return undefined;
      if (this.#file.kind(path) === "group") return TOO_DEEP;
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
      const header = plainNumbersAt(this.#file, path);
      const isReadable = header?.filters.every(({ id }) => filterMissing(id) === undefined) === true;
      return absenceOf(this.#file, path, header) ?? (isReadable ? undefined : this.#file.unreadable(path));
    } catch (error) {
      if (!isSaclaError(error, "FILE_DAMAGED")) throw error;
      return { reason: "damaged", what: error.message };
    }
  }

  #readColumn(path: string): Column {
    const given = this.#provenance?.signals.find((signal) => signal.leaf === path)?.unit ?? unitOfPath(path);
    const absence = this.absenceOf(path);
    // Of a matrix of one row, what was written is not known value by value.
    if (absence !== undefined && absence.written?.length !== this.#rows) return emptyColumn(path, given, this.#rows);
    const values =
      this.#file.texts(`${this.#root}/${path}`) ?? this.#file.numbers(`${this.#root}/${path}`) ?? new Float64Array(0);
    if (values.length !== this.#rows) throw this.#otherLength(path, values.length);
    const column =
      values instanceof Float64Array ? columnOfNumbers(path, given, values) : this.#columnOfTexts(path, given, values);
    const status = this.#provenance && this.#file.numbersOrNone(`/sacla/signal_status/${path}`);
    if (status === undefined && absence === undefined) return column;
    for (let row = 0; row < this.#rows; row++)
      if (status?.[row] === STATUS_MISSING || absence?.written?.[row] === 0) setEntry(column, row, "missing");
    return column;
  }

  /** All values are in the unit of the first one that has a unit; those that do not fit it are missing. */
  #columnOfTexts(path: string, given: string, texts: readonly string[]): Column {
    const entries = texts.map(parseSyncValue);
    const own = entries.flatMap((entry) => ("unit" in entry ? entry.unit : [])).find((unit) => unit !== "");
    const column = emptyColumn(path, own ?? given, this.#rows);
    const unfit: string[] = [];
    const unread: string[] = [];
    for (const [row, entry] of entries.entries()) {
      if ("reason" in entry) {
        setEntry(column, row, entry.reason);
        const text = texts[row] ?? "";
        if (entry.reason === "missing" && !NO_VALUE.test(text)) unread.push(text);
        continue;
      }
      const hasNone = own === undefined || (entry.value === 0 && entry.unit === "");
      const factor = hasNone ? 1 : unitFactor(entry.unit, own);
      if (factor === undefined) unfit.push(texts[row] ?? "");
      else setEntry(column, row, entry.value * factor);
    }
    const said = (list: readonly string[], what: string): string[] =>
      list.length === 0 ? [] : [`${counted(list.length, "text")} such as ${show(list[0])} ${what}`];
    const notes = [
      ...said(unfit, `cannot be in ${own}`),
      ...said(unread, unread.length === 1 ? "is no number with a unit" : "are no numbers with a unit"),
    ];
    if (notes.length > 0) this.#unfit.set(path, notes.join("; "));
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

/** The same of a whole column, whose values become its own. */
function columnOfNumbers(equipId: string, unit: string, values: Float64Array): Column {
  const status = new Uint8Array(values.length);
  for (let row = 0; row < values.length; row++) {
    const value = values[row] ?? NaN;
    if (Number.isFinite(value)) continue;
    status[row] = Number.isNaN(value) ? STATUS_NOT_CONVERGED : STATUS_SATURATED;
    values[row] = NaN;
  }
  return { equipId, unit, values, status };
}
