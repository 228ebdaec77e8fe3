import * as v from "valibot";
import { beamline as bl, row, whole } from "./method-rows.ts";

const id = whole(0, Number.MAX_SAFE_INTEGER);
const text = v.pipe(v.string(), v.nonEmpty(), v.maxLength(500));
const words = v.pipe(v.string(), v.maxLength(500));
const value = v.union([v.number(), text]);
const number = v.pipe(v.number(), v.minValue(-1e15), v.maxValue(1e15));
const pair = v.pipe(v.tuple([number, number]), v.readonly());
/** HighTag and tag. */
const shot = v.pipe(v.tuple([whole(0, 999_999), whole(0, 0xffff_ffff)]), v.readonly());

/** How a value is told from 0-D signals: a number within `tolerance`, a word when the signal is in its range. */
const verification = v.strictObject({
  signal: text,
  tolerance: v.nullable(v.pipe(number, v.gtValue(0))),
  ranges: v.nullable(v.record(text, pair)),
  // Shots after the change until it has settled, and the most that are looked at.
  settleShots: whole(0, 100_000),
  mostShots: v.pipe(whole(0, 100_000), v.minValue(10)),
});
/** See {@link verification}. */
export type Verification = v.InferOutput<typeof verification>;

const rule = v.strictObject({
  parameter: text,
  // Largest change that one request may ask for; null: none.
  step: v.nullable(v.pipe(number, v.gtValue(0))),
  perMinute: v.pipe(whole(0, 1000), v.minValue(1)),
  rampSeconds: v.pipe(number, v.gtValue(0)),
  verification: v.nullable(verification),
});
/** What may be asked of one parameter of the accelerator, beside its allowed values. */
export type RequestRule = v.InferOutput<typeof rule>;

const evidence = v.strictObject({
  signal: text,
  mean: number,
  standardError: v.pipe(number, v.minValue(0)),
  shots: whole(0, 100_000),
  first: shot,
  last: shot,
});
/** What 0-D signals showed after a change: mean of the good shots, and its standard error. */
export type Evidence = v.InferOutput<typeof evidence>;

/** Where a request stands; those after `rolling-back` are ends. */
const requestStates = [
  "waiting",
  "offered",
  "accepted",
  "ramping",
  "verifying",
  "rolling-back",
  "refused",
  "declined",
  "expired",
  "withdrawn",
  "kept",
  "rolled-back",
] as const;
export type RequestState = (typeof requestStates)[number];

const request = v.strictObject({
  id,
  bl,
  parameter: text,
  unit: v.string(),
  // Value when it was asked, value asked for, and value that is or was to be set: another one after an offer.
  from: value,
  asked: value,
  to: value,
  by: text,
  reason: text,
  state: v.picklist(requestStates),
  why: v.string(),
  operator: v.string(),
  verification,
  // Shots from this one on tell whether it worked; null before, or where nobody knows the shot.
  verifyFrom: v.nullable(shot),
  evidence: v.nullable(evidence),
});
/** A request to the operators of the accelerator as it stands. */
export type AcceleratorRequest = v.InferOutput<typeof request>;

/** One line of the log of requests. Which `data` there are, its `event` says. */
export const requestEntry = v.strictObject({
  // Numbered from 1.
  n: id,
  time: v.string(),
  bl,
  id,
  event: v.picklist([
    "proposed",
    "refused",
    "accepted",
    "offered",
    "agreed",
    "declined",
    "expired",
    "withdrawn",
    "ramping",
    "arrived",
    "kept",
    "rolling-back",
    "tried-again",
    "rolled-back",
  ]),
  // The newest shot then; null where nobody knows.
  shot: v.nullable(shot),
  by: v.string(),
  why: v.string(),
  data: v.record(v.string(), v.unknown()),
});
/** See {@link requestEntry}. */
export type RequestEntry = v.InferOutput<typeof requestEntry>;

const answer = v.picklist(["accept", "change", "decline", "stop"]);

/** The rows of the method table by which the operators of the accelerator are asked; `withControl` answers them. */
export const requestMethods = {
  "request.rules": row(
    v.strictObject({ bl }),
    v.strictObject({ mode: v.picklist(["normal", "tuning"]), rules: v.array(rule) }),
    false,
    "What may be asked of the operators of the accelerator, and the machine's mode.",
  ),
  "request.propose": row(
    v.strictObject({
      bl,
      lease: text,
      parameter: text,
      to: value,
      reason: text,
      verification: v.nullable(verification),
      answerMs: v.pipe(whole(0, 86_400_000), v.minValue(1)),
    }),
    request,
    true,
    "Asks the operators to change a parameter; it waits for their answer for `answerMs`.",
    "Refused, with reasons, outside the allowed values, over the step, too often, and while the machine is tuned.",
  ),
  "request.agree": row(
    v.strictObject({ bl, lease: text, id }),
    request,
    true,
    "Takes the other value that the operators have offered.",
  ),
  "request.keep": row(
    v.strictObject({ bl, lease: text, id, evidence }),
    request,
    true,
    "Keeps a change that 0-D signals have verified.",
    "Refused when the evidence does not show it.",
  ),
  "request.cancel": row(
    v.strictObject({ bl, id, by: text, why: words }),
    request,
    true,
    "Withdraws a request, or has the value before put back.",
    "Needs no lease.",
  ),
  "request.answer": {
    ...row(
      v.strictObject({ bl, id, operator: text, answer, to: v.nullable(value), why: words }),
      request,
      true,
      "The operators' answer: accept, change (`to`), decline; stop has the value before put back.",
    ),
    role: "operator",
  },
  "request.list": row(
    v.strictObject({ bl, last: v.pipe(whole(0, 1000), v.minValue(1)) }),
    v.array(request),
    false,
    "The last requests of a beamline, oldest first.",
  ),
  "request.log": row(
    v.strictObject({ bl, after: id, most: v.pipe(whole(0, 1000), v.minValue(1)) }),
    v.array(requestEntry),
    false,
    "Lines of the dialogue from the one after number `after` on.",
  ),
} as const;
