import { isSaclaError } from "./errors.ts";

/** Whether an image is there, by index; all but the first are reasons of a ledger. */
export const imageStates = [
  "there",
  "frame-missing",
  "frame-not-written",
  "frame-partly-written",
  "frame-source-gone",
  "frame-damaged",
  "frame-unsupported",
] as const;
export const IMAGE_THERE = 0;
export const IMAGE_MISSING = 1;

/** Why there is no image, of what was thrown for it; undefined for a failure that is not that of one image. */
export function whyNoImage(error: unknown): string | undefined {
  if (isSaclaError(error, "FILE_DAMAGED")) return "frame-damaged";
  if (!isSaclaError(error, "FRAME_MISSING")) return undefined;
  const { reason } = error.details;
  return typeof reason === "string" ? reason : "frame-missing";
}

/** The index of a reason. */
export function imageState(reason: string | undefined): number {
  const state = (imageStates as readonly (string | undefined)[]).indexOf(reason);
  return state === -1 ? IMAGE_MISSING : state;
}
