import { callMethods } from "../../src/transport/methods.ts";

/** Calls that are classes or pure functions here, so that the method table has no row of their form. */
export const otherCalls: readonly { python: string; ours: string; note: string }[] = [
  {
    python: "stpy.StorageReader(detID, bl, runs)",
    ours: "new st.StorageReader(detID, bl, runs)",
    note: "`runs` is a list, `[run]`. Asks nothing until the first collect.",
  },
  { python: "stpy.StorageBuffer(reader)", ours: "new st.StorageBuffer(reader)", note: "" },
  {
    python: "reader.collect(buffer, tag)",
    ours: "await reader.collect(buffer, tag)",
    note: "Gives the tag that was read. A missing image is an APIError with code `FRAME_MISSING`.",
  },
  {
    python: 'stpy.StorageReader("MPCCD-8N0-3-002", bl, runs)',
    ours: 'new st.StorageReader("MPCCD-8N0-3-002", bl, [run])',
    note:
      "A composite id: the assembled image. Its shape at the facility is not public; here as DataConvert draws it: " +
      "2399 × 2399 for an octal, seen from behind the detector, gaps 0, in ADU of the first sensor.",
  },
  {
    python: "buffer.read_det_data(i)",
    ours: "buffer.readDetData(i)",
    note: "An ndarray, float32, shape [ysize, xsize], with memory of its own; `image.get(row, column)`.",
  },
  {
    python: "buffer.read_det_info(i)",
    ours: "buffer.readDetInfo(i)",
    note: "Same keys; geometry keys in both spellings, `mp_posx` and `mp_pos_x`.",
  },
  { python: "buffer.read_det_num_index()", ours: "buffer.readDetNumIndex()", note: "" },
  {
    python: "stpy.APIError, dbpy.APIError",
    ours: "st.APIError, db.APIError",
    note: "Subclasses of SaclaError with a `code`; see errors.md.",
  },
  {
    python: "ippy.reconstruction(srcs, width, height, pixel_size, offset)",
    ours: "reconstruction(srcs, width, height, pixelSize, offset)",
    note:
      "Same dictionaries. Source view; for DataConvert's mirrored view use `new Assembler(infos, { view: " +
      '"detector" })`.',
  },
];

/** The same for olpy, whose classes have fewer arguments than stpy's. */
export const liveCalls: readonly { python: string; ours: string; note: string }[] = [
  {
    python: "olpy.read_detidlist()",
    ours: "await live.readDetidlist()",
    note: "Of all beamlines the source serves; `live.readDetidlist(bl)` of one.",
  },
  {
    python: "olpy.StorageReader(detID)",
    ours: "new live.StorageReader(detID)",
    note: "A second argument names the beamline, where two read a detector of that name.",
  },
  { python: "olpy.StorageBuffer(reader)", ours: "new live.StorageBuffer(reader)", note: "" },
  {
    python: "reader.collect(buffer, tag)",
    ours: "await reader.collect(buffer, tag)",
    note: "Gives the real tag. A tag that has not happened is waited for, up to 10 s.",
  },
  { python: "olpy.NEWESTTAG", ours: "live.NEWESTTAG", note: "−1." },
  { python: "buffer.read_det_data(0)", ours: "buffer.readDetData(0)", note: "As stpy." },
  {
    python: "buffer.read_det_info(0)",
    ours: "buffer.readDetInfo(0)",
    note: "With `run_number` and `tag_number` of the image.",
  },
  {
    python: "olpy.APIError",
    ours: "live.APIError",
    note: "`code` is `DATA_GONE` or `TAG_INVALID`; `details.olCode` and `details.olName` are what olpy's `args` hold.",
  },
];

/** The same for CITIUS, whose classes fill the caller's arrays. */
export const citiusCalls: readonly { python: string; ours: string; note: string }[] = [
  { python: "ctdapy_xfel.get_api_version()", ours: "await ctdapyXfel.getApiVersion()", note: "" },
  {
    python: "ctdapy_xfel.get_runstatus(bl, run)",
    ours: "await ctdapyXfel.getRunstatus(bl, run)",
    note:
      "Compare with `ctdapyXfel.CTDA_RUN_STATUS_CAN_READ`, `…_WAIT_CALIB`, `…_NOT_CITIUS`: " +
      "words here, for only the first number is known.",
  },
  {
    python: "ctdapy_xfel.CtrlBuffer(bl, run)",
    ours: "new ctdapyXfel.CtrlBuffer(bl, run)",
    note: "Asks nothing until the first call.",
  },
  {
    python: "buffer.read_detidlist()",
    ours: "await buffer.readDetidlist()",
    note: "By number; these names are detector ids everywhere.",
  },
  {
    python: "buffer.read_sensoridlist()",
    ours: "await buffer.readSensoridlist()",
    note: "Ascending. `read_prbidlist` is its older name.",
  },
  { python: "buffer.read_taglist()", ours: "await buffer.readTaglist()", note: "A Uint32Array." },
  {
    python: "buffer.read_badpixel_mask(out, sensor)",
    ours: "await buffer.readBadpixelMask(out, sensor)",
    note: "uint8 [728, 384]; 1 is bad. With a list of sensors, one array of all. Sizes count, not shapes.",
  },
  {
    python: "buffer.read_image(out, sensor, tag)",
    ours: "await buffer.readImage(out, sensor, tag)",
    note: "float32 [728, 384]; all sensors at once: `readImages`.",
  },
  {
    python: "buffer.read_reconstinfo(sensor, tag)",
    ours: "await buffer.readReconstinfo(sensor, tag)",
    note: "Same keys; for an Assembler: `detectorInfos`.",
  },
  { python: "ctolpy_xfel.get_api_version()", ours: "await ctolpyXfel.getApiVersion()", note: "" },
  {
    python: "buffer.read_badpixel_mask(out3d, ids)",
    ours: "await online.readBadpixelMask(out, ids)",
    note: "uint8 [ids, height, width]; 1 is bad.",
  },
  {
    python: "ctolpy_xfel.CtrlBuffer(conn_id)",
    ours: "new ctolpyXfel.CtrlBuffer(conn_id)",
    note: "A second argument names the beamline, where two read a CITIUS.",
  },
  { python: "buffer.read_binninginfo()", ours: "await online.readBinninginfo()", note: "[binx, biny, width, height]." },
  {
    python: "buffer.collect_data(out, ids, ctag)",
    ours: "await online.collectData(out, ids, ctag)",
    note:
      "`ctolpyXfel.NEWEST` for the newest. Gives `ctag` and `reconst_info_list`. " +
      "`code` is `TIMEOUT` or `DATA_GONE`; `details.ctolName` is the constant of ctolpy_xfel.",
  },
];

/** docs/from-python.md, from the method table. */
export function fromPythonPage(): string {
  const mirrored = Object.entries(callMethods).filter(
    ([name, method]) => method.python !== null && name.startsWith("db."),
  );
  const dbRows = mirrored.map(([name, method]) =>
    row(
      method.python ?? "",
      oursOf(name, method.python ?? ""),
      [method.meaning, "note" in method ? method.note : ""].join(" ").trim(),
    ),
  );
  const otherRows = otherCalls.map(({ python, ours, note }) => row(python, ours, note));
  const liveRows = liveCalls.map(({ python, ours, note }) => row(python, ours, note));
  const citiusRows = citiusCalls.map(({ python, ours, note }) => row(python, ours, note));
  return `# From Python

Every Python call beside ours. Names follow one rule (\`read_taglist_byrun\` → \`readTaglistByrun\`), arguments keep their
order and meaning. What differs everywhere:

* Calls that ask the facility are \`async\`: write \`await\`. Each takes \`{ signal, timeoutMs }\` as a last argument.
* Lists of tags come as \`Uint32Array\`, numbers as \`Float64Array\`; tags may be given as any iterable of whole numbers.
* A value that is not there is \`NaN\` in a column of numbers; the reason (\`not-converged\`, \`saturated\`, \`missing\`) is kept
  by \`run.column(…)\` and \`run.table(…)\`.
* Units are those of the facility: seconds, keV, coulomb, volt, pulses, micrometres, degrees, e⁻/ADU.

\`\`\`ts
import { connect } from "sacla";

await using facility = await connect(); // SACLA_URL, else the simulated facility
const { db, st } = facility;
\`\`\`

## dbpy

| Python | here | meaning and differences |
|---|---|---|
${dbRows.join("\n")}

## stpy and ippy

| Python | here | differences |
|---|---|---|
${otherRows.join("\n")}

## olpy

See [live.md](live.md).

| Python | here | differences |
|---|---|---|
${liveRows.join("\n")}

## ctdapy_xfel and ctolpy_xfel

\`const { ctdapyXfel, ctolpyXfel } = facility.st\`. See [citius.md](citius.md).

| Python | here | differences |
|---|---|---|
${citiusRows.join("\n")}
`;
}

function row(...cells: string[]): string {
  return `| ${cells.map((cell, i) => (i < 2 ? `\`${cell}\`` : cell)).join(" | ")} |`;
}

/** `dbpy.read_x(bl, run)` as it is written here. */
function oursOf(name: string, python: string): string {
  return `await ${name}${python.slice(python.indexOf("("))}`;
}
