import './styles/index.css';
import { render } from 'preact';
import { ClientContext, createClient } from './api/adapter.ts';
import { loadBootstrap } from './api/bootstrap.ts';
import { startPulse } from './api/pulse.ts';
import { t } from './i18n/index.ts';
import { App } from './pages/App.tsx';
import { applyTheme } from './state/prefs.ts';
import { Failure } from './ui/Notice.tsx';

/** Builds everything in order: theme, data block, client, pulse, page. */
async function start(root: HTMLElement): Promise<void> {
  try {
    const bootstrap = await loadBootstrap();
    const client = createClient();
    client.mount();
    startPulse(client);
    render(
      <ClientContext.Provider value={client}>
        <App bootstrap={bootstrap} />
      </ClientContext.Provider>,
      root,
    );
  } catch (error) {
    const detail = error instanceof Error ? error.message : '';
    render(
      <Failure title={t('sites.failed')} detail={detail} onRetry={() => void start(root)} />,
      root,
    );
  }
}

applyTheme(document.documentElement);
const root = document.getElementById('app');
if (root) void start(root);
