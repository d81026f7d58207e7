/** What a tool gets of the environment of a person. Pure. */

/** How programs are found, and how they write; a folder for what is short-lived. neo4j-admin is run by a Java. */
const TAKEN = /^(?:PATH|LANG|LC_[A-Z]+|TZ|TMPDIR|JAVA_HOME)$/;

/**
 * The variables that lead a tool nowhere else: a terminal may have some that name a server (PGHOSTADDR, PGSERVICE, MYSQL_HOST), and what
 * was found to be empty has to be what is restored into. HOME is none of them: tools read settings of a person's own there.
 */
export function ownEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => TAKEN.test(name)));
}
