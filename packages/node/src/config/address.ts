export interface Address {
  readonly host: string;
  readonly port: number;
}

/** `host:port` or `[::1]:port`, port 1 to 65535; undefined if the text is neither. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const port = Number(match[3]);
  if (port < 1 || port > 65_535) return undefined;
  return { host: (match[1] ?? match[2]) as string, port };
}

const EVERY_INTERFACE = new Set(['0.0.0.0', '::']);

export function isEveryInterface(address: Address): boolean {
  return EVERY_INTERFACE.has(address.host);
}
