import type { Ec } from "../../ec/index.ts";
import { type AddCommand, declare } from "../command.ts";
import { view } from "../control.ts";

/** `sacla stop [NAMES…]`. */
export const stop: AddCommand = (program, io) =>
  declare<object, [string[]]>(
    program,
    io,
    "stop",
    "stop axes (default: all that move); needs no lease and no confirmation",
    (command) => command.argument("[names...]", "names of axes, as `sacla axes` lists them"),
    async (session, _options, [names]) => {
      const { bl } = session;
      const { ec } = session.facility;
      const looking = await view(session);
      const asked =
        names.length > 0 ? names.map((name) => looking.axis(name).device) : await movingAxes(session.facility.ec, bl);
      // All at once: none waits for another to answer, and what fails keeps none from being stopped.
      const stops = await Promise.allSettled(asked.map((axis) => ec.stop(bl, axis)));
      for (const stop of stops) if (stop.status === "rejected") throw stop.reason;
      return {
        json: { bl, stopped: asked },
        text: asked.length === 0 ? `no axis of beamline ${bl} moves` : `stopped: ${asked.join(", ")}`,
      };
    },
  );

/** What moves, and what does not say whether it does. */
async function movingAxes(ec: Ec, bl: number): Promise<string[]> {
  const axes = (await ec.devices(bl)).filter(({ kind }) => kind === "axis").map(({ name }) => name);
  const readings = await Promise.allSettled(axes.map((axis) => ec.read(bl, axis)));
  return axes.filter((_, i) => {
    const reading = readings[i];
    return reading?.status !== "fulfilled" || reading.value.state === "moving";
  });
}
