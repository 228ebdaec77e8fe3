import type { SchemaElement } from "hyparquet-writer";
import { badArgument } from "../core/guards.ts";

/** A row of a plain table: null or absent where there is nothing. */
export type PlainRow = Readonly<Record<string, number | string | null | undefined>>;

/**
 * Rows as a Parquet file (Snappy), one column for each name in any of them, in the order of first appearance: doubles
 * where all values are numbers, texts otherwise; null where a row has none.
 * @throws BAD_ARGUMENT when there is no column
 * @example await writeFile("runs.parquet", await parquetRows([{ run: 1520000, "average/mean": 3.2 }]));
 */
export async function parquetRows(rows: readonly PlainRow[]): Promise<Uint8Array<ArrayBuffer>> {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  if (names.length === 0) throw badArgument("rows", rows, "rows with at least one column");
  const schema: SchemaElement[] = [{ name: "root", num_children: names.length }];
  const columnData = names.map((name) => {
    const values = rows.map((row) => row[name] ?? null);
    const isText = values.some((value) => typeof value === "string");
    schema.push(
      isText
        ? { name, type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" }
        : { name, type: "DOUBLE", repetition_type: "OPTIONAL" },
    );
    return { name, data: isText ? values.map((value) => (value === null ? null : String(value))) : values };
  });
  const { parquetWriteBuffer } = await import("hyparquet-writer");
  return new Uint8Array(parquetWriteBuffer({ schema, columnData, createdBy: "sacla" }));
}
