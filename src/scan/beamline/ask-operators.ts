import type { Control } from "../../ec/index.ts";
import type { AcceleratorRequest } from "../../transport/request-methods.ts";
import type { RequestsKept, RequestToOperators } from "../messages/messages.ts";
import { askWhenTaken } from "./again.ts";
import type { DoOptions } from "./beamline.ts";

/** A request, told to the user; a stop acts at once while the operators have not answered. */
export async function askFor(
  control: Control,
  { to, reason, answerSeconds = 60 }: RequestToOperators,
  { signal, note, waiting }: DoOptions,
): Promise<RequestsKept> {
  const onState = ({ id, parameter, asked, state, why }: AcceleratorRequest): void => {
    waiting?.(state === "waiting" || state === "offered");
    note?.(`asks for ${parameter} ${asked} (request ${id}): ${state}${why === "" ? "" : `, ${why}`}`);
  };
  try {
    const asked = { reason, answerMs: Math.round(1000 * answerSeconds), onState, signal };
    const kept = await askWhenTaken(
      { signal, note, waiting },
      // Values that were kept before one is not taken are there: they are not asked for again.
      async () => await control.request(to, asked),
    );
    return Object.fromEntries(Object.entries(kept).map(([name, { value, id }]) => [name, { value, id }]));
  } finally {
    waiting?.(false);
  }
}
