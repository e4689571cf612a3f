/**
 * Text of a stream, as plain octets and compressed for all viewers at once.
 *
 * The compressed octets are a piece of a deflate stream that refers to no octets before it and ends at the limit of an octet. So the pieces
 * of any frames, one after the other, are a deflate stream, and each frame is compressed once for any number of viewers.
 */
import { constants, crc32, deflateRawSync } from 'node:zlib';

export class Frame {
  readonly plain: Buffer;
  #deflated: Buffer | undefined;

  constructor(text: string) {
    this.plain = Buffer.from(text);
  }

  get bytes(): number {
    return this.plain.length;
  }

  get deflated(): Buffer {
    this.#deflated ??= deflateRawSync(this.plain, { level: 1, finishFlush: constants.Z_SYNC_FLUSH });
    return this.#deflated;
  }
}

/** How a viewer receives frames. */
export interface FrameEncoding {
  /** Octets before the first frame. */
  begin(): Buffer;
  encode(frame: Frame): Buffer;
  /** Octets after the last frame. */
  end(): Buffer;
}

const NO_OCTETS = Buffer.alloc(0);

export const PLAIN: FrameEncoding = {
  begin: () => NO_OCTETS,
  encode: (frame) => frame.plain,
  end: () => NO_OCTETS,
};

/** Member header of RFC 1952: deflate, no flags, no time, unknown system. */
const GZIP_HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
/** An empty last block of deflate. */
const LAST_BLOCK = Buffer.from([3, 0]);

/** gzip (RFC 1952) of one viewer: header, pieces, and at the end the check value of all frames. */
export class GzipEncoding implements FrameEncoding {
  #check = 0;
  #bytes = 0;

  begin(): Buffer {
    return GZIP_HEADER;
  }

  encode(frame: Frame): Buffer {
    this.#check = crc32(frame.plain, this.#check);
    this.#bytes = (this.#bytes + frame.bytes) % 2 ** 32;
    return frame.deflated;
  }

  end(): Buffer {
    const trailer = Buffer.alloc(8);
    trailer.writeUInt32LE(this.#check, 0);
    trailer.writeUInt32LE(this.#bytes, 4);
    return Buffer.concat([LAST_BLOCK, trailer]);
  }
}

/** Whether a request accepts gzip (RFC 9110, 12.5.3): `gzip` or `*`, and not with `q=0`. */
export function acceptsGzip(field: string | undefined): boolean {
  const codings = new Map<string, boolean>();
  for (const item of (field ?? '').toLowerCase().split(',').slice(0, 32)) {
    const [coding = '', ...parameters] = item.split(';').map((part) => part.trim());
    codings.set(coding, !parameters.some((parameter) => /^q=0(?:\.0{0,3})?$/.test(parameter)));
  }
  return codings.get('gzip') ?? codings.get('*') ?? false;
}
