import { constants } from "node:fs";
import { chmod, copyFile, realpath, stat } from "node:fs/promises";
import { SaclaError, show } from "../../core/errors.ts";
import { asInteger, asText, badArgument } from "../../core/guards.ts";
import { flag, optional, resolveOptions } from "../../core/options.ts";
import { STATUS_MISSING, STATUS_OK, STATUS_SATURATED } from "../../core/syncdb.ts";
import { replaceBy } from "../../files/index.ts";
import { H5File } from "../read/h5file.ts";
import { eventInfoPathOf } from "../read/signals.ts";
import { H5Writer } from "../write/writer.ts";

/** A 0-D signal that is added to a file: a number for each tag, NaN where there is none. */
export interface AddedSignal {
  /** Equipment id, or path inside `event_info`. */
  readonly equipId: string;
  readonly unit: string;
  readonly tags: ArrayLike<number>;
  readonly values: ArrayLike<number>;
}

export interface AddSignalsOptions {
  /** Whether signals that are in the file already are written over. @default false */
  readonly replace?: boolean | undefined;
}

export interface AddedSignals {
  readonly path: string;
  readonly run: number;
  /** Shots of the run in the file. */
  readonly shots: number;
  /** Where each signal is now, at how many shots it is a number, and whether the file had it already, the same. */
  readonly signals: readonly { readonly path: string; readonly numbers: number; readonly wasThere: boolean }[];
}

/**
 * Adds 0-D signals to a run of an HDF5 file in the DataConvert layout, as doubles in the order of its tag list, NaN
 * where there is no number. Everything else stays as it is. A copy beside the file is written and renamed: a
 * reader sees the old file or the new one, and the disk needs room for the copy. A signal that is there already with
 * the same numbers is left alone: the same call may be made again.
 *
 * @throws UNKNOWN_RUN when the file has no such run @throws FILE_EXISTS when a signal is there with other numbers, and
 * @throws BAD_ARGUMENT when one that is to be replaced is stored in another way @throws WRITE_FAILED
 * @example
 * await addSignals("run.h5", 1520000, [{ equipId: "my/delay", unit: "fs", tags, values }]);
 */
export async function addSignals(
  path: string,
  run: number,
  signals: readonly AddedSignal[],
  options: AddSignalsOptions = {},
): Promise<AddedSignals> {
  const { replace } = resolveOptions("addSignals", options, { replace: optional(flag, false) });
  asText("path", path);
  asInteger("run", run);
  const target = await realpath(path).catch(() => path);
  const parts = await columnsOf(target, run, signals, replace);
  const toWrite = parts.columns.filter(({ isSame }) => !isSame);
  if (toWrite.length > 0) await write(target, toWrite);
  return {
    path,
    run,
    shots: parts.shots,
    signals: parts.columns.map(({ at, column, isSame }) => ({
      path: at,
      numbers: column.filter(Number.isFinite).length,
      wasThere: isSame,
    })),
  };
}

/** Attribute of what was added: it is no part of the conversion that made the file. */
export const ADDED_BY = "added_by";

async function write(target: string, columns: readonly ColumnToWrite[]): Promise<void> {
  await replaceBy(target, async (beside) => {
    const { mode } = await stat(target);
    await copyFile(target, beside, constants.COPYFILE_FICLONE);
    await chmod(beside, mode | 0o200);
    const writer = await H5Writer.edit(beside, Date.now() / 1000);
    try {
      for (const { at, column, isThere, equipId, unit, status } of columns) {
        if (isThere) {
          writer.overwrite(at, column);
          if (status !== null) writer.overwrite(status.at, status.codes);
          continue;
        }
        writer.numbers(at, column);
        writer.attribute(at, "equipment_id", equipId);
        writer.attribute(at, "unit", unit);
        writer.attribute(at, ADDED_BY, "sacla add-signals");
      }
    } finally {
      writer.close();
    }
    await chmod(beside, mode);
  });
}

/** What {@link H5File.bytes} calls a list of doubles. */
const DOUBLES = (length: number): string => `f8 of shape [${length}] (8 bytes each)`;

interface ColumnToWrite {
  readonly at: string;
  readonly column: Float64Array;
  readonly isThere: boolean;
  /** Whether it is there with these numbers. */
  readonly isSame: boolean;
  readonly equipId: string;
  readonly unit: string;
  /** What a file of `sacla convert` says beside the numbers that are written over; else it would hide the new ones. */
  readonly status: { readonly at: string; readonly codes: Uint8Array } | null;
}

/** The signals in the order of the file's tag list, and where they go. */
async function columnsOf(
  path: string,
  run: number,
  signals: readonly AddedSignal[],
  replace: boolean,
): Promise<{ readonly shots: number; readonly columns: readonly ColumnToWrite[] }> {
  const file = await H5File.open(path);
  try {
    const eventInfo = `/run_${run}/event_info`;
    const tags = file.numbers(`${eventInfo}/tag_number_list`);
    if (tags === undefined) {
      const runs = file.keys("/").flatMap((name) => /^run_(\d+)$/.exec(name)?.[1] ?? []);
      throw new SaclaError(
        "UNKNOWN_RUN",
        `${show(path)} has no run ${run} in the DataConvert layout; it has ${runs.join(", ") || "none"}.`,
        { details: { run, runs: runs.map(Number) } },
      );
    }
    const [beamline] = file.keys(eventInfo).flatMap((name) => /^bl_(\d+)$/.exec(name)?.[1] ?? []);
    const columns = signals.map(({ equipId, unit, tags: of, values }) => {
      const leaf = eventInfoPathOf(equipId, Number(beamline ?? 0));
      const at = `${eventInfo}/${leaf}`;
      const known = new Map(Array.from(of, (tag, i) => [tag, values[i] ?? NaN]));
      // Tags above 2³¹ are stored as negative numbers by other programs.
      const numbers = Float64Array.from(tags, (tag) => known.get(tag < 0 ? tag + 2 ** 32 : tag) ?? NaN);
      const isThere = file.kind(at) !== undefined;
      const there = isThere ? file.numbers(at) : undefined;
      const isSame = there?.length === numbers.length && numbers.every((number, i) => Object.is(number, there[i]));
      if (isThere && !isSame && !replace)
        throw new SaclaError(
          "FILE_EXISTS",
          `${show(path)} has ${at} already, with other numbers; --replace writes over it.`,
          {
            details: { path: at },
          },
        );
      if (isThere && !isSame && file.bytes(at).description !== DOUBLES(tags.length))
        throw badArgument(
          `signal ${at} of ${show(path)}`,
          file.bytes(at).description,
          "a list of doubles, to be replaced",
        );
      const statusAt = `/sacla/signal_status/${leaf}`;
      const status = file.kind(statusAt) === "dataset" ? { at: statusAt, codes: statusOf(numbers) } : null;
      return { at, column: numbers, isThere, isSame, equipId, unit, status };
    });
    return { shots: tags.length, columns };
  } finally {
    file.close();
  }
}

/** As the numbers say: NaN where there is none. */
function statusOf(numbers: Float64Array): Uint8Array {
  return Uint8Array.from(numbers, (value) => {
    if (Number.isFinite(value)) return STATUS_OK;
    return Number.isNaN(value) ? STATUS_MISSING : STATUS_SATURATED;
  });
}
