import { replaceBy } from "../../files/index.ts";
import { type H5Numbers, H5Writer } from "./writer.ts";

/**
 * Writes columns of one length as lists of an HDF5 file, with texts as attributes of the root; an older file of that
 * name is replaced when the new one is whole.
 * @throws WRITE_FAILED
 * @example
 * await writeColumns("tma.h5", { tag_number: tags, timing_edge_fitting: px }, { comment: "TMA 1" });
 */
export async function writeColumns(
  path: string,
  columns: Readonly<Record<string, H5Numbers>>,
  attributes: Readonly<Record<string, string>> = {},
): Promise<void> {
  await replaceBy(path, async (beside) => {
    const writer = await H5Writer.create(beside, Date.now() / 1000);
    try {
      for (const [name, values] of Object.entries(columns)) writer.numbers(`/${name}`, values);
      for (const [name, text] of Object.entries(attributes)) writer.attribute("/", name, text);
    } finally {
      writer.close();
    }
  });
}
