import { execFileSync } from "node:child_process";
import { join } from "node:path";

/** Files of a certificate for `localhost` and its private key, in `folder`; undefined where there is no openssl. */
export function makeCertificate(folder: string): { readonly cert: string; readonly key: string } | undefined {
  const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  const name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  try {
    execFileSync("openssl", ["req", "-x509", ...curve, ...name, "-keyout", key, "-out", cert], { stdio: "ignore" });
  } catch {
    return undefined;
  }
  return { cert, key };
}
