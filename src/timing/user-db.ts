import { existsSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import type { Database } from "node-sqlite3-wasm";
import { SaclaError, show } from "../core/errors.ts";
import { asInteger, asText } from "../core/guards.ts";
import { TimingEdges } from "../db/index.ts";
import type { EdgeFinderState, EdgeFlag } from "./edge-finder.ts";
import type { ShotEdge } from "./shot-edges.ts";

/** Loaded when a database is opened: it takes time that every command would wait for. */
function loadSqlite(): typeof import("node-sqlite3-wasm") {
  return createRequire(import.meta.url)("node-sqlite3-wasm") as typeof import("node-sqlite3-wasm");
}

/** A configuration of the timing analysis in the user database: what CreateTMAID makes. */
export interface TmaConfig {
  readonly id: number;
  readonly bl: number;
  readonly camera: string;
  readonly comment: string;
  /** ISO 8601, UTC. */
  readonly created: string;
  /** What the finder had learnt, as `EdgeFinder.toJSON` gives it, and whatever else belongs to it. */
  readonly configuration: unknown;
  /** Shots that have a row. */
  readonly shots: number;
}

/** The configuration of a TMA id that `sacla tma create` has made. */
export interface TmaFinder {
  readonly finder: EdgeFinderState;
  /** Signal that tells whether X-rays came: its number is then at least `least`. */
  readonly xrays: string;
  readonly least: number;
  /** The run it was learnt from. */
  readonly run: number;
}

/** Which rows: tags from `start` to `end`, both included, of one HighTag. */
export interface TmaRange {
  readonly hightag: number;
  /** @default the first one */
  readonly start?: number | undefined;
  /** @default the last one */
  readonly end?: number | undefined;
}

/** A row of the user database. */
export interface TmaRow {
  readonly tag: number;
  readonly derivativePx: number;
  readonly fittingPx: number;
  readonly errorPx: number;
  readonly depth: number;
  readonly widthPx: number;
  readonly flags: readonly (EdgeFlag | "no-xrays")[];
  readonly usable: boolean;
}

const SCHEMA = 1;
const TABLES = `
CREATE TABLE tma (
  id INTEGER PRIMARY KEY AUTOINCREMENT, bl INTEGER NOT NULL, camera TEXT NOT NULL, comment TEXT NOT NULL,
  created TEXT NOT NULL, configuration TEXT NOT NULL);
CREATE TABLE edge (
  tmaid INTEGER NOT NULL REFERENCES tma (id), hightag INTEGER NOT NULL, tag INTEGER NOT NULL,
  timing_edge_derivative REAL, timing_edge_fitting REAL, error REAL, depth REAL, width REAL,
  usable INTEGER NOT NULL, flags TEXT NOT NULL,
  PRIMARY KEY (tmaid, hightag, tag)) WITHOUT ROWID;
PRAGMA user_version = ${SCHEMA};`;

/** How long a write waits for another program. */
const WAIT_MS = 3000;
const PAUSE_MS = 50;
/** A lock that stands longer was left by a program that was killed. */
const OLD_LOCK_S = 60;

/**
 * The user database (UDB) of the timing analysis: one SQLite file, rows by TMA id, HighTag and tag, with the
 * configuration they were found with. Positions that could not be found are NULL. Any SQLite program reads it.
 *
 * Writes are whole or absent. While a program writes, the folder `FILE.lock` stands beside the file.
 *
 * @example
 * using db = TimingDb.open("tma.sqlite");
 * const edges = db.edges(1, { hightag: 202601 });
 */
export class TimingDb {
  readonly path: string;
  readonly #db: Database;

  private constructor(path: string, db: Database) {
    this.path = path;
    this.#db = db;
  }

  /**
   * @param create - whether to make a file that is not there
   * @throws FILE_NOT_FOUND @throws FILE_DAMAGED when it is no such database @throws DATABASE_LOCKED
   */
  static open(path: string, create = false): TimingDb {
    asText("path", path);
    if (!create && !existsSync(path))
      throw new SaclaError(
        "FILE_NOT_FOUND",
        `${show(path)} is not there: no user database of the timing analysis. \`sacla tma create RUN\` makes one.`,
      );
    let db: Database;
    try {
      db = new (loadSqlite().Database)(path);
    } catch (cause) {
      throw new SaclaError("FILE_NOT_FOUND", `${show(path)} cannot be opened: ${textOf(cause)}.`, { cause });
    }
    const opened = new TimingDb(path, db);
    try {
      const version = opened.#try(() => Number(opened.#db.get("PRAGMA user_version")?.["user_version"]));
      const tables = opened.#try(() => Number(opened.#db.get("SELECT count(*) AS n FROM sqlite_master")?.["n"]));
      if (version === 0 && tables === 0) opened.#write(() => opened.#db.exec(TABLES));
      else if (version !== SCHEMA)
        throw new SaclaError(
          "FILE_DAMAGED",
          `${show(path)} is an SQLite file, but not a user database of this version.`,
        );
      return opened;
    } catch (error) {
      db.close();
      throw error;
    }
  }

  /** A new TMA id, with its configuration. */
  create(of: { bl: number; camera: string; comment?: string | undefined; configuration: unknown }): number {
    const values = [
      asInteger("bl", of.bl),
      asText("camera", of.camera),
      of.comment ?? "",
      new Date().toISOString(),
      JSON.stringify(of.configuration),
    ];
    return this.#write(() =>
      Number(
        this.#db.run("INSERT INTO tma (bl, camera, comment, created, configuration) VALUES (?, ?, ?, ?, ?)", values)
          .lastInsertRowid,
      ),
    );
  }

  /** All configurations, oldest first. */
  list(): TmaConfig[] {
    const sql = "SELECT t.*, (SELECT count(*) FROM edge e WHERE e.tmaid = t.id) AS shots FROM tma t ORDER BY id";
    return this.#try(() => this.#db.all(sql)).map((row) => ({
      id: Number(row["id"]),
      bl: Number(row["bl"]),
      camera: String(row["camera"]),
      comment: String(row["comment"]),
      created: String(row["created"]),
      configuration: JSON.parse(String(row["configuration"])) as unknown,
      shots: Number(row["shots"]),
    }));
  }

  /** @throws UNKNOWN_TMA */
  config(id: number): TmaConfig {
    const all = this.list();
    const found = all.find((one) => one.id === id);
    if (found !== undefined) return found;
    const known = all.map((one) => one.id);
    throw new SaclaError(
      "UNKNOWN_TMA",
      `${show(this.path)} has no TMA id ${id}; it has ${known.length === 0 ? "none" : known.join(", ")}.`,
      { details: { id, known } },
    );
  }

  /** HighTags that have rows, ascending. @throws UNKNOWN_TMA */
  hightags(id: number): number[] {
    this.config(id);
    const sql = "SELECT DISTINCT hightag FROM edge WHERE tmaid = ? ORDER BY hightag";
    return this.#try(() => this.#db.all(sql, [id])).map((row) => Number(row["hightag"]));
  }

  /** Rows for shots, in one transaction; a row that is there is replaced. @throws UNKNOWN_TMA */
  put(id: number, hightag: number, shots: Iterable<ShotEdge>): void {
    this.config(id);
    this.#write(() => {
      const insert = this.#db.prepare("INSERT OR REPLACE INTO edge VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
      try {
        for (const { tag, xrays, edge } of shots) {
          const flags = xrays ? (edge?.flags ?? []) : ["no-xrays"];
          const numbers = [edge?.derivativePx, edge?.fittingPx, edge?.errorPx, edge?.depth, edge?.widthPx];
          insert.run([
            id,
            hightag,
            tag,
            ...numbers.map((value) => (value === undefined || Number.isNaN(value) ? null : value)),
            edge?.usable === true ? 1 : 0,
            flags.join(" "),
          ]);
        }
      } finally {
        insert.finalize();
      }
    });
  }

  /** Rows by tag. @throws UNKNOWN_TMA */
  rows(id: number, range: TmaRange): TmaRow[] {
    this.config(id);
    const sql = "SELECT * FROM edge WHERE tmaid = ? AND hightag = ? AND tag BETWEEN ? AND ? ORDER BY tag";
    const { hightag, start = 0, end = 2 ** 32 - 1 } = range;
    return this.#try(() => this.#db.all(sql, [id, hightag, start, end])).map((row) => ({
      tag: Number(row["tag"]),
      derivativePx: numberOf(row["timing_edge_derivative"]),
      fittingPx: numberOf(row["timing_edge_fitting"]),
      errorPx: numberOf(row["error"]),
      depth: numberOf(row["depth"]),
      widthPx: numberOf(row["width"]),
      usable: row["usable"] === 1,
      flags: String(row["flags"])
        .split(" ")
        .filter((flag) => flag !== "") as TmaRow["flags"][number][],
    }));
  }

  /**
   * The same as the columns of the facility's CSV; edges that cannot be used are NaN.
   * @param flagged - keep them
   */
  edges(id: number, range: TmaRange, flagged = false): TimingEdges {
    const { bl } = this.config(id);
    const rows = this.rows(id, range);
    const of = (pick: (row: TmaRow) => number): Float64Array =>
      Float64Array.from(rows, (row) => (row.usable || flagged ? pick(row) : NaN));
    return new TimingEdges({
      comment: `[TMA ${id} BL${bl} ${range.hightag}]`,
      tags: rows.map(({ tag }) => tag),
      derivativePx: of(({ derivativePx }) => derivativePx),
      fittingPx: of(({ fittingPx }) => fittingPx),
    });
  }

  /** Takes rows away, all of the id without a range, and says how many. @throws UNKNOWN_TMA */
  deleteRows(id: number, range?: TmaRange): number {
    this.config(id);
    const where = range === undefined ? "" : " AND hightag = ? AND tag BETWEEN ? AND ?";
    const values = range === undefined ? [] : [range.hightag, range.start ?? 0, range.end ?? 2 ** 32 - 1];
    return this.#write(() => this.#db.run(`DELETE FROM edge WHERE tmaid = ?${where}`, [id, ...values]).changes);
  }

  /** Takes a TMA id away with its rows, and says how many they were. @throws UNKNOWN_TMA */
  delete(id: number): number {
    this.config(id);
    return this.#write(() => {
      const { changes } = this.#db.run("DELETE FROM edge WHERE tmaid = ?", [id]);
      this.#db.run("DELETE FROM tma WHERE id = ?", [id]);
      return changes;
    });
  }

  /** A second call does nothing. */
  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** One transaction. */
  #write<T>(work: () => T): T {
    this.#try(() => this.#db.exec("BEGIN IMMEDIATE"));
    try {
      const result = work();
      this.#db.exec("COMMIT");
      return result;
    } catch (error) {
      if (this.#db.inTransaction) this.#db.exec("ROLLBACK");
      throw this.#failed(error);
    }
  }

  /** Tries again while another program has the file. */
  #try<T>(work: () => T): T {
    const until = performance.now() + WAIT_MS;
    for (;;) {
      try {
        return work();
      } catch (error) {
        if (!/locked/.test(textOf(error)) || performance.now() > until) throw this.#failed(error);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
      }
    }
  }

  #failed(cause: unknown): Error {
    if (!(cause instanceof Error) || cause.name !== "SQLite3Error")
      return cause instanceof Error ? cause : new Error(String(cause));
    const details = { path: this.path, reason: cause.message };
    if (/locked/.test(cause.message)) {
      const lock = `${this.path}.lock`;
      const seconds = existsSync(lock) ? Math.round((Date.now() - statSync(lock).mtimeMs) / 1000) : 0;
      const old =
        seconds > OLD_LOCK_S
          ? ` No write takes so long: a program was killed. If none has the file open any more: rmdir ${show(lock)}`
          : "";
      return new SaclaError(
        "DATABASE_LOCKED",
        `${show(this.path)} is being written by another program: ${show(lock)} is there since ${seconds} s.${old}`,
        { details, cause },
      );
    }
    if (/malformed|not a database|corrupt/.test(cause.message))
      return new SaclaError("FILE_DAMAGED", `${show(this.path)} is no whole SQLite file: ${cause.message}.`, {
        details,
        cause,
      });
    return new SaclaError("WRITE_FAILED", `${show(this.path)}: ${cause.message}.`, { details, cause });
  }
}

function numberOf(value: unknown): number {
  return value === null || value === undefined ? NaN : Number(value);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
