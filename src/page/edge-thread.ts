/** The program of the thread that finds timing edges: to learn takes seconds, for which pictures must not wait. */
import { on } from "node:events";
import { parentPort, workerData } from "node:worker_threads";
import { SaclaError } from "../core/errors.ts";
import { asImage } from "../core/ndarray.ts";
import type { Shot } from "../core/shots.ts";
import { EdgeFinder } from "../timing/edge-finder.ts";
import { findEdges, learnEdges } from "../timing/shot-edges.ts";
import { toWireError } from "../transport/codec.ts";
import type { EdgeAnswer, EdgeOrder, EdgeTask } from "./edge-worker.ts";

const CAMERA = "camera";

async function find({ finder, learnsFirst }: EdgeTask): Promise<void> {
  if (parentPort === null) return;
  const port = parentPort;
  const tell = (answer: EdgeAnswer): void => port.postMessage(answer);
  const orders = on(port, "message");
  /** Shots until there are no more of this kind; each is answered, so that not many wait here. */
  async function* shots(isAnswered: boolean): AsyncGenerator<Shot, void, undefined> {
    for (;;) {
      const { value } = await orders.next();
      const [order] = value as [EdgeOrder];
      if (order.kind === "learn") return;
      yield shotOf(order);
      if (isAnswered) tell({ kind: "taken" });
    }
  }
  const options = { camera: CAMERA, xrays: (shot: Shot) => shot.number(CAMERA) > 0 };
  try {
    let learnt = finder === null ? undefined : EdgeFinder.fromJSON(finder);
    if (learnsFirst) {
      learnt = await learnEdges(shots(true), options);
      tell({ kind: "taken" });
    }
    for await (const edge of findEdges(shots(false), { ...options, finder: learnt })) tell({ kind: "edge", edge });
  } catch (error) {
    tell({ kind: "failed", error: toWireError(error) });
  }
}

function shotOf({ tag, xrays, image }: Extract<EdgeOrder, { kind: "shot" }>): Shot {
  return {
    tag,
    images: { [CAMERA]: asImage(image.data, ...image.shape) },
    number: () => (xrays ? 1 : 0),
    value: (id) => {
      throw new SaclaError("INTERNAL", `${id} is not read here.`);
    },
  };
}

await find(workerData as EdgeTask);
