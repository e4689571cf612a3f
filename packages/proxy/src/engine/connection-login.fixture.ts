/**
 * A node that binds identity to its TCP connection, as IIS does with NTLM and Kerberos. It answers `Authorization: NTLM first USER` with a
 * challenge of this connection; `NTLM third USER CHALLENGE` logs in. `Negotiate USER` logs in at once. So does `Kerberos USER`, which
 * shows only in `Persistent-Auth`. Without a login every request is 401.
 */
import { randomBytes } from 'node:crypto';
import type { RawNodeConnection } from './raw-node.fixture.ts';

/** The field with which the node requests a login. */
export const CHALLENGES: readonly string[] = [
  'WWW-Authenticate: NTLM\r\n',
  'www-authenticate: negotiate\r\n',
  'WWW-Authenticate: Basic realm="a, b"\r\nWWW-Authenticate: NTLM\r\n',
  'WWW-Authenticate: Basic realm="a", NTLM\r\n',
  'WWW-Authenticate: Newauth a="1", b=2,\tNegotiate , Basic realm="NTLM"\r\n',
];

export function loginNode(challenge: string): (connection: RawNodeConnection) => void {
  return (connection) => {
    let user = '';
    let pending = '';
    let read = 0;
    connection.socket.on('end', () => connection.socket.end());
    connection.socket.on('data', () => {
      for (;;) {
        const end = connection.received.indexOf('\r\n\r\n', read);
        if (end < 0) return;
        const head = connection.received.slice(read, end);
        read = end + 4 + Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
        const [, target = ''] = head.split(' ');
        const [, scheme = '', one = '', who = '', answer = ''] =
          /^authorization:\s*(\S+) ?(\S*) ?(\S*) ?(\S*)$/im.exec(head) ?? [];
        connection.write(respond(scheme.toLowerCase(), one, who, answer));
        if (target === '/last') connection.socket.end();
      }
    });
    const respond = (scheme: string, one: string, who: string, answer: string): string => {
      if (scheme === 'ntlm' && one === 'first') {
        user = '';
        pending = randomBytes(6).toString('hex');
        return refusal(`WWW-Authenticate: NTLM ${pending}\r\n`);
      }
      let fields = '';
      if (scheme === 'ntlm' && one === 'third' && pending !== '' && answer === pending) user = who;
      else if (scheme === 'ntlm') user = '';
      if (scheme === 'negotiate') user = one;
      if (scheme === 'kerberos') {
        user = one;
        fields = 'Persistent-Auth: true\r\n';
      }
      pending = '';
      const text = `hello ${user}.`;
      return user === ''
        ? refusal(challenge)
        : `HTTP/1.1 200 OK\r\n${fields}Content-Length: ${text.length}\r\n\r\n${text}`;
    };
  };
}

function refusal(fields: string): string {
  return `HTTP/1.1 401 Unauthorized\r\n${fields}Content-Length: 4\r\n\r\nwho?`;
}
