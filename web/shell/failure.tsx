/** An error message; nothing when there is none. */
export function Failure({ text }: { readonly text: string | null | undefined }) {
  if (text === null || text === undefined) return null;
  return (
    <p role="alert" className="bad">
      {text}
    </p>
  );
}

/** In place of a value that is not there yet: the error when there is one, else what is being done. */
export function Pending({ error, text }: { readonly error: string | undefined; readonly text: string }) {
  return error === undefined ? <p role="status">{text}</p> : <Failure text={error} />;
}
