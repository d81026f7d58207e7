import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { databaseOf } from '../../../../runner/engines/mysql/select';

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** What comes out, the same however the dump is cut into chunks. */
async function select(dump: string, database: string): Promise<string> {
  const results = new Set<string>();
  for (const size of [1, 7, 1 << 20]) {
    results.add((await buffer(databaseOf(inPieces(Buffer.from(dump), size), database))).toString());
  }
  expect(results.size).toBe(1);
  return [...results][0] ?? '';
}

const SETUP = "-- MySQL dump 10.13\n\n/*!40101 SET NAMES utf8mb4 */;\n/*!40103 SET TIME_ZONE='+00:00' */;\n\n--\n";
const section = (name: string, content: string): string =>
  `-- Current Database: \`${name}\`\n--\n\nCREATE DATABASE \`${name}\`;\n\nUSE \`${name}\`;\n${content}`;
/** All that looks like the beginning of another database, and is none. */
const FORGED = '\nUSE `other`;\n-- Current Database: `other`\n';

describe('one database out of a dump of all, as mysqldump and mariadb-dump write it', () => {
  it.each<[what: string, content: string]>([
    ['nothing', ''],
    ['rows', "INSERT INTO `t` VALUES (1,'it\\'s \\\\','-- a'),(2,'USE `x`;\\n',0xFF);\nSELECT 1;\n"],
    ['a string of two quotes', `INSERT INTO \`t\` VALUES ('it''s${FORGED}');\nSELECT 1;\n`],
    ['a string over lines', `CREATE TABLE t (n INT) COMMENT='it\\'s${FORGED}\\\\';\nSELECT 1;\n`],
    ['a string in double quotes', `SELECT "it's \\"${FORGED}";\nSELECT 1;\n`],
    ['a name over lines', `CREATE TABLE \`it's \`\`${FORGED}\` (n INT);\nSELECT 1;\n`],
    ['a comment over lines', `/* it's${FORGED} */\nSELECT 1;\n`],
    ['a comment with a version', `/*!50003 CREATE*/ /*M!100000 TRIGGER x SET @a='*/${FORGED}' */;;\nSELECT 1;\n`],
    ['quotes in comments', "-- it's\n# it's\nSELECT 1;\n"],
    ['two dashes that are no comment', `SELECT 1--'it${FORGED}';\nSELECT 1;\n`],
    [
      'a routine without escapes',
      `/*!50003 SET sql_mode              = 'NO_BACKSLASH_ESCAPES' */ ;\nDELIMITER ;;\nSELECT '\\';;\nDELIMITER ;\n/*!50003 SET sql_mode              = @saved_sql_mode */ ;\nSELECT '\\'${FORGED}';\n`,
    ],
    [
      'a routine without escapes at the end',
      "/*!50003 SET sql_mode              = 'NO_BACKSLASH_ESCAPES' */ ;\nDELIMITER ;;\nSELECT '\\';;\nDELIMITER ;\n/*!50003 SET sql_mode              = @saved_sql_mode */ ;\n",
    ],
    ['letters of other alphabets', "INSERT INTO `t` VALUES ('ö 🙂');\n"],
  ])('with %s', async (_, content) => {
    const dump = `${SETUP}${section('a', 'DROP TABLE a;\n')}${section('shop', content)}${section('z', 'DROP TABLE z;\n')}`;
    expect(await select(dump, 'shop')).toBe(`${SETUP}${content}`);
  });

  it('its views come later, and so does the end of the session', async () => {
    const dump = `${SETUP}${section('shop', 'TABLES;\n')}${section('z', 'OTHERS;\n')}-- Current Database: \`shop\`\n--\n\nUSE \`shop\`;\nVIEWS;\n-- Dump completed\n`;
    expect(await select(dump, 'shop')).toBe(`${SETUP}TABLES;\nVIEWS;\n-- Dump completed\n`);
  });

  it('of a name with quotes and other letters', async () => {
    expect(await select(`${section('we``ird ö', 'X;\n')}${section('b', 'Y;\n')}`, 'we`ird ö')).toBe('X;\n');
  });

  it('is none that the dump does not hold, nor one that cannot be told apart', async () => {
    await expect(select(section('a', ''), 'nosuch')).rejects.toMatchObject({
      code: 'restore-failed',
      message: 'the dump holds no database "nosuch"',
    });
    await expect(select(section('a', "SELECT 'open\n"), 'a')).rejects.toMatchObject({
      code: 'restore-failed',
      message: 'the database "a" cannot be told from the others in the dump',
    });
  });
});
