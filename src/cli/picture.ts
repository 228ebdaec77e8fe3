import { type Command, InvalidArgumentError, Option } from "commander";
import { defined } from "../core/options.ts";
import type { View } from "../ip/index.ts";
import { renderImageAside } from "../plot/image.ts";
import { type ColourMap, colourMaps, type Drawable, type ImageOptions, renderGray16 } from "../plot/index.ts";
import type { Io } from "./io.ts";

/** Options of the commands that write a picture. */
export interface PngOptions {
  readonly out?: string | undefined;
  readonly gray16?: boolean | undefined;
  readonly range?: readonly [number, number] | undefined;
  readonly log?: boolean | undefined;
  readonly colourMap: ColourMap;
}

/** Adds the options of {@link PngOptions}. */
export function withPngOptions(command: Command): Command {
  return command
    .option("-o, --out <file>", "PNG file to write (default: named after run and detector)")
    .option("--gray16", "16-bit greyscale for other programs, instead of colours")
    .option("--range <low,high>", "values of the lowest and highest colour", parseRange)
    .option("--log", "logarithmic colours")
    .addOption(new Option("--colour-map <name>", "colours").choices(colourMaps).default("viridis"));
}

/** Adds `--view`, the side from which an assembled picture is seen. */
export function withView(command: Command): Command {
  return command.addOption(
    new Option("--view <view>", "as seen from the source, or mirrored as DataConvert draws it")
      .choices(["source", "detector"])
      .default("source"),
  );
}

function parseRange(text: string): [number, number] {
  const [low, high, ...rest] = text.split(",").map(Number);
  if (
    low === undefined ||
    high === undefined ||
    rest.length > 0 ||
    !Number.isFinite(low) ||
    !Number.isFinite(high) ||
    low >= high
  ) {
    throw new InvalidArgumentError("It must be two numbers, low,high.");
  }
  return [low, high];
}

/** A picture that was written: its file, and for 16-bit pictures what its levels mean. */
interface WrittenPicture {
  readonly file: string;
  readonly low?: number;
  readonly high?: number;
}

/** What a picture says of itself. */
export interface PictureText {
  readonly title: string;
  readonly lines: readonly string[];
  /** @default "ADU" */
  readonly unit?: string | undefined;
  /** Where pixels are, µm from the beam. */
  readonly positions?: ImageOptions["positions"];
  /** Every pixel is drawn: a mean over blocks is no error and no significance. @default false */
  readonly isWhole?: boolean | undefined;
}

/** How a picture is looked at, in words. */
export function viewWords(view: View): string {
  return `seen from the ${view}`;
}

/** Writes an image as the options say. */
export async function writePicture(
  io: Io,
  image: Drawable,
  options: PngOptions,
  name: string,
  says: PictureText,
): Promise<WrittenPicture> {
  const { png, ...written } = await drawPicture(image, options, name, says);
  io.writeFile(written.file, png);
  return written;
}

/** What {@link writePicture} writes, with the bytes of its file. */
export async function drawPicture(
  image: Drawable,
  options: PngOptions,
  name: string,
  says: PictureText,
): Promise<WrittenPicture & { readonly png: Uint8Array }> {
  const file = options.out ?? `${name}.png`;
  const range = options.range === undefined ? {} : { range: options.range };
  if (options.gray16 === true) {
    return { file, ...renderGray16(image, range) };
  }
  const { title, lines, unit = "ADU", positions, isWhole = false } = says;
  const png = await renderImageAside(image, {
    title,
    lines,
    unit,
    colourMap: options.colourMap,
    ...defined({ positions }),
    scale: options.log === true ? "log" : "linear",
    ...(isWhole ? {} : { maxWidth: 1200 }),
    ...range,
  });
  return { file, png };
}
