import { SaclaError } from "../../core/errors.ts";
import type { Peaks } from "../../reduce/index.ts";
import type { H5File } from "../read/h5file.ts";
import { StackSource } from "../read/stack-source.ts";
import { gzip } from "../write/compression.ts";
import type { ConvertPlan } from "../write/plan.ts";
import type { H5Numbers, H5Writer } from "../write/writer.ts";
import { cxiContent, isCxiNxmx } from "./cxi-content.ts";
import { PeakFinder } from "./hits.ts";
import type { FileLayout, LayoutWriter } from "./layout.ts";
import { checkNxmx, NxmxWriter, nxmxRules } from "./nxmx.ts";
import { error, type FindingBook } from "./rules.ts";
import { checkStackImages, STACK_TAG_LIST, type StackPaths, stackWriting } from "./stack.ts";
import { EV_PER_JOULE } from "./stack-content.ts";

/** Where Cheetah puts the peaks of each shot. */
export const PEAK_LIST = "/entry_1/result_1";
/** Its lists: positions in pixels of the stack, the middle of the first pixel at 0. */
const peakLists = { x: "peakXPosRaw", y: "peakYPosRaw", intensity: "peakTotalIntensity" } as const;

/** What CXI's readers look for, and what it is of the NXmx entry. dxtbx 3.12 looks for that at /entry alone. */
const links = {
  "/entry_1/data_1/data": "/entry/data/data",
  "/entry_1/instrument_1/detector_1/data": "/entry/data/data",
  "/entry_1/instrument_1/detector_1/mask": "/entry/instrument/detector/pixel_mask",
};

const rules = {
  ...nxmxRules,
  "peak-list": error("Every shot has its number of peaks, and a row of each list that holds them."),
};

/**
 * CXI (cxidb.org): one stack of images, as psana, Cheetah and OM write it. Those of sacla have hits alone, with
 * Cheetah's lists of peaks, and are NXmx too.
 */
export const cxi = {
  name: "cxi",
  title: "CXI",
  sign: "/entry_1",
  recognises: (file) => file.keys("/").includes("entry_1"),
  rules,
  check,
  tagListPath: () => STACK_TAG_LIST,
  read: (path, file, options) => new StackSource(path, file, cxiContent(file, options.geom), options),
  write: {
    ...stackWriting,
    stackTypes: { photons: "float32", tenths: "int32" },
    onlyHits: true,
    begin: (writer, plan): LayoutWriter => new CxiWriter(writer, plan),
  },
} as const satisfies FileLayout;

function check(file: H5File, book: FindingBook<keyof typeof rules>): void {
  if (isCxiNxmx(file)) checkNxmx(file, book);
  else {
    const content = book.read("stack-image", "/entry_1", () => cxiContent(file));
    if (content !== undefined) checkStackImages(file, content.place(0).path, book);
    return;
  }
  const [images] = file.shape("/entry/data/data") ?? [];
  book.check("peak-list", `${PEAK_LIST}/nPeaks`, () => {
    const counts = file.numbers(`${PEAK_LIST}/nPeaks`);
    if (counts === undefined) return "is not there";
    if (counts.length !== images) return `has ${counts.length} values for ${images} images`;
    const most = counts.reduce((a, b) => Math.max(a, b), 0);
    for (const name of Object.values(peakLists)) {
      const shape = file.shape(`${PEAK_LIST}/${name}`) ?? [];
      if (shape.length !== 2 || shape[0] !== images || (shape[1] ?? 0) < most)
        return `says up to ${most} peaks, and ${name} has shape [${shape.join(", ")}] for ${images} images`;
    }
    return null;
  });
}

class CxiWriter extends NxmxWriter {
  readonly #finder: PeakFinder;
  readonly #peaks: Peaks[] = [];
  protected override readonly paths: StackPaths = {
    dataPath: "/entry_1/data_1/data",
    hasShotAxis: true,
    maskPath: "/entry_1/instrument_1/detector_1/mask",
    peakListPath: PEAK_LIST,
    photonEnergyPath: "/entry/instrument/beam/incident_energy",
  };

  constructor(writer: H5Writer, plan: ConvertPlan) {
    super(writer, plan);
    const { hits } = plan.request;
    if (hits === null) throw new SaclaError("INTERNAL", "A CXI file has hits alone.");
    this.#finder = new PeakFinder(plan, hits);
  }

  override begin(): void {
    super.begin();
    this.writer.numbers("/cxi_version", Int32Array.of(160), []);
    this.writer.numbers("/number_of_entries", Int32Array.of(1), []);
    for (const [path, target] of Object.entries(links)) this.writer.link(path, target);
  }

  override shot(tag: number, energyEv: number, images: readonly (H5Numbers | null)[]): void {
    super.shot(tag, energyEv, images);
    const [image] = images;
    if (image !== undefined && image !== null) this.#peaks.push(this.#finder.find(image as ArrayLike<number>));
  }

  override end(tags: Uint32Array, times: Float64Array): void {
    super.end(tags, times);
    const { writer } = this;
    const joule = Float64Array.from(this.energiesEv, (energyEv) => energyEv / EV_PER_JOULE);
    // CXI's own place of the photon energy, in joule.
    writer.numbers("/entry_1/instrument_1/source_1/energy", joule);
    writer.numbers(
      `${PEAK_LIST}/nPeaks`,
      Int32Array.from(this.#peaks, ({ x }) => x.length),
    );
    const most = this.#peaks.reduce((n, { x }) => Math.max(n, x.length), 1);
    for (const [key, name] of Object.entries(peakLists)) {
      const padded = new Float32Array(this.#peaks.length * most);
      for (const [row, peaks] of this.#peaks.entries()) padded.set(peaks[key as keyof Peaks], row * most);
      writer.numbers(`${PEAK_LIST}/${name}`, padded, [this.#peaks.length, most], {
        chunks: [1, most],
        filter: gzip(1),
      });
    }
  }
}
