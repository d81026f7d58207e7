import ts from 'typescript';
import { describe, expect, it } from 'vitest';

/**
 * The public face stays fit for jsii, so that users of Python, Go and Java can be served later: flat readonly props with
 * defaults that are told, classes with factories in place of unions, no generics and no callbacks.
 */

const program = ts.createProgram(['src/index.ts'], {
  strict: true,
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  skipLibCheck: true,
  types: ['node'],
});
const checker = program.getTypeChecker();

const index = program.getSourceFile('src/index.ts');
const module = index && checker.getSymbolAtLocation(index);
if (module === undefined) throw new Error('src/index.ts is no module');

const exported = checker
  .getExportsOfModule(module)
  .map((symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol));

type Declared = ts.InterfaceDeclaration | ts.ClassDeclaration | ts.EnumDeclaration;
const declarations = exported.flatMap((symbol) => (symbol.declarations ?? []) as Declared[]);
const interfaces = declarations.filter((node) => ts.isInterfaceDeclaration(node));
const classes = declarations.filter((node) => ts.isClassDeclaration(node));

const nameOf = (node: ts.Node & { name?: ts.Node | undefined }): string => node.name?.getText() ?? 'constructor';
const has = (node: ts.Node, kind: ts.SyntaxKind): boolean =>
  ts.canHaveModifiers(node) && (ts.getModifiers(node) ?? []).some((modifier) => modifier.kind === kind);
const hidden = (node: ts.Node): boolean =>
  has(node, ts.SyntaxKind.PrivateKeyword) || ts.getJSDocTags(node).some((tag) => tag.tagName.text === 'internal');
const documented = (node: ts.Node): boolean => ts.getJSDocCommentsAndTags(node).some(ts.isJSDoc);

/** Every type that a public member takes or gives, with the member's name. */
const types = declarations.flatMap((owner) => {
  const members: readonly ts.Node[] = owner.members;
  return members
    .filter((member) => !hidden(member))
    .flatMap((member) => {
      const parts = ts.isFunctionLike(member) ? [...member.parameters, member] : [member];
      return parts.flatMap((part) => {
        const type = (part as { type?: ts.TypeNode }).type;
        return type === undefined ? [] : [{ where: `${nameOf(owner)}.${nameOf(member as never)}`, type }];
      });
    });
});

describe('the public face', () => {
  it('is found', () => {
    expect(exported.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['PostgresBackup', 'PostgresBackupProps', 'BackupSchedule', 'RestoreClaim', 'Registry']),
    );
    expect(types.length).toBeGreaterThan(80);
  });

  it('is classes, interfaces and enums', () => {
    const others = exported.filter(
      ({ flags }) => !(flags & (ts.SymbolFlags.Class | ts.SymbolFlags.Interface | ts.SymbolFlags.Enum)),
    );
    expect(others.map(({ name }) => name)).toEqual([]);
  });

  it('is documented, each member', () => {
    const bare = declarations.flatMap((owner) => [
      ...(documented(owner) ? [] : [nameOf(owner)]),
      ...[...owner.members]
        .filter((member) => !hidden(member) && !ts.isConstructorDeclaration(member) && !documented(member))
        .map((member) => `${nameOf(owner)}.${nameOf(member as never)}`),
    ]);
    expect(bare).toEqual([]);
  });

  it('has readonly props, and tells the default of each that may be left out', () => {
    const props = interfaces.flatMap((owner) =>
      [...owner.members].map((member) => ({ where: `${nameOf(owner)}.${nameOf(member as never)}`, member })),
    );
    const writable = props.filter(
      ({ member }) => ts.isPropertySignature(member) && !has(member, ts.SyntaxKind.ReadonlyKeyword),
    );
    expect(writable.map(({ where }) => where)).toEqual([]);
    const silent = props.filter(
      ({ where, member }) =>
        member.questionToken !== undefined &&
        !/^I[A-Z]/.test(where) &&
        !ts.getJSDocTags(member).some((tag) => tag.tagName.text === 'default' && tag.comment),
    );
    expect(silent.map(({ where }) => where)).toEqual([]);
  });

  it('has no defaults on props that must be given', () => {
    const odd = interfaces
      .flatMap((owner) => [...owner.members])
      .filter((member) => member.questionToken === undefined)
      .filter((member) => ts.getJSDocTags(member).some((tag) => tag.tagName.text === 'default'));
    expect(odd.map((member) => nameOf(member as never))).toEqual([]);
  });

  it('has no generics, unions, callbacks, tuples or anonymous objects but maps', () => {
    const misfit = types.filter(({ type }) => {
      if (ts.isUnionTypeNode(type) || ts.isFunctionTypeNode(type) || ts.isTupleTypeNode(type)) return true;
      return ts.isTypeLiteralNode(type) && !type.members.every((member) => ts.isIndexSignatureDeclaration(member));
    });
    expect(misfit.map(({ where, type }) => `${where}: ${type.getText()}`)).toEqual([]);
    expect([...interfaces, ...classes].filter(({ typeParameters }) => typeParameters).map(nameOf)).toEqual([]);
  });

  it('keeps what is internal out of the declarations', () => {
    const leaking = classes
      .flatMap((owner) => [...owner.members])
      .filter((member) => nameOf(member as never).startsWith('_') && !hidden(member));
    expect(leaking.map((member) => nameOf(member as never))).toEqual([]);
  });
});
