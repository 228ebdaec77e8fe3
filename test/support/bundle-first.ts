import { buildPage, chromiumPath } from "./build-page.ts";
import { bundled } from "./bundled.ts";

/** Makes the command line's bundle and the page once, before several files that want them begin at the same time. */
export default async function setup(): Promise<void> {
  await Promise.all([bundled(), chromiumPath === undefined ? undefined : buildPage()]);
}
