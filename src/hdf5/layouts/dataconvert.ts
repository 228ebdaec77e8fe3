import { readArchive } from "../read/archive.ts";
import { checkDataConvert, dataConvertRules } from "./dataconvert-check.ts";
import { DataConvertWriter } from "./dataconvert-writer.ts";
import type { FileLayout, LayoutWriter } from "./layout.ts";

/** DataConvert 3 and 4: one group a run, in it one group a detector (docs/archive.md; leosala h5pyinfo.ipynb). */
export const dataconvert = {
  name: "dataconvert",
  title: "DataConvert",
  sign: "/file_info/run_number_list",
  recognises: (file) => file.keys("/").some((name) => name === "file_info" || isRun(name)),
  rules: dataConvertRules,
  check: checkDataConvert,
  tagListPath: (file) => `/${file.keys("/").find(isRun) ?? "run_<n>"}/event_info/tag_number_list`,
  read: readArchive,
  write: {
    dark: "none",
    missing: ["keep", "drop", "error"],
    refuses: ["units"],
    stackTypes: null,
    begin: (writer, plan): LayoutWriter => new DataConvertWriter(writer, plan),
  },
} as const satisfies FileLayout;

function isRun(name: string): boolean {
  return /^run_\d+$/.test(name);
}
