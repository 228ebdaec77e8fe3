import { Option } from "commander";
import { textTable } from "../../plot/text.ts";
// Not from index.ts, which would have every command wait for what only a server needs.
import { type KeyEntry, Keys, newCurveKey, newToken, revokeKey, roles } from "../../server/keys.ts";
import type { Role } from "../../server/service.ts";
import { type AddCommand, print } from "../command.ts";

interface Common {
  readonly keys: string;
  readonly json?: boolean;
}
interface NewOptions extends Common {
  readonly role: Role;
  readonly curve?: string;
}

/** `sacla keys`: who may ask a server. */
export const keys: AddCommand = (program, io) => {
  const command = program
    .command("keys")
    .description("the clients that `sacla serve --keys` lets in: new, list, revoke");
  const file = (): Option => new Option("--keys <file>", "file of the clients").default("sacla-keys.json");

  command
    .command("new")
    .description("make a token for HTTP and print it, this once; or with --curve a key pair for ZeroMQ")
    .argument("<name>", "whose it is, for logs and the audit")
    .addOption(
      new Option(
        "--role <role>",
        "read: ask; control: also change things; operator: answer requests to the accelerator",
      )
        .choices(roles)
        .default("read"),
    )
    .option("--curve <file>", "write a CURVE key pair for the client to this file instead")
    .addOption(file())
    .option("--json", "print one JSON object")
    .action((name: string, { role, curve, keys: path, json }: NewOptions) => {
      if (curve !== undefined) {
        const entry = newCurveKey(path, name, role, curve);
        const text =
          `${described(entry)}. Give ${curve} to the client by a safe way; it is used so:\n` +
          `  SACLA_KEY_FILE=${curve} SACLA_URL=tcp://host:port sacla runs`;
        return print(io, json === true, { json: { ...entry, file: curve }, text });
      }
      const { entry, token } = newToken(path, name, role);
      const text =
        `${described(entry)}. Its token is shown only now:\n\n  ${token}\n\nIt is used so:\n` +
        "  SACLA_TOKEN=… SACLA_URL=https://host:port sacla runs";
      print(io, json === true, { json: { ...entry, token }, text });
    });

  command
    .command("list")
    .description("list the clients; never a secret")
    .addOption(file())
    .option("--json", "print one JSON object")
    .action(({ keys: path, json }: Common) => {
      const all = Keys.open(path);
      const rows = all.list().map(({ id, name, role, kind, made }) => [id, name, role, kind, made]);
      const text =
        `${textTable(["id", "name", "role", "kind", "made"], rows)}\n` +
        `public key of the server: ${all.server.publicKey}`;
      print(io, json === true, { json: { serverKey: all.server.publicKey, keys: all.list() }, text });
    });

  command
    .command("revoke")
    .description("take a client out; a server that runs refuses it from then on")
    .argument("<key>", "its id or name")
    .addOption(file())
    .option("--json", "print one JSON object")
    .action((which: string, { keys: path, json }: Common) => {
      const entry = revokeKey(path, which);
      print(io, json === true, { json: entry, text: `${described(entry)}: revoked` });
    });
};

function described({ id, name, role, kind }: KeyEntry): string {
  return `key ${id} of ${name}, role ${role}, for ${kind === "token" ? "HTTP" : "ZeroMQ"}`;
}
