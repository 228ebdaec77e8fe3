import { oneLine } from "../../core/printable.ts";
import { type AddCommand, declare } from "../command.ts";

/** `sacla lease`: who controls the beamline. */
export const lease: AddCommand = (program, io) =>
  declare<object, []>(
    program,
    io,
    "lease",
    "print who controls the beamline",
    (command) => command,
    async (session) => {
      const { facility, signal } = session;
      const { bl } = session;
      const holder = await facility.ec.holder(bl, { signal });
      // Of a beamline that is not there nobody can say who controls it.
      if (holder === null) await facility.ec.devices(bl, { signal });
      if (holder === null) return { json: { bl, holder }, text: `nobody controls beamline ${bl}` };
      const { name, reason, sinceMs, expiresMs } = holder;
      const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
      return {
        json: { bl, holder },
        text:
          `${oneLine(name)} (${oneLine(reason)}) controls beamline ${bl} since ${seconds(sinceMs)}; ` +
          `the lease ends in ${seconds(expiresMs)} unless it is renewed`,
      };
    },
  );
