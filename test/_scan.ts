/** Reads TypeScript as a syntax tree, so that strings and comments are never taken for code. */
import ts from "typescript";

export interface Use {
  readonly line: number;
  /** What stands there: an import's specifier, a global's name, or an expression such as `Date.now`. */
  readonly what: string;
}

export interface Scan {
  /** Specifiers of every import, export-from, dynamic import and import type. */
  readonly imports: readonly Use[];
  /** Names that the file uses without declaring them. */
  readonly globals: readonly Use[];
  /** Property accesses as `Date.now`, or as `.name` when the object is not a plain name; calls as `new Date/0` with the number of arguments. */
  readonly members: readonly Use[];
}

export function scan(path: string, text: string): Scan {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const imports: Use[] = [];
  const names: Use[] = [];
  const members: Use[] = [];
  const declared = new Set<string>();

  const use = (list: Use[], node: ts.Node, what: string): void => {
    list.push({ line: file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1, what });
  };

  const identifier = (node: ts.Identifier): void => {
    const parent = node.parent as ts.Node & { name?: ts.Node; propertyName?: ts.Node; right?: ts.Node };
    if (ts.isShorthandPropertyAssignment(parent)) use(names, node, node.text);
    else if (parent.name === node) {
      const isProperty = ts.isPropertyAccessExpression(parent) || ts.isClassElement(parent) ||
        ts.isTypeElement(parent) ||
        ts.isObjectLiteralElementLike(parent);
      if (!isProperty) declared.add(node.text);
    } else if (parent.propertyName !== node && !(ts.isQualifiedName(parent) && parent.right === node)) {
      use(names, node, node.text);
    }
  };

  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined) {
      use(imports, node, (node.moduleSpecifier as ts.StringLiteral).text);
    } else if (
      ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument) && ts.isStringLiteral(node.argument.literal)
    ) {
      use(imports, node, node.argument.literal.text);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments;
      use(
        imports,
        node,
        argument !== undefined && ts.isStringLiteralLike(argument) ? argument.text : "a computed name",
      );
    } else if (ts.isPropertyAccessExpression(node)) {
      use(members, node, `${ts.isIdentifier(node.expression) ? node.expression.text : ""}.${node.name.text}`);
    } else if (ts.isElementAccessExpression(node) && ts.isStringLiteralLike(node.argumentExpression)) {
      use(
        members,
        node,
        `${ts.isIdentifier(node.expression) ? node.expression.text : ""}.${node.argumentExpression.text}`,
      );
    } else if ((ts.isNewExpression(node) || ts.isCallExpression(node)) && ts.isIdentifier(node.expression)) {
      use(
        members,
        node,
        `${ts.isNewExpression(node) ? "new " : ""}${node.expression.text}/${node.arguments?.length ?? 0}`,
      );
    } else if (ts.isIdentifier(node)) identifier(node);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return { imports, globals: names.filter(({ what }) => !declared.has(what)), members };
}
