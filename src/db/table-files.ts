import {
  type Batch,
  batchType,
  Column,
  columnFromArray,
  type DataType,
  dictionary,
  Endianness,
  type Field,
  field,
  float64,
  int8,
  Table,
  TimeUnit,
  tableToIPC,
  timestamp,
  uint32,
  utf8,
  Version,
} from "@uwdata/flechette";
import { TAG_RATE_HZ } from "../core/constants.ts";
import { SaclaError } from "../core/errors.ts";
import { STATUS_OK, type Column as SyncColumn, syncStatus } from "../core/syncdb.ts";
import { TagList } from "../core/tags.ts";
import { type ParquetColumn, parquetOf } from "./parquet-columns.ts";

/** What a file of a table holds; a `SignalTable` is one. */
export interface TableContent {
  readonly tags: TagList;
  readonly columns: readonly (SyncColumn & { readonly name?: string })[];
  readonly run:
    | {
        readonly bl: number;
        readonly number: number;
        readonly info?: { readonly starttime: number; readonly start_tagnumber: number };
      }
    | undefined;
}

/** Name of the column of tags, as in the CSV. */
const TAG = "tag_number";
const TIME = "datetime";
const ROWS_PER_GROUP = 100_000;

/** The table as an Arrow IPC file; see `SignalTable.toArrow`. */
export function arrowFile(table: TableContent): Uint8Array<ArrayBuffer> {
  return arrowBytes(table, "file");
}

/** An Arrow file of one record batch, or a stream of the same. */
function arrowBytes(table: TableContent, format: "file" | "stream"): Uint8Array<ArrayBuffer> {
  // One dictionary for all columns of statuses. Its type is the object that the fields name: by that it gets its
  // number.
  const reasons = columnFromArray([...syncStatus], utf8());
  const statusType = { ...dictionary(utf8(), int8()), dictionary: reasons.type };
  const length = table.tags.length;
  const fields: Field[] = [field(TAG, uint32(), false)];
  const children = [columnOf(uint32(), { length, nullCount: 0, validity: NO_NULLS, values: table.tags.values })];
  const times = timesOf(table);
  if (times !== undefined) {
    const type = timestamp(TimeUnit.MILLISECOND, "Asia/Tokyo");
    fields.push(field(TIME, type, false));
    children.push(columnOf(type, { length, nullCount: 0, validity: NO_NULLS, values: times }));
  }
  for (const column of table.columns) {
    const { equipId, unit, values, status } = column;
    const name = nameOf(column);
    const about = new Map([["unit", unit], ...(name === equipId ? [] : [["equipment_id", equipId] as const])]);
    fields.push(field(name, float64(), true, about));
    fields.push(field(statusName(name), statusType, false));
    children.push(columnOf(float64(), { length, values, ...validity(status) }));
    const codes = { length, nullCount: 0, validity: NO_NULLS, values: Int8Array.from(status) };
    children.push(columnOf(statusType, codes, reasons));
  }
  const metadata = new Map(Object.entries(origin(table)));
  const schema = { version: Version.V5, endianness: Endianness.Little, fields, metadata };
  const bytes = tableToIPC(new Table(schema, children), { format });
  if (bytes === null) throw new SaclaError("INTERNAL", "The Arrow writer gave no bytes.");
  // Of its own memory, which the types of flechette 2.6.0 do not say.
  return bytes as Uint8Array<ArrayBuffer>;
}

/** No bitmap at all: no row is null. */
const NO_NULLS = new Uint8Array(0);

/** A column of one batch. `words`: the dictionary that the values point into. */
function columnOf(
  type: DataType,
  content: Omit<ConstructorParameters<typeof Batch>[0], "type">,
  words?: Column<unknown>,
): Column<unknown> {
  const batch = new (batchType(type))({ type, ...content });
  if (words !== undefined && "setDictionary" in batch) batch.setDictionary(words);
  return new Column([batch], type);
}

/**
 * The table as a Parquet file; see `SignalTable.toParquet`. Parquet has no place for what belongs to one column: units
 * stand in `ARROW:schema`, where Arrow's readers look, and in `units` for all others.
 */
export function parquetFile(table: TableContent): Uint8Array<ArrayBuffer> {
  const times = timesOf(table);
  const columns: ParquetColumn[] = [
    {
      element: { name: TAG, type: "INT32", converted_type: "UINT_32", repetition_type: "REQUIRED" },
      numbers: table.tags.values,
    },
  ];
  if (times !== undefined)
    columns.push({
      element: {
        name: TIME,
        type: "INT64",
        converted_type: "TIMESTAMP_MILLIS",
        logical_type: { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "MILLIS" },
        repetition_type: "REQUIRED",
      },
      numbers: times,
    });
  for (const column of table.columns) {
    const name = nameOf(column);
    columns.push(
      {
        element: { name, type: "DOUBLE", repetition_type: "OPTIONAL" },
        doubles: column.values,
        isNull: column.status,
      },
      {
        element: {
          name: statusName(name),
          type: "BYTE_ARRAY",
          converted_type: "UTF8",
          repetition_type: "REQUIRED",
        },
        codes: column.status,
        words: syncStatus,
      },
    );
  }
  const arrowSchema = Buffer.from(arrowBytes(withoutRows(table), "stream")).toString("base64");
  const about = {
    ...origin(table),
    units: JSON.stringify(Object.fromEntries(table.columns.map((column) => [nameOf(column), column.unit]))),
    "ARROW:schema": arrowSchema,
  };
  const keys = Object.entries(about).map(([key, value]) => ({ key, value }));
  return parquetOf(columns, table.tags.length, ROWS_PER_GROUP, keys);
}

/** Milliseconds of each shot: the start of its run, and 60 tags a second from there; undefined without a run. */
function timesOf({ tags, run }: TableContent): BigInt64Array | undefined {
  const info = run?.info;
  if (info === undefined) return undefined;
  // As two halves of 64 bits, for a bigint of each shot takes longer than all else.
  const halves = new Uint32Array(2 * tags.length);
  for (let i = 0; i < tags.length; i++) {
    const seconds = info.starttime + ((tags.values[i] ?? NaN) - info.start_tagnumber) / TAG_RATE_HZ;
    const ms = Math.round(1000 * seconds);
    halves[2 * i] = ms;
    halves[2 * i + 1] = Math.floor(ms / 2 ** 32);
  }
  return new BigInt64Array(halves.buffer);
}

/** A name of the experiment by which a signal was asked for, else its equipment id. */
function nameOf({ name, equipId }: TableContent["columns"][number]): string {
  return name ?? equipId;
}

function statusName(name: string): string {
  return `${name}:status`;
}

/** Where the shots are from: a tag alone does not say. */
function origin({ tags, run }: TableContent): Record<string, string> {
  const named = run === undefined ? {} : { bl: String(run.bl), run: String(run.number) };
  return { ...named, hightag: String(tags.hightag) };
}

/** Only names, types and units: what `ARROW:schema` needs. */
function withoutRows({ tags, columns, run }: TableContent): TableContent {
  const none = new TagList(tags.hightag, []);
  const empty = { values: new Float64Array(0), status: new Uint8Array(0) };
  return { tags: none, columns: columns.map(({ equipId, unit }) => ({ equipId, unit, ...empty })), run };
}

/** One bit a row, set where there is a number. */
function validity(status: Uint8Array): { validity: Uint8Array; nullCount: number } {
  const bits = new Uint8Array(Math.ceil(status.length / 8));
  let nullCount = 0;
  for (let i = 0; i < status.length; i++) {
    if (status[i] === STATUS_OK) bits[i >> 3] = (bits[i >> 3] ?? 0) | (1 << (i & 7));
    else nullCount++;
  }
  return { validity: bits, nullCount };
}
