import { Ec, Experiment, Presets } from "../ec/index.ts";
import type { Endpoint } from "../transport/index.ts";
import type { CallParams } from "../transport/methods.ts";
import { isPresetMethod } from "../transport/preset-methods.ts";
import { type PageFiles, PRESETS_FILE } from "./page-options.ts";

/** An Endpoint that also keeps presets for the page, in the file of `sacla presets`; `control` answers the rest. */
export function withPresets(control: Endpoint, { presets: file = PRESETS_FILE, experiment }: PageFiles): Endpoint {
  const kept = new Presets(file);
  const snapshot = async (bl: number) => {
    const named = experiment === undefined ? undefined : await Experiment.load(experiment);
    const view = await new Ec(control).view(bl, { experiment: named?.bl === bl ? named : undefined });
    return await view.snapshot();
  };
  const handle = {
    "page.presets": async () => ({ file, presets: await kept.list() }),
    "page.savePreset": async ({ bl, name, comment }: CallParams<"page.savePreset">) => {
      await kept.save(name, await snapshot(bl), comment);
      return await kept.get(name);
    },
    "page.removePreset": async ({ name, comment }: CallParams<"page.removePreset">) => {
      await kept.remove(name, comment);
      return {};
    },
  } as const;
  return {
    call: async (method, params, options) =>
      isPresetMethod(method)
        ? ((await (handle[method] as (params: unknown) => Promise<unknown>)(params)) as never)
        : await control.call(method, params, options),
    stream: (method, params, options) => control.stream(method, params, options),
    close: async () => await control.close(),
  };
}
