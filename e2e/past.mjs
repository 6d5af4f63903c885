// A month of a small site's traffic, the same each time it is made: lines as `daysalt import events` takes them.

const agents = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1',
  'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15',
  'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0',
];
const pages = ['/', '/pricing', '/blog/salt', '/docs/start', '/about', '/blog/midnight'];
const sources = [
  '',
  '',
  'https://www.google.com/',
  'https://news.ycombinator.com/',
  'https://duckduckgo.com/',
  'https://github.com/',
];
// Networks of several countries; the last number is made up.
const networks = ['91.10.4', '80.110.2', '81.6.3', '86.200.5', '8.8.8', '133.11.9', '194.109.6'];

/** Small numbers first: how popular a page or an agent is. */
const skewed = (random, n) => Math.floor(random() ** 2 * n);

/** A number from 0 to 1, the same sequence for the same seed (mulberry32). */
function seeded(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Lines of the days before today in UTC, and how many visitors and pageviews they are. Everybody comes once, between 7 and 22 o'clock. */
export function pastDays(domain, days, now = new Date()) {
  const random = seeded(7);
  const midnight = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate());
  const lines = [];
  const expected = { visitors: 0, pageviews: 0 };
  for (let ago = days; ago >= 1; ago--) {
    const weekday = new Date(midnight - ago * 86_400_000).getUTCDay();
    const people = 60 + Math.floor(random() * 30) + (days - ago) * 2 - (weekday % 6 === 0 ? 35 : 0);
    for (let person = 0; person < people; person++) {
      const who = {
        d: domain,
        ua: agents[skewed(random, agents.length)],
        // The person's number is in the address, so that no two of a day are one.
        ip: `${networks[skewed(random, networks.length)]}.${(person % 250) + 1}`,
      };
      let at = midnight - ago * 86_400_000 + (7 + random() * 14) * 3_600_000;
      const views = 1 + skewed(random, 6);
      for (let view = 0; view < views; view++) {
        const line = {
          time: new Date(at).toISOString(),
          ...who,
          n: 'pageview',
          u: `https://${domain}${pages[skewed(random, pages.length)]}`,
        };
        if (view === 0) line.r = sources[skewed(random, sources.length)];
        lines.push(line);
        at += (20 + random() * 200) * 1000;
      }
      expected.visitors++;
      expected.pageviews += views;
    }
  }
  lines.sort((a, b) => (a.time < b.time ? -1 : 1));
  return { text: `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`, expected };
}
