import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import ts from "typescript";
import { expect, it } from "vitest";

const src = resolve(import.meta.dirname, "../../src");

/** What checks options: resolveOptions, and what does nothing but call it. */
const resolving =
  "resolveOptions|resolveAssembly|resolveRequest|checkRequest|roiLimits|checkFinderOptions|checkEdgesOptions";

/** Public functions that leave the check to the one they hand the very options to. */
const delegating = [
  "Cube.load",
  "Db.nearestDark",
  "Db.runs",
  "Ec.control",
  "Facility.difference",
  "Facility.picture",
  "Facility.runs",
  "Facility.shots",
  "Live.shots",
  "ScanTable.answers",
  "St.shots",
  "alignCentroid",
  "cube",
  "darkAverage",
  "darwinCurve",
  "httpEndpoint",
  "openArchiveFolder",
  "optimise",
  "radialProfile",
  "renderLinePlot",
  "resumeScan",
  "siliconReflection",
  "simulatedEndpoint",
  "splitDelayGeometry",
  "thicknessUmFor",
  "transmission",
  "virtualBeamline",
  "zmqEndpoint",
];

/** What has such a type, but is given by the library itself: a request that was checked, a setting decided, a part. */
const internal = [
  "SaclaError.constructor",
  "Service.call",
  "Service.stream",
  "SimulatedFacility.constructor",
  "VirtualDevices.fly",
  "VirtualDevices.shots",
  "requestDigest",
];

function parse(file: string, text: string): ts.SourceFile {
  const jsDocParsingMode = ts.JSDocParsingMode.ParseNone;
  return ts.createSourceFile(file, text, { languageVersion: ts.ScriptTarget.Latest, jsDocParsingMode }, true);
}

/** Functions, and constructors and methods of classes, that `index.ts` of a module names or that stand beside it. */
function publicFunctions(): {
  readonly name: string;
  readonly file: string;
  readonly fn: ts.FunctionLikeDeclaration;
}[] {
  const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter(
    (file) => file.endsWith(".ts") && !file.startsWith("cli"),
  );
  const texts = files.map((file) => [file, readFileSync(resolve(src, file), "utf8")] as const);
  // Only what may have options, as isOptions says, is worth the time of the compiler.
  const mayHave = /^export (async )?(function|class|abstract)[\s\S]*(Options|Request|Policy|Settings|\?:)/m;
  const parsed = new Map(
    texts
      .filter(([file, text]) => file.endsWith("index.ts") || mayHave.test(text))
      .map(([file, text]) => [file, parse(file, text)]),
  );
  const named = new Set<string>();
  for (const [file, source] of parsed) {
    if (!file.endsWith("index.ts")) continue;
    for (const statement of source.statements)
      if (ts.isExportDeclaration(statement) && statement.exportClause && ts.isNamedExports(statement.exportClause))
        for (const { name, propertyName } of statement.exportClause.elements) named.add((propertyName ?? name).text);
  }
  const found: { name: string; file: string; fn: ts.FunctionLikeDeclaration }[] = [];
  for (const [file, source] of parsed) {
    for (const statement of source.statements) {
      if (ts.isFunctionDeclaration(statement) && isExported(statement) && named.has(statement.name?.text ?? ""))
        found.push({ name: statement.name?.text ?? "", file, fn: statement });
      if (!ts.isClassDeclaration(statement) || !(named.has(statement.name?.text ?? "") || file === "connect.ts"))
        continue;
      for (const member of statement.members) {
        if (!ts.isMethodDeclaration(member) && !ts.isConstructorDeclaration(member)) continue;
        const isHidden =
          (member.name && ts.isPrivateIdentifier(member.name)) ||
          /\b(private|protected)\b/.test(
            (ts.getModifiers(member) ?? []).map((modifier) => modifier.getText()).join(" "),
          );
        const name = `${statement.name?.text}.${member.name?.getText() ?? "constructor"}`;
        if (!isHidden) found.push({ name, file, fn: member });
      }
    }
  }
  return found.filter(({ fn }) => fn.body !== undefined);
}

function isExported(statement: ts.FunctionDeclaration): boolean {
  return ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ?? false;
}

/** Whether a type is one of options: by its name, or as an object all of whose properties may be left out. */
function isOptions(type: ts.TypeNode | undefined): boolean {
  if (type === undefined) return false;
  if (/\b\w*(Options|Request|Policy|Settings)\b/.test(type.getText())) return true;
  return (
    ts.isTypeLiteralNode(type) &&
    type.members.length > 0 &&
    type.members.every((member) => ts.isPropertySignature(member) && member.questionToken !== undefined)
  );
}

it("every public function with options resolves them, or hands them to one that does", () => {
  const unchecked: string[] = [];
  for (const { name, fn } of publicFunctions()) {
    const body = fn.body?.getText() ?? "";
    for (const { type, name: parameter } of fn.parameters) {
      const resolves = new RegExp(`\\b(${resolving})\\((?:[^;{]*[,\\s])?${parameter.getText()}\\b`);
      if (!isOptions(type) || resolves.test(body)) continue;
      // Every carrier and every cache of answers checks the options of calls.
      const isHanded = new RegExp(`\\(([^;]*[,(\\s])?(\\.\\.\\.)?${parameter.getText()}\\s*[,)]`).test(body);
      if (!(type?.getText() === "CallOptions" && isHanded)) unchecked.push(name);
    }
  }
  expect([...new Set(unchecked)].sort()).toEqual([...delegating, ...internal].sort());
});
