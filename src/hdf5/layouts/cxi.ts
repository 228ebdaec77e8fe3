import { StackSource } from "../read/stack-source.ts";
import type { FileLayout } from "./layout.ts";
import { datasetRules } from "./rules.ts";
import { checkStackImages, STACK_TAG_LIST, stackRules } from "./stack.ts";
import { cxiContent } from "./stack-content.ts";

/** CXI (cxidb.org): one stack of images, as psana, Cheetah and OM write it. */
export const cxi = {
  name: "cxi",
  title: "CXI",
  sign: "/entry_1",
  recognises: (file) => file.keys("/").includes("entry_1"),
  rules: { "stack-image": stackRules["stack-image"], ...datasetRules },
  check: (file, book) => {
    const content = book.read("stack-image", "/entry_1", () => cxiContent(file));
    if (content !== undefined) checkStackImages(file, content.place(0).path, book);
  },
  tagListPath: () => STACK_TAG_LIST,
  read: (path, file, options) => new StackSource(path, file, cxiContent(file, options.geom), options),
} as const satisfies FileLayout;
