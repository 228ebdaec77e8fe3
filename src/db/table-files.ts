import {
  Dictionary,
  Field,
  Float64,
  Int8,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  tableToIPC,
  Uint32,
  Utf8,
  vectorFromArray,
} from "apache-arrow";
import { type ColumnSource, parquetWriteBuffer, type SchemaElement } from "hyparquet-writer";
import { STATUS_OK, syncStatus } from "../core/syncdb.ts";
import type { TagList } from "../core/tags.ts";
import type { SignalColumn } from "./signal-column.ts";

/** What a file of a table holds; a `SignalTable` is one. */
export interface TableContent {
  readonly tags: TagList;
  readonly columns: readonly SignalColumn[];
  readonly run: { readonly bl: number; readonly number: number } | undefined;
}

/** Name of the column of tags, as in the CSV. */
const TAG = "tag_number";
/**
 * One dictionary for all statuses; a number of its own keeps the bytes of a file the same however often one is made.
 */
const statusType = new Dictionary(new Utf8(), new Int8(), 0);
const ROWS_PER_GROUP = 100_000;

/** The table as an Arrow IPC file; see `SignalTable.toArrow`. */
export function arrowFile(table: TableContent): Uint8Array {
  const schema = schemaOf(table);
  const dictionary = vectorFromArray([...syncStatus], new Utf8());
  const children = [
    makeData({ type: new Uint32(), data: table.tags.values }),
    ...table.columns.flatMap(({ values, status }) => [
      makeData({ type: new Float64(), data: values, ...validity(status) }),
      makeData({ type: statusType, data: Int8Array.from(status), dictionary }),
    ]),
  ];
  const batch = new RecordBatch(
    schema,
    makeData({ type: new Struct(schema.fields), length: table.tags.length, nullCount: 0, children }),
  );
  return tableToIPC(new Table(schema, [batch]), "file");
}

/**
 * The table as a Parquet file; see `SignalTable.toParquet`. Parquet has no place for what belongs to one column: units
 * stand in `ARROW:schema`, where Arrow's readers look, and in `units` for all others.
 */
export function parquetFile(table: TableContent): Uint8Array {
  const schema: SchemaElement[] = [{ name: "root", num_children: 1 + 2 * table.columns.length }];
  const columnData: ColumnSource[] = [];
  const add = (element: SchemaElement, data: unknown[]): void => {
    schema.push(element);
    columnData.push({ name: element.name, data });
  };
  // Not as a Uint32Array, of which hyparquet-writer 0.17.0 refuses tags above 2^31.
  add(
    { name: TAG, type: "INT32", converted_type: "UINT_32", repetition_type: "REQUIRED" },
    Array.from(table.tags.values),
  );
  for (const { equipId, values, status } of table.columns) {
    const numbers = Array.from(values, (value, i) => (status[i] === STATUS_OK ? value : null));
    add({ name: equipId, type: "DOUBLE", repetition_type: "OPTIONAL" }, numbers);
    const reasons = Array.from(status, (code) => syncStatus[code] ?? "missing");
    add(
      { name: statusName(equipId), type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "REQUIRED" },
      reasons,
    );
  }
  const arrowSchema = Buffer.from(tableToIPC(new Table(schemaOf(table)), "stream")).toString("base64");
  const about = {
    ...origin(table),
    units: JSON.stringify(Object.fromEntries(table.columns.map(({ equipId, unit }) => [equipId, unit]))),
    "ARROW:schema": arrowSchema,
  };
  const kvMetadata = Object.entries(about).map(([key, value]) => ({ key, value }));
  return new Uint8Array(
    parquetWriteBuffer({ schema, columnData, rowGroupSize: ROWS_PER_GROUP, createdBy: "sacla", kvMetadata }),
  );
}

function schemaOf(table: TableContent): Schema {
  const fields = [new Field(TAG, new Uint32(), false), ...table.columns.flatMap(fieldsOf)];
  return new Schema(fields, new Map(Object.entries(origin(table))));
}

function fieldsOf({ equipId, unit }: SignalColumn): Field[] {
  return [
    new Field(equipId, new Float64(), true, new Map([["unit", unit]])),
    new Field(statusName(equipId), statusType, false),
  ];
}

function statusName(equipId: string): string {
  return `${equipId}:status`;
}

/** Where the shots are from: a tag alone does not say. */
function origin({ tags, run }: TableContent): Record<string, string> {
  const named = run === undefined ? {} : { bl: String(run.bl), run: String(run.number) };
  return { ...named, hightag: String(tags.hightag) };
}

/** One bit a row, set where there is a number. */
function validity(status: Uint8Array): { nullBitmap: Uint8Array; nullCount: number } {
  const nullBitmap = new Uint8Array(Math.ceil(status.length / 8));
  let nullCount = 0;
  for (let i = 0; i < status.length; i++) {
    if (status[i] === STATUS_OK) nullBitmap[i >> 3] = (nullBitmap[i >> 3] ?? 0) | (1 << (i & 7));
    else nullCount++;
  }
  return { nullBitmap, nullCount };
}
