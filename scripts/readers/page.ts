/** docs/readers.md, from what the programs read. */
import type { Row } from "./programs.ts";

/** What is not read, by program and output, with why. A program that reads it all the same is reported. */
export const knownLimits: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Scilab: {
    cheetah:
      "each item of a list of texts but the first is cut (`sensor_id`): Scilab 6.1.1 does so with every list of texts " +
      "of fixed length. Texts and numbers are read",
  },
  ncdump: {
    cheetah:
      "4.9.0 ends with a segmentation fault at every list of texts of fixed length (`sensor_id`). Texts, numbers and " +
      "headers (`ncdump -h`) are printed",
  },
  "dxtbx (DIALS)": {
    assembled: "`FormatHDF5Sacla` calls `.value`, which h5py 3 no longer has",
  },
  "EXtra-geom": {
    "nxmx-geom": "`GenericGeometry.from_crystfel_geom` is not implemented for detectors of other facilities",
    "cheetah-geom": "`GenericGeometry.from_crystfel_geom` is not implemented for detectors of other facilities",
    "cxi-geom": "`GenericGeometry.from_crystfel_geom` is not implemented for detectors of other facilities",
  },
};

/** Outputs of a table of the page, with what stands above them. */
type Columns = Readonly<Record<string, string>>;

const hdf5: Columns = {
  dataconvert: "DataConvert",
  nxmx: "NXmx",
  cheetah: "Cheetah",
  cxi: "CXI",
  assembled: "assembled",
  tma: "`tma h5`",
};
const tables: Columns = { csv: "`.csv`", arrow: "`.arrow`", parquet: "`.parquet`" };
const others: Columns = {
  "nxmx-geom": "`.geom` of NXmx",
  "cheetah-geom": "`.geom` of Cheetah",
  "cxi-geom": "`.geom` of CXI",
  documents: "documents of a scan",
  karabo: "karabo-bridge stream",
};

/** How each program is told to read, as it was here. */
const lines: readonly (readonly [program: string, line: string])[] = [
  ["h5py", '`h5py.File("run.h5")["run_1520000/event_info/tag_number_list"][()]`'],
  ["silx", '`silx.io.open("run.h5")`, `silx view run.h5`'],
  ["C, HDF5", "`H5Dread`; texts with `H5Tcopy(H5T_C_S1)` and the size that the file has: `scripts/readers/read.c`"],
  ["GNU Octave", '`x = load("run.h5"); x.run_1520000.event_info.tag_number_list`; images are transposed'],
  ["R, hdf5r", '`H5File$new("run.h5", "r")[["run_1520000/event_info/tag_number_list"]]$read()`; images are transposed'],
  [
    "Scilab",
    '`h5read("run.h5", "/run_1520000/event_info/tag_number_list")`; images are transposed; of more than two axes `.entries`',
  ],
  ["ncdump", "`ncdump -v /run_1520000/event_info/tag_number_list run.h5`"],
  ["dxtbx (DIALS)", '`dxtbx.load("run.h5").get_raw_data(0)`, `dials.import run.h5`'],
  ["nxvalidate", "`nxvalidate run.h5`: no errors"],
  ["punx", "`punx validate run.h5`: no errors"],
  ["cfelpyutils", '`load_crystfel_geometry("run.geom")`'],
  ["bluesky", "`BestEffortCallback`, `LiveTable`, suitcase-specfile: [scans.md](scans.md)"],
  ["tiled", "`TiledWriter`: [scans.md](scans.md)"],
  ["karabo_bridge", '`Client("tcp://host:4545").next()`: [live.md](live.md)'],
];

function tableOf(columns: Columns, rows: readonly Row[], notes: string[]): string {
  const names = Object.keys(columns);
  const shown = rows.filter(({ cells }) => names.some((name) => cells[name] !== undefined));
  const body = shown.map(({ program, version, cells }) => {
    const marks = names.map((name) => {
      const cell = cells[name];
      if (cell === undefined) return "";
      if (cell.is === "read") return "yes";
      const why = knownLimits[program]?.[name] ?? cell.why;
      const note = `${program}: ${why}.`;
      if (!notes.includes(note)) notes.push(note);
      return `${cell.is === "absent" ? "not tried" : "no"} (${notes.indexOf(note) + 1})`;
    });
    return `| ${program} ${version} | ${marks.join(" | ")} |`;
  });
  return [`| | ${Object.values(columns).join(" | ")} |`, `|---${"|---".repeat(names.length)}|`, ...body].join("\n");
}

/** The page. */
export function readersPage(rows: readonly Row[]): string {
  const notes: string[] = [];
  const sections = [
    ["HDF5 files", hdf5],
    ["Tables", tables],
    ["Geometries, documents and streams", others],
  ] as const;
  const text = sections.map(([title, columns]) => `## ${title}\n\n${tableOf(columns, rows, notes)}\n`).join("\n");
  return `# What other programs read

Made by \`npm run check:readers -- --write\`, with the programs themselves. Each program reads what sacla writes; every
number and text that it finds is compared with what went in: "yes" means that all are equal. The CI run repeats it. For
CrystFEL, which no package registry has, see [files.md](files.md#formats).

${text}
${notes.map((note, i) => `${i + 1}. ${note}`).join("\n")}

## How each program reads them

| program | |
|---|---|
${lines.map(([program, line]) => `| ${program} | ${line} |`).join("\n")}

Lines for pandas, polars, duckdb and R: [files.md](files.md#tables-of-0-d-signals). Octave has its own names in structures:
a character that is no letter or digit becomes \`_\`, and a name never begins with a digit (\`tag-384559329\` is
\`tag_384559329\`).

Texts in our files have a fixed length and end with a NUL. They are marked ASCII; only a text with another character, such
as a comment in Japanese, is marked UTF-8. C programs that ask for the ordinary string type do not read that one text.
Octave 7 prints a warning at it and leaves out everything that follows it in the file, with all groups it is in.

## Traps of programs around

Seen with other programs on ordinary data; \`findings/\` of the source code has a script for each.

| program | what it does, without a warning | what to do |
|---|---|---|
| bluesky 1.15.1 | \`com\` of \`PeakStats\` and \`bec.peaks\` counts the background, and points instead of the axis: a peak at 3 is "at 3.5" | \`cen\`, or the fit of \`sacla scan\` |
| bluesky 1.15.1 | \`tune_centroid\` ends off the peak when there is a background, and outside the range when readings are negative | a scan, then a move to its fitted peak |
| suitcase-tiff 0.4.0 | writes every image as uint16: a pixel of -1 becomes 65535 | \`export(…, astype="float32")\` |
| fabio 2026.6.0 | CBF cuts float images to whole numbers; OXD and Bruker change uint16 images | EDF or TIFF |
| hdf5plugin 7.1.0 | \`Zfp(accuracy=…)\` does not keep its accuracy for whole numbers | \`SZ3(absolute=…)\`, or a filter without loss |
| hdf5plugin 7.1.0 | \`Zfp(accuracy=…)\`, \`Zfp(rate=…)\` and \`SZ3(absolute=…)\` turn NaN, as of a masked pixel, into a number | a filter without loss |
| h5grove 4.0.0 | mean and std of whole numbers and masks are cut to whole numbers: a mean of 0.3 photons is 0 | compute them from the data |
| xraydb 4.5.8 | Kα1 lines of Mn, Fe, Ni and Cu are 1.2 to 2.1 eV off the measured ones | xraylib |
| EXtra-geom 1.17.0 | \`from_simple_description\` refuses a panel that is turned (a bare AssertionError) | \`python -O\`, which makes no such check |
| pyFAI 2026.9.0 | with \`radial_range\` from above 0 the compiled engines put pixels of one bin below it into the first bin | leave out the first bin |
| pyFAI 2026.9.0 | with less than a photon a pixel, \`error_model="poisson"\` gives errors up to 7 times too large, and \`sigma_clip_ng\` with \`"azimuthal"\` a mean of 0 | \`error_model="azimuthal"\` without clipping |
| pyfive 1.3.0 | virtual datasets read as None; numbers with a bit offset (12-bit ADC values) are 16 times too large | h5py |
| jsfive 0.4.2 (npm) | chunks that were never written are undefined instead of the fill value; virtual datasets too; a bit offset is not shifted | h5wasm |
| h5wasm 0.10.1 (npm) | writes whole numbers from 2^31 on, given without a type, as other numbers: 5e9 is 705032704 | a Float64Array, or \`dtype: "<d"\` |
| xrayutilities 1.8.0 | \`Gridder1D\`: a bin without a point is 0; points on an edge go to even bins; outer bins of a fixed range are half as wide | \`numpy.histogram\` |
| scikit-beam 0.0.27 | \`xsvs\` makes exposures of four and more frames of frames that it counts twice: a contrast of 0.06 where there is none | exposures of one and two frames only |
| scikit-beam 0.0.27 | \`xsvs\` leaves out the brightest pixels and counts those one photon below them one too low: with at most two photons all is "no photon" | \`max_cts\` two above the brightest pixel |
| silx 3.1.3 | \`uncertainties\` of \`leastsq\` for a parameter between bounds depend on where on the axis the peak is, up to 30 times too small | the diagonal of the covariance |
| tiff 7.1.3 (npm) | reads int16 as uint16: -1 is 65535 | geotiff |
| ml-regression-simple-linear 3.0.1 (npm) | the slope against tag numbers is wrong by half | count tags from the first one |
| ndarray-convolve 2.0.0 (npm) | \`correlate\` gives the convolution: its peak is no shift | reverse the second array first |
| ndarray-ops 1.2.2 (npm) | \`argmax\` of a picture without numbers is an index outside the picture | first test \`isFinite(ops.sup(picture))\` |
| ndarray-fft 1.0.3 (npm) | loses digits in long signals: 1e-3 of a wave on a level of 1000 in 300 000 values | subtract the mean first; lengths that are a power of two |
| ndarray-gradient 1.0.1 (npm) | the gradient of a rising curve is negative, and half at its ends | change the sign, leave the ends out |
| ml-spectra-processing 14.35.1 (npm) | \`xHistogram\` of whole numbers: an empty slot beside a doubled one; values outside the range are counted | edges between the numbers, outside values left out first |
| ndarray-gaussian-filter 1.0.0 (npm) | the border goes dark, uint16 loses counts | a float image, with a border added first |
`;
}
