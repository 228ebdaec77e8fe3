/**
 * The server and its logger, loaded by the commands that serve, so that other commands start without them.
 *
 * A function of its own: TypeScript 6.0.3 leaves `import("….ts")` as it is inside a function with `await using`,
 * so that the built package would look for a file that is not in it.
 */
export async function loadServer() {
  const { sharedPictures } = await import("../server/relay/shared-pictures.ts");
  const { servePictures } = await import("../server/relay/picture-socket.ts");
  return { ...(await import("../server/index.ts")), servePictures, sharedPictures, pino: (await import("pino")).pino };
}

/** As `connect`, loaded when it is needed: a thread that must never wait keeps little memory to be looked through. */
export async function connectLater(url: string) {
  return await (await import("../connect.ts")).connect(url);
}

/** What serves devices over MADOCA. */
export async function loadMadoca() {
  return await import("./madoca.ts");
}

/** What gives live shots to karabo-bridge clients. */
export async function loadKarabo() {
  return await import("./karabo.ts");
}

/** What answers the page where everything is served in one process. */
export async function loadPage() {
  return await import("../page/index.ts");
}
