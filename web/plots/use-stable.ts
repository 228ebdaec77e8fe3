import { useRef } from "react";

/** The same object as long as the key is the same: by default, what is in it. */
export function useStable<T>(value: T, key: string | null = JSON.stringify(value)): T {
  const kept = useRef({ value, key });
  if (kept.current.key !== key) kept.current = { value, key };
  return kept.current.value;
}
