import { badArgument, isRecord } from "../../core/guards.ts";
import { isNdArray, rowMajor } from "../../core/ndarray.ts";
import { replaceBy } from "../../files/index.ts";
import { type H5Numbers, H5Writer } from "./writer.ts";

/**
 * Writes plain values as an HDF5 file: an object is a group, a number a scalar, a text a text, `true` and `false` 1 and
 * 0, a typed array or ndarray a dataset of its type and shape, a list of numbers or of texts a list, any other list a
 * group with `0`, `1`, …. What is null, undefined or a function is left out. The same values give the same bytes.
 * An older file of that name is replaced when the new one is whole.
 * @param unixSeconds - the time that HDF5 notes with each object
 * @throws WRITE_FAILED @throws BAD_ARGUMENT for a value of another kind
 * @example
 * const { average, ledger } = await reduce(shots, { average: mean() });
 * await writeTree("result.h5", { average, ledger }, run.startTime.getTime() / 1000);
 */
export async function writeTree(
  path: string,
  tree: Readonly<Record<string, unknown>>,
  unixSeconds: number = Date.now() / 1000,
): Promise<void> {
  await replaceBy(path, async (beside) => {
    const writer = await H5Writer.create(beside, unixSeconds);
    try {
      for (const [name, value] of Object.entries(tree)) write(writer, `/${name}`, value);
    } finally {
      writer.close();
    }
  });
}

function write(writer: H5Writer, path: string, value: unknown): void {
  if (value === null || value === undefined || typeof value === "function") return;
  if (typeof value === "number") writer.numbers(path, Float64Array.of(value), []);
  else if (typeof value === "boolean") writer.numbers(path, Uint8Array.of(Number(value)), []);
  else if (typeof value === "string") writer.text(path, value);
  else if (isNumbers(value)) writer.numbers(path, value);
  else if (isNdArray(value)) {
    if (!isNumbers(value.data)) throw badArgument(`data of ${path}`, value.data, "a typed array");
    writer.numbers(path, rowMajor(value), value.shape);
  } else if (Array.isArray(value)) writeList(writer, path, value);
  else if (isRecord(value)) {
    writer.group(path);
    for (const [name, entry] of Object.entries(value)) write(writer, `${path}/${name}`, entry);
  } else throw badArgument(path, value, "numbers, texts, arrays and objects of them");
}

function writeList(writer: H5Writer, path: string, list: readonly unknown[]): void {
  if (list.every((entry) => typeof entry === "number")) writer.numbers(path, Float64Array.from(list as number[]));
  else if (list.every((entry) => typeof entry === "string")) writer.texts(path, list as string[]);
  else {
    writer.group(path);
    for (const [k, entry] of list.entries()) write(writer, `${path}/${k}`, entry);
  }
}

function isNumbers(value: unknown): value is H5Numbers {
  return ArrayBuffer.isView(value) && !(value instanceof DataView) && !(value instanceof Uint8ClampedArray);
}
