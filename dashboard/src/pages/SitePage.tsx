import { useEffect, useMemo, useRef } from 'preact/hooks';
import { useLocation } from 'preact-iso/router';
import { useAnswer } from '../api/adapter.ts';
import type { Bootstrap } from '../api/bootstrap.ts';
import { isAnonymous, totals } from '../api/questions.ts';
import { CurrentVisitors } from '../controls/CurrentVisitors.tsx';
import { FilterBar } from '../controls/FilterBar.tsx';
import { PeriodPicker } from '../controls/PeriodPicker.tsx';
import { SiteSwitcher } from '../controls/SiteSwitcher.tsx';
import { formatDates } from '../i18n/format.ts';
import { t } from '../i18n/index.ts';
import { Breakdown } from '../panels/Breakdown.tsx';
import { MainChart } from '../panels/MainChart.tsx';
import { StaleNotice } from '../panels/StaleNotice.tsx';
import { TopNumbers } from '../panels/TopNumbers.tsx';
import { currentTime, dateLabel } from '../state/clock.ts';
import { periodOf, rangeOf } from '../state/periods.ts';
import { PANELS } from '../state/reports.ts';
import { type Site, type SiteView, SiteViewContext, useSiteView } from '../state/siteview.ts';
import { parseView, siteHref, type View } from '../state/view.ts';
import { Card } from '../ui/Card.tsx';
import { Frame } from './Frame.tsx';
import styles from './sitepage.module.css';

/** The dashboard of one site. */
export function SitePage({ site, bootstrap }: { site: Site; bootstrap: Bootstrap }) {
  const { url, route } = useLocation();
  const search = url.includes('?') ? url.slice(url.indexOf('?')).split('#', 1)[0] : '';
  const view = useMemo(() => parseView(search ?? ''), [search]);
  const anonymous = useAnonymous(site, view);
  const siteView = useMemo<SiteView>(() => {
    const href = (next: View) => siteHref(site.domain, next);
    return {
      site,
      sites: bootstrap.sites,
      view,
      anonymous,
      href,
      replace: (next) => route(href(next), true),
    };
  }, [site, bootstrap.sites, view, anonymous]);
  const { period } = view;
  useTitle(`${site.domain} · ${t(`period.${period}`)} · daysalt`);

  const bar = (
    <>
      <SiteSwitcher />
      <CurrentVisitors />
    </>
  );
  return (
    <SiteViewContext.Provider value={siteView}>
      <Frame bootstrap={bootstrap} bar={bar} end={<PeriodPicker />}>
        <Heading />
        <StaleNotice />
        <FilterBar />
        <Card labelledBy="numbers-title">
          <TopNumbers />
          <MainChart />
        </Card>
        <div class={styles.panels}>
          {PANELS.map((panel) => (
            <Breakdown key={panel.id} panel={panel} />
          ))}
        </div>
        {periodOf(period).days > 1 && !anonymous && <p class={styles.note}>* {t('metrics.sum')}</p>}
      </Frame>
    </SiteViewContext.Provider>
  );
}

/** Whether the site makes no visitor numbers. The top numbers say so; while they do not answer, what they said last holds. */
function useAnonymous(site: Site, view: View): boolean {
  const { data } = useAnswer(totals(site.domain, view));
  const said = useRef(false);
  if (data) said.current = isAnonymous(data.answer);
  return said.current;
}

/** Which days are shown. The server's answer says; until it is there, the same dates are worked out here. */
function Heading() {
  const { site, view } = useSiteView();
  const { data, busy } = useAnswer(totals(site.domain, view));
  const asked = rangeOf(view.period, dateLabel(currentTime(), site.timezone));
  const said = busy ? undefined : data?.answer.query?.date_range;
  return (
    <div class={styles.heading}>
      <h1 class={styles.title}>
        <span class="sr-only">{site.domain}: </span>
        {formatDates(said?.[0] ?? asked[0], said?.[1] ?? asked[1])}
      </h1>
      <p class={styles.sub}>
        {t(`period.note.${view.period}`)} · {t('period.zone', { zone: site.timezone })}
      </p>
    </div>
  );
}

function useTitle(title: string) {
  useEffect(() => {
    document.title = title;
  }, [title]);
}
