import { errorCatalogue } from "../../src/core/errors.ts";

/** docs/errors.md, from the error catalogue. */
export function errorsPage(): string {
  const rows = Object.entries(errorCatalogue).map(
    ([code, { facility, meaning, next }]) => `| \`${code}\` | ${facility ? "yes" : ""} | ${meaning} | ${next} |`,
  );
  return `# Errors

Every failure is a \`SaclaError\` with a \`code\` from this closed list, a \`message\` that names the value, what was
allowed and the next step, and \`details\` for programs. What the facility itself refuses is thrown by the mirrored
modules as their own \`APIError\` (\`db.APIError\`, \`st.APIError\`), as in Python; those codes are marked.

\`\`\`ts
import { connect, isSaclaError } from "sacla";

await using facility = await connect();
try {
  await facility.db.readRuninfo(3, 1);
} catch (error) {
  if (!isSaclaError(error, "UNKNOWN_RUN")) throw error;
  console.log(error.message);
}
\`\`\`

Match on \`code\` with \`isSaclaError(error, …codes)\`, not with \`instanceof\`: it also works when two copies of the
package are loaded. The command line prints the code, the message and the next step, and exits with 2 when it was asked
wrongly (\`BAD_ARGUMENT\`, \`BAD_URL\`), 130 when interrupted, 1 otherwise.

| code | APIError | meaning | what to do |
|---|---|---|---|
${rows.join("\n")}
`;
}
