// A self-signed certificate, made anew for each run, so that no key lies in the repository and no program is needed to make one.
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';

/** A value in DER: its tag, its length, its bytes. */
function der(tag, ...parts) {
  const body = Buffer.concat(parts);
  const length =
    body.length < 128
      ? [body.length]
      : body.length < 256
        ? [0x81, body.length]
        : [0x82, body.length >> 8, body.length & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}

const sequence = (...parts) => der(0x30, ...parts);
const bits = (...parts) => der(0x03, Buffer.from([0]), ...parts);
const ecdsaWithSHA256 = sequence(der(0x06, Buffer.from('2a8648ce3d040302', 'hex')));
const commonName = Buffer.from('550403', 'hex');
const alternativeNames = Buffer.from('551d11', 'hex');

/** A date as certificates have it, in UTC to the second. */
const time = (date) =>
  der(0x18, Buffer.from(`${date.toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`));

/** Makes a key and a certificate for host names, as PEM, good for a day. */
export function makeCertificate(hosts) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const name = sequence(
    der(0x31, sequence(der(0x06, commonName), der(0x0c, Buffer.from('daysalt tests')))),
  );
  const names = sequence(...hosts.map((host) => der(0x82, Buffer.from(host))));
  const day = 86_400_000;
  const statement = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))), // version 3
    der(0x02, Buffer.from([1]), randomBytes(8)),
    ecdsaWithSHA256,
    name,
    sequence(time(new Date(Date.now() - day)), time(new Date(Date.now() + day))),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(sequence(der(0x06, alternativeNames), der(0x04, names)))),
  );
  const certificate = sequence(
    statement,
    ecdsaWithSHA256,
    bits(sign('sha256', statement, privateKey)),
  );
  const lines = certificate.toString('base64').match(/.{1,64}/g);
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    cert: ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n'),
  };
}
