/**
 * What a client may do: `read` only reads, `control` also changes something at the beamline, `operator` answers the
 * requests to the accelerator, which no beamline may do for itself.
 */
export type Role = "read" | "control" | "operator";

/** The authenticated client of a request; role null: unknown. */
export interface Client {
  readonly name: string;
  readonly role: Role | null;
  /** Whether it has every role: on loopback, where no keys are configured. */
  readonly hasAllRoles?: true;
}
