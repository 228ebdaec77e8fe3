import { type AddCommand, declare } from "../command.ts";

/** `sacla lease`: who controls the beamline. */
export const lease: AddCommand = (program, io) =>
  declare<object, []>(
    program,
    io,
    "lease",
    "tell who controls the beamline",
    (command) => command,
    async ({ facility, bl, signal }) => {
      const holder = await facility.ec.holder(bl, { signal });
      if (holder === null) return { json: { bl, holder }, text: `nobody controls beamline ${bl}` };
      const { name, reason, sinceMs, expiresMs } = holder;
      const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
      return {
        json: { bl, holder },
        text: `${name} (${reason}) controls beamline ${bl} since ${seconds(sinceMs)}; the lease ends in ${seconds(expiresMs)} unless it is renewed`,
      };
    },
  );
