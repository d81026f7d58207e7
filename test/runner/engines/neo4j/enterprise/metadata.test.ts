import { describe, expect, it } from 'vitest';
import { chosenOf, statementsIn } from '../../../../../runner/engines/neo4j/enterprise/metadata';

const SCRIPT = `// what a database's users may do
:param database => 'x';
CREATE ROLE \`reader;s\` IF NOT EXISTS;
CREATE USER \`ann\` IF NOT EXISTS SET ENCRYPTED PASSWORD '1,aa;\\'b,cc' CHANGE NOT REQUIRED;
GRANT ROLE \`reader;s\` TO \`ann\`;
GRANT ACCESS ON DATABASE $database TO \`reader;s\`;
DENY MATCH {*} ON GRAPH $database NODE "Secret" TO \`reader;s\`;
GRANT ROLE MANAGEMENT ON DBMS TO \`reader;s\`
`;

describe("a backup's script of users and roles", () => {
  it('is cut at semicolons that stand in no quotes, and the words for the shell are left out', () => {
    const statements = statementsIn(SCRIPT);
    expect(statements).toHaveLength(6);
    expect(statements[1]).toBe(
      "CREATE USER `ann` IF NOT EXISTS SET ENCRYPTED PASSWORD '1,aa;\\'b,cc' CHANGE NOT REQUIRED",
    );
    expect(statementsIn('')).toEqual([]);
  });

  it.each([
    ['none', []],
    ['all', statementsIn(SCRIPT)],
    [
      'roles',
      [
        'CREATE ROLE `reader;s` IF NOT EXISTS',
        'GRANT ACCESS ON DATABASE $database TO `reader;s`',
        'DENY MATCH {*} ON GRAPH $database NODE "Secret" TO `reader;s`',
        'GRANT ROLE MANAGEMENT ON DBMS TO `reader;s`',
      ],
    ],
  ] as const)('is run as far as was chosen: %s', (choice, statements) => {
    expect(chosenOf(SCRIPT, choice)).toEqual(statements);
  });

  it.each([
    ['CALL dbms.security.createUser("ann", "geheim")', 'CALL dbms.security.createUser("ann",'],
    ["CREATE USER `a` SET PASSWORD 'geheim", 'CREATE USER'],
  ])('is refused where it is not understood, and says nothing of passwords: %s', (script, words) => {
    let thrown: unknown;
    try {
      chosenOf(script, 'roles');
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: 'tool-failed', message: expect.stringContaining(words) });
    expect(String((thrown as Error).message)).not.toContain('geheim');
  });

  it('is not looked into where none of it is wanted', () => {
    expect(chosenOf('CALL x()', 'none')).toEqual([]);
    expect(chosenOf('CALL x()', 'all')).toEqual(['CALL x()']);
  });
});
