import { type ErrorDetails, SaclaError, show } from "../core/errors.ts";

/** Whether a host name or address is that of this computer, as only its own programs can use it. */
export function isLoopbackHost(host: string): boolean {
  return /^(localhost|::1|\[::1\]|127(\.\d{1,3}){3})$/i.test(host);
}

/** Whether only programs on this computer can reach a ZeroMQ address. */
export function isLoopback(address: string): boolean {
  const host = /^tcp:\/\/(.*):[^:]*$/.exec(address)?.[1];
  return address.startsWith("ipc://") || (host !== undefined && isLoopbackHost(host));
}

/** The error for an address that other computers can reach, of a server without keys. */
export function needsKeys(address: string, details: ErrorDetails): SaclaError {
  const text = `Other computers can reach ${show(address)}, so this server needs keys; make them with: sacla keys new`;
  return new SaclaError("NOT_ALLOWED", text, { details });
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program listens there; stop it or choose another port.",
  EACCES: "the system does not allow this port; choose one above 1023.",
  EADDRNOTAVAIL: "this computer has no such address; use 127.0.0.1, or 0.0.0.0 for all it has.",
  ENOTFOUND: "there is no host of this name; use 127.0.0.1, or 0.0.0.0 for all addresses.",
};

/** The error for an address that could not be bound. */
export function cannotBind(address: string, cause: unknown, details: ErrorDetails): SaclaError {
  const { code, message } = cause as NodeJS.ErrnoException;
  return new SaclaError("UNREACHABLE", `Cannot listen at ${address}: ${reasons[code ?? ""] ?? message}`, {
    details: { ...details, errno: code },
    cause,
  });
}
