/** Wraps f so that whatever it throws ends here: a page must not break because it is measured. */
export function guarded<A extends unknown[]>(f: (...args: A) => void): (...args: A) => void {
  return (...args) => {
    try {
      f(...args);
    } catch {
      // Nobody could act on it, and a message would be noise in the console of somebody else's page.
    }
  };
}

/** Listens for an event, guarded. */
export function on<E extends Event>(target: EventTarget, type: string, f: (event: E) => void) {
  target.addEventListener(type, guarded(f as (event: Event) => void));
}
