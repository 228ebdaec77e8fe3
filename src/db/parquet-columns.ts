import { ByteWriter, type KeyValue, ParquetWriter, type SchemaElement } from "hyparquet-writer";
import { writePageHeader } from "hyparquet-writer/src/datapage.js";
import { bytesOf } from "../core/bytes.ts";

/** Values of a column that lie in memory as Parquet stores them. */
export type ParquetColumn = { readonly element: SchemaElement } & (
  | { readonly numbers: Uint32Array | BigInt64Array }
  /** Null where `isNull` is not 0. */
  | { readonly doubles: Float64Array; readonly isNull: Uint8Array }
  /** Index into `words` of each row; of four words at most. */
  | { readonly codes: Uint8Array; readonly words: readonly string[] }
);

type Group = ParquetWriter["row_groups"][number];
type Statistics = NonNullable<NonNullable<Group["columns"][number]["meta_data"]>["statistics"]>;
type Page = Parameters<typeof writePageHeader>[1];
type Encoding = "PLAIN" | "RLE_DICTIONARY";

/** What stands in a column chunk. */
interface Chunk {
  readonly encoding: Encoding;
  readonly levels: Uint8Array;
  readonly values: Uint8Array;
  readonly nulls: number;
  readonly dictionary?: { readonly values: Uint8Array; readonly count: number };
  readonly statistics: Statistics;
}

/** A page of which this piece hardly shrinks is stored as it is: noise does not compress. */
const SAMPLE = 8192;
const WORTH = 0.9;

/**
 * A Parquet file of columns of numbers: hyparquet-writer 0.17.0, which takes values one by one, needs half a second for
 * a million of them; here they are copied. It writes all but the pages.
 */
export function parquetOf(
  columns: readonly ParquetColumn[],
  rows: number,
  rowsPerGroup: number,
  about: KeyValue[],
): Uint8Array<ArrayBuffer> {
  // Room for all at once: a buffer that grows is copied again and again.
  const bytesPerRow = columns.reduce((sum, column) => sum + ("codes" in column ? 0.5 : 8.25), 0);
  const out = new ByteWriter(Math.ceil(rows * bytesPerRow) + 65_536);
  const schema = [{ name: "root", num_children: columns.length }, ...columns.map(({ element }) => element)];
  const file = new ParquetWriter({ writer: out, schema, createdBy: "sacla", kvMetadata: about });
  for (let from = 0; from < rows; from += rowsPerGroup) {
    const [to, start] = [Math.min(rows, from + rowsPerGroup), out.offset];
    const chunks = columns.map((column) => writeChunk(file, out, column.element, chunkOf(column, from, to), to - from));
    file.num_rows += BigInt(to - from);
    file.row_groups.push({
      columns: chunks,
      total_byte_size: chunks.reduce((sum, { meta_data }) => sum + meta_data.total_uncompressed_size, 0n),
      num_rows: BigInt(to - from),
      total_compressed_size: BigInt(out.offset - start),
    });
  }
  file.finish();
  return out.getBytes();
}

function writeChunk(file: ParquetWriter, out: ByteWriter, element: SchemaElement, chunk: Chunk, rows: number) {
  const { dictionary, levels, values, encoding, statistics, nulls } = chunk;
  const snappy = file.compressors.SNAPPY;
  const isWorth = snappy(values.subarray(0, SAMPLE)).length < WORTH * Math.min(SAMPLE, values.length);
  const [start, codec] = [out.offset, isWorth ? "SNAPPY" : "UNCOMPRESSED"] as const;
  let uncompressed = 0;
  const writePage = (
    header: Omit<Page, `${"un" | ""}compressed_page_size`>,
    before: Uint8Array,
    content: Uint8Array,
  ) => {
    const stored = isWorth ? snappy(content) : content;
    const at = out.offset;
    const size = before.length + content.length;
    writePageHeader(out, {
      ...header,
      uncompressed_page_size: size,
      compressed_page_size: before.length + stored.length,
    });
    uncompressed += out.offset - at + size;
    out.appendBytes(before);
    out.appendBytes(stored);
  };
  if (dictionary !== undefined) {
    const header = { num_values: dictionary.count, encoding: "PLAIN" as const };
    writePage({ type: "DICTIONARY_PAGE", dictionary_page_header: header }, none, dictionary.values);
  }
  const dataAt = out.offset;
  const header = {
    num_values: rows,
    num_nulls: nulls,
    num_rows: rows,
    encoding,
    definition_levels_byte_length: levels.length,
    repetition_levels_byte_length: 0,
    is_compressed: isWorth,
  };
  writePage({ type: "DATA_PAGE_V2", data_page_header_v2: header }, levels, values);
  return {
    meta_data: {
      type: element.type ?? "DOUBLE",
      encodings: [...new Set<Encoding>(["PLAIN", encoding])],
      path_in_schema: [element.name],
      codec,
      num_values: BigInt(rows),
      total_compressed_size: BigInt(out.offset - start),
      total_uncompressed_size: BigInt(uncompressed),
      data_page_offset: BigInt(dataAt),
      ...(dictionary === undefined ? {} : { dictionary_page_offset: BigInt(start) }),
      statistics,
    },
    file_offset: BigInt(start),
  };
}

const none = new Uint8Array(0);

function chunkOf(column: ParquetColumn, from: number, to: number): Chunk {
  if ("codes" in column) return wordsChunk(column.codes.subarray(from, to), column.words);
  if ("doubles" in column) return doublesChunk(column.doubles.subarray(from, to), column.isNull.subarray(from, to));
  const numbers = column.numbers.subarray(from, to);
  // Tags and times ascend.
  const statistics = { ...between(numbers[0], numbers.at(-1)), null_count: 0n };
  return { encoding: "PLAIN", levels: none, values: bytesOf(numbers), nulls: 0, statistics };
}

function doublesChunk(doubles: Float64Array, isNull: Uint8Array): Chunk {
  const values = new Float64Array(doubles.length);
  let [count, min, max] = [0, Infinity, -Infinity];
  for (let i = 0; i < doubles.length; i++) {
    if (isNull[i] !== 0) continue;
    const value = doubles[i] ?? NaN;
    values[count++] = value;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  const nulls = doubles.length - count;
  // The format wants −0 as the least and 0 as the greatest of zeros.
  const found = min <= max ? between(min === 0 ? -0 : min, max === 0 ? 0 : max) : {};
  const levels = nulls === 0 ? repeated(1, doubles.length) : packed(isNull, 1, (is) => (is === 0 ? 1 : 0));
  const statistics = { ...found, null_count: BigInt(nulls), nan_count: 0n };
  return { encoding: "PLAIN", levels, values: bytesOf(values.subarray(0, count)), nulls, statistics };
}

function wordsChunk(codes: Uint8Array, words: readonly string[]): Chunk {
  const used = words.filter((_, code) => codes.includes(code)).sort();
  const [first = 0] = codes;
  const isOne = used.length === 1;
  const indexes = isOne ? repeated(first, codes.length) : packed(codes, 2, (code) => Math.min(code, words.length - 1));
  const dictionary = new ByteWriter();
  for (const word of words) {
    const text = new TextEncoder().encode(word);
    dictionary.appendUint32(text.length);
    dictionary.appendBytes(text);
  }
  return {
    encoding: "RLE_DICTIONARY",
    levels: none,
    values: Buffer.concat([Uint8Array.of(2), indexes]),
    nulls: 0,
    dictionary: { values: dictionary.getBytes(), count: words.length },
    statistics: { ...between(used[0], used.at(-1)), null_count: 0n },
  };
}

/** One value, below 256, many times: a run of Parquet's RLE. */
function repeated(value: number, count: number): Uint8Array {
  const out = new ByteWriter(16);
  out.appendVarInt(count << 1);
  out.appendUint8(value);
  return out.getBytes();
}

/** Values of a few bits each, packed. @param bits - 1, 2, 4 or 8 */
function packed(values: Uint8Array, bits: number, codeOf: (stored: number) => number): Uint8Array {
  const groups = Math.ceil(values.length / 8);
  const head = new ByteWriter(16);
  head.appendVarInt((groups << 1) | 1);
  const out = new Uint8Array(head.offset + groups * bits);
  out.set(head.getBytes());
  for (let i = 0; i < values.length; i++) {
    const bit = i * bits;
    const at = head.offset + (bit >> 3);
    out[at] = (out[at] ?? 0) | (codeOf(values[i] ?? 0) << (bit & 7));
  }
  return out;
}

function between<T extends number | bigint | string>(min: T | undefined, max: T | undefined): Statistics {
  return min === undefined || max === undefined ? {} : { min_value: min, max_value: max };
}
