/** Sets of transactions, as MySQL and as MariaDB write them. Pure. */

/** MySQL breaks long sets into lines; the order of a set means nothing. */
export function normalGtid(text: string): string {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .sort()
    .join(',');
}

/** The parts of a position that another does not include. */
export function missingTransactions(recorded: string, copy: string, flavour: 'mysql' | 'mariadb'): readonly string[] {
  return flavour === 'mariadb' ? missingOfDomains(recorded, copy) : missingOfSets(recorded, copy);
}

/** MariaDB: the newest of each domain and server, as `0-1-17`; what counts is the number in the domain. */
function missingOfDomains(recorded: string, copy: string): readonly string[] {
  const newest = new Map(
    copy.split(',').map((gtid) => {
      const [domain = '', , number = '0'] = gtid.split('-');
      return [domain, BigInt(number || '0')];
    }),
  );
  return recorded.split(',').filter((gtid) => {
    const [domain = '', , number = '0'] = gtid.split('-');
    return (newest.get(domain) ?? -1n) < BigInt(number);
  });
}

/** MySQL: sets of intervals of each server, as `uuid:1-17:20`. */
function missingOfSets(recorded: string, copy: string): readonly string[] {
  const there = intervalsOf(copy);
  return [...intervalsOf(recorded)].flatMap(([source, intervals]) =>
    intervals
      .filter(([from, to]) => !(there.get(source) ?? []).some(([low, high]) => low <= from && to <= high))
      .map(([from, to]) => `${source}:${from}-${to}`),
  );
}

function intervalsOf(set: string): ReadonlyMap<string, readonly (readonly [bigint, bigint])[]> {
  return new Map(
    set
      .split(',')
      .filter((part) => part !== '')
      .map((part) => {
        // MySQL 8.3 and newer may have a tag between the server and its intervals.
        const pieces = part.split(':');
        const firstInterval = pieces.findIndex((piece, index) => index > 0 && /^\d/.test(piece));
        const intervals = pieces.slice(firstInterval).map((interval) => {
          const [from = '0', to = from] = interval.split('-');
          return [BigInt(from), BigInt(to)] as const;
        });
        return [pieces.slice(0, firstInterval).join(':'), intervals] as const;
      }),
  );
}
