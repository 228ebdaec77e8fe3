import { Argument } from "commander";
import { sleep } from "../../core/async.ts";
import { SaclaError } from "../../core/errors.ts";
import { oneLine } from "../../core/printable.ts";
import { counted } from "../../core/show.ts";
import type { RequestRow } from "../../ec/index.ts";
import { isUnderWay } from "../../ec/requests/request-state.ts";
import { textTable } from "../../plot/text.ts";
import type { AcceleratorRequest, RequestEntry } from "../../transport/request-methods.ts";
import {
  type AddCommand,
  type CommandResult,
  type CommonOptions,
  declare,
  parseNumber,
  parseValue,
  type Session,
  settingValue,
} from "../command.ts";
import { type ChangeOptions, cell, change, view, withChange } from "../control.ts";

const actions = ["list", "ask", "cancel", "log", "accept", "change", "decline", "stop"] as const;
type Action = (typeof actions)[number];

interface Options extends ChangeOptions, Pick<CommonOptions, "url"> {
  readonly answerSeconds: number;
  readonly takeOffers?: boolean;
  readonly why: string;
  readonly follow?: boolean;
}

/** `sacla requests [list|ask|cancel|log|accept|change|decline|stop] …`: the accelerator is changed on request. */
export const requests: AddCommand = (program, io) =>
  declare<Options, [Action, readonly string[]]>(
    program,
    io,
    "requests",
    "ask the operators of the accelerator, see what became of it, or answer as an operator",
    (command) =>
      withChange(
        command
          .addArgument(new Argument("[action]").choices(actions).default("list"))
          .argument(
            "[what...]",
            "ask: NAME=VALUE …, or with its unit; cancel, accept, decline, stop: ID; change: ID VALUE",
          )
          .option("--answer-seconds <seconds>", "ask: how long the operators may take", parseNumber, 60)
          .option("--take-offers", "ask: take another value that they offer")
          .option("--why <text>", "cancel, and the operators' answers: the reason, for the log", "")
          .option("--follow", "log: go on until Ctrl+C"),
      ),
    async (session, options, [action, what]) => {
      const alone = session.io.held === undefined && /^sim:/i.test(options.url ?? "sim:");
      switch (action) {
        case "list":
          return await listed(session, alone);
        case "log":
          return await logged(session, options, alone);
        case "ask":
          return await ask(session, options, what);
        default:
          return await answered(session, options, action, what, alone);
      }
    },
  );

/** Said where `sim:` is opened by this command: its requests end with it. */
const ALONE =
  "On sim: a request lives in the command that asks, and no other terminal sees it. To ask in one terminal and " +
  'answer in another: sacla serve "sim:?operators=absent", then both with the SACLA_URL that it prints.';

async function listed(session: Session, alone: boolean): Promise<CommandResult> {
  const { bl } = session;
  const { ec } = session.facility;
  const [{ mode, rules }, all, devices] = await Promise.all([ec.requestRules(bl), ec.requests(bl), ec.devices(bl)]);
  const parameters = devices.flatMap((info) => {
    if (info.kind !== "setting" || info.role !== "accelerator") return [];
    const rule = rules.find(({ parameter }) => parameter === info.name);
    const { allowed, unit } = info;
    const values = "from" in allowed ? `${allowed.from} … ${allowed.to}` : allowed.join(", ");
    return [[info.name, values, unit, rule?.step ?? "", rule?.verification?.signal ?? "", info.meaning]];
  });
  const text = [
    `the accelerator is in ${mode} mode for beamline ${bl}`,
    parameters.length === 0
      ? "nothing can be asked for"
      : textTable(["may be asked for", "values", "unit", "step", "verified by", "meaning"], parameters),
    all.length === 0
      ? nothingAsked(alone)
      : textTable(["id", "parameter", "from", "to", "by", "state", "why"], rowsOf(all)),
  ];
  return { json: { bl, mode, rules, requests: all }, text: text.join("\n\n") };
}

const nothingAsked = (alone: boolean): string => (alone ? `nothing was asked here. ${ALONE}` : "nothing was asked");

function rowsOf(all: readonly AcceleratorRequest[]): (string | number)[][] {
  return all.map(({ id, parameter, from, to, asked, unit, by, state, why }) => {
    const other = to === asked ? "" : ` (asked: ${cell(asked)})`;
    return [id, parameter, cell(from), `${cell(to)} ${unit}${other}`.trim(), oneLine(by), state, oneLine(why)];
  });
}

async function logged(session: Session, options: Options, alone: boolean): Promise<CommandResult> {
  const { bl } = session;
  const { io, signal } = session;
  if (alone && options.follow === true) io.err(`${ALONE}\n`);
  const all: RequestEntry[] = [];
  for (let last = 0; ; ) {
    const lines = await session.facility.ec.requestLog(bl, last, { signal });
    last = lines.at(-1)?.n ?? last;
    if (options.follow !== true) {
      all.push(...lines);
      if (lines.length < 1000)
        return {
          json: all,
          text: all.length === 0 ? nothingAsked(alone) : all.map((line) => lineOf(session, line)).join("\n"),
        };
      continue;
    }
    for (const line of lines) io.out(`${options.json === true ? JSON.stringify(line) : lineOf(session, line)}\n`);
    await sleep(500, signal);
  }
}

function lineOf(session: Session, { time, shot, id, event, by, why, data }: RequestEntry): string {
  const parts = [
    session.time(new Date(time)),
    shot === null ? "" : `${shot[0]}/${shot[1]}`,
    `request ${id}`,
    event,
    "parameter" in data ? `${data["parameter"]} ${data["from"]} → ${data["asked"]} ${data["unit"]}`.trim() : "",
    event === "offered" ? `${data["to"]} instead` : "",
    `by ${oneLine(by)}`,
    why === "" ? "" : `(${oneLine(why)})`,
  ];
  return parts.filter((part) => part !== "").join("  ");
}

async function ask(session: Session, options: Options, what: readonly string[]): Promise<CommandResult> {
  const targets = what.map(targetOf);
  const twice = targets.find(([name], i) => targets.findIndex(([other]) => other === name) !== i);
  if (twice !== undefined)
    throw new SaclaError("BAD_ARGUMENT", `${twice[0]} can have one value only, but is given two. Nobody was asked.`);
  if (what.length === 0)
    throw new SaclaError("BAD_ARGUMENT", "requests ask needs what: sacla requests ask NAME=VALUE.");
  const looking = await view(session);
  const to: Record<string, number | string> = {};
  for (const [name, value] of targets) {
    const setting = looking.findSetting(name);
    // A name that is none is told by the preview.
    to[name] = setting === undefined ? value : settingValue(value, setting.info.unit, name);
  }
  const rows = await looking.previewRequest(to);
  const table = tableOf(rows);
  const problems = rows.flatMap(({ problem }) => (problem === "" ? [] : [problem]));
  if (problems.length > 0 || options.dryRun === true) {
    const end = problems.length === 0 ? "nobody was asked (dry run)" : `nobody was asked: ${problems.join(" ")}`;
    return { json: { rows, done: false }, text: `${table}\n${end}`, exitCode: problems.length === 0 ? 0 : 1 };
  }
  const outcome = await change(session, options, "a request to the accelerator", table, async (control) => {
    const said = ({ id, parameter, state, why, to, unit }: AcceleratorRequest): void => {
      const taking = options.takeOffers === true ? "" : ", not taken without --take-offers";
      const what = state === "offered" ? `offered ${cell(to)} ${unit}${taking}` : state;
      session.io.err(`request ${id} (${parameter}): ${what}${why === "" ? "" : `, ${oneLine(why)}`}\n`);
    };
    return await control.request(to, {
      answerMs: Math.round(1000 * options.answerSeconds),
      agree: () => options.takeOffers === true,
      onState: said,
      signal: session.signal,
    });
  });
  if (!outcome.done) return { json: { rows, done: false }, text: "nobody was asked", exitCode: 1 };
  const lines = Object.entries(outcome.value).map(([name, { value, id, evidence }]) =>
    evidence === null
      ? `${name} is ${cell(value)} already; nobody was asked`
      : `${name} is ${cell(value)}: ${evidence.signal} is ${evidence.mean.toPrecision(6)} ± ` +
        `${evidence.standardError.toPrecision(2)} over ${counted(evidence.shots, "shot")} (request ${id})`,
  );
  return { json: { rows, done: true, kept: outcome.value }, text: lines.join("\n") };
}

function tableOf(rows: readonly RequestRow[]): string {
  const cells = rows.map((row) => [row.name, cell(row.now), cell(row.willBe), row.unit, row.verifiedBy, row.problem]);
  return textTable(["name", "now", "will be", "unit", "verified by", "problem"], cells);
}

function targetOf(text: string): [string, number | string] {
  const [, name, value] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (name === undefined || value === undefined)
    throw new SaclaError("BAD_ARGUMENT", `${JSON.stringify(text)} is not NAME=VALUE, such as bl3_chicane1=60.`);
  return [name, parseValue(value)];
}

async function answered(
  session: Session,
  options: Options,
  action: Exclude<Action, "list" | "log" | "ask">,
  [idText = "", value, ...rest]: readonly string[],
  alone: boolean,
): Promise<CommandResult> {
  const needs = action === "change" ? "ID VALUE" : "ID";
  if (!/^\d+$/.test(idText) || (value === undefined) === (action === "change") || rest.length > 0)
    throw new SaclaError("BAD_ARGUMENT", `requests ${action} needs ${needs}: sacla requests ${action} ${needs}.`);
  if (alone) throw new SaclaError("BAD_ARGUMENT", `There is no request ${idText} to ${action}. ${ALONE}`);
  const { bl } = session;
  const { ec } = session.facility;
  const id = Number(idText);
  if (options.dryRun === true) {
    const request = (await ec.requests(bl, 1000)).find((other) => other.id === id);
    const now = request === undefined ? "there is none" : `it is ${request.state}`;
    return {
      json: { request: request ?? null, done: false },
      text: `request ${id}: ${now}; nothing was done (dry run)`,
    };
  }
  const name = session.person;
  const { why } = options;
  const after =
    action === "cancel"
      ? await ec.cancelRequest(bl, id, name, why)
      : await ec.answerRequest(bl, id, {
          operator: name,
          answer: action,
          why,
          to: value === undefined ? undefined : parseValue(value),
        });
  const ended = action === "stop" || action === "cancel" ? await atRest(session, bl, after) : after;
  return { json: { request: ended, done: true }, text: `request ${id} (${ended.parameter}) is ${ended.state}` };
}

/** What was stopped is being put back; a minute is waited for that. */
async function atRest(
  { facility, signal }: Session,
  bl: number,
  request: AcceleratorRequest,
): Promise<AcceleratorRequest> {
  let now = request;
  const until = performance.now() + 60_000;
  while (isUnderWay(now.state) && performance.now() < until) {
    await sleep(100, signal);
    now = (await facility.ec.requests(bl, 50)).find(({ id }) => id === request.id) ?? now;
  }
  return now;
}
