/**
 * The server and its logger, loaded by the commands that serve, so that other commands start without them.
 *
 * A function of its own: TypeScript 6.0.3 leaves `import("….ts")` as it is inside a function with `await using`,
 * so that the built package would look for a file that is not in it.
 */
export async function loadServer() {
  return { ...(await import("../server/index.ts")), pino: (await import("pino")).pino };
}
