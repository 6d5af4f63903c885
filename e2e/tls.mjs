// What a site's operator has in front of daysalt: a server that speaks TLS, serves the sites' pages, and passes daysalt's requests on.
import { once } from 'node:events';
import { request as ask } from 'node:http';
import { createServer } from 'node:https';
import { makeCertificate } from './certificate.mjs';

/** Who the visitors are, as the proxy tells daysalt; an address that nobody has. */
const visitor = '198.51.100.7';

/**
 * Serves sites over TLS on one port of 127.0.0.1.
 *
 * pages is a map of host to a map of path to HTML, or to { type, body }. What daysalt says is at stats.test, and at its paths on hosts
 * for which `proxied` is true. Everything that was asked of daysalt is in `log`, with what was answered.
 */
export async function serveSites({ daysalt, hosts, proxied = () => false }) {
  const pages = {};
  const log = [];
  const isDaysalt = (host, path) =>
    host === 'stats.test' ||
    (proxied(host) && (path === '/opt-out' || path === '/api/event' || path.startsWith('/js/')));

  const server = createServer(makeCertificate(hosts), async (request, response) => {
    const { pathname } = new URL(request.url, 'https://x');
    const host = request.headers.host.split(':')[0];
    if (isDaysalt(host, pathname)) {
      return passOn(request, response, { host, path: pathname });
    }
    const page = pages[host]?.[pathname];
    response.writeHead(page ? 200 : 404, {
      'content-type': page?.type ?? 'text/html; charset=utf-8',
      ...page?.headers,
    });
    response.end(page?.body ?? page ?? '');
  });

  async function passOn(request, response, entry) {
    const parts = [];
    for await (const part of request) parts.push(part);
    const { 'x-forwarded-for': _, ...headers } = request.headers;
    const onward = ask(daysalt.base + request.url, {
      method: request.method,
      headers: { ...headers, 'x-forwarded-for': visitor, 'x-forwarded-proto': 'https' },
    });
    onward.end(Buffer.concat(parts));
    const [answer] = await once(onward, 'response');
    log.push({
      ...entry,
      method: request.method,
      from: request.headers.origin ?? request.headers.referer,
      cookie: request.headers.cookie,
      body: Buffer.concat(parts).toString(),
      status: answer.statusCode,
      dropped: answer.headers['x-plausible-dropped'],
      setCookie: answer.headers['set-cookie']?.[0],
      location: answer.headers.location,
    });
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  return {
    port,
    log,
    pages,
    origin: (host) => `https://${host}:${port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Every host is here, no certificate is asked about. */
export const tlsFlags = ['--ignore-certificate-errors'];
