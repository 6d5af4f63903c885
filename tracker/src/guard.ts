/** Wraps f so that whatever it throws ends here: a page must not break because it is measured. */
export const guarded =
  <A extends unknown[]>(f: (...args: A) => void) =>
  (...args: A) => {
    try {
      f(...args);
    } catch {
      // Nobody could act on it, and a message would be noise in the console of somebody else's page.
    }
  };

/** Listens, guarded, at the window, which in the capture phase hears the document's events before anybody can stop them. */
export const on = <E extends Event>(type: string, f: (event: E) => void) =>
  addEventListener(type, guarded(f as (event: Event) => void), true);
