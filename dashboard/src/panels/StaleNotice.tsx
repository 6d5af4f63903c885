import { useAnswer } from '../api/adapter.ts';
import { totals } from '../api/questions.ts';
import { useSiteView } from '../state/siteview.ts';
import { Stale } from '../ui/Notice.tsx';

/** Says so when the numbers on the screen can no longer be refreshed. The top numbers stand for all: they share their requests. */
export function StaleNotice() {
  const { site, view } = useSiteView();
  const { data, error, retry } = useAnswer(totals(site.domain, view));
  return error && data ? <Stale detail={error.message} onRetry={retry} /> : null;
}
