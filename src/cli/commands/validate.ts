import { counted } from "../../core/show.ts";
import { layoutRules, validateFile } from "../../hdf5/index.ts";
import { textTable } from "../../plot/text.ts";
import { type AddCommand, print } from "../command.ts";
import { Progress } from "../progress.ts";

/** `sacla validate FILE`: whether a file has the layout that readers expect. */
export const validate: AddCommand = (program, io) => {
  program
    .command("validate")
    .description(
      "check the layout and digests of an HDF5 file (DataConvert, Cheetah or NXmx); exit code 1 for an error",
    )
    .argument("<file>", "HDF5 file")
    .option("--deep", "look at every dataset: was it written whole, are its sources there, can it be read")
    .option("--json", "print one JSON object")
    .action(async (path: string, { json, deep }: { json?: boolean; deep?: boolean }) => {
      const progress = new Progress(io, `comparing ${path} with its digests`);
      const report = await validateFile(path, { signal: io.signal, onProgress: progress.update, deep }).finally(() =>
        progress.end(),
      );
      const { format, findings, counts, isValid } = report;
      const rows = findings.map(({ severity, rule, path: place, message }) => [severity, rule, place, message]);
      const more = Object.values(counts).reduce((a, b) => a + b, 0) - findings.length;
      const verdict =
        `${path}: ${format === "unknown" ? "no known layout" : `${format} layout`}, ${count(findings, "error")}, ` +
        `${count(findings, "warning")}${more > 0 ? ` (${more} more like these)` : ""}`;
      const reasons = [...new Set(findings.map(({ rule }) => rule))].map(
        (rule) => `  ${rule}: ${layoutRules[rule].reason}`,
      );
      const text =
        findings.length === 0
          ? verdict
          : [textTable(["", "rule", "where", "what"], rows), ...reasons, verdict].join("\n");
      print(io, json === true, { json: report, text, exitCode: isValid ? 0 : 1 });
    });
};

function count(findings: readonly { severity: string }[], severity: "error" | "warning"): string {
  return counted(findings.filter((finding) => finding.severity === severity).length, severity);
}
