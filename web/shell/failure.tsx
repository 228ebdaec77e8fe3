/** An error message; nothing when there is none. */
export function Failure({ text }: { readonly text: string | null | undefined }) {
  if (text === null || text === undefined) return null;
  return (
    <p role="alert" className="bad">
      {text}
    </p>
  );
}
