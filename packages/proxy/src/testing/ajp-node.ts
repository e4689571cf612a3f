/** The node's side of AJP/1.3 for tests, written without the code of the proxy. */

const METHODS =
  'OPTIONS GET HEAD POST PUT DELETE TRACE PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK ACL REPORT VERSION-CONTROL CHECKIN CHECKOUT UNCHECKOUT SEARCH MKWORKSPACE UPDATE LABEL MERGE BASELINE-CONTROL MKACTIVITY'.split(
    ' ',
  );
const FIELDS =
  'accept accept-charset accept-encoding accept-language authorization connection content-type content-length cookie cookie2 host pragma referer user-agent'.split(
    ' ',
  );
const ATTRIBUTES: Readonly<Record<number, string>> = {
  1: 'context',
  2: 'servlet_path',
  3: 'remote_user',
  4: 'auth_type',
  5: 'query_string',
  6: 'jvm_route',
  7: 'ssl_cert',
  8: 'ssl_cipher',
  9: 'ssl_session',
  12: 'secret',
  13: 'stored_method',
};

export interface Forwarded {
  readonly method: string;
  readonly protocol: string;
  readonly uri: string;
  readonly remoteAddress: string;
  readonly remoteHost: string;
  readonly server: string;
  readonly port: number;
  readonly isSsl: boolean;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly attributes: Readonly<Record<string, string>>;
}

/** Reads FORWARD_REQUEST with its header. Throws if it is not exactly one packet. */
export function readForwardRequest(packet: Buffer): Forwarded {
  let at = 0;
  const octet = (): number => packet.readUInt8(at++);
  const number = (): number => {
    at += 2;
    return packet.readUInt16BE(at - 2);
  };
  const textOf = (length: number): string => {
    at += length + 1;
    if (packet.readUInt8(at - 1) !== 0) throw new Error('no zero behind a text');
    return packet.toString('latin1', at - 1 - length, at - 1);
  };
  const text = (): string => textOf(number());
  if (number() !== 0x1234) throw new Error('wrong magic');
  if (number() !== packet.length - 4) throw new Error('wrong length');
  if (octet() !== 2) throw new Error('wrong code');
  const method = octet();
  const [protocol, uri, remoteAddress, remoteHost, server] = [text(), text(), text(), text(), text()];
  const port = number();
  const isSsl = octet() === 1;
  const fields: (readonly [string, string])[] = [];
  for (let left = number(); left > 0; left--) {
    const first = number();
    const name = first >= 0xa000 ? FIELDS[first - 0xa001]! : textOf(first);
    fields.push([name, text()]);
  }
  const attributes: Record<string, string> = {};
  for (let code = octet(); code !== 0xff; code = octet()) {
    if (code === 10) {
      const name = text();
      attributes[`other ${name}`] = text();
    } else if (code === 11) attributes['ssl_key_size'] = String(number());
    else attributes[ATTRIBUTES[code] ?? `code ${code}`] = text();
  }
  if (at !== packet.length) throw new Error('octets behind the attributes');
  return {
    method: method === 0xff ? (attributes['stored_method'] ?? '') : METHODS[method - 1]!,
    protocol: protocol!,
    uri: uri!,
    remoteAddress: remoteAddress!,
    remoteHost: remoteHost!,
    server: server!,
    port,
    isSsl,
    fields,
    attributes,
  };
}

/** A packet of a node. `length` replaces the right one. */
export function packet(payload: Buffer, length: number = payload.length): Buffer {
  return Buffer.concat([Buffer.from([0x41, 0x42, length >> 8, length & 255]), payload]);
}

export function ajpText(text: string): Buffer {
  return Buffer.concat([Buffer.from([text.length >> 8, text.length & 255]), Buffer.from(`${text}\0`, 'latin1')]);
}

/** `name`: a text, or a code. */
export function headPacket(
  status: number,
  fields: readonly (readonly [name: string | number, value: string])[] = [],
  message = 'OK',
): Buffer {
  const number = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
  return packet(
    Buffer.concat([
      Buffer.from([4]),
      number(status),
      ajpText(message),
      number(fields.length),
      ...fields.flatMap(([name, value]) => [typeof name === 'number' ? number(name) : ajpText(name), ajpText(value)]),
    ]),
  );
}

/** `tail`: Tomcat sends a zero behind the octets. */
export function chunkPacket(text: string, tail = '\0'): Buffer {
  return packet(
    Buffer.concat([Buffer.from([3, text.length >> 8, text.length & 255]), Buffer.from(text + tail, 'latin1')]),
  );
}

export function bodyRequest(bytes: number): Buffer {
  return packet(Buffer.from([6, bytes >> 8, bytes & 255]));
}

export function endPacket(mayReuse = true): Buffer {
  return packet(Buffer.from([5, mayReuse ? 1 : 0]));
}

export const PONG: Buffer = packet(Buffer.from([9]));
export const PING: Buffer = Buffer.from([0x12, 0x34, 0, 1, 10]);
