// Keeps what is on the screen fresh, and only that: nothing is asked while the page is hidden, everything that has gone
// stale is asked once when it is shown again.
import type { Query, QueryClient } from '@tanstack/query-core';
import { ApiError } from './client.ts';

/** An event is in answers within 2 s; with this it is on the screen within 5 s of the visit. */
export const LIVE_MS = 3_000;

/** Starts refreshing; the returned function stops it. */
export function startPulse(client: QueryClient): () => void {
  // One beat for both: "0 current visitors" above a visit of this minute would look like an error.
  const beat = createBeat(LIVE_MS, () => refresh(client));
  const onVisibility = () => {
    const visible = document.visibilityState === 'visible';
    visible ? beat.start() : beat.stop();
    if (visible) void refresh(client);
  };
  document.addEventListener('visibilitychange', onVisibility);
  if (document.visibilityState === 'visible') beat.start();
  return () => {
    document.removeEventListener('visibilitychange', onVisibility);
    beat.stop();
  };
}

/**
 * Asks for what is stale: live answers are at once, past days after minutes, and what has failed until it is answered. What was
 * asked wrongly is not asked again.
 */
function refresh(client: QueryClient): Promise<void> {
  return client.refetchQueries(
    { type: 'active', stale: true, predicate: mayBeAnswered },
    { cancelRefetch: false },
  );
}

function mayBeAnswered({ state: { error } }: Query): boolean {
  return !(error instanceof ApiError && error.again === 'never');
}

/** A timer that waits for its work: a slow server is asked less often, never twice at once. */
function createBeat(every: number, work: () => Promise<void>) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let run = 0;
  const beat = async (mine: number) => {
    const started = performance.now();
    await work();
    if (mine === run)
      timer = setTimeout(beat, Math.max(every / 4, every - (performance.now() - started)), mine);
  };
  return {
    start() {
      clearTimeout(timer);
      run++;
      timer = setTimeout(beat, every, run);
    },
    stop() {
      clearTimeout(timer);
      run++;
    },
  };
}
