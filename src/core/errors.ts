import { show } from "./show.ts";

export { show, showList } from "./show.ts";

/**
 * Every way a call can fail: a closed list, so that scripts can match on `code` and the documentation can be
 * checked against it. `facility` marks what the facility itself answers (Python's `APIError`); the rest is about
 * how it was asked or how the answer travelled.
 */
export const errorCatalogue = {
  BAD_ARGUMENT: {
    facility: false,
    meaning: "An argument or option has the wrong type, range or shape.",
    next: "Compare it with the allowed values in the message.",
  },
  BAD_URL: {
    facility: false,
    meaning: "The address names no kind of source this program knows.",
    next: "Use one of the addresses of docs/connecting.md.",
  },
  BAD_TEXT: {
    facility: false,
    meaning: "A text file of the facility (tag list, syncdaq_get output, timing CSV, .geom) cannot be parsed.",
    next: "Look at the line named in the message.",
  },
  BAD_GEOMETRY: {
    facility: false,
    meaning: "A sensor's position, rotation or pixel size is not a finite, sensible number.",
    next: "Check the detector information of the sensor named in the message.",
  },
  BAD_MESSAGE: {
    facility: false,
    meaning: "A request or answer does not follow the wire form or the method table.",
    next: "Use the same version of sacla on both sides.",
  },
  UNKNOWN_METHOD: {
    facility: false,
    meaning: "The method is not in the method table.",
    next: "Use a name from docs/from-python.md.",
  },
  UNKNOWN_BEAMLINE: {
    facility: true,
    meaning: "This source has no such beamline.",
    next: "Use one of the beamlines in the message.",
  },
  UNKNOWN_RUN: {
    facility: true,
    meaning: "The run does not exist on this beamline of this source.",
    next: "List the runs with `sacla runs`.",
  },
  RUN_NOT_READY: {
    facility: true,
    meaning:
      "The run is still running or paused, or its CITIUS images are still being calibrated, " +
      "so they cannot be read yet.",
    next:
      "Wait until readRunstatus answers 0 (CITIUS: getRunstatus can-read), " +
      "or follow runs with facility.runs({ follow: true }).",
  },
  UNKNOWN_DETECTOR: {
    facility: true,
    meaning: "The run has no such detector.",
    next: "List them with `sacla detectors`.",
  },
  UNKNOWN_SIGNAL: {
    facility: true,
    meaning: "There is no such equipment id.",
    next: "Search for it with `sacla signals`.",
  },
  UNKNOWN_HIGHTAG: {
    facility: true,
    meaning: "The source has no shots of that HighTag.",
    next: "Take the HighTag from the run: readHightagnumber(bl, run).",
  },
  TAG_OUTSIDE_RUN: {
    facility: true,
    meaning: "The tag does not belong to the run.",
    next: "Take tags from readTaglistByrun; the end tag of a run is exclusive.",
  },
  MEMORY_TRANSFERRED: {
    facility: false,
    meaning: "The memory of an image was transferred to another thread, so that nothing is left of it here.",
    next: "Transfer the images of shot.keep(), which are copies, or give memory that is still here.",
  },
  FRAME_MISSING: {
    facility: true,
    meaning: "The detector stored no image for this tag.",
    next: "Skip the tag and count it; shots() does so in its ledger.",
  },
  DATA_GONE: {
    facility: true,
    meaning: "The image was there, but live data stay in memory for a short time only and this tag is older.",
    next: "Go on with the newest tag, or read the image with st when the run has stopped.",
  },
  TAG_INVALID: {
    facility: true,
    meaning: "No shot has this tag: there was no image to be taken, or it is too far ahead to wait for.",
    next: "Take tags from readTagnumberNewest or live.shots.",
  },
  NO_DARK: {
    facility: false,
    meaning: "No dark shots were found, so nothing can be subtracted.",
    next: "Name a dark run, or go without one. Commands: --dark RUN; --dark none.",
  },
  NO_LASER_ONLY: {
    facility: false,
    meaning: "The timing monitor's edge finder has no shot with the timing laser and without X-rays.",
    next: "Block the X-rays for some 20 shots with the timing laser on, or name a run that has such shots.",
  },
  NO_EDGES: {
    facility: false,
    meaning: "No shot with X-rays has an edge on the timing monitor's image that could be learnt from.",
    next:
      "Look at an image with `sacla image`; check the camera, the signal and value that tell X-rays (--camera, " +
      "--xrays, --least), and along what time runs (--axis).",
  },
  UNKNOWN_TMA: {
    facility: false,
    meaning: "The user database of the timing analysis has no such TMA id.",
    next: "List them with `sacla tma list`, or make one with `sacla tma create`.",
  },
  DATABASE_LOCKED: {
    facility: false,
    meaning: "Another program writes the user database, or one that was killed left its lock behind.",
    next: "Wait and try again; if no program writes the file any more, remove the folder FILE.lock beside it.",
  },
  NO_SHOTS: {
    facility: false,
    meaning: "No shot was left to work on.",
    next: "See the ledger in the error's details for why each one was dropped.",
  },
  FILE_NOT_FOUND: {
    facility: false,
    meaning: "The file does not exist or cannot be read.",
    next: "Check the path and its permissions.",
  },
  NOT_HDF5: {
    facility: false,
    meaning: "The file is empty or is not HDF5.",
    next: "Name a file written by DataConvert or `sacla convert`.",
  },
  FILE_DAMAGED: {
    facility: false,
    meaning: "The HDF5 file or checkpoint is truncated, half-written or was changed.",
    next: "Copy it, or make it again; do not trust the part that opens.",
  },
  FILE_CHANGED: {
    facility: false,
    meaning: "The file was written to after it was opened.",
    next: "Open it again: what was read before and after need not fit together.",
  },
  NOT_DATACONVERT: {
    facility: false,
    meaning: "The HDF5 file does not have a layout that sacla reads, or lacks something of it.",
    next: "The message names what is missing; see docs/archive.md.",
  },
  FILE_EXISTS: {
    facility: false,
    meaning: "The file to write is there already, or another or a running conversion is on its way to it.",
    next: "Choose another name, or allow overwriting or starting anew as the message says.",
  },
  FILE_IN_USE: {
    facility: false,
    meaning: "A living process has the file, and two must not have it at the same time. Nothing was changed.",
    next: "Use the process that the message names, stop it, or name another file.",
  },
  WRITE_FAILED: {
    facility: false,
    meaning: "A file could not be written: the disk is full, or the folder is not there or not writable.",
    next: "Make room or choose another folder, and give the same command again.",
  },
  UNKNOWN_DEVICE: {
    facility: true,
    meaning: "The beamline has no such axis, shutter or setting.",
    next: "List them with `sacla axes`, or correct the experiment file.",
  },
  LIMIT: {
    facility: true,
    meaning: "The value asked is outside what the device or the experiment file allows; nothing moved.",
    next: "Choose a value within the limits in the message.",
  },
  INTERLOCK: {
    facility: true,
    meaning: "An interlock or another station has locked the device.",
    next: "Clear what the message names at the beamline, then ask again.",
  },
  DEVICE_BUSY: {
    facility: true,
    meaning: "The device is still doing what it was asked before.",
    next: "Wait until it is at rest, or stop it.",
  },
  DEVICE_FAULT: {
    facility: true,
    meaning:
      "A device failed, slipped, did not arrive in its time, or gave no answer; what could be stopped was stopped.",
    next: "Look at the device before it is moved again.",
  },
  LEASE_HELD: {
    facility: true,
    meaning: "Another program controls the beamline.",
    next: "Ask the holder named in the message, or wait until the lease ends.",
  },
  LEASE_LOST: {
    facility: true,
    meaning: "The program holds no lease of the beamline, or not any more.",
    next: "Take the lease, look where the devices are, and go on from there.",
  },
  REQUEST_DECLINED: {
    facility: true,
    meaning: "The operators of the accelerator declined a request, or offered another value that was not taken.",
    next: "Read their reason in the message; ask again, or call them.",
  },
  REQUEST_EXPIRED: {
    facility: true,
    meaning: "The operators of the accelerator did not answer a request in its time; nothing was changed.",
    next: "Call the control room, then ask again, with a longer time to answer if need be.",
  },
  NOT_VERIFIED: {
    facility: true,
    meaning:
      "A change of the accelerator did not show in the 0-D signals that verify it; the value before was put back.",
    next: "Look at the reason in the message and at `sacla requests log`; ask again when the beam is steady.",
  },
  PLAN_CHANGED: {
    facility: false,
    meaning: "The journal belongs to another plan, or the plan generates different steps than those recorded.",
    next: "Resume with the plan and settings the scan was begun with, or begin a new one.",
  },
  NO_PEAK: {
    facility: false,
    meaning: "The measured points show no peak, or one outside the scanned window; the axis did not go to it.",
    next: "Look at the curve, then scan another window or take more shots.",
  },
  NO_RINGS: {
    facility: false,
    meaning:
      "The picture shows too few points of the calibrant's rings to find the geometry from, or mostly other rings.",
    next:
      "Look at the picture; give a nearer distance and centre, the right calibrant and photon energy, " +
      "or more shots.",
  },
  NO_STEP: {
    facility: false,
    meaning: "The measured points show no step, or a step whose position or width cannot be determined.",
    next: "Look at the curve, then scan another window, in finer steps, or take more shots.",
  },
  NO_FRESH_SPOT: {
    facility: false,
    meaning: "All spots of the target map are used.",
    next: "Mount another sample and begin a new target map.",
  },
  NO_BEAM: {
    facility: false,
    meaning: "No X-rays came for as long as a scan waits for them.",
    next:
      "Look at the shutter and the accelerator; begin or resume the scan when there is beam. " +
      'Shots that need none: `--beam off`, or `beam: "off"` of the shots.',
  },
  TOO_FEW_SHOTS: {
    facility: false,
    meaning: "A point was given up: too few of its shots were good within the budget.",
    next: "Look at the reasons in the message; then resume the scan, or widen the conditions or the budget.",
  },
  UNSUPPORTED: {
    facility: true,
    meaning: "This source cannot answer this question.",
    next: "Ask the live facility, or use what the message suggests.",
  },
  NO_ZEROMQ: {
    facility: false,
    meaning: "ZeroMQ (tcp://, ipc://) is not used here: in Deno and Bun, or where its native add-on cannot be loaded.",
    next: "Use the server's http:// or https:// address, or run the program with Node.js.",
  },
  NOT_AUTHENTICATED: {
    facility: false,
    meaning: "The server does not know who asks.",
    next: "Give the key or token made by `sacla keys`.",
  },
  NOT_ALLOWED: {
    facility: false,
    meaning: "The client's role does not allow this.",
    next: "Ask with a key or token of the role named in the message.",
  },
  TOO_SMALL: {
    facility: false,
    meaning: "The values of an image are too small for sums that never round.",
    next:
      "Multiply the images first: corrections: [correct.scale(1e9)]. " +
      "Divide the mean by that number, the variance by its square.",
  },
  TOO_LARGE: {
    facility: false,
    meaning: "A request, or the answer to it, is larger than the server allows.",
    next: "Ask for fewer tags, signals or detectors at a time; the message says how many.",
  },
  TOO_MANY_REQUESTS: {
    facility: false,
    meaning: "The client asks more often than the server allows.",
    next: "Wait for the time named in the message.",
  },
  UNREACHABLE: {
    facility: false,
    meaning: "No server answers at the address, or the connection broke.",
    next: "Check the address, the server and the tunnel; see docs/remote-access.md.",
  },
  WORKER_LOST: {
    facility: false,
    meaning: "Worker threads died again and again over the same part of the work.",
    next: "Run that part in one thread to see why; it may need more memory.",
  },
  INCOMPLETE: {
    facility: false,
    meaning: "A reduction in several jobs ended without all of its shots, or its jobs were lost.",
    next: "Give the same command again: what is done is kept. The message names the log that says more.",
  },
  ABORTED: {
    facility: false,
    meaning: "The caller's AbortSignal ended the work.",
    next: "Nothing: this was asked for.",
  },
  TIMEOUT: {
    facility: false,
    meaning: "No answer came within the time allowed.",
    next: "Raise timeoutMs, or check that the source is alive.",
  },
  CLOSED: {
    facility: false,
    meaning: "The connection, file or reader was already closed.",
    next: "Open it again with connect().",
  },
  INTERNAL: {
    facility: false,
    meaning: "A fault inside sacla itself.",
    next: "Report it with the message and the cause.",
  },
} as const satisfies Record<string, { facility: boolean; meaning: string; next: string }>;

/** One of the codes in {@link errorCatalogue}. */
export type ErrorCode = keyof typeof errorCatalogue;

/** Values that explain an error, small enough for a log line. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

const brand = Symbol.for("sacla.error");

/** The error class of this project. `message` says value, what was allowed, next step; `details` has the values. */
export class SaclaError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, options: { details?: ErrorDetails; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }

  override get name(): string {
    return "SaclaError";
  }

  static {
    // On the prototype, so that it is recognised even when two copies of the package are loaded.
    Object.defineProperty(SaclaError.prototype, brand, { value: true });
  }
}

/** Whether `error` is ours and, when codes are given, has one of them. */
export function isSaclaError<C extends ErrorCode>(error: unknown, ...codes: C[]): error is SaclaError & { code: C } {
  if (!isBranded(error)) return false;
  return codes.length === 0 || codes.some((code) => code === error.code);
}

function isBranded(error: unknown): error is SaclaError {
  return typeof error === "object" && error !== null && brand in error;
}

/**
 * What the facility itself answers when it cannot do what was asked, as Python's `APIError`. `dbpy.APIError` and
 * `stpy.APIError` are different classes there, so each mirrored module has its own subclass of this one.
 */
export class FacilityError extends SaclaError {}

/**
 * Runs `work`; what the facility refuses is thrown as the given module's APIError, everything else as it came.
 */
export async function asApiError<T>(
  ApiError: new (...args: ConstructorParameters<typeof SaclaError>) => FacilityError,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isSaclaError(error) && errorCatalogue[error.code].facility) {
      throw new ApiError(error.code, error.message, { details: error.details, cause: error });
    }
    throw error;
  }
}

/**
 * Any thrown thing as a {@link SaclaError}; foreign errors are wrapped once, with the original as `cause`. Of a
 * `SuppressedError` (something failed, and then closing failed, too) it is the first error with its code, and the
 * message names the later ones.
 */
export function toSaclaError(error: unknown, code: ErrorCode = "INTERNAL", context = ""): SaclaError {
  if (isSaclaError(error)) return error;
  const { first, later } = firstError(error);
  if (later.length > 0) {
    const { code: firstCode, message, details } = toSaclaError(first, code, context);
    const others = later.map((each) => toSaclaError(each)).map((each) => `${each.code}: ${each.message}`);
    return new SaclaError(firstCode, `${message} Then closing failed, too: ${others.join(" ")}`, {
      details: { ...details, later: others },
      cause: first,
    });
  }
  const text = error instanceof Error ? error.message : String(error);
  return new SaclaError(code, context === "" ? text : `${context}: ${text}`, { cause: error });
}

/**
 * What failed first, and what failed later while things were closed. `await using` throws a `SuppressedError` then,
 * which tells neither in its message; Node.js 20 has no class of that name, so it is known by its parts.
 */
export function firstError(error: unknown): { readonly first: unknown; readonly later: readonly unknown[] } {
  const later: unknown[] = [];
  let first = error;
  while (first instanceof Error && first.name === "SuppressedError" && "suppressed" in first && "error" in first) {
    later.unshift(first.error);
    first = first.suppressed;
  }
  return { first, later };
}

/** What the operating system says of a file, as the coded error that says it. */
export function fileError(
  code: "WRITE_FAILED" | "FILE_NOT_FOUND",
  what: string,
  path: string,
  cause: unknown,
): SaclaError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new SaclaError(code, `${what} ${show(path)}: ${why}`, { details: { path }, cause });
}
