import { expect } from "vitest";
import {
  type Beamline,
  Engine,
  type Journal,
  type Plan,
  type ScanCallback,
  type VirtualCall,
  type VirtualDevicesOptions,
  virtualBeamline,
} from "../../../src/scan/index.ts";

/** A stage, a crystal with its peak at 12.5, a shutter; intensities fluctuate by 5 %. */
export const bench: VirtualDevicesOptions = {
  axes: {
    delay: { limits: { from: -10, to: 500 }, speed: 100, acceleration: 500, overheadSeconds: 0.2 },
    theta: { limits: { from: 0, to: 30 }, speed: 2, backlash: 0.1 },
    x: { limits: "unlimited", speed: 5 },
    y: { limits: "unlimited", speed: 5 },
  },
  shutters: ["main"],
  settings: { att: 0, pulses: 1 },
  signals: {
    i0: ({ random }) => 1 + 0.05 * random.normal(),
    bragg: ({ at, random }) =>
      (10 * Math.exp((-4 * Math.LN2 * (at("theta") - 12.5) ** 2) / 0.8 ** 2) + 0.5) * (1 + 0.02 * random.normal()),
    beam: () => 1,
  },
  rateHz: 30,
};

/** A beamline that keeps what was done, and calls `at` before each thing. */
export function watched(at: (n: number, call: VirtualCall) => void = () => {}) {
  const done: string[] = [];
  const beamline = virtualBeamline(bench, {
    fault: (call) => {
      at(done.length, call);
      done.push(textOf(call));
    },
  });
  return { beamline, done };
}

export function textOf(call: VirtualCall): string {
  if (call.kind === "shutter") return `${call.open ? "open" : "close"} ${call.name}`;
  if (call.kind === "move") return `move ${Object.entries(call.to).join()}`;
  if (call.kind === "set") return `set ${call.setting} ${call.value}`;
  if (call.kind === "startRun") return `start ${call.request.comment}`;
  return call.kind;
}

/** Thrown by a beamline whose program is killed. */
export class Dead extends Error {}

/** Runs until the beamline throws Dead; then nothing acts any more and the journal gets no further line. */
export async function deadRun(
  beamline: Beamline,
  journal: Journal,
  what: Plan,
  maps = {},
  callbacks: readonly ScanCallback[] = [],
): Promise<void> {
  let isDead = false;
  const mortal = <T extends object>(target: T): T =>
    new Proxy(target, {
      get: (_, name) => {
        const member: unknown = Reflect.get(target, name);
        if (name === "runs" && typeof member === "object" && member !== null) return mortal(member);
        if (typeof member !== "function" || name === "limits" || name === "now") return member;
        return async (...args: unknown[]) => {
          if (isDead) return await new Promise(() => {});
          try {
            return await (Reflect.apply(member, target, args) as Promise<unknown>);
          } catch (error) {
            if (!(error instanceof Dead)) throw error;
            isDead = true;
            died();
            return await new Promise(() => {});
          }
        };
      },
    });
  let died = (): void => {};
  const death = new Promise<void>((resolve) => {
    died = resolve;
  });
  await Promise.race([death, new Engine(mortal(beamline), { journal, maps, callbacks, check: false }).run(what)]);
  journal.close();
}

export async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 2));
  expect(holds()).toBe(true);
}

/** The same thing with another method. */
export function replaced<T extends object, K extends keyof T>(target: T, name: K, by: T[K]): T {
  return new Proxy(target, {
    get: (_, key) => {
      if (key === name) return by;
      const member: unknown = Reflect.get(target, key);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}
