import type { Message, Positions } from "../messages/messages.ts";

/** How a plan has left the devices it commands: what a resumed scan puts back. */
export class DeviceMemory {
  readonly #positions = new Map<string, number>();
  readonly #settings = new Map<string, number | string>();
  /** Values asked of the operators of the accelerator. */
  readonly #requests = new Map<string, number | string>();
  readonly #open = new Set<string>();

  get open(): readonly string[] {
    return [...this.#open];
  }

  take(message: Message): void {
    switch (message.kind) {
      case "move":
        for (const axis of Object.keys(message.to)) this.#positions.set(axis, message.to[axis] ?? NaN);
        break;
      case "fly":
        this.#positions.set(message.request.axis, message.request.to);
        break;
      case "set":
        this.#settings.set(message.setting, message.value);
        break;
      case "request":
        for (const [name, value] of Object.entries(message.request.to)) this.#requests.set(name, value);
        break;
      case "shutter":
        if (message.open) this.#open.add(message.name);
        else this.#open.delete(message.name);
        break;
      default:
        break;
    }
  }

  /** All but what a message puts itself. */
  without(next: Message): {
    readonly positions: Positions;
    readonly settings: readonly (readonly [string, number | string])[];
    readonly requests: Readonly<Record<string, number | string>>;
    readonly open: readonly string[];
  } {
    const asked = next.kind === "request" ? Object.keys(next.request.to) : [];
    const moved = next.kind === "move" ? Object.keys(next.to) : next.kind === "fly" ? [next.request.axis] : [];
    return {
      positions: Object.fromEntries([...this.#positions].filter(([axis]) => !moved.includes(axis))),
      settings: [...this.#settings].filter(([setting]) => !(next.kind === "set" && next.setting === setting)),
      requests: Object.fromEntries([...this.#requests].filter(([name]) => !asked.includes(name))),
      open: this.open.filter((name) => !(next.kind === "shutter" && next.name === name)),
    };
  }
}
