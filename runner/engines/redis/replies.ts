/** Reads the servers' answers: texts and lists in, plain values out. Pure. */
import { StillpointError } from '../../errors';
import type { Reply } from './connection';

/** What INFO says, by field; sections are dropped, their fields have names of their own. */
export type Info = Readonly<Record<string, string>>;

/** The fields of INFO's text. */
export function infoOf(reply: Reply): Info {
  return Object.fromEntries(
    textOf(reply)
      .split('\r\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  );
}

/** Values by name. */
export type Fields = Readonly<Record<string, string>>;

/** Whether an answer is a list. */
export function isList(reply: Reply): reply is readonly Reply[] {
  return Array.isArray(reply);
}

/** The values of a list of names and values, as CONFIG GET and sentinels answer. */
export function fieldsOf(reply: Reply): Fields {
  const flat = isList(reply) ? reply.map(String) : [];
  return Object.fromEntries(flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1] ?? '']] : [])));
}

/** The fields of a client in CLIENT INFO and CLIENT LIST: `id=3 addr=… laddr=…`. */
export function clientOf(reply: Reply): Readonly<Record<string, string>> {
  const fields = textOf(reply).trim().split(' ');
  return Object.fromEntries(
    fields.flatMap((field) =>
      field.includes('=') ? [[field.slice(0, field.indexOf('=')), field.slice(field.indexOf('=') + 1)]] : [],
    ),
  );
}

/** The address in `10.1.2.3:6379` or `[::1]:6379`; undefined where there is none (a Unix socket). */
export function addressOf(peer: string | undefined): string | undefined {
  const address = /^(.*):\d+$/.exec(peer ?? '')?.[1]?.replace(/^\[(.*)\]$/, '$1');
  return address === undefined || address === '' || address.startsWith('/') ? undefined : address;
}

/** Keys by database, as `db0=12 db3=1`; empty where there are none. */
export function keysOf(info: Info): string {
  return Object.entries(info)
    .flatMap(([name, text]) => (/^db\d+$/.test(name) ? [`${name}=${/keys=(\d+)/.exec(text)?.[1] ?? '0'}`] : []))
    .join(' ');
}

/** How many keys `db0=12 db3=1` are together. */
export function sumOfKeys(keys: string): number {
  return keys.split(' ').reduce((sum, each) => sum + Number(each.split('=')[1] ?? '0'), 0);
}

/** An answer that has to be a text. */
export function textOf(reply: Reply): string {
  if (typeof reply === 'string') return reply;
  throw new StillpointError('internal', `the server answered ${typeof reply} where a text was expected`);
}
