import { badArgument, isRecord } from "../core/guards.ts";
import { asImage, type PreciseImage } from "../core/ndarray.ts";
import { defined } from "../core/options.ts";
import { rememberDarkDigest } from "../reduce/checkpoints/checkpoint-file.ts";
import { readContainer, writeContainer } from "../reduce/checkpoints/container.ts";
import { type Dark, digestOf } from "../reduce/index.ts";

interface DarkHead {
  readonly kind: "dark";
  /** Of the means. */
  readonly digest: string;
  readonly asked: number;
  readonly used: number;
  readonly dropped: Dark["ledger"]["dropped"];
}

interface DarkImages {
  readonly rows: number;
  readonly columns: number;
  readonly mean: Float64Array;
  readonly noise?: Float64Array;
}

/** Saves a dark average for many processes, with the noise it has. @returns digest of the means @throws WRITE_FAILED */
export async function writeDark(path: string, dark: Dark): Promise<string> {
  const digest = digestOf(dark.mean);
  rememberDarkDigest(dark.mean, digest);
  const { asked, used, dropped } = dark.ledger;
  const head: DarkHead = { kind: "dark", digest, asked, used, dropped };
  const content = Object.entries(dark.mean).map(([id, mean]) => {
    const [rows = 0, columns = 0] = mean.shape;
    return [id, { rows, columns, mean: mean.data, ...defined({ noise: dark.noise[id]?.data }) }] as const;
  });
  await writeContainer(path, head, Object.fromEntries(content), { isRaw: true });
  return digest;
}

/** @throws FILE_NOT_FOUND @throws FILE_DAMAGED @throws BAD_ARGUMENT when it is another dark */
export async function readDark(path: string, expected: string): Promise<Dark> {
  const { head, content } = await readContainer(path);
  const found = isRecord(head) && head["kind"] === "dark" ? (head as unknown as DarkHead) : undefined;
  if (found?.digest !== expected) throw badArgument(`dark in ${path}`, found?.digest, expected);
  const { asked, used, dropped } = found;
  const sensors = Object.entries(content as Readonly<Record<string, DarkImages>>);
  const images = (of: (sensor: DarkImages) => Float64Array | undefined): Record<string, PreciseImage> =>
    Object.fromEntries(
      sensors.flatMap(([id, sensor]) => {
        const data = of(sensor);
        return data === undefined ? [] : [[id, asImage(data, sensor.rows, sensor.columns)]];
      }),
    );
  const mean = images((sensor) => sensor.mean);
  rememberDarkDigest(mean, expected);
  return { mean, noise: images(({ noise }) => noise), ledger: { asked, used, dropped } };
}
