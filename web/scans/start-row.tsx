/** Who starts a scan and why, and the button. */
export function StartRow({
  label,
  isReady,
  isHeld,
  onStart,
}: {
  readonly label: string;
  readonly isReady: boolean;
  /** Whether this window holds the lease. */
  readonly isHeld: boolean;
  readonly onStart: (name: string, reason: string) => void;
}) {
  return (
    <form
      className="row"
      onSubmit={(event) => {
        event.preventDefault();
        const form = new FormData(event.currentTarget);
        const name = String(form.get("name") ?? "").trim();
        localStorage.setItem("sacla name", name);
        onStart(name, String(form.get("reason") ?? "").trim());
      }}
    >
      <label>
        your name <input name="name" required maxLength={60} defaultValue={localStorage.getItem("sacla name") ?? ""} />
      </label>
      <label>
        reason <input name="reason" maxLength={200} placeholder="scan" />
      </label>
      <button type="submit" disabled={!isReady}>
        {label}
      </button>
      {isHeld ? <span>Your lease goes over to the scan.</span> : null}
    </form>
  );
}
