import { existsSync, readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { SaclaError, show, toSaclaError } from "../core/errors.ts";
import { asInteger, asOneOf, asText, badArgument, isRecord } from "../core/guards.ts";
import { didYouMean } from "../core/nearest-names.ts";
import { type Zone, zones } from "../core/time-text.ts";
import { type ColourMap, colourMaps } from "../plot/colour-map-names.ts";
import type { Io } from "./io.ts";

/** What a `sacla.json` can say, for every command that has such an option. */
export interface Settings {
  /** Where to read: an address, or a file, from the folder of `sacla.json`. */
  readonly url?: string | undefined;
  readonly bl?: number | undefined;
  /** The experiment file, from the folder of `sacla.json`. */
  readonly experiment?: string | undefined;
  /** Where dark shots come from: `head`, `auto`, `none` or a run. */
  readonly dark?: string | undefined;
  readonly colourMap?: ColourMap | undefined;
  /** Keys for ZeroMQ, from the folder of `sacla.json`. */
  readonly keyFile?: string | undefined;
  /** Who takes control: a person. */
  readonly as?: string | undefined;
  readonly clock?: Zone | undefined;
}

type Key = keyof Settings;

interface SettingKind {
  readonly meaning: string;
  /** The variable of the environment that says it too. */
  readonly env?: string;
  readonly fallback: string;
  /** The value as it is used. @throws BAD_ARGUMENT */
  readonly read: (name: string, value: unknown, folder: string) => Settings[Key];
}

const inFolder: SettingKind["read"] = (name, value, folder) => resolve(folder, asText(name, value));

const kinds: Readonly<Record<Key, SettingKind>> = {
  url: {
    meaning: "where to read",
    env: "SACLA_URL",
    fallback: "sim:",
    read: (name, value, folder) => place(asText(name, value), folder),
  },
  bl: {
    meaning: "beamline",
    fallback: "the source's only one, else the experiment's, else 3",
    read: (name, value) => asInteger(name, value),
  },
  experiment: { meaning: "experiment file", env: "SACLA_EXPERIMENT", fallback: "none", read: inFolder },
  dark: {
    meaning: "dark of pictures: head, auto, none or a run",
    fallback: "head of the run, where it has one",
    read: (name, value) => asDarkRule(name, typeof value === "number" ? String(value) : value),
  },
  colourMap: {
    meaning: "colours of pictures",
    fallback: "viridis",
    read: (name, value) => asOneOf(name, value, colourMaps),
  },
  keyFile: { meaning: "keys for ZeroMQ", env: "SACLA_KEY_FILE", fallback: "none", read: inFolder },
  as: { meaning: "who takes control", env: "SACLA_AS", fallback: "the login name", read: asText },
  clock: { meaning: "whose time is shown", fallback: "jst", read: (name, value) => asOneOf(name, value, zones) },
};

/** Where dark shots come from, as it is typed. @throws BAD_ARGUMENT */
export function asDarkRule(name: string, value: unknown): string {
  if (typeof value === "string" && /^(head|auto|none|\d+)$/.test(value)) return value;
  throw badArgument(name, value, "head, auto, none or the number of a run");
}

/** A setting with its value, and where that came from. */
interface KnownSetting {
  readonly key: Key;
  readonly meaning: string;
  readonly value: string | number | null;
  readonly from: string;
}

/** What the `sacla.json` files and the environment say, and of each value where it stands. */
export class KnownSettings {
  readonly values: Settings;
  /** The files that were read, those that decide first first. */
  readonly files: readonly string[];
  readonly #from: Readonly<Partial<Record<Key, string>>>;

  constructor(values: Settings, from: Readonly<Partial<Record<Key, string>>>, files: readonly string[]) {
    this.values = values;
    this.files = files;
    this.#from = from;
  }

  list(): KnownSetting[] {
    return (Object.keys(kinds) as Key[]).map((key) => ({
      key,
      meaning: kinds[key].meaning,
      value: this.values[key] ?? null,
      from: this.#from[key] ?? `default: ${kinds[key].fallback}`,
    }));
  }
}

/**
 * Settings from, in this order: the environment, `sacla.json` beside the data, in the current folder, in the user's
 * configuration folder (`$XDG_CONFIG_HOME/sacla`, else `~/.config/sacla`).
 * @param url - of the data, when an option says it
 * @throws BAD_TEXT, BAD_ARGUMENT naming the file and the key
 */
export function readSettings({ env }: Pick<Io, "env">, url?: string): KnownSettings {
  const values: Partial<Record<Key, Settings[Key]>> = {};
  const from: Partial<Record<Key, string>> = {};
  for (const [key, { env: name }] of Object.entries(kinds) as [Key, SettingKind][]) {
    const given = name === undefined ? undefined : env[name];
    if (given === undefined || given === "") continue;
    [values[key], from[key]] = [given, `environment: ${name}`];
  }
  const files = filesOf(env, url);
  for (const path of files) {
    for (const [key, value] of Object.entries(contentOf(path)) as [Key, unknown][]) {
      const read = readValue(path, key, value);
      if (values[key] === undefined) [values[key], from[key]] = [read, path];
    }
  }
  return new KnownSettings(values as Settings, from, files);
}

/** Whose name others see while control is held. */
export function personOf({ env }: Pick<Io, "env">, given: string | undefined): string {
  if (given !== undefined && given.trim() !== "") return given.trim();
  const login = env["USER"] ?? env["USERNAME"];
  if (login !== undefined && login !== "") return login;
  try {
    return userInfo().username;
  } catch {
    return "a user without a name";
  }
}

/** The user's folder for files of one kind, with its `sacla`; undefined where the environment names none. */
export function userFolder(env: Io["env"], kind: "config" | "state"): string | undefined {
  // An empty variable counts as none.
  const given = (name: string): string | undefined => (env[name] === "" ? undefined : env[name]);
  const home = given("HOME") ?? given("USERPROFILE");
  const parts = kind === "config" ? [".config"] : [".local", "state"];
  const base = given(kind === "config" ? "XDG_CONFIG_HOME" : "XDG_STATE_HOME") ?? (home && join(home, ...parts));
  return base === undefined || base === "" ? undefined : join(base, "sacla");
}

function filesOf(env: Io["env"], url: string | undefined): string[] {
  const data = dataFolder(url);
  const config = userFolder(env, "config");
  const folders = [...(data === undefined ? [] : [data]), ".", ...(config === undefined ? [] : [config])];
  const paths = folders.map((folder) => resolve(folder, "sacla.json"));
  return [...new Set(paths)].filter((path) => existsSync(path));
}

/** The folder of a file, or a folder itself; undefined for what is no file. */
function dataFolder(url: string | undefined): string | undefined {
  if (url === undefined || (!url.startsWith("file:") && isAddress(url))) return undefined;
  const path = url.replace(/^file:/, "").replace(/\?.*$/, "");
  return /\.[a-z0-9]+$/i.test(path) ? dirname(resolve(path)) : resolve(path);
}

function isAddress(text: string): boolean {
  return /^[a-z]+:/i.test(text);
}

function contentOf(path: string): Record<string, unknown> {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw toSaclaError(error, "BAD_TEXT", `The settings ${show(path)} cannot be read`);
  }
  if (isRecord(content)) return content;
  throw new SaclaError("BAD_TEXT", `The settings ${show(path)} must be one JSON object, such as {"bl": 3}.`);
}

function readValue(path: string, key: string, value: unknown): Settings[Key] {
  const kind = Object.hasOwn(kinds, key) ? kinds[key as Key] : undefined;
  if (kind === undefined) {
    const keys = Object.keys(kinds);
    throw new SaclaError(
      "BAD_ARGUMENT",
      `The settings ${show(path)} have no key ${show(key)}.${didYouMean(key, keys)} The keys are ${keys.join(", ")}.`,
    );
  }
  return kind.read(`${key} in ${show(path)}`, value, dirname(path));
}

/** A path from the folder of the settings; an address as it is. */
function place(url: string, folder: string): string {
  if (url.startsWith("file:") && !isAbsolute(url.slice(5))) return `file:${resolve(folder, url.slice(5))}`;
  return isAddress(url) ? url : resolve(folder, url);
}
