import { SaclaError } from "../../core/errors.ts";
import type { H5File } from "../read/h5file.ts";
import type { FileFormat } from "../request.ts";
import { cheetah } from "./cheetah.ts";
import { cxi } from "./cxi.ts";
import { dataconvert } from "./dataconvert.ts";
import type { FileLayout, LayoutWriting } from "./layout.ts";
import { nxmx } from "./nxmx.ts";
import { error, type Rule, warning } from "./rules.ts";

/** Every layout that sacla knows, in the order in which a file is compared with them. */
export const layouts = [dataconvert, cheetah, cxi, nxmx] as const satisfies readonly FileLayout[];

export type LayoutName = (typeof layouts)[number]["name"];

/** Rules of files of any layout. */
const commonRules = {
  format: error("Readers choose how to read a file by what stands at its root."),
  provenance: error("What a file says of its making must be readable and account for every shot."),
  "dataset-type": warning(
    "sacla and many programs read numbers and texts; what else there is stays in the file. Only with `--deep`.",
  ),
  "image-digest": error("The pixels of each image are those that were converted, and no image was lost since."),
  "tags-used": error("The tags used, the ledger and the tag list say the same."),
};

type RuleOf<L> = L extends { readonly rules: infer R } ? keyof R : never;
export type LayoutRule = (keyof typeof commonRules | RuleOf<(typeof layouts)[number]>) & string;

/** Every rule that `sacla validate` knows, by name. docs/files.md has the same list. */
export const layoutRules = Object.assign({}, commonRules, ...layouts.map(({ rules }) => rules)) as Readonly<
  Record<LayoutRule, Rule>
>;

/** The layout of a file; undefined when it is none of those known here. */
export function layoutOf(file: H5File): ((typeof layouts)[number] & FileLayout) | undefined {
  return layouts.find((layout) => layout.recognises(file));
}

/** How to write a format. */
export function writingOf(format: FileFormat): LayoutWriting {
  const { write }: Partial<FileLayout> = layouts.find(({ name }) => name === format) ?? {};
  if (write === undefined) throw new SaclaError("INTERNAL", `The ${format} format cannot be written.`);
  return write;
}
