import { Ec, Experiment, Presets } from "../ec/index.ts";
import type { Endpoint } from "../transport/index.ts";
import type { presetMethods } from "../transport/preset-methods.ts";
import { withHandlers } from "../transport/wrappers/with-handlers.ts";
import { Layouts } from "./page-layouts.ts";
import { type PageFiles, PRESETS_FILE } from "./page-options.ts";

/**
 * An Endpoint that also keeps presets for the page, in the file of `sacla presets`, and layouts of the page; `control`
 * answers the rest.
 */
export function withPresets(control: Endpoint, { presets: file = PRESETS_FILE, experiment }: PageFiles): Endpoint {
  const kept = new Presets(file);
  const layouts = new Layouts(file);
  const snapshot = async (bl: number) => {
    const named = experiment === undefined ? undefined : await Experiment.load(experiment);
    const view = await new Ec(control).view(bl, { experiment: named?.bl === bl ? named : undefined });
    return await view.snapshot();
  };
  return withHandlers<keyof typeof presetMethods>(control, {
    "page.presets": async () => ({ file, presets: [...(await kept.list())] }),
    "page.savePreset": async ({ bl, name, comment }) => {
      await kept.save(name, await snapshot(bl), comment);
      return await kept.get(name);
    },
    "page.removePreset": async ({ name, comment }) => {
      await kept.remove(name, comment);
      return {};
    },
    "page.layouts": async ({ owner }) => ({ file: layouts.file, layouts: layouts.list(owner) }),
    "page.saveLayout": async ({ owner, name, place }) => {
      layouts.save(owner, name, place);
      return {};
    },
  });
}
