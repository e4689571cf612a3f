/** The peers that may use the MCMP listener without a client certificate: `10.0.0.0/8`, or `10.0.0.0/8=TOKEN`. */
import { CidrList, type IpAddress } from '../network/addresses.ts';

interface AllowedRange {
  readonly range: CidrList;
  /** The peers stand for this token; `undefined`: for none. */
  readonly token: string | undefined;
}

export class AllowedPeers {
  readonly #ranges: readonly AllowedRange[];

  /** Throws for an invalid range, because a range dropped silently would change the policy. */
  constructor(entries: readonly string[]) {
    this.#ranges = entries.map((entry) => {
      const [range = '', token] = entry.split('=', 2);
      return { range: new CidrList([range]), token };
    });
  }

  /** The first range of the address; `undefined` for none. */
  find(address: IpAddress | undefined): Pick<AllowedRange, 'token'> | undefined {
    return this.#ranges.find(({ range }) => range.has(address));
  }
}
