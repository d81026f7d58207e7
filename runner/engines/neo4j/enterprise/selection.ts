/** Which databases are backed up: by name, by pattern, or as what aliases point to. Pure. */
import type { Finding } from '../../../ports';

/** What is asked of the database `system`, over Bolt. In 4.4 a database has no type. */
export const SHOW_DATABASES = 'SHOW DATABASES YIELD *';
export const SHOW_ALIASES = 'SHOW ALIASES FOR DATABASE YIELD *';

/** What the server says of its databases; of a cluster, one row for each server that has one. */
export interface KnownDatabase {
  readonly name: string;
  readonly type?: string | undefined;
  readonly currentStatus: string;
  /** Why it is not as it should be; empty where it is. */
  readonly statusMessage?: string | undefined;
  /** The last transaction that this server has of it; undefined where it does not say. */
  readonly lastCommittedTxn?: number | undefined;
}

export interface KnownAlias {
  readonly name: string;
  /** What it points to. */
  readonly database: string;
  /** `local`, or `remote`: a database of another DBMS. */
  readonly location: string;
  /** What its owner keeps with it; from 5 on. */
  readonly properties?: Readonly<Record<string, unknown>> | undefined;
}

export interface Known {
  readonly databases: readonly KnownDatabase[];
  readonly aliases: readonly KnownAlias[];
}

/** What a policy wants: names and patterns (`customer*`, `graph?`). */
export interface Wanted {
  readonly databases: readonly string[];
  readonly aliases: readonly string[];
}

/** A physical database: the tool refuses an alias. */
export interface Selected {
  readonly name: string;
  /** The aliases that it was found by. */
  readonly aliases: readonly string[];
}

export interface Selection {
  readonly selected: readonly Selected[];
  readonly findings: readonly Finding[];
}

/** Finds them. What cannot be backed up is a finding, and does not keep the others from it. */
export function select(wanted: Wanted, known: Known): Selection {
  const findings: Finding[] = [];
  const found = new Map<string, string[]>();
  for (const pattern of wanted.databases) {
    const names = matching(pattern, known.databases);
    if (names.length === 0) findings.push(missing(`database ${pattern}`, 'there is no database of that name'));
    for (const { name } of names) take(found, name);
  }
  for (const pattern of wanted.aliases) {
    const aliases = matching(pattern, known.aliases);
    if (aliases.length === 0) findings.push(missing(`alias ${pattern}`, 'there is no alias of that name'));
    for (const alias of aliases) {
      if (alias.location === 'local') take(found, alias.database, alias.name);
      else findings.push(elsewhere(alias, pattern));
    }
  }
  const selected = [...found].map(([name, aliases]) => ({ name, aliases }));
  const byName = new Set(wanted.databases.map((each) => each.toLowerCase()));
  const unfit = selected.flatMap(({ name, aliases }) => unfitness(name, known, aliases.length > 0 || byName.has(name)));
  const left = new Set(unfit.map(({ subject }) => subject));
  return {
    selected: selected.filter(({ name }) => !left.has(subjectOf(name))).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    findings: [...findings, ...unfit],
  };
}

/** Names are told apart without regard to their case. */
function matching<T extends { readonly name: string }>(pattern: string, all: readonly T[]): readonly T[] {
  const words = pattern.toLowerCase().replaceAll(/[.+^${}()|[\]\\]/g, '\\$&');
  const expression = new RegExp(`^${words.replaceAll('*', '.*').replaceAll('?', '.')}$`);
  const names = new Set<string>();
  return all.filter(({ name }) => {
    const lower = name.toLowerCase();
    if (names.has(lower) || !expression.test(lower)) return false;
    names.add(lower);
    return true;
  });
}

function take(found: Map<string, string[]>, database: string, alias?: string): void {
  const name = database.toLowerCase();
  const aliases = found.get(name) ?? [];
  found.set(name, alias === undefined || aliases.includes(alias) ? aliases : [...aliases, alias]);
}

function unfitness(name: string, { databases }: Known, named: boolean): readonly Finding[] {
  const rows = databases.filter((row) => row.name.toLowerCase() === name);
  if (rows.length === 0) return [missing(subjectOf(name), 'an alias points to it, and it is not there')];
  if (rows.some(({ type }) => type === 'composite')) {
    return [
      {
        // Among those of a pattern it is passed over, aloud: what it is made of matches by itself, or is not meant.
        severity: named ? 'error' : 'warning',
        code: 'server-unsafe',
        subject: subjectOf(name),
        message: 'it is a composite database, which holds nothing itself',
        hint: 'name the databases that it is made of',
      },
    ];
  }
  if (rows.some(({ currentStatus }) => currentStatus === 'online')) return [];
  return [
    {
      severity: 'error',
      code: 'server-unsafe',
      subject: subjectOf(name),
      message: `it is ${rows[0]?.currentStatus}, and a database that is not online is not backed up`,
      hint: `START DATABASE ${name}`,
    },
  ];
}

function missing(subject: string, message: string): Finding {
  return { severity: 'error', code: 'database-not-found', subject, message, hint: 'see SHOW DATABASES, SHOW ALIASES' };
}

/** One that is named is wanted; among those of a pattern it is passed over, aloud. */
function elsewhere({ name }: KnownAlias, pattern: string): Finding {
  return {
    severity: /[*?]/.test(pattern) ? 'warning' : 'error',
    code: 'database-elsewhere',
    subject: `alias ${name}`,
    message: 'it points to a database of another DBMS',
    hint: 'that one has a policy of its own',
  };
}

function subjectOf(name: string): string {
  return `database ${name}`;
}
