// Looks for words in one language only: text in a page instead of the catalogue, a text that another language says just as
// English does, numbers or times that are written as the browser likes instead of in the language of the page, and days that are not
// written as the account likes.
// That every language has every text is the compiler's to see. Part of `npm run lint`.
import { readdirSync, readFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const src = fileURLToPath(new URL("../src", import.meta.url));

/** What is read or heard. */
const spoken = /^(label|title|description|placeholder|alt|text|heading|emptyText|nothingFoundMessage|aria-(label|description|roledescription))$/;

/** Names, and words that are the same in every language of the console. */
const names = new Set(
  `Paddock Token Tokens Backup Backups Webhook Link Widgets Total Subtotal Id Ids E-mail Scripts JavaScript Arduino curl
  CSV JSON ZIP SHA SMS Status Tag Tags QR OK Alt P Ctrl K Auto Dashboards dashboard dashboards TagoCores ESP s min SQLite PostgreSQL token tokens id`.split(/\s+/),
);

const found = [];

for (const file of files(src)) {
  if (!/\.tsx?$/.test(file) || /schema\.d\.ts$/.test(file) || file.includes(join(src, "texts"))) continue;
  const tree = read(file);
  const say = (node, what) => found.push(`${relative(process.cwd(), file)}:${line(tree, node)}: ${what}`);
  visit(tree, (node) => {
    if (ts.isJsxText(node) && wordy(node.text)) say(node, `text outside the catalogue: ${node.text.trim()}`);
    if (ts.isJsxExpression(node) && ts.isJsxElement(node.parent) && wordy(literal(node.expression))) say(node, `text outside the catalogue: ${literal(node.expression)}`);
    if (ts.isJsxAttribute(node) && spoken.test(node.name.getText(tree))) {
      const value = node.initializer && ts.isJsxExpression(node.initializer) ? node.initializer.expression : node.initializer;
      if (wordy(literal(value))) say(node, `text outside the catalogue: ${literal(value)}`);
    }
    if (ts.isNewExpression(node) && node.expression.getText(tree).startsWith("Intl.") && own(node.arguments?.[0]) && !asked(node))
      say(node, "formats need the locale of the texts");
    if (ts.isNewExpression(node) && node.expression.getText(tree) === "Intl.DateTimeFormat" && dated(node) && !file.endsWith(join("ui", "formats.ts")))
      say(node, "days are written by ui/formats.ts, as the account likes them");
    if (ts.isCallExpression(node) && /\.toLocale(|Date|Time)String$/.test(node.expression.getText(tree)) && own(node.arguments[0]))
      say(node, "formats need the locale of the texts");
  });
}

/** Whether a format writes days for people; one of a fixed language is for code. */
function dated(node) {
  const [language, options] = node.arguments ?? [];
  return language !== undefined && !ts.isStringLiteral(language) && options !== undefined && /\b(day|dateStyle)\s*:/.test(options.getText());
}

const english = join(src, "texts/en");
for (const language of readdirSync(join(src, "texts"))) {
  if (language === "en" || language.endsWith(".ts")) continue;
  for (const file of files(english)) {
    const other = join(src, "texts", language, basename(file));
    const said = texts(file);
    for (const [path, text] of texts(other))
      if (said.get(path) === text && wordy(text)) found.push(`${relative(process.cwd(), other)}: ${path} is said as in English: ${text}`);
  }
}

if (found.length > 0) {
  console.error(found.join("\n"));
  process.exit(1);
}

/** Every text of a part of a catalogue, by its path. What a function says is all that stands in it. */
function texts(file) {
  const tree = read(file);
  const out = new Map();
  const walk = (node, path) => {
    if (ts.isAsExpression(node) || ts.isSatisfiesExpression(node)) walk(node.expression, path);
    else if (ts.isObjectLiteralExpression(node))
      for (const member of node.properties) if (ts.isPropertyAssignment(member)) walk(member.initializer, `${path}.${member.name.getText(tree)}`);
      else;
    else {
      const said = [];
      const take = (inner) => {
        if (ts.isStringLiteralLike(inner) || ts.isTemplateHead(inner) || ts.isTemplateMiddleOrTemplateTail(inner)) said.push(inner.text);
        ts.forEachChild(inner, take);
      };
      take(node);
      out.set(path, said.join(" ").trim());
    }
  };
  for (const statement of tree.statements)
    if (ts.isVariableStatement(statement))
      for (const one of statement.declarationList.declarations) if (one.initializer) walk(one.initializer, one.name.getText(tree));
  return out;
}

/** Has a word that is none of the names. */
function wordy(text) {
  if (!text) return false;
  return (text.replace(/https?:\S+/g, "").match(/\p{L}[\p{L}-]*\p{L}/gu) ?? []).some((word) => !names.has(word));
}

/** The words of a string or a template, without what is put into it. */
function literal(node) {
  if (!node) return "";
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isTemplateExpression(node)) return [node.head.text, ...node.templateSpans.map((span) => span.literal.text)].join(" ");
  if (ts.isConditionalExpression(node)) return `${literal(node.whenTrue)} ${literal(node.whenFalse)}`;
  return "";
}

/** The browser's own locale. */
function own(node) {
  return !node || node.getText() === "undefined";
}

/** Only asked for what the browser has, such as its time zone, not for a text. */
function asked(node) {
  return /resolvedOptions|format\(0\)/.test(node.parent.parent?.getText() ?? "");
}

function read(file) {
  return ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.Latest, true, file.endsWith("x") ? ts.ScriptKind.TSX : ts.ScriptKind.TS);
}

function visit(node, look) {
  look(node);
  ts.forEachChild(node, (child) => visit(child, look));
}

function line(tree, node) {
  return tree.getLineAndCharacterOfPosition(node.getStart()).line + 1;
}

function files(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}
