/** What a client may do: `read` only reads, `control` also changes something. */
export type Role = "read" | "control";

/** The authenticated client of a request; role null: unknown. */
export interface Client {
  readonly name: string;
  readonly role: Role | null;
}
